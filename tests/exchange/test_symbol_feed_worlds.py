"""One symbol's feed in many small worlds: events lost, doubled, late and wrong, REST that fails now and then. Whatever
happens, the bars that come out are the venue's own, each once, and every trade is counted once."""

import random
from decimal import Decimal

from hypothesis import given, settings
from hypothesis import strategies as st

from execution.exchange.classify import BadReply
from execution.exchange.symbol_feed import GAP_PATIENCE_S, SymbolFeed
from execution.exchange.trade_bars import TradeRun
from execution.vocabulary.market import Candle, Trade

MINUTE = 60_000
BTC = "BTC/USDT"
MINUTES = 20
FATES = ["heard"] * 6 + ["lost", "twice", "late", "wrong"]


class Venue:
    """What really happened: trades, and the bars they make. `odd`: its bars count a little more than is on its tape."""

    def __init__(self, prices: list[int], steps: list[int], odd: bool) -> None:
        self.trades: list[Trade] = []
        now_ms = 0
        for number, (price, step) in enumerate(zip(prices, steps, strict=True), 1):
            self.trades.append(Trade(BTC, number, Decimal(price), Decimal(number), now_ms, 0.0))
            now_ms += step
        self.bars: list[Candle] = []
        close, extra = self.trades[0].price, Decimal("0.5") if odd else Decimal(0)
        for open_ms in range(0, MINUTES * MINUTE, MINUTE):
            of_it = [each for each in self.trades if each.trade_ms // MINUTE * MINUTE == open_ms]
            around = [each.price for each in of_it] or [close]
            volume = sum((each.quantity for each in of_it), extra if of_it else Decimal(0))
            close = around[-1]
            self.bars.append(Candle(open_ms, around[0], max(around), min(around), close, volume))

    def runs(self, from_ms: int, until_ms: int) -> list[TradeRun]:
        return [
            TradeRun(each.id, each.id, each.price, each.quantity, each.trade_ms)
            for each in self.trades
            if from_ms <= each.trade_ms <= until_ms
        ]


class Listener:
    """The feed of one symbol, and what it delivered; REST answers when the world lets it."""

    def __init__(self, venue: Venue) -> None:
        self.venue = venue
        self.bars: list[Candle] = []
        self.trades: list[int] = []
        self.feed = SymbolFeed(BTC, "1m", lambda _, candle: self.bars.append(candle))
        self.feed.fill_bars(venue.bars[:1])
        self.now = 0.0

    def hear(self, event: Trade | Candle, wrong: bool = False) -> None:
        factor = 10 if wrong else 1
        try:
            if isinstance(event, Trade):
                message = {"t": event.id, "p": str(event.price * factor), "q": str(event.quantity), "T": event.trade_ms}
                found = self.feed.hear_trade(message, self.now)
                self.trades += [] if found is None else [found.id]
            else:
                names = {"o": event.open, "h": event.high, "l": event.low, "c": event.close}
                prices = {name: str(price * factor) for name, price in names.items()}
                self.feed.hear_closed({"t": event.open_ms, "v": str(event.volume), **prices}, self.now)
        except BadReply:
            assert wrong

    def look(self, reached_ms: int, answers: bool) -> None:
        self.now += GAP_PATIENCE_S
        wants = self.feed.look(self.now, 0)
        if wants.bars and answers:
            since = (self.feed.bars.last_open_ms or 0) + MINUTE
            self.feed.fill_bars([bar for bar in self.venue.bars if since <= bar.open_ms < reached_ms])
        for gap in wants.gaps if answers else ():
            found = self.feed.fill_trades(gap, self.venue.runs(gap.from_ms, gap.until_ms), self.now)
            self.trades += [trade.id for trade in found]


def heard_badly(listener: Listener, events: list[tuple[int, int, Trade | Candle]], chance: random.Random) -> None:
    """The stream as it comes; now and then somebody looks what is missing. The first and the last event get through."""
    late: list[Trade | Candle] = []
    listener.hear(events[0][2])
    for at_ms, _, event in events[1:-1]:
        fate = chance.choice(FATES)
        for _ in range({"heard": 1, "twice": 2}.get(fate, 0)):
            listener.hear(event)
        if fate == "wrong":
            listener.hear(event, wrong=True)
        for waiting in late:
            listener.hear(waiting)
        late = [event] if fate == "late" else []
        if chance.random() < 0.3:
            listener.look(at_ms - at_ms % MINUTE, answers=chance.random() < 0.7)
    listener.hear(events[-1][2])


@settings(max_examples=150, deadline=None)
@given(st.booleans(), st.integers(0, 2**32))
def test_the_bars_are_the_venues_own_whatever_the_stream_and_rest_do(odd: bool, seed: int) -> None:
    chance = random.Random(seed)
    venue = Venue([chance.randint(80, 120) for _ in range(60)], [chance.randint(2_000, 15_000) for _ in range(60)], odd)
    last_ms = venue.trades[-1].trade_ms
    over = [bar for bar in venue.bars if bar.open_ms + MINUTE <= last_ms]
    events: list[tuple[int, int, Trade | Candle]] = [(each.trade_ms, 1, each) for each in venue.trades]
    events += [(bar.open_ms + MINUTE, 0, bar) for bar in over[1:]]
    events.sort(key=lambda row: row[:2])
    listener = Listener(venue)
    heard_badly(listener, events, chance)
    for _ in range(12):  # in the end the venue answers
        listener.look(last_ms - last_ms % MINUTE, answers=True)
    assert listener.bars == over
    assert sorted(listener.trades) == [each.id for each in venue.trades]
    assert (listener.feed.trades.tape.lost, listener.feed.trades.differing) == (0, 0)
    assert not (odd and listener.feed.bars_from_trades)
