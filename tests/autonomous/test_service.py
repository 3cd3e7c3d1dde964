"""The service as a plan, as text, and as commands to a launchd or systemd that only pretends."""

import os
import plistlib
import pwd
import shlex
import tempfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from execution.autonomous.folders import closed_to_services, cloud_of
from execution.autonomous.service import Answered, NeedsRights, Places, ServiceFailed, ServiceKeeper, run_command
from execution.autonomous.service_files import Kind, ServicePlan, argument, home_in, text_of, word
from execution.autonomous.service_state import ServiceState, in_words, question, read
from execution.runtime.home import PROJECT_ROOT, Home
from execution.runtime.locks import FileLock
from execution.runtime.platform import awake_command
from execution.vocabulary.exit_codes import BusyError, ConfigError
from execution.vocabulary.modes import OperationMode
from tests.support import child, line_of

PATHS = st.text(alphabet="ab %$\"'\\#;-ü", min_size=1, max_size=12).map(lambda text: Path(f"/x/{text}/y"))
SOMEBODY = next(entry.pw_name for entry in pwd.getpwall() if entry.pw_uid not in (0, os.getuid()))
STOPPED = "LoadState=loaded\nActiveState=inactive\nMainPID=0\nNRestarts=0\nResult=success\nUnitFileState=enabled\n"


def running(pid: int) -> str:
    return f"LoadState=loaded\nActiveState=active\nMainPID={pid}\nNRestarts=2\nResult=success\nUnitFileState=enabled\n"


def unquoted(value: str) -> list[str]:
    """How systemd reads a list of words."""
    return [part.replace("%%", "%") for part in shlex.split(value)]


@given(PATHS)
def test_any_path_comes_out_of_a_unit_as_it_went_in(path: Path) -> None:
    plan = ServicePlan(Kind.SYSTEMD, "trader", path, path)
    lines = dict(line.split("=", 1) for line in text_of(plan).splitlines() if "=" in line)
    assert home_in(text_of(plan), Kind.SYSTEMD) == path
    assert unquoted(lines["ReadWritePaths"]) == [str(path / "data"), str(path / "logs")]
    script = unquoted(lines["ExecStart"])[0].replace("$$", "$")
    assert script == str(path / "scripts/init_continuous_operation.sh")


@given(PATHS)
def test_any_path_comes_out_of_a_plist_as_it_went_in(path: Path) -> None:
    text = text_of(ServicePlan(Kind.LAUNCHD, "trader", path, path))
    assert home_in(text, Kind.LAUNCHD) == path
    assert plistlib.loads(text.encode())["EnvironmentVariables"]["NAE_HOME"] == str(path)


@pytest.mark.parametrize("path", ["relative", "/a\nExecStartPre=/bin/sh", "/a\\", "/a "])
def test_a_path_that_would_say_more_than_a_path_is_refused(path: str) -> None:
    with pytest.raises(ConfigError, match="a service can't name"):
        ServicePlan(Kind.SYSTEMD, "trader", Path("/x"), Path(path))


def test_words_are_quoted_where_systemd_would_read_more_than_one() -> None:
    assert (word("/a b/50%"), argument("/a$b")) == ('"/a b/50%%"', "/a$$b")


def test_sockets_in_the_temp_folder_are_seen_from_outside() -> None:
    plan = ServicePlan(Kind.SYSTEMD, "trader", Path("/p"), Path("/h"), temp=Path("/tmp"))
    text = text_of(plan)
    assert "PrivateTmp" not in text
    assert "ReadWritePaths=/h/data /h/logs /tmp\n" in text
    assert "Environment=TMPDIR=/tmp\n" in text


def test_the_locks_that_all_homes_of_a_user_share_can_be_taken_under_a_service(tmp_path: Path) -> None:
    planned = keeper(tmp_path, Pretended()).plan(Kind.SYSTEMD, OperationMode.DUAL, SOMEBODY)
    assert planned.state == Path(pwd.getpwnam(SOMEBODY).pw_dir) / ".local/state/nae"
    assert text_of(planned).count(f" -{planned.state}\n") == 1
    assert f"Environment=XDG_STATE_HOME={planned.state.parent}\n" in text_of(planned)


def test_a_users_own_choice_of_where_those_locks_are_reaches_the_service(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
    somebody = pwd.getpwnam(SOMEBODY)
    for uid, state in (
        (somebody.pw_uid, tmp_path / "state"),
        (somebody.pw_uid + 1, Path(somebody.pw_dir) / ".local/state"),
    ):
        monkeypatch.setattr("os.getuid", lambda uid=uid: uid)
        planned = keeper(tmp_path, Pretended()).plan(Kind.SYSTEMD, OperationMode.DUAL, SOMEBODY)
        assert planned.state == state / "nae"


def test_a_users_own_unit_asks_for_nothing_that_only_root_can_give() -> None:
    text = text_of(ServicePlan(Kind.SYSTEMD_USER, "trader", Path("/p"), Path("/h")))
    for refused in ("User=", "CapabilityBoundingSet", "ProtectSystem", "PrivateTmp"):
        assert f"\n{refused}" not in text
    assert "WantedBy=default.target" in text


LAUNCHD_SAYS = """system/com.nae.continuous = {
\tactive count = 1
\tpath = /Library/LaunchDaemons/com.nae.continuous.plist
\tstate = running
\tprogram = /Users/t/nae/scripts/init_continuous_operation.sh
\truns = 3
\tpid = 512
\timmediate reason = inefficient
\tlast terminating signal = Killed: 9
\tendpoints = {
\t\tstate = odd
\t}
}
"""


def test_what_launchd_prints_is_understood() -> None:
    state = read(Kind.LAUNCHD, "/f", True, 0, LAUNCHD_SAYS)
    assert (state.running, state.pid, state.restarts, state.last_end) == (True, 512, 2, "Killed: 9")
    assert not read(Kind.LAUNCHD, "/f", True, 113, "Could not find service").loaded


def test_what_systemd_shows_is_understood() -> None:
    state = read(Kind.SYSTEMD, "/f", True, 0, running(77))
    assert (state.running, state.pid, state.restarts, state.at_boot, state.last_end) == (True, 77, 2, True, "")
    failed = STOPPED.replace("Result=success", "Result=watchdog\nExecMainStatus=6")
    assert read(Kind.SYSTEMD, "/f", True, 0, failed).last_end == "watchdog, status 6"
    assert read(Kind.SYSTEMD, "/f", True, 1, "Failed to connect to bus: x\n").problem == (
        "systemctl: Failed to connect to bus: x"
    )


@pytest.mark.parametrize(
    ("state", "told"),
    [
        (ServiceState(Kind.SYSTEMD, "/f"), "no service installed"),
        (ServiceState(Kind.SYSTEMD, "/f", True, problem="systemctl: no"), "is installed (/f), but systemctl: no"),
        (ServiceState(Kind.LAUNCHD, "/f", True), "not loaded"),
        (ServiceState(Kind.SYSTEMD, "/f", True, True, True), "start it: sudo systemctl start nae.service"),
        (ServiceState(Kind.SYSTEMD_USER, "/f", True, True), "start it: systemctl --user start nae.service"),
        (
            ServiceState(Kind.LAUNCHD, "/f", True, True, last_end="9"),
            "last ended with 9, doesn't start at boot; start it: sudo launchctl kickstart -k system/com.nae.continuous",
        ),
        (ServiceState(Kind.SYSTEMD, "/f", True, True, True, True, 7, 2, owns=True), "owns this operation, pid 7"),
        (ServiceState(Kind.SYSTEMD, "/f", True, True, True, True, 7, home="/o"), "owns another operation (/o)"),
    ],
)
def test_every_state_is_said_with_what_to_do(state: ServiceState, told: str) -> None:
    assert told in in_words(state)


@dataclass
class Pretended:
    """A launchd or systemd that writes down what it is told."""

    shows: str = STOPPED
    show_code: int = 0
    fails: str = ""
    told: list[tuple[str, ...]] = field(default_factory=list)

    def __call__(self, words: Sequence[str], within_s: float) -> Answered:
        if "show" in words or "print" in words:
            return Answered(self.show_code, self.shows)
        if "is-system-running" in words:
            return Answered(0, "running")
        self.told.append(tuple(words))
        if words[0] == "install":
            Path(words[-1]).write_text(Path(words[-2]).read_text())
        return Answered(1, "Unit is masked.") if self.fails and self.fails in words else Answered(0, "")


def keeper(tmp_path: Path, run: Pretended, root: bool = False, platform: str = "linux") -> ServiceKeeper:
    places = Places(tmp_path / "daemons", tmp_path / "units", tmp_path / "user_units")
    for folder in (places.daemons, places.units, places.user_units):
        folder.mkdir(exist_ok=True)
    return ServiceKeeper(Home.find(tmp_path / "home"), run, places, platform, root)


def plan(tmp_path: Path, kind: Kind) -> ServicePlan:
    return ServicePlan(kind, SOMEBODY, PROJECT_ROOT, (tmp_path / "home").resolve())


def test_a_users_own_service_is_installed_without_rights(tmp_path: Path) -> None:
    run = Pretended()
    keeping, said = keeper(tmp_path, run), list[str]()
    keeping.install(plan(tmp_path, Kind.SYSTEMD_USER), said.append)
    assert [words[2:] for words in run.told[2:]] == [
        ("daemon-reload",),
        ("enable", "nae.service"),
        ("restart", "nae.service"),
    ]
    assert said == [shlex.join(words) for words in run.told]
    log = tmp_path / "home" / "logs" / "continuous_service.log"
    assert log.stat().st_mode & 0o777 == 0o600
    assert keeping.found().home == str((tmp_path / "home").resolve())


def test_a_user_without_a_home_gets_a_service_too(tmp_path: Path) -> None:
    (tmp_path / "nonexistent").write_text("")
    run = Pretended()
    homeless = replace(plan(tmp_path, Kind.SYSTEMD_USER), state=tmp_path / "nonexistent" / ".local" / "nae")
    keeper(tmp_path, run).install(homeless, print)
    assert run.told[-1][-2:] == ("restart", "nae.service")


@pytest.mark.parametrize("kind", [Kind.SYSTEMD, Kind.LAUNCHD])
def test_without_rights_the_exact_commands_are_given_and_the_staged_file_is_there(tmp_path: Path, kind: Kind) -> None:
    run = Pretended()
    with pytest.raises(NeedsRights) as needed:
        keeper(tmp_path, run).install(plan(tmp_path, kind), print)
    assert run.told == []
    assert all(line.startswith("sudo ") for line in needed.value.commands)
    copied = next(line for line in needed.value.commands if line.startswith("sudo install "))
    assert Path(shlex.split(copied)[-2]).read_text() == text_of(plan(tmp_path, kind))


def test_a_loaded_daemon_is_booted_out_before_it_is_bootstrapped_anew(tmp_path: Path) -> None:
    run = Pretended(shows="x = {\n\tstate = waiting\n}\n")
    with pytest.raises(NeedsRights) as needed:
        keeper(tmp_path, run, platform="darwin").install(plan(tmp_path, Kind.LAUNCHD), print)
    verbs = [shlex.split(line)[1:3] for line in needed.value.commands]
    assert verbs == [["launchctl", "bootout"], ["install", "-m"], ["launchctl", "enable"], ["launchctl", "bootstrap"]]


def test_what_systemd_refuses_is_said_in_its_words_and_nothing_more_is_done(tmp_path: Path) -> None:
    run = Pretended(fails="enable")
    with pytest.raises(ServiceFailed, match=r"enable nae.service: Unit is masked\."):
        keeper(tmp_path, run).install(plan(tmp_path, Kind.SYSTEMD_USER), lambda _: None)
    assert run.told[-1][-2:] == ("enable", "nae.service")


def test_an_operation_that_runs_by_hand_is_not_taken_over(tmp_path: Path) -> None:
    run = Pretended()
    keeping = keeper(tmp_path, run)
    keeping.home.prepare()
    lock = FileLock(keeping.home.operation_lock)
    lock.acquire(f"pid {os.getpid()} mode dual")
    with pytest.raises(BusyError, match="by hand"):
        keeping.install(plan(tmp_path, Kind.SYSTEMD_USER), print)
    run.shows = running(os.getpid())
    keeping.install(plan(tmp_path, Kind.SYSTEMD_USER), lambda _: None)
    assert keeping.found().owns
    lock.release()
    assert not keeping.found().owns


def test_another_homes_service_is_neither_replaced_nor_removed(tmp_path: Path) -> None:
    run = Pretended()
    keeping = keeper(tmp_path, run)
    theirs = ServicePlan(Kind.SYSTEMD_USER, SOMEBODY, PROJECT_ROOT, Path("/other/home"))
    keeping.places.of(Kind.SYSTEMD_USER).write_text(text_of(theirs))
    for act in (
        lambda: keeping.install(plan(tmp_path, Kind.SYSTEMD_USER), print),
        lambda: keeping.uninstall(Kind.SYSTEMD_USER, print),
    ):
        with pytest.raises(BusyError, match="/other/home"):
            act()
    assert run.told == []
    assert not keeping.found().installed, "it isn't the service of this home"


def test_uninstalling_stops_it_first_and_what_isnt_there_is_done(tmp_path: Path) -> None:
    run = Pretended(shows="LoadState=not-found\n")
    keeping = keeper(tmp_path, run)
    assert keeping.uninstall(Kind.SYSTEMD_USER, print) is False
    keeping.install(plan(tmp_path, Kind.SYSTEMD_USER), lambda _: None)
    run.told.clear()
    assert keeping.uninstall(Kind.SYSTEMD_USER, lambda _: None) is True
    assert run.told[0][2:] == ("disable", "--now", "nae.service")


def test_a_service_never_runs_as_root_or_as_nobody_known(tmp_path: Path) -> None:
    keeping = keeper(tmp_path, Pretended())
    with pytest.raises(ConfigError, match="never trades as root"):
        keeping.plan(Kind.SYSTEMD, OperationMode.DUAL, "root")
    with pytest.raises(ConfigError, match="no such user"):
        keeping.plan(Kind.SYSTEMD, OperationMode.DUAL, "no-such-trader")
    assert keeping.plan(Kind.SYSTEMD, OperationMode.LIVE, SOMEBODY).command[1:] == ("live", "--foreground")


def test_the_kind_is_what_the_machine_has_and_we_may(tmp_path: Path) -> None:
    assert keeper(tmp_path, Pretended(), platform="darwin").usual_kind() is Kind.LAUNCHD
    assert keeper(tmp_path, Pretended()).usual_kind() is Kind.SYSTEMD_USER
    assert keeper(tmp_path, Pretended(), root=True).usual_kind() is Kind.SYSTEMD


@pytest.fixture
def open_folder() -> Iterator[Path]:
    """One that another user may enter too."""
    with tempfile.TemporaryDirectory(dir="/tmp") as name:
        Path(name).chmod(0o755)
        yield Path(name)


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can become another user")
def test_what_root_makes_in_a_users_home_is_the_users_and_links_lead_root_nowhere(open_folder: Path) -> None:
    home, secret = open_folder / "home", open_folder / "secret"
    home.mkdir()
    account = pwd.getpwnam(SOMEBODY)
    os.chown(home, account.pw_uid, account.pw_gid)
    keeping = keeper(open_folder, Pretended(), root=True)
    keeping.install(plan(open_folder, Kind.SYSTEMD), lambda _: None)
    log = home / "logs" / "continuous_service.log"
    assert log.stat().st_uid == log.parent.stat().st_uid == account.pw_uid
    secret.mkdir(mode=0o700)
    log.unlink()
    log.symlink_to(secret / "made")
    with pytest.raises(PermissionError):
        keeping.install(plan(open_folder, Kind.SYSTEMD), lambda _: None)
    assert os.geteuid() == 0
    assert not (secret / "made").exists()


def test_a_real_command_is_run_to_its_end_and_never_waited_for_too_long() -> None:
    assert run_command(("sh", "-c", "echo done; echo why >&2; exit 3"), 10).text == "done\nwhy"
    assert run_command(("no-such-command-here",), 1).code == 127
    with child("print(1, flush=True); input()") as waiting:
        assert line_of(waiting) == "1"
        assert run_command(("tail", "-f", f"--pid={waiting.pid}", "/dev/null"), 0.1).code == 124


def test_sleep_is_held_off_on_macos_alone() -> None:
    assert awake_command(7, "darwin")[-2:] == ("-w", "7")
    assert awake_command(7, "linux") == ()


def test_the_question_changes_nothing() -> None:
    assert {question(kind)[0] for kind in Kind} == {"launchctl", "systemctl"}
    assert all({"print", "show"} & set(question(kind)) for kind in Kind)


@pytest.mark.parametrize(
    ("folder", "cloud"),
    [
        ("/Users/t/Library/Mobile Documents/com~apple~CloudDocs/nae", "iCloud Drive"),
        ("/Users/t/Library/CloudStorage/Dropbox/nae", "a cloud folder of macOS"),
        ("/home/t/Dropbox (Work)/nae", "Dropbox"),
        ("/home/t/OneDrive - Work/nae", "OneDrive"),
        ("/home/t/dropboxes/nae", None),
        ("/home/t/nae", None),
    ],
)
def test_a_folder_in_a_cloud_is_recognised(folder: str, cloud: str | None) -> None:
    assert cloud_of(Path(folder)) == cloud


def test_macos_closes_three_folders_to_services() -> None:
    assert closed_to_services(Path("/Users/t/Documents/nae"), "darwin") == "/Users/t/Documents"
    assert closed_to_services(Path("/Users/t/nae/Documents"), "darwin") is None
    assert closed_to_services(Path("/Users/t/Documents/nae"), "linux") is None
