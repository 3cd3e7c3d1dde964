"""Puts the operation under launchd or systemd, takes it away, and asks how it does, by their own commands.

What is written and which commands are run is decided in service_files.py; what they answer is read in service_state.py.
"""

import contextlib
import os
import pwd
import shlex
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

from execution.autonomous.folders import closed_to_services
from execution.autonomous.launch import operation_pid
from execution.autonomous.service_files import (
    LABEL,
    START_WITHIN_S,
    UNIT,
    Kind,
    ServicePlan,
    home_in,
    install_steps,
    text_of,
    uninstall_steps,
)
from execution.autonomous.service_state import ServiceState, question, read
from execution.runtime.files import write_atomically
from execution.runtime.home import PROJECT_ROOT, Home
from execution.runtime.platform import awake_command, user_state_folder
from execution.vocabulary.exit_codes import BusyError, ConfigError
from execution.vocabulary.modes import OperationMode

ASKED_WITHIN_S = 5.0
DONE_WITHIN_S = START_WITHIN_S + 30.0
NO_SUCH_COMMAND, TOO_LATE = 127, 124


class NeedsRights(Exception):
    """Only root may do this. `commands` is what a person would type, in order."""

    def __init__(self, commands: list[str]) -> None:
        super().__init__("this needs root's rights")
        self.commands = commands


class ServiceFailed(Exception):
    """launchd or systemd said no; the text is what it said."""


@dataclass(frozen=True)
class Answered:
    """How a command ended; `text` is all that it said."""

    code: int
    text: str


Runner = Callable[[Sequence[str], float], Answered]


def run_command(words: Sequence[str], within_s: float) -> Answered:
    """Run one command to its end, as an argument list."""
    try:
        done = subprocess.run(
            list(words), stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=within_s, check=False
        )
    except FileNotFoundError:
        return Answered(NO_SUCH_COMMAND, f"{words[0]} isn't here")
    except subprocess.TimeoutExpired:
        return Answered(TOO_LATE, f"no answer within {within_s:g} s")
    return Answered(done.returncode, (done.stdout + done.stderr).strip())


def keep_awake(platform: str = sys.platform) -> None:
    """Hold sleep off for as long as this process lives, whatever it becomes by exec. Only macOS needs it."""
    words = awake_command(os.getpid(), platform)
    if words:
        subprocess.Popen(words, stdin=subprocess.DEVNULL, start_new_session=True)


@dataclass(frozen=True)
class Places:
    """Where installed files are."""

    daemons: Path = Path("/Library/LaunchDaemons")
    units: Path = Path("/etc/systemd/system")
    user_units: Path = field(default_factory=lambda: Path.home() / ".config" / "systemd" / "user")

    def of(self, kind: Kind) -> Path:
        if kind is Kind.LAUNCHD:
            return self.daemons / f"{LABEL}.plist"
        return (self.units if kind is Kind.SYSTEMD else self.user_units) / UNIT


@dataclass(frozen=True)
class ServiceKeeper:
    """The service of one home."""

    home: Home
    run: Runner = run_command
    places: Places = field(default_factory=Places)
    platform: str = sys.platform
    root: bool = field(default_factory=lambda: os.geteuid() == 0)

    def usual_kind(self) -> Kind:
        """What this machine has, and what we may: without rights a user's own systemd where there is one."""
        if self.platform == "darwin":
            return Kind.LAUNCHD
        if not self.root and self.run(("systemctl", "--user", "is-system-running"), ASKED_WITHIN_S).text in (
            "running",
            "degraded",
            "starting",
        ):
            return Kind.SYSTEMD_USER
        return Kind.SYSTEMD

    def plan(self, kind: Kind, mode: OperationMode, user: str = "") -> ServicePlan:
        """The service as it would be. Raises ConfigError for a user that can't be."""
        name = user or _user_meant(self.home, self.root)
        try:
            account = pwd.getpwnam(name)
        except KeyError:
            raise ConfigError(f"--user {name!r}: no such user; one who owns {self.home.root} would be right") from None
        if account.pw_uid == 0:
            raise ConfigError(f"a service never trades as root; --user NAME with the owner of {self.home.root}")
        inside = self.home.run.is_relative_to(self.home.root)
        temp = None if inside else Path(tempfile.gettempdir())
        ours = os.environ if account.pw_uid == os.getuid() else {}  # another user's choice isn't in our environment
        state = user_state_folder(ours, Path(account.pw_dir), self.platform) / "nae"
        return ServicePlan(kind, name, PROJECT_ROOT, self.home.root, mode, temp, state)

    def notes(self, plan: ServicePlan) -> list[str]:
        """What is worth saying about a plan, that stops nobody."""
        said = []
        for what, folder in (("home", plan.home), ("project", plan.project)):
            if closed := closed_to_services(folder, self.platform):
                said.append(
                    f"the {what} is in {closed}: macOS keeps background services out of it; move it out, such as to "
                    f"/Users/{plan.user}/nae"
                )
        if plan.kind is Kind.SYSTEMD_USER and not (Path("/var/lib/systemd/linger") / plan.user).exists():
            said.append(
                f"a user's own service ends with the last login and isn't there after a reboot, until: "
                f"sudo loginctl enable-linger {plan.user}"
            )
        if plan.kind is Kind.LAUNCHD:
            said.append("FileVault keeps every service waiting after a reboot until somebody unlocks the disk")
        return said

    def install(self, plan: ServicePlan, said: Callable[[str], None]) -> None:
        """Folders and log for the user, the file in place, the service started. Raises NeedsRights (what needs none
        has been done then), ServiceFailed, BusyError when an operation runs that isn't the service's."""
        target = self.places.of(plan.kind)
        state = self.state(plan.kind)
        if state.home is not None and Path(state.home) != plan.home:
            raise BusyError(f"{target} belongs to the operation of {state.home}; uninstall it there first")
        pid = operation_pid(self.home)
        if pid is not None and not state.owns:
            raise BusyError(f"the operation runs already, by hand (pid {pid}); scripts/nae down stops it")
        staged = self._prepare(plan)
        try:
            self._carry_out(plan.kind, install_steps(plan.kind, staged, target, state.loaded), said)
        finally:
            if self.root:
                shutil.rmtree(staged.parent)

    def uninstall(self, kind: Kind, said: Callable[[str], None]) -> bool:
        """Stop the service and take its file away; False when there was none."""
        state = self.state(kind)
        if not state.installed and not state.loaded:
            return False
        if state.home is not None and Path(state.home) != self.home.root:
            raise BusyError(f"{state.file} belongs to the operation of {state.home}; uninstall it there")
        self._carry_out(kind, uninstall_steps(kind, self.places.of(kind), state.loaded), said)
        return True

    def _carry_out(self, kind: Kind, steps: list[tuple[str, ...]], said: Callable[[str], None]) -> None:
        if kind is not Kind.SYSTEMD_USER and not self.root:
            raise NeedsRights([shlex.join(("sudo", *step)) for step in steps])
        for step in steps:
            said(shlex.join(step))
            answer = self.run(step, DONE_WITHIN_S)
            if answer.code != 0:
                raise ServiceFailed(f"{shlex.join(step)}: {answer.text or f'ended with {answer.code}'}")

    def _prepare(self, plan: ServicePlan) -> Path:
        """The user's folders and log (launchd and systemd would make it root's), and the file to be put in place."""
        with _as_user(plan.user) if self.root else contextlib.nullcontext():
            for folder in plan.folders:
                # a user may have no home; only a real account needs that folder, and its trader says when it's missing
                with contextlib.suppress(OSError) if folder == plan.state else contextlib.nullcontext():
                    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            plan.log.touch(mode=0o600)
        # root takes nothing from a folder that a user could change in between
        folder = Path(tempfile.mkdtemp(prefix="nae-service-")) if self.root else plan.folders[0]
        staged = folder / self.places.of(plan.kind).name
        write_atomically(staged, text_of(plan))
        return staged

    def state(self, kind: Kind) -> ServiceState:
        """One service as its manager sees it."""
        file = self.places.of(kind)
        installed = file.is_file()
        answer = self.run(question(kind), ASKED_WITHIN_S)
        state = read(kind, str(file), installed, answer.code, answer.text)
        home = home_in(file.read_text(), kind) if installed else None
        owns = state.pid is not None and state.pid == operation_pid(self.home)
        return replace(state, home=str(home) if home else None, owns=owns)

    def found(self) -> ServiceState:
        """The service of this home: the installed one, else none. Cheap when there is none."""
        kinds = [Kind.LAUNCHD] if self.platform == "darwin" else [Kind.SYSTEMD, Kind.SYSTEMD_USER]
        states = [self.state(kind) for kind in kinds if self.places.of(kind).is_file()]
        ours = [state for state in states if state.home == str(self.home.root)]
        return ours[0] if ours else ServiceState(kinds[0], str(self.places.of(kinds[0])))


@contextlib.contextmanager
def _as_user(name: str) -> Iterator[None]:
    """What root makes in a user's folder it makes with that user's rights: a link there leads it nowhere else."""
    account, groups = pwd.getpwnam(name), os.getgroups()
    os.initgroups(name, account.pw_gid)
    os.setegid(account.pw_gid)
    os.seteuid(account.pw_uid)
    try:
        yield
    finally:
        os.seteuid(0)
        os.setegid(0)
        os.setgroups(groups)


def _user_meant(home: Home, root: bool) -> str:
    """Whoever calls; under root, who called sudo, else the owner of the home."""
    if not root:
        return pwd.getpwuid(os.getuid()).pw_name
    if os.environ.get("SUDO_USER"):
        return os.environ["SUDO_USER"]
    owner = next(folder for folder in (home.root, *home.root.parents) if folder.exists()).stat().st_uid
    return pwd.getpwuid(owner).pw_name
