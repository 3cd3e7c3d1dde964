"""Every bar exactly once and in order, whatever the stream loses, repeats or brings early."""

from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from execution.exchange.bar_sequence import BarSequence, timeframe_ms
from execution.vocabulary.market import Candle

MINUTE = 60_000


def bar(number: int) -> Candle:
    price = Decimal(100 + number)
    return Candle(number * MINUTE, price, price, price, price, Decimal(1))


def sequence() -> tuple[BarSequence, list[Candle]]:
    seen: list[Candle] = []
    return BarSequence("BTC/USDT", "1m", lambda _, candle: seen.append(candle)), seen


@given(st.lists(st.tuples(st.integers(1, 30), st.booleans()), max_size=60))
def test_bars_come_once_and_in_order_and_a_gap_is_asked_for(events: list[tuple[int, bool]]) -> None:
    bars, seen = sequence()
    bars.fill([bar(0)])
    newest = 0
    for number, rest_answers in events:
        newest = max(newest, number)
        if not bars.add(bar(number)) and rest_answers:
            assert bars.last_open_ms is not None
            bars.fill([bar(each) for each in range(bars.last_open_ms // MINUTE + 1, newest)])
    bars.fill([bar(each) for each in range(newest + 1)])
    assert seen == [bar(number) for number in range(newest + 1)]
    assert bars.flat == 0


def test_a_bar_the_venue_does_not_have_is_flat_counted_and_without_volume() -> None:
    bars, seen = sequence()
    bars.fill([bar(0), bar(3)])
    assert [candle.open_ms // MINUTE for candle in seen] == [0, 1, 2, 3]
    assert (seen[1].close, seen[1].volume, bars.flat) == (Decimal(100), Decimal(0), 2)


def test_an_early_bar_waits_and_is_delivered_even_when_rest_does_not_have_it_yet() -> None:
    bars, seen = sequence()
    bars.fill([bar(0)])
    assert bars.add(bar(2)) is False
    bars.fill([bar(1)])
    assert [candle.open_ms // MINUTE for candle in seen] == [0, 1, 2]


@pytest.mark.parametrize(("timeframe", "expected"), [("1m", 60_000), ("15m", 900_000), ("1h", 3_600_000)])
def test_timeframes_in_milliseconds(timeframe: str, expected: int) -> None:
    assert timeframe_ms(timeframe) == expected


@pytest.mark.parametrize("timeframe", ["", "m", "1x", "-1m", "1.5h"])
def test_what_is_no_timeframe_is_refused(timeframe: str) -> None:
    with pytest.raises(ValueError, match="must be a number and one of"):
        timeframe_ms(timeframe)
