"""Candles made from trades: each trade once, whatever the stream loses, repeats or turns round, and equal to what the
whole of them makes."""

import random
from decimal import Decimal

from hypothesis import given
from hypothesis import strategies as st

from execution.exchange.trade_bars import TradeBars, TradeRun
from execution.exchange.trade_tape import ANEW_AFTER, GAPS_MAX, Seen, TradeTape
from execution.vocabulary.market import Candle, Trade

MINUTE = 60_000
BTC = "BTC/USDT"


def trade(number: int, price: int = 100, quantity: int = 1, at_ms: int | None = None, now: float = 0.0) -> Trade:
    return Trade(BTC, number, Decimal(price), Decimal(quantity), number * 10_000 if at_ms is None else at_ms, now)


def whole(trades: list[Trade], open_ms: int) -> Candle:
    """The bar as a venue makes it, which has all trades in order."""
    of_it = [each for each in trades if open_ms <= each.trade_ms < open_ms + MINUTE]
    prices = [each.price for each in of_it]
    volume = sum((each.quantity for each in of_it), Decimal(0))
    return Candle(open_ms, prices[0], max(prices), min(prices), prices[-1], volume)


@st.composite
def market(draw: st.DrawFn) -> tuple[list[Trade], list[int], set[int]]:
    """Trades of some minutes; in which order they are heard, some of them twice; which are lost on the way."""
    count = draw(st.integers(20, 60))
    steps = draw(st.lists(st.integers(0, 30_000), min_size=count, max_size=count))
    prices = draw(st.lists(st.integers(90, 110), min_size=count, max_size=count))
    trades, now_ms = [], MINUTE
    for number, (step, price) in enumerate(zip(steps, prices, strict=True), 1):
        now_ms += step
        trades.append(trade(number, price, number, now_ms))
    seed = draw(st.integers(0, 1000))
    order = list(range(count)) + random.Random(seed).sample(range(count), 5)
    order.sort(key=lambda place: place + random.Random(f"{seed}/{place}").uniform(0, 3))
    lost = draw(st.sets(st.integers(1, count - 2), max_size=10))
    return trades, order, lost


@given(market())
def test_whatever_the_stream_does_the_bars_are_those_of_all_trades(
    case: tuple[list[Trade], list[int], set[int]],
) -> None:
    trades, order, lost = case
    bars, heard = TradeBars(MINUTE), []
    bars.add(trade(0, at_ms=0))  # heard from before the first whole bar on
    for place in order:
        if place not in lost and bars.add(trades[place]) is not Seen.KNOWN:
            heard.append(trades[place].id)
    assert sorted(heard) == [each.id for place, each in enumerate(trades) if place not in lost]
    assert sum(gap.count for gap in bars.tape.gaps) == len(lost)
    opens = sorted({each.trade_ms - each.trade_ms % MINUTE for each in trades})[:-1]
    for open_ms in opens:
        made = bars.made(open_ms, Decimal(100))
        assert made == whole(trades, open_ms) or (lost and made is None)
    runs = [TradeRun(each.id, each.id, each.price, each.quantity, each.trade_ms) for each in trades]
    for gap in list(bars.tape.gaps):
        bars.fill(gap, runs)
    assert (bars.tape.gaps, bars.tape.lost, bars.tape.found >= len(lost)) == ([], 0, True)
    for open_ms in opens:
        assert bars.made(open_ms, Decimal(100)) == whole(trades, open_ms)


def test_a_bar_is_made_only_when_a_later_trade_was_heard_and_the_first_bar_never() -> None:
    bars = TradeBars(MINUTE)
    for number in range(1, 6):
        bars.add(trade(number, price=100 + number))  # at 10 s, 20 s, …
    assert bars.made(0, Decimal(1)) is None, "the minute isn't over"
    for number in range(6, 13):
        bars.add(trade(number, price=100 + number))
    assert bars.made(0, Decimal(1)) is None, "what came before its first trade wasn't heard"
    assert bars.made(MINUTE, Decimal(1)) == Candle(
        MINUTE, Decimal(106), Decimal(111), Decimal(106), Decimal(111), Decimal(6)
    )


def test_a_bar_without_trades_is_flat_at_the_last_close() -> None:
    bars = TradeBars(MINUTE)
    bars.add(trade(1, at_ms=0))
    bars.add(trade(2, at_ms=3 * MINUTE))
    close = Decimal(7)
    assert bars.made(2 * MINUTE, close) == Candle(2 * MINUTE, close, close, close, close, Decimal(0))


def test_what_the_venue_cannot_give_is_lost_and_its_bars_are_not_made() -> None:
    bars = TradeBars(MINUTE)
    for number in (1, 2, 8, 9, 20):
        bars.add(trade(number))
    bars.fill(bars.tape.gaps[0], [TradeRun(7, 8, Decimal(100), Decimal(2), 70_000)])  # 8 of it is known: how much is 7?
    assert (bars.tape.found, bars.tape.lost) == (1, 4)
    assert (bars.made(0, Decimal(1)), bars.made(MINUTE, Decimal(1))) == (None, None)


def test_numbers_that_the_venue_never_gave_to_a_trade_are_not_lost() -> None:
    bars = TradeBars(MINUTE)
    for number in (6, 7, 12, 13, 18):
        bars.add(trade(number))
    runs = [TradeRun(each, each, Decimal(100), Decimal(1), each * 10_000) for each in (7, 9, 12)]
    found = bars.fill(bars.tape.gaps[0], runs)
    assert ([run.first for run in found], bars.tape.lost, bars.tape.unused) == ([9], 0, 3)


def test_a_bar_that_differs_from_the_venues_own_is_told_once_and_not_trusted() -> None:
    bars = TradeBars(MINUTE)
    for number in range(1, 25):
        bars.add(trade(number))
    one = Decimal(100)
    bars.tell(Candle(MINUTE, one, one, one, one, Decimal(6)))
    assert (bars.compare(), bars.agrees) == (None, True)
    bars.tell(Candle(2 * MINUTE, one, Decimal(101), one, one, Decimal(6)))
    difference = bars.compare()
    assert difference is not None
    assert [each.high for each in difference] == [100, 101]
    assert (bars.compare(), bars.agrees, bars.compared, bars.differing) == (None, False, 2, 1)


def test_a_volume_that_differs_is_counted_apart_and_not_trusted_either() -> None:
    bars = TradeBars(MINUTE)
    for number in range(1, 15):
        bars.add(trade(number))
    one = Decimal(100)
    bars.tell(Candle(MINUTE, one, one, one, one, Decimal("6.001")))
    assert bars.compare() is None
    assert (bars.agrees, bars.differing, bars.volumes_differing) == (False, 0, 1)


def test_a_tape_keeps_no_more_gaps_than_it_may() -> None:
    tape = TradeTape()
    for number in range(0, 4 * GAPS_MAX, 2):
        tape.note(number, number, 0.0)
    assert (len(tape.gaps), tape.lost) == (GAPS_MAX, GAPS_MAX - 1)


def test_a_venue_that_counts_anew_is_heard_again() -> None:
    tape = TradeTape()
    for number in range(1000, 2000):
        tape.note(number, number, 0.0)
    told = [tape.note(number, number, 0.0) for number in range(1, ANEW_AFTER + 10)]
    assert told == [Seen.KNOWN] * (ANEW_AFTER - 1) + [Seen.NEW] * 10
    assert tape.gaps == []
