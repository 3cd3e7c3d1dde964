"""Who has stopped turning: as a pure table, and on real processes that sleep, stop, compute and starve."""

import os
import signal
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from execution.autonomous.pulse_watch import IDLE_CPU_SHARE, PulseWatch, Silent, stopped_turning
from execution.autonomous.vitals import Life
from execution.runtime.clock import ManualClock, SystemClock
from execution.runtime.pulse import Pulse
from execution.vocabulary.limits import LOOKS_PER_SILENCE, PULSES_PER_SILENCE, SILENT_AND_BUSY_AFTER_S
from tests.support import child, eventually, line_of, read_pulse, rounds

TURNING = """
import asyncio, sys, time
from pathlib import Path
from execution.runtime.clock import SystemClock
from execution.runtime.pulse import Pulse

async def main(path, period_s, trouble):
    pulse = Pulse(path, SystemClock())
    print("up", flush=True)
    while True:
        pulse.beat()
        await asyncio.sleep(period_s)
        if trouble == "asleep" and time.monotonic() > began + 0.3:
            time.sleep(60)
        if trouble == "computes" and time.monotonic() > began + 0.3:
            while True:
                pass

began = time.monotonic()
asyncio.run(main(Path(sys.argv[1]), float(sys.argv[2]), sys.argv[3]))
"""
HOG = "print('up', flush=True)\nwhile True: pass"


@contextmanager
def turning(path: Path, limit_s: float, trouble: str = "") -> Iterator[int]:
    with child(TURNING, str(path), str(limit_s / PULSES_PER_SILENCE), trouble) as process:
        assert line_of(process) == "up"
        eventually(lambda: read_pulse(path))
        yield process.pid


def watch_for(watch: PulseWatch, seconds: float) -> list[Silent]:
    """Look as the manager does, until somebody is found."""
    ends = time.monotonic() + seconds
    found: list[Silent] = []

    def over() -> bool:
        found.extend(watch.look())
        return bool(found) or time.monotonic() > ends

    eventually(over, within_s=seconds + 5, every_s=watch.period_s)
    return found


def wait_until(moment: float) -> None:
    eventually(lambda: time.monotonic() > moment)


def has_pulse_after(path: Path, moment: float) -> None:
    eventually(lambda: (pulse := read_pulse(path)) is not None and pulse.at > moment)


@given(st.floats(0, 9.9), st.sampled_from(["sleeping", "stopped", "running"]), st.booleans(), st.floats(0, 1))
def test_nobody_hangs_before_the_limit_and_every_cause_is_named(
    silent_s: float, status: str, wants_core: bool, used: float
) -> None:
    limit_s = 1.0
    cause = stopped_turning(silent_s, limit_s, Life(status, 1.0, wants_core), used)
    asleep = status == "stopped" or (not wants_core and used <= IDLE_CPU_SHARE)
    assert bool(cause) is (silent_s > limit_s and asleep)


@pytest.mark.parametrize(("status", "wants_core", "used"), [("sleeping", False, 0.9), ("running", True, 0.0)])
def test_who_computes_or_waits_for_a_core_has_longer_but_not_for_ever(
    status: str, wants_core: bool, used: float
) -> None:
    life = Life(status, 1.0, wants_core)
    assert not stopped_turning(SILENT_AND_BUSY_AFTER_S - 0.1, 1.0, life, used)
    assert stopped_turning(SILENT_AND_BUSY_AFTER_S + 0.1, 1.0, life, used)


def test_one_look_alone_calls_nobody_asleep() -> None:
    assert not stopped_turning(2.0, 1.0, Life("sleeping", 1.0, False), None)


@pytest.mark.parametrize("limit_s", [1.0, 0.1])
def test_a_stopped_process_is_found_and_killed(tmp_path: Path, limit_s: float) -> None:
    for _ in range(rounds()):
        with turning(tmp_path / "p", limit_s) as pid:
            watch = PulseWatch(limit_s, SystemClock())
            watch.know("live_optimus", pid, tmp_path / "p")
            assert watch_for(watch, 1.5 * limit_s) == []
            os.kill(pid, signal.SIGSTOP)
            found = watch_for(watch, max(5.0, 5 * limit_s))  # how soon on an idle machine: benchmarks/RESULTS.md
            assert [silent.child.pid for silent in found] == [pid]
            assert "stopped by a signal" in found[0].cause
            assert found[0].child.kill()


def test_a_process_asleep_in_its_loop_is_found(tmp_path: Path) -> None:
    with turning(tmp_path / "p", 0.5, "asleep") as pid:
        watch = PulseWatch(0.5, SystemClock())
        watch.know("ralph", pid, tmp_path / "p")
        found = watch_for(watch, 5)
        assert found and "asleep" in found[0].cause


def test_a_process_that_computes_is_left_alone(tmp_path: Path) -> None:
    with turning(tmp_path / "p", 0.3, "computes") as pid:
        watch = PulseWatch(0.3, SystemClock())
        watch.know("ralph", pid, tmp_path / "p")
        assert watch_for(watch, 2) == []
        assert (watch.silence_s("ralph") or 0) > 0.3


def test_a_loaded_machine_is_no_fault_of_the_processes(tmp_path: Path) -> None:
    limit_s = 0.1
    with ExitStack() as stack:
        for number in range(2 * (os.cpu_count() or 1)):
            assert line_of(stack.enter_context(child(HOG))) == "up", number
        watch = PulseWatch(limit_s, SystemClock())
        for number in range(3):
            pid = stack.enter_context(turning(tmp_path / str(number), limit_s))
            watch.know(f"p{number}", pid, tmp_path / str(number))
        assert watch_for(watch, 1.0 * rounds(3)) == []


def test_a_watch_that_came_late_forgives_everybody_for_one_limit(tmp_path: Path) -> None:
    clock = ManualClock()
    pulse = Pulse(tmp_path / "p", clock)
    watch = PulseWatch(1.0, clock)
    watch.know("me", os.getpid(), tmp_path / "p")
    pulse.beat()
    assert watch.look() == []
    clock.advance(3600)  # the machine slept, and the watch wakes first
    assert watch.look() == []
    for _ in range(LOOKS_PER_SILENCE - 2):
        clock.advance(watch.period_s)
        watch.look()
    assert (watch.silence_s("me") or 0) < 1.0


def test_a_pulse_of_a_former_life_counts_for_nobody(tmp_path: Path) -> None:
    clock = ManualClock()
    Pulse(tmp_path / "p", clock).beat()
    watch = PulseWatch(1.0, clock)
    watch.know("me", os.getppid(), tmp_path / "p")
    clock.advance(5)
    assert watch.silence_s("me") is None
    watch.know("me", 0, tmp_path / "p")
    assert watch.silence_s("me") is None


def test_when_all_sleep_and_wake_together_nobody_is_killed(tmp_path: Path) -> None:
    """The watch, too, is a process here: all are stopped, and go on together, the watch first."""
    limit_s = 0.5
    code = """
import sys, time
from pathlib import Path
from execution.autonomous.pulse_watch import PulseWatch
from execution.runtime.clock import SystemClock
watch = PulseWatch(float(sys.argv[1]), SystemClock())
watch.know("p", int(sys.argv[2]), Path(sys.argv[3]))
print("up", flush=True)
while True:
    for silent in watch.look():
        print(silent.cause, silent.child.kill(), flush=True)
    time.sleep(watch.period_s)
"""
    with turning(tmp_path / "p", limit_s) as pid, child(code, str(limit_s), str(pid), str(tmp_path / "p")) as watch:
        assert line_of(watch) == "up"
        for stopped in ([watch.pid], [watch.pid, pid]):
            for one in stopped:
                os.kill(one, signal.SIGSTOP)
            wait_until(time.monotonic() + 2)
            for one in stopped:
                os.kill(one, signal.SIGCONT)
            has_pulse_after(tmp_path / "p", time.monotonic() + 2 * limit_s)
        os.kill(pid, signal.SIGSTOP)
        assert "stopped by a signal" in line_of(watch), "it still watches"


def test_who_writes_into_a_file_made_anew_isnt_taken_for_silent(tmp_path: Path) -> None:
    clock, path = ManualClock(), tmp_path / "p"
    watch = PulseWatch(1.0, clock)
    pulse = Pulse(path, clock)
    watch.know("me", os.getpid(), path)
    for number in range(40):
        if number == 10:
            path.unlink()
            pulse = Pulse(path, clock)
        pulse.beat()
        assert watch.look() == []
        clock.advance(watch.period_s)
    assert watch.silence_s("me") is not None and (watch.silence_s("me") or 0.0) <= 2 * watch.period_s
