"""supervisord's configuration as its own parser reads it, and the door to it against a real supervisord."""

import configparser
import signal
import socket
import subprocess
import sys
import tempfile
import threading
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
from supervisor.options import ServerOptions

from execution.autonomous.supervisor_door import (
    ProgramState,
    SupervisorDoor,
    SupervisorRefused,
    SupervisorUnavailable,
)
from execution.autonomous.supervisord_config import GROUP_PRIORITY, render
from execution.vocabulary.modes import OperationMode
from execution.vocabulary.programs import programs_of
from tests.support import eventually, is_running


@pytest.fixture
def folder() -> Iterator[Path]:
    """A folder whose path is short enough for sockets."""
    with tempfile.TemporaryDirectory(prefix="nae-") as made:
        yield Path(made)


def parsed(mode: OperationMode) -> configparser.RawConfigParser:
    parser = configparser.RawConfigParser(inline_comment_prefixes=(";",))
    parser.read_string(render(mode))
    return parser


@pytest.mark.parametrize("mode", OperationMode)
def test_every_program_of_the_mode_is_in_it_once_with_nothing_left_to_fill_in(mode: OperationMode) -> None:
    parser = parsed(mode)
    names = {section.partition(":")[2] for section in parser.sections() if section.startswith("program:")}
    assert names == {program.name for program in programs_of(mode)}
    values = [value for section in parser.sections() for value in parser[section].values()]
    assert not any("{" in value or "}" in value for value in values)


@pytest.mark.parametrize("mode", OperationMode)
def test_each_program_is_in_one_group_and_groups_stop_in_order(mode: OperationMode) -> None:
    parser = parsed(mode)
    groups = {name: parser[f"group:{name}"] for name in GROUP_PRIORITY}
    members = [member for group in groups.values() for member in group["programs"].split(",")]
    assert sorted(members) == sorted(program.name for program in programs_of(mode))
    priorities = [int(groups[name]["priority"]) for name in ("market", "trade", "watch")]
    assert priorities == sorted(set(priorities)), "supervisord stops the highest first: watch, then trade, then market"


def test_a_program_starts_by_itself_comes_back_and_stops_by_its_own_deadline() -> None:
    trader = parsed(OperationMode.DUAL)["program:live_optimus"]
    assert trader["command"].endswith("-m agents.optimus --live")
    expected = {"autostart": "true", "autorestart": "true", "startsecs": "1", "startretries": "3", "stopsignal": "TERM"}
    assert {name: trader[name] for name in expected} == expected
    assert int(trader["stopwaitsecs"]) >= 3600, "supervisord counts wall time; the worker has a monotonic deadline"


def test_who_isnt_needed_by_the_live_account_steps_back_and_nobody_else() -> None:
    parser = parsed(OperationMode.DUAL)
    for program in programs_of(OperationMode.DUAL):
        command = parser[f"program:{program.name}"]["command"]
        assert command.startswith(f"/usr/bin/env nice -n {program.nice} " if program.nice else '"%(ENV_NAE_PYTHON)s" ')
        assert not (program.nice and (program.account == "live" or program.group == "market"))


def test_without_a_standby_only_the_standby_is_missing() -> None:
    for standby in (True, False):
        text = render(OperationMode.DUAL, standby)
        assert text.count("\n[program:") == len(programs_of(OperationMode.DUAL, standby))


def test_no_path_and_no_secret_stands_in_it() -> None:
    text = render(OperationMode.DUAL)
    assert str(Path.home()) not in text
    assert not any(word in text.lower() for word in ("secret", "password", "api_key"))


@pytest.mark.parametrize("mode", OperationMode)
def test_supervisords_own_reader_takes_it(folder: Path, monkeypatch: pytest.MonkeyPatch, mode: OperationMode) -> None:
    folder = folder / "50% 'of' \"it\" %s ü"  # supervisord expands % in its configuration, some keys twice
    (folder / "logs" / "boot").mkdir(parents=True)
    monkeypatch.chdir(folder)
    for name, value in {"NAE_HOME": folder, "NAE_RUN": folder, "NAE_PYTHON": sys.executable}.items():
        monkeypatch.setenv(name, str(value))
    path = folder / "supervisord.conf"
    path.write_text(render(mode))
    options = ServerOptions()
    options.realize(["-c", str(path)])
    names = {program.name for group in options.process_group_configs for program in group.process_configs}
    assert names == {program.name for program in programs_of(mode)}


CONFIG = """
[supervisord]
nodaemon=true
silent=true
pidfile={folder}/pid
logfile={folder}/log
directory={folder}
[unix_http_server]
file={folder}/sock
[rpcinterface:supervisor]
supervisor.rpcinterface_factory=supervisor.rpcinterface:make_main_rpcinterface
[program:steady]
command={python} -c "import sys; sys.stdin.read()"
startsecs=0
[program:idle]
command={python} -c "import sys; sys.stdin.read()"
startsecs=0
autostart=false
[program:broken]
command={folder}/no/such/program
startretries=0
[program:ends]
command={python} -c "raise SystemExit(78)"
startsecs=0
autorestart=false
[group:trade]
programs=steady,idle,broken,ends
"""


@dataclass
class Running:
    """A supervisord of this test's own."""

    process: "subprocess.Popen[bytes]"
    door: SupervisorDoor

    def program(self, name: str) -> ProgramState:
        return next(program for program in self.door.programs() if program.name == name)

    def reaches(self, name: str, state: str) -> ProgramState:
        eventually(lambda: self.program(name).state == state)
        return self.program(name)


@pytest.fixture(scope="module")
def running() -> Iterator[Running]:
    with tempfile.TemporaryDirectory(prefix="nae-") as made:
        folder = Path(made)
        (folder / "conf").write_text(CONFIG.format(folder=folder, python=sys.executable))
        command = [sys.executable, "-m", "supervisor.supervisord", "-c", str(folder / "conf")]
        process = subprocess.Popen(command, cwd=folder, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        try:
            door = SupervisorDoor(folder / "sock")
            eventually(lambda: _operating(door), within_s=20)
            yield Running(process, door)
        finally:
            process.send_signal(signal.SIGCONT)
            process.terminate()
            try:
                process.wait(timeout=10)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()


def _operating(door: SupervisorDoor) -> bool:
    try:
        return door.operating()
    except SupervisorUnavailable:
        return False


def test_the_door_tells_every_programs_state(running: Running) -> None:
    steady = running.reaches("steady", "RUNNING")
    assert is_running(steady.pid)
    assert (steady.group, steady.exit_status) == ("trade", 0)
    assert steady.since_s >= 0
    assert running.program("idle").state == "STOPPED"
    assert running.program("idle").pid == 0


def test_one_look_tells_all_that_two_calls_tell_also_where_there_is_no_plug_in(running: Running) -> None:
    programs, plug_in = running.door.look(["steady"])
    assert {program.name for program in programs} == {program.name for program in running.door.programs()}
    assert not plug_in.working and "without the plug-in" in plug_in.problem


def test_the_door_says_why_a_program_doesnt_start(running: Running) -> None:
    broken = running.reaches("broken", "FATAL")
    assert "no/such/program" in broken.explanation
    assert running.reaches("ends", "EXITED").exit_status == 78


def test_a_killed_program_comes_back_with_a_new_pid(running: Running) -> None:
    before = running.reaches("steady", "RUNNING")
    running.door.signal(before, "KILL")
    eventually(lambda: running.program("steady").pid not in (0, before.pid))
    assert running.reaches("steady", "RUNNING").pid != before.pid


def test_a_stopped_program_is_started_once_and_a_second_start_is_refused(running: Running) -> None:
    idle = running.program("idle")
    if idle.state == "STOPPED":
        running.door.start(idle)
    running.reaches("idle", "RUNNING")
    with pytest.raises(SupervisorRefused, match="ALREADY_STARTED"):
        running.door.start(idle)


def test_a_signal_to_what_doesnt_run_and_an_unknown_name_are_refused(running: Running) -> None:
    broken = running.reaches("broken", "FATAL")
    with pytest.raises(SupervisorRefused, match="NOT_RUNNING"):
        running.door.signal(broken, "KILL")
    stranger = ProgramState("stranger", "trade", "STOPPED", 0, 0.0, 0, "")
    with pytest.raises(SupervisorRefused, match="BAD_NAME"):
        running.door.start(stranger)


def test_a_hung_supervisord_hangs_nobody_else(running: Running) -> None:
    impatient = SupervisorDoor(running.door._path, timeout_s=0.3)
    running.process.send_signal(signal.SIGSTOP)
    try:
        with pytest.raises(SupervisorUnavailable, match="timed out"):
            impatient.programs()
    finally:
        running.process.send_signal(signal.SIGCONT)
    assert running.door.operating()


def test_without_a_supervisord_the_door_says_so(folder: Path) -> None:
    with pytest.raises(SupervisorUnavailable, match="No such file"):
        SupervisorDoor(folder / "none").programs()
    with socket.socket(socket.AF_UNIX) as left_behind:
        left_behind.bind(str(folder / "sock"))
    with pytest.raises(SupervisorUnavailable, match="refused"):
        SupervisorDoor(folder / "sock").operating()


ANSWERS = [b"", b"garbage\r\n\r\n", b"HTTP/1.1 500 No\r\n\r\n", b"HTTP/1.1 200 OK\r\n\r\n<cut off"]


@pytest.mark.parametrize("answer", ANSWERS)
def test_whatever_else_answers_on_its_socket_is_unavailable(folder: Path, answer: bytes) -> None:
    with socket.socket(socket.AF_UNIX) as server:
        server.bind(str(folder / "sock"))
        server.listen()

        def reply() -> None:
            for _ in range(2):  # xmlrpc.client asks again when a connection is dropped
                connection, _address = server.accept()
                with connection:
                    request = b""
                    while b"</methodCall>" not in request and (piece := connection.recv(65_536)):
                        request += piece
                    connection.sendall(answer)
                if answer:
                    return

        threading.Thread(target=reply, daemon=True).start()
        with pytest.raises(SupervisorUnavailable):
            SupervisorDoor(folder / "sock", timeout_s=2).programs()
