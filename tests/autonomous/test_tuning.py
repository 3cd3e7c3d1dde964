"""The sampling interval: closer under errors, back when calm, never beyond its bounds."""

from hypothesis import given
from hypothesis import strategies as st

from execution.autonomous.tuning import CALM_FOR_S, CLOSEST_S, Interval, tune

BASES = st.floats(1, 3600)


@given(BASES, st.lists(st.tuples(st.floats(0, 50), st.floats(0, 500)), max_size=50))
def test_whatever_comes_the_interval_stays_within_its_bounds(base_s: float, events: list[tuple[float, float]]) -> None:
    interval, now = Interval(base_s, base_s, 0.0), 0.0
    for errors, after_s in events:
        now += after_s
        interval = tune(interval, errors, now)
        assert min(CLOSEST_S, base_s) <= interval.current_s <= base_s
        assert interval.base_s == base_s


def test_errors_halve_it_down_to_the_closest() -> None:
    interval = Interval(30.0, 30.0, 0.0)
    seen = []
    for now in range(1, 6):
        interval = tune(interval, 1.0, float(now))
        seen.append(interval.current_s)
    assert seen == [15.0, 7.5, 5.0, 5.0, 5.0]


def test_calm_doubles_it_back_to_the_base_one_step_per_calm_time() -> None:
    interval, now, seen = Interval(30.0, 5.0, 0.0), 0.0, []
    while interval.current_s < 30.0:
        now += CALM_FOR_S / 2
        interval = tune(interval, 0.0, now)
        seen.append(interval.current_s)
    assert seen == [5.0, 10.0, 10.0, 20.0, 20.0, 30.0]


@given(BASES)
def test_without_errors_the_base_is_never_left(base_s: float) -> None:
    interval = Interval(base_s, base_s, 0.0)
    assert tune(interval, 0.0, 10_000.0) == interval
