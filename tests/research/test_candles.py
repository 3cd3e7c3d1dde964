"""Candles become numbers, in order."""

from decimal import Decimal

import pytest

from execution.research.bars import bar_of, is_bar
from execution.research.candles import candle_array
from execution.vocabulary.market import Candle


def candle(open_ms: int, close: str = "101.5") -> Candle:
    """A bar from 100 to `close`."""
    return Candle(open_ms, Decimal(100), Decimal(102), Decimal(99), Decimal(close), Decimal("3.25"))


def test_a_row_is_a_candles_five_numbers() -> None:
    array = candle_array([candle(0), candle(60_000, "100.25")])
    assert array.tolist() == [[100.0, 102.0, 99.0, 101.5, 3.25], [100.0, 102.0, 99.0, 100.25, 3.25]]
    assert array[0].tolist() == bar_of(candle(0))
    assert array.flags.c_contiguous


def test_no_candles_are_no_rows() -> None:
    assert candle_array([]).shape == (0, 5)


def test_times_must_rise() -> None:
    with pytest.raises(ValueError, match="candle at 60000 ms follows the one at 60000 ms"):
        candle_array([candle(60_000), candle(60_000)])


@pytest.mark.parametrize(
    ("bar", "fit"),
    [
        ([100.0, 102.0, 99.0, 101.0, 1.0], True),
        ([100.0, 100.0, 100.0, 100.0, float("nan")], True),  # volume decides nothing
        ([float("nan"), 102.0, 99.0, 101.0, 1.0], False),
        ([100.0, float("inf"), 99.0, 101.0, 1.0], False),
        ([100.0, 102.0, 0.0, 101.0, 1.0], False),
        ([100.0, 102.0, 99.0, 103.0, 1.0], False),
        ([98.0, 102.0, 99.0, 101.0, 1.0], False),
    ],
)
def test_a_bar_is_fit_when_its_prices_fit_together(bar: list[float], fit: bool) -> None:
    assert is_bar(bar) is fit
