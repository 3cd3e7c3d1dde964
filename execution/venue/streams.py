"""Market data by WebSocket: who listens to which stream, and what each market step sends them. A message is put into
bytes once however many listen, and not at all when nobody does."""

import asyncio
import re
from collections.abc import Awaitable, Callable, Iterable
from functools import partial

import orjson

from execution.runtime.clock import Clock
from execution.venue.connection import Connection
from execution.venue.event_faults import Deliver, deliver
from execution.venue.market_data import Json, MarketData, level_texts
from execution.venue.market_state import Tick
from execution.venue.symbols import Symbol

STREAM_FORM = re.compile(
    r"([a-z0-9]+)@(bookTicker|trade|aggTrade|blockTrade|ticker(?:_1h|_4h|_1d)?|miniTicker|avgPrice|referencePrice"
    r"|depth(?:5|10|20)?(?:@100ms|@1000ms)?|kline_(\w+))"
)
ALL_FORM = re.compile(r"!(ticker(?:_1h|_4h|_1d)?|miniTicker)@arr")
DIFFERENCES = re.compile(r"depth(@1000?ms)?")
ALL = ""  # what streams of all symbols follow
STREAMS_MAX = 1024
KLINE_PERIOD_S = 0.2  # an open kline is sent at most this often
TICKER_PERIOD_S = 0.9
BEST_PERIOD_S = 0.9  # an unchanged best bid and ask is said again after this, so that silence means trouble
FAST_DEPTH_S, SLOW_DEPTH_S = 0.1, 1.0  # what changed in the book meanwhile goes out in one message
Levels = dict[int, int]


class Subscriber:
    """A connection and how it reads: combined streams come wrapped in their stream's name."""

    def __init__(self, connection: Connection, combined: bool) -> None:
        self.connection = connection
        self.combined = combined
        self.streams: dict[str, None] = {}


class Streams:
    """All subscriptions. `publish` is called by the market after every step and every trade."""

    def __init__(self, data: MarketData, clock: Clock, settled: Callable[[], Awaitable[None]]) -> None:
        """`settled` waits until the books hold nothing but what is stored."""
        self.deliver: Deliver = deliver
        self._settled = settled
        self._late: dict[str, asyncio.Task[None]] = {}
        self._data = data
        self._clock = clock
        self._listeners: dict[str, set[Subscriber]] = {}
        self._by_symbol: dict[str, dict[str, Callable[[Symbol, list[Tick], bool], None]]] = {}
        self._best: dict[str, tuple[str, str, str, str]] = {}
        self._depth: dict[str, tuple[int, Levels, Levels]] = {}
        self._sent: dict[str, float] = {}
        self._versions: dict[str, int] = {}

    # who listens

    def check(self, names: Iterable[str]) -> None:
        """Raises ValueError naming the first stream that doesn't exist here."""
        lower = {name.lower() for name in self._data.symbols}
        for name in names:
            if ALL_FORM.fullmatch(name):
                continue
            match = STREAM_FORM.fullmatch(name)
            interval = match.group(3) if match else None
            if not match or match.group(1) not in lower:
                raise ValueError(name)
            if interval is not None and interval not in self._data.market.candles.intervals:
                raise ValueError(name)

    def subscribe(self, subscriber: Subscriber, names: Iterable[str]) -> None:
        """Add streams that `check` has passed. Raises ValueError past the most a connection may have."""
        wanted = list(names)
        if len(subscriber.streams) + len(wanted) > STREAMS_MAX:
            raise ValueError(f"more than {STREAMS_MAX} streams")
        for name in wanted:
            subscriber.streams[name] = None
            self._listeners.setdefault(name, set()).add(subscriber)
            symbol, kind = self._symbol_of(name)
            self._by_symbol.setdefault(symbol, {})[name] = self._sender(name, kind)
            if DIFFERENCES.fullmatch(kind):
                self._depth.setdefault(name, self._levels(symbol))

    def unsubscribe(self, subscriber: Subscriber, names: Iterable[str]) -> None:
        """Take streams away; one that wasn't subscribed doesn't matter."""
        for name in list(names):
            subscriber.streams.pop(name, None)
            listeners = self._listeners.get(name, set())
            listeners.discard(subscriber)
            if not listeners:
                self._listeners.pop(name, None)
                self._by_symbol.get(self._symbol_of(name)[0], {}).pop(name, None)
                self._best.pop(name, None)
                self._depth.pop(name, None)
                self._sent.pop(name, None)
                self._versions.pop(name, None)

    def _symbol_of(self, name: str) -> tuple[str, str]:
        """Whose steps a stream follows, and its kind."""
        symbol, _, kind = name.partition("@")
        if name.startswith("!"):
            return ALL, symbol
        return symbol.upper(), kind

    def leave(self, subscriber: Subscriber) -> None:
        """The connection has gone."""
        self.unsubscribe(subscriber, list(subscriber.streams))

    # what they get

    def publish(self, symbol: str, fresh: list[Tick], closed: bool) -> None:
        """A step of the market: trades that happened, and whether a candle has just been closed."""
        if symbol not in self._data.symbols:
            return
        last = next(reversed(self._data.symbols))  # it moves last: what is said of all symbols is said then
        for one in (symbol, ALL) if symbol == last else (symbol,):
            for send in self._by_symbol.get(one, {}).values():
                send(self._data.symbols[symbol], fresh, closed)

    def _sender(self, name: str, kind: str) -> Callable[[Symbol, list[Tick], bool], None]:
        if kind.startswith("kline_"):
            return self._kline_sender(name, kind.removeprefix("kline_"))
        if kind.startswith("!"):
            return lambda _symbol, _fresh, _closed: self._send_all_tickers(name, kind)
        if kind == "avgPrice":
            return lambda symbol, _fresh, _closed: self._send_average(name, symbol)
        if kind == "referencePrice":
            return lambda symbol, _fresh, _closed: self._send_reference(name, symbol)
        if kind == "blockTrade":
            return lambda _symbol, _fresh, _closed: None  # there are none here
        if kind.startswith("depth") and not DIFFERENCES.fullmatch(kind):
            count = int(kind.removeprefix("depth").partition("@")[0])
            return lambda symbol, _fresh, _closed: self._paced(name, partial(self._send_top, name, symbol, count))
        if kind.startswith("depth"):
            return lambda symbol, _fresh, _closed: self._paced(name, partial(self._send_depth, name, symbol))
        if kind == "bookTicker":
            return lambda symbol, _fresh, _closed: self._send_best(name, symbol)
        if kind in ("trade", "aggTrade"):
            return lambda symbol, fresh, _closed: self._send_trades(name, kind, symbol, fresh)
        event = self._data.ticker_events[kind]
        return lambda symbol, _fresh, closed: self._send_ticker(name, symbol, event, closed)

    def _kline_sender(self, name: str, interval: str) -> Callable[[Symbol, list[Tick], bool], None]:
        candles = self._data.market.candles
        interval_ms = candles.intervals[interval]

        def send(symbol: Symbol, _fresh: list[Tick], closed: bool) -> None:
            complete = closed and candles.is_last_part(interval_ms, candles.next_index - 1)
            if not complete and not self._due(name, KLINE_PERIOD_S):
                return
            kline = candles.current(symbol.name, interval_ms)
            if kline is not None:
                self._send(name, kline.event(symbol, interval, complete, self._clock.now_ms()))

        return send

    def _due(self, name: str, period_s: float) -> bool:
        now = self._clock.monotonic()
        if now - self._sent.get(name, -period_s) < period_s:
            return False
        self._sent[name] = now
        return True

    def _send_best(self, name: str, symbol: Symbol) -> None:
        best = self._data.best(symbol.name)
        due = self._due(name, BEST_PERIOD_S)
        if best == self._best.get(name) and not due:
            return
        self._best[name] = best
        bid, bid_size, ask, ask_size = best
        version = self._data.version(symbol.name)
        self._send(name, {"u": version, "s": symbol.name, "b": bid, "B": bid_size, "a": ask, "A": ask_size})

    def _send_trades(self, name: str, kind: str, symbol: Symbol, fresh: list[Tick]) -> None:
        now_ms = self._clock.now_ms()
        for tick in fresh:
            event: Json = {"e": kind, "E": now_ms, "s": symbol.name} | self._data.aggregate_trade(symbol, tick)
            if kind == "trade":
                event["t"] = event.pop("a")
                del event["f"], event["l"]
            self._send(name, event)

    def _send_ticker(self, name: str, symbol: Symbol, event: Callable[[str, int], Json], closed: bool) -> None:
        if not closed and self._due(name, TICKER_PERIOD_S):
            self._send(name, event(symbol.name, self._clock.now_ms()))

    def _send_all_tickers(self, name: str, kind: str) -> None:
        if self._due(name, TICKER_PERIOD_S):
            event = self._data.ticker_events[kind.removeprefix("!")]
            now_ms = self._clock.now_ms()
            self._send(name, [event(symbol, now_ms) for symbol in self._data.symbols])

    def _send_average(self, name: str, symbol: Symbol) -> None:
        if self._due(name, TICKER_PERIOD_S):
            average = self._data.average_price(symbol.name)
            event = {"e": "avgPrice", "E": self._clock.now_ms(), "s": symbol.name, "i": "5m"}
            self._send(name, event | {"w": average["price"], "T": average["closeTime"]})

    def _send_reference(self, name: str, symbol: Symbol) -> None:
        if self._due(name, TICKER_PERIOD_S):
            price = self._data.reference_price(symbol.name)
            if price is not None:
                event = {"e": "referencePrice", "s": symbol.name}
                self._send(name, event | {"r": price["referencePrice"], "t": price["timestamp"]})

    def _paced(self, name: str, send: Callable[[], bool]) -> None:
        """Send what there is at most so often as the stream's name says; what comes too soon waits for the rest."""
        if name in self._late:
            return
        period_s = FAST_DEPTH_S if name.endswith("@100ms") else SLOW_DEPTH_S
        wait_s = self._sent.get(name, -period_s) + period_s - self._clock.monotonic()
        if wait_s > 0:
            self._late[name] = asyncio.create_task(self._send_late(name, wait_s, send))
        elif send():
            self._sent[name] = self._clock.monotonic()

    async def _send_late(self, name: str, wait_s: float, send: Callable[[], bool]) -> None:
        await self._clock.sleep(wait_s)
        await self._settled()
        del self._late[name]
        if name in self._listeners and send():
            self._sent[name] = self._clock.monotonic()

    def _send_top(self, name: str, symbol: Symbol, count: int) -> bool:
        """The best levels as they are, when they have changed."""
        version = self._data.version(symbol.name)
        if self._versions.get(name) == version:
            return False
        self._versions[name] = version
        self._send(name, self._data.depth(symbol.name, count))
        return True

    def _levels(self, symbol: str) -> tuple[int, Levels, Levels]:
        book = self._data.book(symbol)
        return book.version, dict(book.bids()), dict(book.asks())

    def _send_depth(self, name: str, symbol: Symbol) -> bool:
        version, bids, asks = self._depth[name]
        now = self._depth[name] = self._levels(symbol.name)
        if now[0] == version:
            return False
        changes = [level_texts(symbol, _changed(old, new)) for old, new in ((bids, now[1]), (asks, now[2]))]
        event: Json = {"e": "depthUpdate", "E": self._clock.now_ms(), "s": symbol.name, "U": version + 1, "u": now[0]}
        self._send(name, event | {"b": changes[0], "a": changes[1]})
        return True

    def _send(self, name: str, event: Json | list[Json]) -> None:
        data = orjson.dumps(event)
        wrapped = b""
        for subscriber in self._listeners[name]:
            if not subscriber.combined:
                self.deliver(subscriber.connection, name, data)
                continue
            wrapped = wrapped or b'{"stream":"%s","data":%s}' % (name.encode(), data)
            self.deliver(subscriber.connection, name, wrapped)


def _changed(old: Levels, new: Levels) -> list[tuple[int, int]]:
    """Levels whose size has changed; 0 for those that have gone."""
    gone = [(ticks, 0) for ticks in old if ticks not in new]
    return gone + [(ticks, lots) for ticks, lots in new.items() if old.get(ticks) != lots]
