"""A real supervisord's wall clock jumps an hour, this way and that: nothing is killed early, nothing waits an hour."""

import os
import signal
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from execution.vocabulary.limits import EXITS_MAX
from tests.autonomous.plug_in.running import STEADY, Supervisord, supervisord
from tests.support import eventually

# the wall clock of this supervisord: the machine's, and what stands in a file
STEPPED = """
import os, time
real, path = time.time, os.environ["NAE_TEST_STEP"]
def stepped():
    try:
        with open(path) as file:
            return real() + float(file.read() or 0)
    except FileNotFoundError:
        return real()
time.time = stepped
"""
# takes two seconds to end once it is told to
SLOW = "command=/bin/sh -c 'trap \"sleep 2; exit 0\" TERM; echo up; while :; do sleep 0.05; done'\n"
HOUR = 3600
NAMES = ("slow", "patient", "stubborn")


@dataclass
class Stepped:
    running: Supervisord
    path: Path

    def step(self, seconds: float) -> None:
        part = self.path.with_suffix(".part")
        part.write_text(str(seconds))
        part.rename(self.path)


@pytest.fixture(params=[HOUR, -HOUR], ids=["forwards", "backwards"])
def step(request: pytest.FixtureRequest) -> int:
    hours: int = request.param
    return hours


@pytest.fixture
def stepped(tmp_path: Path) -> Iterator[Stepped]:
    (tmp_path / "sitecustomize.py").write_text(STEPPED)
    slow = SLOW + "autorestart=true\nstopwaitsecs=86400\nstopasgroup=false\n"
    patient = SLOW + "autorestart=true\nstopwaitsecs=5\n"
    stubborn = SLOW.replace("sleep 2; exit 0", "") + "autorestart=true\nstopwaitsecs=2\n"
    programs = {"worker": STEADY, "slow": slow, "patient": patient, "stubborn": stubborn}
    path = tmp_path / "step"
    with supervisord(programs, PYTHONPATH=str(tmp_path), NAE_TEST_STEP=str(path)) as running:
        yield Stepped(running, path)
        pids = [program.pid for program in running.door.programs() if program.pid]
        running.process.kill()  # an orderly stop would have to wait for those that take their time
        for pid in pids:
            os.kill(pid, signal.SIGKILL)


def test_during_a_stop_nobody_is_killed_early_or_waited_for_an_hour(stepped: Stepped, step: int) -> None:
    running = stepped.running
    eventually(lambda: all(row.state == "RUNNING" for row in running.door.programs()))
    began = time.monotonic()
    for name in NAMES:
        running.door.stop(running.program(name))
    stepped.step(step)
    for name in NAMES:
        eventually(lambda name=name: running.program(name).state == "STOPPED")  # type: ignore[misc]
    took = time.monotonic() - began
    assert 1.5 < took < 30, "each had its two seconds, and no hour"
    assert [running.door.plug_in().exits[name].last_status for name in NAMES] == [0, 0, -signal.SIGKILL]


def test_during_a_hold_it_is_held_as_long_as_said_and_comes_back_at_once(stepped: Stepped, step: int) -> None:
    running = stepped.running
    running.door.hold_back(["worker"])
    pid = running.pid()
    os.kill(pid, signal.SIGKILL)
    eventually(lambda: running.door.plug_in().held == ("worker",))
    stepped.step(step)
    running.door.hold_back(["worker"])
    with pytest.raises(AssertionError):
        eventually(running.pid, within_s=1.2)
    running.door.hold_back([])
    assert running.another("worker", than=pid, within_s=0.5)


def test_during_restarts_each_comes_at_once_and_runs_after_its_second(stepped: Stepped, step: int) -> None:
    running = stepped.running
    began = time.monotonic()
    for number in range(EXITS_MAX - 1):
        stepped.step(step if number % 2 == 0 else 0)
        pid = running.pid()
        os.kill(pid, signal.SIGKILL)
        running.another("worker", than=pid, within_s=0.5)
    stepped.step(step)
    eventually(lambda: running.program("worker").state == "RUNNING", within_s=4)
    assert time.monotonic() - began > 0.9, "a step forwards is no second of good conduct"
    assert running.exits() == EXITS_MAX - 1
