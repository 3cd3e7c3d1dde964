"""The plug-in in a real supervisord: deaths are seen at once, the manager's list holds, alone it bounds a loop."""

import os
import signal
import time
from collections.abc import Iterator

import pytest

from execution.autonomous.supervisor_door import SupervisorRefused
from execution.vocabulary.limits import EXITS_MAX, HOLD_FORGOTTEN_AFTER_S
from tests.autonomous.plug_in.running import STEADY, Supervisord, supervisord
from tests.support import eventually, is_running, rounds

KILLS = 12


@pytest.fixture
def running() -> Iterator[Supervisord]:
    with supervisord({"worker": STEADY, "other": STEADY}) as made:
        yield made


def kill(running: Supervisord, name: str = "worker") -> int:
    """Kill it as a stranger would; the pid it had."""
    pid = eventually(lambda: running.pid(name))
    os.kill(pid, signal.SIGKILL)
    return pid


def killed_too_often(running: Supervisord, name: str = "worker") -> None:
    for exits in range(EXITS_MAX):
        kill(running, name)
        eventually(lambda exits=exits: running.exits(name) == exits + 1)  # type: ignore[misc]


def test_killed_programs_are_back_far_sooner_than_supervisord_alone_looks() -> None:
    with supervisord({"worker": STEADY}, "exits_max=1000\n") as running:
        began = time.monotonic()
        for _ in range(KILLS):
            running.another("worker", than=kill(running))
        alone_it_takes_at_least = KILLS * 0.5  # a death is seen at the next whole second: half of one on average
        assert time.monotonic() - began < alone_it_takes_at_least
        told = running.door.plug_in()
        assert (told.working, told.problem, told.spawn) == (True, "", "posix_spawn")
        assert told.wakes >= KILLS
        worker = told.exits["worker"]
        assert (worker.count, worker.planned, worker.last_status) == (KILLS, 0, -signal.SIGKILL)


def test_a_hang_up_restarts_nobody(running: Supervisord) -> None:
    worker = running.pid()
    running.process.send_signal(signal.SIGHUP)
    eventually(lambda: "SIGHUP ignored" in running.log())
    assert running.pid() == worker


def test_the_loop_sleeps_when_nothing_happens(running: Supervisord) -> None:
    eventually(lambda: all(row.state == "RUNNING" for row in running.door.programs()))
    before = running.door.plug_in().wakes
    assert running.door.plug_in().wakes - before < 3


def test_whom_the_manager_holds_stays_down_until_it_lets_go(running: Supervisord) -> None:
    worker, other = running.pid(), running.pid("other")
    running.door.hold_back(["worker"])
    kill(running)
    eventually(lambda: running.door.plug_in().held == ("worker",))
    running.another("other", than=kill(running, "other"))
    assert running.pid() == 0, "another program's death lets nobody go"
    running.door.hold_back([])
    assert running.another("worker", than=worker, within_s=0.5) != other


def test_a_manager_that_falls_silent_holds_nobody(running: Supervisord) -> None:
    running.door.hold_back(["worker"])
    began = time.monotonic()
    worker = kill(running)
    running.another("worker", than=worker, within_s=HOLD_FORGOTTEN_AFTER_S + 5)
    assert time.monotonic() - began > HOLD_FORGOTTEN_AFTER_S - 1


def test_without_a_manager_a_loop_is_bounded_and_one_word_of_the_manager_starts_it(running: Supervisord) -> None:
    killed_too_often(running)
    assert running.door.plug_in().held == ("worker",)
    assert running.pid() == 0
    assert running.program("other").pid, "who is well goes on"
    running.door.hold_back(["other"])
    assert running.pid(), "the manager has judged: it isn't on its list"


def test_a_program_that_crashes_at_once_is_bounded_and_never_fatal() -> None:
    with supervisord({"worker": "command=/bin/false\nautorestart=true\n"}) as running:
        eventually(lambda: running.door.plug_in().held == ("worker",))
        assert running.exits() == EXITS_MAX
        assert running.program("worker").state == "BACKOFF"
        assert running.door.plug_in().exits["worker"].last_status == 1


def test_a_program_that_cant_be_started_is_bounded_and_says_why() -> None:
    programs = {"worker": "command={folder}/missing\nautorestart=true\n", "script": "command={folder}/made\n"}
    programs["script"] += "autorestart=true\n"
    with supervisord(programs) as running:
        eventually(lambda: set(running.door.plug_in().held) == {"worker", "script"})
        assert running.exits() == EXITS_MAX
        assert "missing" in running.program("worker").explanation
        made = running.folder / "made"
        made.write_text("#!/no/such/interpreter\n")
        made.chmod(0o755)
        running.door.hold_back([])
        eventually(lambda: "ENOENT" in running.program("script").explanation)
        made.write_text("#!/bin/sh\nexec cat\n")
        running.door.hold_back([])
        assert running.pid("script")


def test_a_program_told_to_stop_stays_stopped_and_thats_planned(running: Supervisord) -> None:
    running.door.stop(running.program("worker"))
    eventually(lambda: running.program("worker").state == "STOPPED")
    running.door.hold_back([])
    assert running.program("worker").state == "STOPPED"
    told = running.door.plug_in().exits["worker"]
    assert (told.count, told.planned) == (1, 1)
    running.door.start(running.program("worker"))
    assert running.pid()


def test_a_held_program_can_be_stopped_for_good_or_be_started_by_a_person(running: Supervisord) -> None:
    running.door.hold_back(["worker", "other"])
    kill(running)
    eventually(lambda: running.program("worker").state in ("EXITED", "BACKOFF"))
    if running.program("worker").state == "EXITED":
        running.door.start(running.program("worker"))
        assert running.pid()
    else:
        running.door.stop(running.program("worker"))
        running.door.hold_back([])
        assert running.program("worker").state == "STOPPED"


def test_what_is_not_to_restart_isnt_restarted() -> None:
    programs = {"once": "command=/bin/true\nautorestart=false\nstartsecs=0\n"}
    programs["unless"] = "command=/bin/true\nautorestart=unexpected\nstartsecs=0\nexitcodes=0\n"
    with supervisord(programs) as running:
        eventually(lambda: all(row.state == "EXITED" for row in running.door.programs()))
        running.door.hold_back([])
        assert (running.exits("once"), running.exits("unless")) == (1, 1)
        with pytest.raises(SupervisorRefused):
            running.door.stop(running.program("once"))


def test_a_stop_of_everything_while_programs_die_leaves_nobody() -> None:
    for _ in range(rounds()):
        with supervisord({"worker": STEADY, "loop": "command=/bin/false\nautorestart=true\n"}) as running:
            pid = running.pid()
            running.process.terminate()
            assert running.process.wait(timeout=10) == 0
            assert not is_running(pid)


def test_who_dies_while_everything_is_stopping_isnt_started_again() -> None:
    slow = "command=/bin/sh -c 'trap \"sleep 1; exit 0\" TERM; while :; do sleep 0.05; done'\n"
    with supervisord({"worker": STEADY + "priority=10\n", "slow": slow + "priority=20\n"}) as running:
        eventually(lambda: running.program("slow").state == "RUNNING")  # its trap is set
        pid = running.pid()
        running.process.terminate()
        eventually(lambda: "waiting for" in running.log())
        os.kill(pid, signal.SIGKILL)
        assert running.process.wait(timeout=10) == 0
        assert running.log().count("spawned: 'worker'") == 1


def test_a_reload_leaves_the_plug_in_at_work_with_what_it_knew(running: Supervisord) -> None:
    worker = kill(running)
    successor = running.another("worker", than=worker)
    running.door._call("supervisor.restart")
    eventually(lambda: running.log().count("supervisord started") == 2, within_s=20)
    worker = eventually(lambda: (pid := running.pid()) != successor and pid)
    exits = running.exits()
    running.another("worker", than=kill(running), within_s=0.5)
    told = running.door.plug_in()
    assert (told.working, told.spawn, running.exits()) == (True, "posix_spawn", exits + 1)
    running.process.send_signal(signal.SIGHUP)
    eventually(lambda: "SIGHUP ignored" in running.log())
