"""Stopping and asking, with real processes in place of an operation. Starting a whole one is tests/operation's."""

import asyncio
import signal
import subprocess
import sys
import tempfile
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from execution.autonomous import launch
from execution.autonomous.continuous_operation import ContinuousOperationManager
from execution.autonomous.launch import environment, operation_pid, stop
from execution.autonomous.supervisor_door import ProgramState, SupervisorDoor, SupervisorRefused
from execution.runtime.bus import Bus
from execution.runtime.clock import SystemClock
from execution.runtime.home import PROJECT_ROOT, Home
from execution.runtime.locks import FileLock
from execution.vocabulary.exit_codes import BusyError
from execution.vocabulary.messages import Command
from execution.vocabulary.modes import OperationMode
from execution.vocabulary.programs import MANAGER, programs_of
from tests.support import child, is_running, line_of

CLOCK = SystemClock()


@pytest.fixture
def home() -> Iterator[Home]:
    with tempfile.TemporaryDirectory(prefix="nae-") as folder:
        home = Home.find(folder)
        home.prepare()
        yield home


def test_the_environment_of_the_processes_holds_no_secret(home: Home, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("BINANCE_SECRET", "AWS_SECRET_ACCESS_KEY", "PYTHONPATH", "LD_PRELOAD"):
        monkeypatch.setenv(name, "x")
    monkeypatch.setenv("NAE_MARKET", "synthetic")
    given = environment(home, OperationMode.LIVE)
    assert not {"BINANCE_SECRET", "AWS_SECRET_ACCESS_KEY", "LD_PRELOAD"} & set(given)
    assert given["PYTHONPATH"] == str(home.builds / "current"), "the build's, never the user's"
    assert (given["NAE_HOME"], given["NAE_MODE"], given["NAE_MARKET"]) == (str(home.root), "live", "synthetic")
    assert given["NAE_PYTHON"] == sys.executable


def test_a_candle_file_named_from_where_the_user_is_is_found_from_the_home(
    home: Home, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.chdir(tmp_path)
    for given, passed in {
        "replay:candles.csv": f"replay:{tmp_path}/candles.csv",
        "replay:/data/candles.csv": "replay:/data/candles.csv",
        "synthetic": "synthetic",
    }.items():
        monkeypatch.setenv("NAE_MARKET", given)
        assert environment(home, OperationMode.DUAL)["NAE_MARKET"] == passed


def test_a_failure_shows_what_this_start_said_and_no_earlier_one(home: Home) -> None:
    start = "2026-11-21T08:15:00.123Z INFO    nae.process: starting process=venue"
    errors = [f"2026-11-21T08:15:01.123Z ERROR   nae.process: can't start: the {n} reason" for n in "ab"]
    home.log_file("venue").write_text("\n".join([start, errors[0], start, errors[1]]) + "\n")
    told = str(launch._failure(home, "venue", "venue can't start", 78))
    assert "the b reason" in told
    assert "the a reason" not in told


def test_only_a_held_lock_names_a_running_operation(home: Home) -> None:
    lock = home.operation_lock
    assert operation_pid(home) is None
    lock.write_text("pid 1 mode dual")
    assert operation_pid(home) is None, "the name of the dead is no process"
    held = FileLock(lock)
    for text, pid in {"pid 4711 mode dual": 4711, "nonsense": None, "pid x": None, "": None}.items():
        held.acquire(text)
        assert operation_pid(home) == pid
        held.release()


# A stand-in for supervisord: it holds the lock and has one child; "stubborn" ones don't hear SIGTERM.
FAMILY = """
import os, signal, subprocess, sys
from pathlib import Path
from execution.runtime.locks import FileLock
if sys.argv[2] == "stubborn":
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
FileLock(Path(sys.argv[1])).acquire(f"pid {os.getpid()} mode dual")
worker = subprocess.Popen([sys.executable, "-c", "import sys; sys.stdin.read()"], stdin=subprocess.PIPE)
print(worker.pid, flush=True)
signal.pause()
signal.pause()
"""


@pytest.mark.parametrize("temper", ["willing", "stubborn"])
def test_stop_returns_when_nothing_is_left_and_names_whom_it_had_to_kill(
    home: Home, monkeypatch: pytest.MonkeyPatch, temper: str
) -> None:
    if temper == "stubborn":
        monkeypatch.setattr(launch, "STOP_ALL_WITHIN_S", 0.3)
    with child(FAMILY, str(home.operation_lock), temper) as leader:
        worker = int(line_of(leader))
        stopped = stop(home, CLOCK)
        assert stopped is not None
        assert not is_running(leader.pid)
        assert not is_running(worker)
        if temper == "stubborn":
            assert set(stopped.killed) >= {leader.pid, worker}
            assert stopped.seconds >= 0.3
            assert leader.wait() == -signal.SIGKILL
        else:
            assert stopped.killed == ()
    assert stop(home, CLOCK) is None


def test_nothing_to_stop_is_said_and_nobody_is_signalled(home: Home) -> None:
    with child("import sys; print('up', flush=True); sys.stdin.read()") as stranger:
        assert line_of(stranger) == "up"
        home.operation_lock.write_text(f"pid {stranger.pid} mode dual")
        home.pid_file.write_text(str(stranger.pid))
        assert stop(home, CLOCK) is None
        assert stranger.poll() is None


def answering(home: Home, answer: dict[str, Any], ready: threading.Event, done: threading.Event) -> None:
    """A manager's bus that answers every command with `answer`, in a thread of its own."""

    async def serve() -> None:
        async def same(_: Command) -> dict[str, Any]:
            return answer

        bus = Bus(home.run, MANAGER, CLOCK)
        bus.open("manager")
        serving = asyncio.create_task(bus.serve(same))
        ready.set()
        await asyncio.to_thread(done.wait, 10)
        serving.cancel()
        await asyncio.gather(serving, return_exceptions=True)
        bus.close()

    asyncio.run(serve())


def test_the_status_from_any_process_is_the_managers_own_word(home: Home) -> None:
    answer = {"running": True, "mode": "dual", "processes": {"ralph": {"status": "HEALTHY"}}}
    ready, done = threading.Event(), threading.Event()
    manager = threading.Thread(target=answering, args=(home, answer, ready, done))
    manager.start()
    try:
        assert ready.wait(10)
        assert ContinuousOperationManager(home.root).get_status() == answer
    finally:
        done.set()
        manager.join()


def test_of_two_starts_the_slower_one_names_the_other_and_leaves_it_running(home: Home) -> None:
    lock = FileLock(home.operation_lock)
    lock.acquire("pid 4711 mode dual")
    with child("raise SystemExit(75)") as slower:
        slower.wait()
        with pytest.raises(BusyError, match=r"is already running \(pid 4711 mode dual\); `scripts/nae down` stops it"):
            launch._wait_until_running(home, OperationMode.DUAL, slower, CLOCK, lambda _: None)
    assert lock.held
    lock.release()


def test_whom_a_person_stops_during_the_start_isnt_waited_for(home: Home, monkeypatch: pytest.MonkeyPatch) -> None:
    names = [program.name for program in programs_of(OperationMode.DUAL, standby=True)]
    rows: dict[str, dict[str, Any]] = {name: {"state": "running"} for name in names}
    rows["ralph"] = {"state": "stopped", "stopped_by_operator": True}
    status = {"processes": rows, "overall_status": "HEALTHY"}
    monkeypatch.setattr(ContinuousOperationManager, "get_status", lambda _: status)
    monkeypatch.setattr(launch, "READY_WITHIN_S", 5.0)
    with child("import sys; print('up', flush=True); sys.stdin.read()") as running:
        assert launch._wait_until_running(home, OperationMode.DUAL, running, CLOCK, lambda _: None) == status
        rows["venue"] = {"state": "ready"}
        monkeypatch.setattr(launch, "READY_WITHIN_S", 0.5)
        with pytest.raises(launch.StartFailed, match=r"not running after 0\.5 s: venue\n"):
            launch._wait_until_running(home, OperationMode.DUAL, running, CLOCK, lambda _: None)


def test_a_python_without_the_packages_is_told_which_one_has_them() -> None:
    words = [sys.executable, "-S", "-c", "import execution.autonomous.continuous_operation"]
    done = subprocess.run(words, cwd=PROJECT_ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 1
    assert f"this Python hasn't NAE's packages; {PROJECT_ROOT}/.venv/bin/python has" in done.stderr.splitlines()[-1]


def test_a_supervisord_that_is_stopping_is_said_to_be_stopping(home: Home, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(_: SupervisorDoor) -> list[ProgramState]:
        raise SupervisorRefused("getAllProcessInfo(): SHUTDOWN_STATE")

    monkeypatch.setattr(SupervisorDoor, "programs", refuse)
    lock = FileLock(home.operation_lock)
    lock.acquire("pid 4711 mode dual")
    status = ContinuousOperationManager(home.root).get_status()
    lock.release()
    assert (status["running"], status["note"]) == (True, "stopping: supervisord is ending every process")


def test_without_manager_and_supervisord_nothing_is_said_to_run(home: Home) -> None:
    status = ContinuousOperationManager(home.root).get_status()
    assert status["running"] is False
    assert status["processes"] == {}
    assert "not running" in status["note"]


def test_without_an_answer_a_held_lock_is_critical_and_says_why(home: Home) -> None:
    lock = FileLock(home.operation_lock)
    lock.acquire("pid 1 mode live")
    status = ContinuousOperationManager(home.root).get_status()
    lock.release()
    assert (status["running"], status["mode"], status["overall_status"]) == (True, "live", "CRITICAL")
    assert "continuous_operation isn't running" in status["note"]
    assert "supervisord at" in status["note"]
