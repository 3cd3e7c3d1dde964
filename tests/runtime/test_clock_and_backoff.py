"""Labels of time, a clock that tests own, and pauses that grow within bounds."""

import asyncio
import datetime

from hypothesis import given
from hypothesis import strategies as st

from execution.runtime.backoff import Backoff
from execution.runtime.clock import ManualClock, SystemClock, block, iso


@given(st.integers(0, 4_000_000_000_000))
def test_a_label_is_utc_to_the_millisecond(now_ms: int) -> None:
    parsed = datetime.datetime.fromisoformat(iso(now_ms))
    assert parsed.utcoffset() == datetime.timedelta(0)
    assert round(parsed.timestamp() * 1000) == now_ms


def test_labels_sort_like_the_times_they_label() -> None:
    times = [0, 999, 1000, 1_700_000_000_000, 1_700_000_000_001]
    assert sorted(map(iso, times)) == [iso(time) for time in times]


def test_a_manual_clock_moves_only_when_told() -> None:
    clock = ManualClock(now_ms=5_000, monotonic=10.0)
    asyncio.run(clock.sleep(2.5))
    assert (clock.now_ms(), clock.monotonic()) == (7_500, 12.5)
    clock.step_wall(-3600)
    assert (clock.now_ms(), clock.monotonic()) == (7_500 - 3_600_000, 12.5), "a stepped wall clock moves no duration"


def test_the_system_clock_goes_forward() -> None:
    clock = SystemClock()
    before, wall = clock.monotonic(), clock.now_ms()
    block(0.001)
    asyncio.run(clock.sleep(0.001))
    assert clock.monotonic() - before >= 0.002
    assert clock.now_ms() >= wall


@given(st.floats(0.01, 10), st.floats(10, 1000), st.integers(1, 60), st.integers())
def test_a_pause_is_between_half_and_the_whole_of_what_is_due_and_never_over_the_last(
    first_s: float, last_s: float, attempts: int, seed: int
) -> None:
    backoff = Backoff(first_s, last_s, seed)
    for attempt in range(attempts):
        due = min(last_s, first_s * 2.0**attempt)
        assert due / 2 <= backoff.next_s() <= due
    backoff.reset()
    assert backoff.next_s() <= first_s
