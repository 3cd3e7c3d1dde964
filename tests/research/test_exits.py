"""The one exit rule: stop, target, time, in that order, at prices that could have been had."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from execution.research.exits import EXIT_REASONS, HOLD, STOP, TARGET, TIME, Exits, exit_step
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
    assert exit_step(100.0, bar, held, EXITS.vector()) == expected


prices = st.floats(1.0, 1000.0)


@given(entry=prices, four=st.lists(prices, min_size=4, max_size=4), held=st.integers(1, 60))
def test_an_exit_price_lies_within_its_bar(entry: float, four: list[float], held: int) -> None:
    low, opened, close, high = sorted(four)
    code, price = exit_step(entry, [opened, high, low, close, 1.0], held, Exits().vector())
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
    }


@pytest.mark.parametrize(
    ("fields", "word"), [({"target": 0.0}, "target"), ({"stop": 1.0}, "stop"), ({"bars": 0}, "bars")]
)
def test_exits_that_cannot_be_are_refused_by_name(fields: dict[str, float], word: str) -> None:
    with pytest.raises(ValueError, match=f"exit {word} = "):
        Exits(**fields)  # type: ignore[arg-type]
