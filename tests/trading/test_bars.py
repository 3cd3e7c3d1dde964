"""Bars in order and without holes, each told of once."""

from decimal import Decimal

from hypothesis import given
from hypothesis import strategies as st

from execution.trading.bars import BARS_KEPT, BarBook
from tests.trading.world import MINUTE, START_MS, candle, flat

SYMBOL = "BTC/USDT"


def test_new_bars_are_told_of_once() -> None:
    book = BarBook("1m")
    book.add(SYMBOL, flat(0))
    assert book.wake.is_set()
    assert book.take_new() == {SYMBOL}
    assert book.take_new() == frozenset()


def test_a_bar_known_already_or_older_is_ignored_and_counted() -> None:
    book = BarBook("1m")
    for number in (0, 1, 1, 0):
        book.add(SYMBOL, flat(number))
    assert book.ignored == 2 and book.series(SYMBOL).newest_ms == START_MS + MINUTE


def test_a_missing_bar_is_flat_at_the_last_close_and_counted() -> None:
    book = BarBook("1m")
    book.add(SYMBOL, candle(0, "100", "103", "99", "102"))
    book.add(SYMBOL, flat(3))
    assert book.flat_bars == 2
    assert list(book.series(SYMBOL).rows)[1:3] == [[102.0, 102.0, 102.0, 102.0, 0.0]] * 2
    assert book.age(SYMBOL, START_MS) == 3 and len(book.rows_after(SYMBOL, START_MS)) == 3


def test_a_hole_longer_than_what_is_kept_costs_no_more_than_what_is_kept() -> None:
    book = BarBook("1m")
    book.add(SYMBOL, flat(0))
    book.add(SYMBOL, flat(10_000_000))
    assert len(book.series(SYMBOL).rows) == BARS_KEPT and book.flat_bars == 9_999_999


def test_an_unseen_symbol_has_no_bars() -> None:
    book = BarBook("5m")
    assert book.series("X/Y").newest_ms == -1 and book.rows_after("X/Y", 0) == []
    assert book.series("X/Y").mean_value(10) == 0


def test_the_mean_value_is_in_the_quote_currency() -> None:
    book = BarBook("1m")
    for number, volume in enumerate(("1", "2", "3")):
        book.add(SYMBOL, candle(number, "100", "100", "100", "100", volume))
    assert book.series(SYMBOL).mean_value(2) == Decimal(250)


@given(st.lists(st.integers(0, 200), max_size=60))
def test_whatever_arrives_the_series_is_without_holes_and_ends_with_the_newest(numbers: list[int]) -> None:
    book = BarBook("1m")
    for number in numbers:
        book.add(SYMBOL, flat(number))
    times = [bar.open_ms for bar in book.series(SYMBOL).candles]
    assert times == list(range(times[0], times[0] + len(times) * MINUTE, MINUTE)) if times else not numbers
    if numbers:
        assert times[-1] == START_MS + max(numbers) * MINUTE
