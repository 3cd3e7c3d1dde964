"""One symbol's messages: what is delivered, what is refused, what REST is asked for."""

from decimal import Decimal
from typing import Any

import msgspec
import pytest

from execution.exchange.classify import BadReply
from execution.exchange.symbol_feed import DEAF_AFTER, GAP_LOST_AFTER_S, GAP_PATIENCE_S, KLINE_GRACE_S, SymbolFeed
from execution.exchange.trade_bars import TradeRun
from execution.vocabulary.limits import STALE_FEED_S
from execution.vocabulary.market import Candle, Quote

MINUTE = 60_000
BTC = "BTC/USDT"


class Heard:
    """One symbol's feed, and a market that trades once every ten seconds at 100."""

    def __init__(self) -> None:
        self.bars: list[Candle] = []
        self.feed = SymbolFeed(BTC, "1m", lambda _, candle: self.bars.append(candle))
        self.feed.fill_bars([flat(0)])

    def trades(self, first: int, last: int, now: float = 0.0) -> None:
        for number in range(first, last + 1):
            self.trade(number, now=now)

    def trade(self, number: int, price: str = "100", quantity: str = "1", now: float = 0.0) -> Any:
        message = {"t": number, "p": price, "q": quantity, "T": number * 10_000}
        return self.feed.hear_trade(message, now)

    def closed(self, minute: int, volume: str = "6", high: str = "100", now: float = 0.0) -> None:
        prices = {"o": "100", "h": high, "l": "100", "c": "100"}
        self.feed.hear_closed({"t": minute * MINUTE, "v": volume, **prices}, now)

    def quote(self, bid: str, ask: str, now: float = 0.0) -> Quote:
        return self.feed.hear_quote({"b": bid, "a": ask}, now)

    @property
    def minutes(self) -> list[int]:
        return [bar.open_ms // MINUTE for bar in self.bars]


def flat(minute: int, volume: str = "6") -> Candle:
    price = Decimal(100)
    return Candle(minute * MINUTE, price, price, price, price, Decimal(volume))


def agreeing() -> Heard:
    """The bar of minute 1 was compared and was the venue's own; minute 2 has begun."""
    heard = Heard()
    heard.trades(1, 11)
    heard.closed(1)
    heard.trades(12, 13)
    heard.feed.look(0.0, MINUTE)
    assert heard.feed.trades.agrees
    return heard


def test_a_symbol_without_a_past_asks_for_it_and_what_closes_meanwhile_comes_after_it() -> None:
    bars: list[Candle] = []
    feed = SymbolFeed(BTC, "1m", lambda _, candle: bars.append(candle))
    feed.begin_anew(0.0)
    assert feed.look(0.0, 0).bars
    feed.hear_closed({"t": 3 * MINUTE, "v": "6", "o": "100", "h": "100", "l": "100", "c": "100"}, 0.0)
    assert not bars and feed.look(0.0, 0).bars
    feed.fill_bars([flat(1), flat(2)])
    assert [bar.open_ms // MINUTE for bar in bars] == [1, 2, 3] and not feed.look(0.0, 0).bars


def test_the_venues_word_closes_a_bar_at_once_and_its_own_candle_counts() -> None:
    heard = agreeing()
    heard.trades(14, 17)
    assert heard.minutes == [0, 1]
    heard.closed(2, high="101")
    own = msgspec.structs.replace(flat(2), high=Decimal(101))
    assert heard.bars[-1] == own
    heard.trade(18)
    heard.feed.look(0.0, 2 * MINUTE)
    assert heard.feed.difference == (flat(2), own)
    assert not heard.feed.trades.agrees


def test_a_lost_word_is_replaced_by_the_bar_made_of_trades_when_the_next_bar_closes() -> None:
    heard = agreeing()
    heard.trades(14, 24)
    heard.closed(3)
    assert heard.minutes == [0, 1, 2, 3]
    assert heard.bars[2] == flat(2)
    assert not heard.feed.wants_bars


def test_and_when_no_word_comes_after_a_while() -> None:
    heard = agreeing()
    heard.trades(14, 18)
    assert not heard.feed.look(10.0, MINUTE).bars
    assert not heard.feed.look(10.0 + KLINE_GRACE_S / 2, MINUTE).bars
    assert heard.minutes == [0, 1]
    assert not heard.feed.look(10.0 + KLINE_GRACE_S, MINUTE).bars
    assert heard.minutes == [0, 1, 2]
    heard.closed(2)
    assert heard.minutes == [0, 1, 2], "once only"


def test_where_trades_do_not_make_the_venues_bars_rest_is_asked() -> None:
    heard = Heard()
    heard.trades(1, 24)
    heard.closed(3)
    assert heard.feed.look(0.0, 0).bars
    heard.feed.fill_bars([flat(1), flat(2)])
    assert heard.minutes == [0, 1, 2, 3]
    assert not heard.feed.look(0.0, 3 * MINUTE).bars


def test_a_symbol_whose_bar_is_over_by_the_others_is_asked_for() -> None:
    heard = Heard()
    assert not heard.feed.look(0.0, MINUTE).bars
    assert heard.feed.look(KLINE_GRACE_S, MINUTE).bars


@pytest.mark.parametrize("price", ["0", "NaN", "-1", "1000", "abc", None])
def test_a_trade_that_cannot_be_true_is_missing_until_rest_brings_it(price: Any) -> None:
    heard = Heard()
    heard.trades(1, 3)
    with pytest.raises(BadReply):
        heard.trade(4, price)
    heard.trades(5, 6, now=1.0)
    (gap,) = heard.feed.look(1.0 + GAP_PATIENCE_S, 0).gaps
    assert (gap.first, gap.last) == (4, 4)
    runs = [TradeRun(each, each, Decimal(100), Decimal(1), each * 10_000) for each in (3, 4, 5)]
    assert [trade.id for trade in heard.feed.fill_trades(gap, runs, 2.0)] == [4]
    assert heard.feed.look(9.0, 0).gaps == ()


@pytest.mark.parametrize("message", [{}, {"t": "1", "p": "1", "q": "1", "T": 1}, {"t": 1, "p": "1", "q": "0", "T": 1}])
def test_what_is_no_trade_is_refused(message: dict[str, Any]) -> None:
    with pytest.raises(BadReply):
        Heard().feed.hear_trade(message, 0.0)


def test_a_missing_trade_that_comes_late_is_not_asked_for_and_one_that_never_comes_is_lost() -> None:
    heard = Heard()
    heard.trades(1, 2)
    heard.trade(4)
    assert heard.feed.look(GAP_PATIENCE_S / 2, 0).gaps == ()
    assert heard.trade(3).id == 3
    assert heard.trade(3) is None
    heard.trade(6)
    assert len(heard.feed.look(GAP_PATIENCE_S, 0).gaps) == 1
    assert heard.feed.look(GAP_LOST_AFTER_S + 1, 0).gaps == ()
    assert heard.feed.trades.tape.lost == 1


@pytest.mark.parametrize("high", ["1001", "NaN", "0", "99"])
def test_a_candle_that_cannot_be_true_is_not_delivered_and_rest_is_asked(high: str) -> None:
    heard = Heard()
    with pytest.raises(BadReply):
        heard.closed(1, high=high)
    assert heard.minutes == [0]
    assert heard.feed.look(0.0, 0).bars


def test_a_real_leap_is_refused_until_the_venue_says_it_twice_by_rest() -> None:
    heard = Heard()
    heard.quote("100", "101")
    with pytest.raises(BadReply):
        heard.quote("2000", "2001")
    assert heard.feed.look(0.0, 0).quote
    answer = Quote(BTC, Decimal(2000), Decimal(2001), 1.0)
    assert not heard.feed.answer_quote(answer)
    assert heard.feed.quote is not None
    assert heard.feed.quote.bid == 100
    assert heard.feed.answer_quote(Quote(BTC, Decimal(2000), Decimal(2001), 2.5))
    assert heard.quote("2002", "2003").bid == 2002
    assert not heard.feed.look(2.5, 0).quote


def test_a_quiet_symbol_is_asked_for_and_one_whose_price_moves_unheard_is_deaf() -> None:
    heard = Heard()
    heard.feed.begin_anew(0.0)
    heard.quote("100", "101", now=0.1)
    heard.feed.answer_quote(Quote(BTC, Decimal(100), Decimal(101), 0.2))
    assert not heard.feed.look(1.0, 0).quote
    now = STALE_FEED_S + 1
    assert heard.feed.look(now, 0).quote
    for number in range(DEAF_AFTER + 1):
        heard.feed.answer_quote(Quote(BTC, Decimal(100), Decimal(101), now + number))
    told = [heard.feed.deaf]  # nothing moves: it is quiet
    for number in range(DEAF_AFTER):
        told.append(heard.feed.deaf)
        heard.feed.answer_quote(Quote(BTC, Decimal(200 + number), Decimal(300), now + 10 + number))
    assert [*told, heard.feed.deaf] == [False] * (DEAF_AFTER + 1) + [True]


def test_a_trade_from_far_ahead_makes_no_years_of_flat_bars() -> None:
    heard = agreeing()
    heard.feed.hear_trade({"t": 14, "p": "100", "q": "1", "T": 10**12}, 0.0)
    heard.feed.look(1.0, MINUTE)
    assert heard.feed.look(1.0 + KLINE_GRACE_S, MINUTE).bars
    assert heard.minutes == [0, 1]
