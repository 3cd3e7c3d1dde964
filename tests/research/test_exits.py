"""The one exit rule: stop, target, time, in that order, at prices that could have been had."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from execution.research.exits import (
    EXIT_REASONS,
    HOLD,
    REGIME,
    STOP,
    TARGET,
    TIME,
    TRAIL,
    Exits,
    exit_step,
    trail_level,
)
from execution.vocabulary.reasons import ExitReason

EXITS = Exits(target=0.01, stop=0.02, bars=5)


@pytest.mark.parametrize(
    ("bar", "held", "expected"),
    [
        ([100.0, 100.5, 99.5, 100.2, 1.0], 1, (HOLD, 0.0)),
        ([100.0, 101.5, 99.5, 101.2, 1.0], 1, (TARGET, 101.0)),
        ([100.0, 100.5, 97.0, 98.5, 1.0], 1, (STOP, 98.0)),
        ([100.0, 102.0, 97.0, 101.0, 1.0], 1, (STOP, 98.0)),  # touched both: the worse is assumed
        ([97.0, 97.5, 96.0, 97.2, 1.0], 2, (STOP, 97.0)),  # opened below the stop
        ([102.0, 103.0, 101.5, 102.5, 1.0], 2, (TARGET, 102.0)),  # opened above the target
        ([100.0, 100.5, 99.5, 100.2, 1.0], 5, (TIME, 100.2)),
        ([100.0, 101.5, 99.5, 100.2, 1.0], 5, (TARGET, 101.0)),  # on its last bar, too
        ([101.0, 101.0, 101.0, 101.0, 0.0], 1, (TARGET, 101.0)),  # a quote, as a bar of one price
    ],
)
def test_each_bar_has_one_exit(bar: list[float], held: int, expected: tuple[int, float]) -> None:
    assert exit_step(100.0, 100.0, bar, held, False, EXITS.vector()) == expected


prices = st.floats(1.0, 1000.0)


@given(entry=prices, four=st.lists(prices, min_size=4, max_size=4), held=st.integers(1, 60))
def test_an_exit_price_lies_within_its_bar(entry: float, four: list[float], held: int) -> None:
    low, opened, close, high = sorted(four)
    code, price = exit_step(entry, entry, [opened, high, low, close, 1.0], held, False, Exits().vector())
    if code == HOLD:
        assert held < Exits().bars
    else:
        assert low <= price <= high
        assert (code == STOP) == (low <= entry * (1 - Exits().stop))


def test_every_code_has_its_word() -> None:
    assert EXIT_REASONS == {
        STOP: ExitReason.STOP_LOSS,
        TARGET: ExitReason.PROFIT_TARGET,
        TIME: ExitReason.TIME_EXIT,
        TRAIL: ExitReason.TRAILING_STOP,
        REGIME: ExitReason.REGIME_CHANGE,
    }


TRAILING = Exits(target=0.05, stop=0.02, bars=5, trail_after=0.01, trail_distance=0.005)


@pytest.mark.parametrize(
    ("peak", "bar", "expected"),
    [
        (100.9, [100.5, 100.9, 100.1, 100.2, 1.0], (HOLD, 0.0)),  # it hasn't risen far enough yet
        (101.0, [101.0, 101.0, 100.5, 100.8, 1.0], (HOLD, 0.0)),
        (101.0, [101.0, 101.0, 100.4, 100.8, 1.0], (TRAIL, 101.0 * 0.995)),
        (101.0, [100.0, 101.0, 99.0, 100.8, 1.0], (TRAIL, 100.0)),  # opened below it
        (103.0, [103.0, 104.5, 102.6, 104.0, 1.0], (HOLD, 0.0)),  # a bar's own high moves no stop before the next bar
        (104.5, [104.0, 104.2, 103.9, 104.0, 1.0], (TRAIL, 104.5 * 0.995)),
        (104.5, [104.2, 105.0, 103.9, 104.0, 1.0], (TRAIL, 104.5 * 0.995)),  # touched the target too: the worse
    ],
)
def test_a_trailing_stop_follows_the_highest_bar(peak: float, bar: list[float], expected: tuple[int, float]) -> None:
    assert exit_step(100.0, peak, bar, 1, False, TRAILING.vector()) == expected


def test_a_regime_to_leave_in_comes_after_stop_and_target_and_before_time() -> None:
    calm = [100.0, 100.5, 99.5, 100.2, 1.0]
    assert exit_step(100.0, 100.0, calm, 5, True, EXITS.vector()) == (REGIME, 100.2)
    assert exit_step(100.0, 100.0, [100.0, 101.5, 99.5, 100.2, 1.0], 1, True, EXITS.vector())[0] == TARGET
    assert exit_step(100.0, 100.0, [100.0, 101.5, 97.0, 100.2, 1.0], 1, True, EXITS.vector())[0] == STOP


@given(entry=prices, highs=st.lists(prices, min_size=1, max_size=30))
def test_a_trailing_stop_never_falls(entry: float, highs: list[float]) -> None:
    peak, level = entry, 0.0
    for high in highs:
        peak = max(peak, high)
        moved = trail_level(entry, peak, TRAILING.vector())
        assert moved >= level
        level = moved


@pytest.mark.parametrize(
    ("fields", "word"),
    [
        ({"target": 0.0}, "target"),
        ({"stop": 1.0}, "stop"),
        ({"bars": 0}, "bars"),
        ({"trail_after": -0.1}, "trail_after"),
        ({"trail_distance": 1.0}, "trail_distance"),
    ],
)
def test_exits_that_cannot_be_are_refused_by_name(fields: dict[str, float], word: str) -> None:
    with pytest.raises(ValueError, match=f"exit {word} = "):
        Exits(**fields)  # type: ignore[arg-type]
