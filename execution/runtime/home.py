"""Where an operation lives: one folder with nae.toml, data/ and logs/. Two homes never meet."""

import hashlib
import os
import stat
import tempfile
from dataclasses import dataclass
from pathlib import Path

from execution.runtime.platform import user_state_folder
from execution.vocabulary.exit_codes import ConfigError
from execution.vocabulary.limits import SOCKET_PATH_MAX

CODE_ROOT = Path(__file__).resolve().parents[2]  # the code this process runs: the project itself, or a build of it
PROJECT_ROOT = Path(os.environ.get("NAE_PROJECT") or CODE_ROOT)  # the project that a build was made from
_LONGEST_SOCKET = "accelerator_controller.cmd.12345678"  # supervisord first binds "<path>.<pid>"


@dataclass(frozen=True)
class Home:
    """The paths of one operation."""

    root: Path

    @classmethod
    def find(cls, root: str | Path | None = None) -> "Home":
        """`root`, else $NAE_HOME, else the project's root. Raises ConfigError when that is no folder."""
        chosen = root or os.environ.get("NAE_HOME") or PROJECT_ROOT
        found = Path(chosen).expanduser().resolve()
        if found.exists() and not found.is_dir():
            raise ConfigError(f"NAE_HOME = {found} is no folder; a folder, or where one can be made, would be right")
        return cls(found)

    @property
    def config_file(self) -> Path:
        return self.root / "nae.toml"

    @property
    def data(self) -> Path:
        return self.root / "data"

    @property
    def logs(self) -> Path:
        return self.root / "logs"

    @property
    def builds(self) -> Path:
        """The code that processes run, one folder per build, and the link `current`."""
        return self.data / "builds"

    @property
    def pid_file(self) -> Path:
        return self.logs / "continuous_operation.pid"

    @property
    def change_log(self) -> Path:
        return self.logs / "change_log.json"

    def log_file(self, process: str) -> Path:
        """What a process writes itself."""
        return self.logs / f"{process}.log"

    def boot_log(self, process: str) -> Path:
        """What a process printed before its own logging was up."""
        return self.logs / "boot" / f"{process}.out"

    @property
    def operation_lock(self) -> Path:
        """Held by the running operation's supervisord; its text is `pid N mode MODE`. In the home however long its path
        is: where `run` is then depends on TMPDIR, and one home must have one lock."""
        return self.data / "run" / "operation.lock"

    def pulse(self, process: str) -> Path:
        """Where a process shows that its loop still turns."""
        return self.run / f"{process}.pulse"

    def refusal(self, process: str) -> Path:
        """Why a process can't start, for whoever started it: `CODE MESSAGE`."""
        return self.run / f"{process}.refusal"

    def account(self, account: str) -> Path:
        """The folder of one trading account."""
        return self.data / account

    def ledger(self, account: str) -> Path:
        return self.account(account) / "ledger.db"

    def audit_trail(self, process: str) -> Path:
        return self.logs / "audit" / f"{process}.jsonl"

    @property
    def run(self) -> Path:
        """The folder for sockets and locks: in the home when the path is short enough for a Unix socket."""
        inside = self.data / "run"
        if len(os.fsencode(inside / _LONGEST_SOCKET)) <= SOCKET_PATH_MAX:
            return inside
        digest = hashlib.sha256(os.fsencode(self.root)).hexdigest()[:16]
        return Path(tempfile.gettempdir()).resolve() / f"nae-{os.getuid()}-{digest}"

    def prepare(self) -> None:
        """Make the folders. Raises OSError when one can't be made, ConfigError when the run folder isn't ours alone."""
        for folder in (self.operation_lock.parent, self.logs, self.logs / "boot", self.logs / "audit"):
            folder.mkdir(parents=True, exist_ok=True)
        self.data.chmod(0o700)
        self.run.mkdir(mode=0o700, parents=True, exist_ok=True)
        owner_only(self.run)

    def socket(self, name: str) -> Path:
        return self.run / name


def user_state() -> Path:
    """The folder for what holds for all operations of this user on this machine; made, and ours alone.

    Raises OSError when it can't be made, ConfigError when it isn't ours.
    """
    folder = user_state_folder(os.environ, Path.home()) / "nae"
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    owner_only(folder)
    return folder


def owner_only(folder: Path) -> None:
    """Make sure that `folder` is a real directory, ours, and closed to everybody else."""
    status = folder.lstat()
    if not stat.S_ISDIR(status.st_mode) or status.st_uid != os.getuid():
        raise ConfigError(f"{folder} must be a folder owned by you (uid {os.getuid()}); remove it and start again")
    if stat.S_IMODE(status.st_mode) != 0o700:
        folder.chmod(0o700)
