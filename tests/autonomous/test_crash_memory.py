"""What is remembered of crashes goes over the manager's death, and over nothing else."""

import json
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from execution.autonomous.crash_memory import KEPT_FOR_S, NAME, STEP_S, CrashMemory, forget
from execution.autonomous.restart_policy import History
from execution.autonomous.supervisor_door import Exits
from execution.autonomous.watched import Watched
from execution.runtime.clock import ManualClock

TRADER = "live_optimus"
LOOPED = History(counted=Exits(6, 1, 70), crashes=5, crashed_last=True, own=(90.0, 95.0), quarantined=True, bad_at=95.0)


def watched(history: History = LOOPED, *restarts: float) -> dict[str, Watched]:
    one = Watched(history=history)
    one.restarted_at.extend(restarts)
    return {TRADER: one, "ralph": Watched()}


@pytest.fixture
def clock() -> ManualClock:
    return ManualClock(monotonic=100.0)


def recalled(folder: Path, clock: ManualClock, supervisord: int = 1) -> Watched:
    anew = {TRADER: Watched(), "another": Watched()}
    CrashMemory(folder, clock, supervisord).recall(anew)
    assert anew["another"] == Watched()
    return anew[TRADER]


def test_the_next_manager_knows_of_a_crash_loop_and_counts_on(tmp_path: Path, clock: ManualClock) -> None:
    CrashMemory(tmp_path, clock, supervisord=1).keep(watched(LOOPED, 80.0, 99.0))
    clock.advance(30)
    found = recalled(tmp_path, clock)
    assert (found.history.crashes, found.history.quarantined, found.history.own) == (5, True, (90.0, 95.0))
    assert found.history.counted == Exits(6, 1, 70), "what ended while no manager was there counts too"
    assert found.history.bad_at == clock.monotonic(), "the good minutes are counted from now"
    assert (found.restarts, found.restarts_in(40.0, clock.monotonic())) == (2, 1)


def test_another_supervisord_counts_from_zero_but_the_crashes_stay(tmp_path: Path, clock: ManualClock) -> None:
    CrashMemory(tmp_path, clock, supervisord=1).keep(watched())
    found = recalled(tmp_path, clock, supervisord=2)
    assert (found.history.counted, found.history.crashed_last, found.history.crashes) == (None, False, 5)


def test_after_a_reboot_nothing_is_remembered_and_a_set_clock_is_no_reboot(tmp_path: Path, clock: ManualClock) -> None:
    CrashMemory(tmp_path, clock, supervisord=1).keep(watched())
    written = json.loads((tmp_path / NAME).read_text())
    for change, known in (
        ({"wall_ms": 40_000.0}, True),
        ({"wall_ms": -2_000 * STEP_S}, False),
        ({"monotonic_s": 9.0}, False),
    ):
        text = written | {name: written[name] + by for name, by in change.items()}
        (tmp_path / NAME).write_text(json.dumps(text))
        assert (recalled(tmp_path, clock) != Watched()) is known, change


def test_a_start_by_a_person_forgets_and_restarts_are_told_for_a_day(tmp_path: Path, clock: ManualClock) -> None:
    CrashMemory(tmp_path, clock, supervisord=1).keep(watched(LOOPED, 99.0))
    clock.advance(KEPT_FOR_S)
    assert recalled(tmp_path, clock).restarts == 0
    forget(tmp_path)
    forget(tmp_path)
    assert recalled(tmp_path, clock) == Watched()


def test_it_is_written_only_when_something_has_happened(tmp_path: Path, clock: ManualClock) -> None:
    memory, known = CrashMemory(tmp_path, clock, supervisord=1), watched(History())
    memory.keep(known)
    assert not (tmp_path / NAME).exists(), "nothing to remember"
    known[TRADER].restarted_at.append(99.0)
    memory.keep(known)
    (tmp_path / NAME).unlink()
    memory.keep(known)
    assert not (tmp_path / NAME).exists()


def test_a_disk_that_refuses_costs_the_memory_and_never_the_judge(tmp_path: Path, clock: ManualClock) -> None:
    (tmp_path / "file").write_text("")
    CrashMemory(tmp_path / "file", clock, supervisord=1).keep(watched())


@given(st.one_of(st.binary(max_size=60), st.sampled_from([b"[]", b"{}", b'{"programs": 3}', b"null", b"1e999"])))
def test_a_file_that_is_no_memory_is_none(tmp_path_factory: pytest.TempPathFactory, content: bytes) -> None:
    folder = tmp_path_factory.mktemp("run")
    (folder / NAME).write_bytes(content)
    assert recalled(folder, ManualClock()) == Watched()
