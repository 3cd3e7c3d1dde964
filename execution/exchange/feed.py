"""The market as it happens: every trade, the last good quote of each symbol, and every closed bar exactly once and in
order.

A stream that stalls or breaks is thrown away with its client; a new one is opened and REST fills the gap. Nothing else
keeps quotes fresh: staleness is seen here, by our own clock. What one symbol's messages mean is `symbol_feed`'s; this
is the line, and the asking. Decides nothing about trading.
"""

import asyncio
import contextlib
import logging
from collections.abc import Callable, Iterable, Sequence
from typing import Any

from execution.exchange import translate
from execution.exchange.classify import BadReply
from execution.exchange.client import VenueClient
from execution.exchange.feed_health import health_of
from execution.exchange.missing import Missing
from execution.exchange.symbol_feed import SymbolFeed
from execution.exchange.trade_ranges import TradeRanges
from execution.exchange.venue_reader import VenueReader
from execution.runtime.backoff import Backoff
from execution.runtime.clock import Clock
from execution.vocabulary.health import ComponentHealth
from execution.vocabulary.limits import STALE_FEED_S
from execution.vocabulary.market import Candle, Quote, Trade, TradedRange

LOG = logging.getLogger("nae.feed")
CHECK_PERIOD_S = 0.5
FIRST_RETRY_S = 0.2
LAST_RETRY_S = 5.0
DIFFERENCE_SAID_EVERY_S = 3600.0


class MarketFeed:
    """Quotes, trades and bars of `symbols`. `on_bar(symbol, candle)` is called once per closed bar, oldest first.

    Uses a client of its own, made by `client.renewed()`: the one given stays the caller's.
    """

    def __init__(
        self,
        client: VenueClient,
        symbols: Sequence[str],
        timeframe: str,
        clock: Clock,
        on_bar: Callable[[str, Candle], None],
    ) -> None:
        self._source = client
        self._client: VenueClient | None = None
        self._timeframe = timeframe
        self._clock = clock
        self._on_bar = on_bar
        self._on_quote: Callable[[Quote], None] = lambda quote: None
        self._on_trade: Callable[[Trade], None] = lambda trade: None
        self._ranges = TradeRanges()
        self._symbols: dict[str, SymbolFeed] = {}
        self._markets: dict[str, SymbolFeed] = {}  # by the venue's names
        self._add([SymbolFeed(symbol, timeframe, on_bar) for symbol in symbols])
        self._missing = Missing(timeframe, clock, self._tell, self._hear)
        self._lacking = asyncio.Event()
        self._widened = asyncio.Event()
        self._began_at = self._heard_at = self._streamed_at = clock.monotonic()
        self._reconnects = 0
        self._refused = 0
        self._error_count = 0
        self._backoff = Backoff(FIRST_RETRY_S, LAST_RETRY_S)

    def _add(self, more: Iterable[SymbolFeed]) -> None:
        for one in more:
            self._symbols[one.symbol] = self._markets[translate.market_id(one.symbol)] = one

    def quote(self, symbol: str) -> Quote | None:
        """The last good best bid and ask, however old."""
        one = self._symbols.get(symbol)
        return None if one is None else one.quote

    def tell_quotes(self, hear: Callable[[Quote], None]) -> None:
        """Call `hear` with each new good quote of the stream from now on."""
        self._on_quote = hear

    def tell_trades(self, hear: Callable[[Trade], None]) -> None:
        """Call `hear` with every trade from now on, once each; those that were missed come when REST has brought them,
        several of one order and price as one."""
        self._on_trade = hear

    def tell_ranges(self, hear: Callable[[TradedRange], None]) -> None:
        """Call `hear` with what all trades of a burst went through, once for each symbol and turn of the loop. Trades
        that come seconds late, by REST, are in their bar and in no range."""
        self._ranges.hear = hear

    @property
    def symbols(self) -> tuple[str, ...]:
        """What is followed."""
        return tuple(self._symbols)

    def stale_for_s(self, symbol: str | None = None) -> float:
        """Seconds since the market, or one followed symbol's quote or stream, was last heard; since the start when
        never."""
        heard_at = self._heard_at
        one = self._symbols.get(symbol or "")
        if one is not None:
            quoted_at = one.quote.received if one.quote is not None else None
            heard = [each for each in (one.heard_at, quoted_at) if each is not None]
            heard_at = max(heard, default=self._began_at)
        return self._clock.monotonic() - heard_at

    async def warm(self, limit: int) -> None:
        """Deliver the last `limit` closed bars of every symbol, and have quotes. VenueError, BadReply."""
        reader = VenueReader(self._source)
        await asyncio.gather(*(self._missing.fill(reader, one, limit) for one in self._symbols.values()))
        await self._missing.read_quotes(reader, self._symbols.values())

    async def follow(self, symbols: Iterable[str], limit: int) -> None:
        """Deliver these too from now on, their last `limit` closed bars first. VenueError, BadReply: not yet."""
        wanted = sorted({symbol for symbol in symbols if symbol not in self._symbols})
        if not wanted:
            return
        reader = VenueReader(self._source)
        more = [SymbolFeed(symbol, self._timeframe, self._on_bar) for symbol in wanted]
        await asyncio.gather(*(self._missing.fill(reader, one, limit) for one in more))
        self._add(more)
        self._widened.set()  # the open stream knows the old names only: it is opened anew

    async def run(self) -> None:
        """Deliver until cancelled, through every disconnection."""
        try:
            while True:
                try:
                    await self._listen()
                except (ConnectionError, TimeoutError) as error:
                    self._error_count += 1
                    LOG.warning("feed: %s", error)
                self._reconnects += 1
                await self._drop_client()
                await self._clock.sleep(self._backoff.next_s())
        finally:
            await self._drop_client()

    async def _listen(self) -> None:
        """One connection, from opening it to losing it, which raises; it returns when there is more to be heard."""
        self._widened.clear()
        began_at = self._streamed_at = self._clock.monotonic()
        client = self._client = self._source.renewed()
        client.listener = self
        kinds = ("bookTicker", "trade", f"kline_{self._timeframe}")
        stream = asyncio.ensure_future(
            client.subscribe([f"{name.lower()}@{k}" for name in self._markets for k in kinds])
        )
        self._missing.begin_anew()
        for one in self._symbols.values():  # asked for while the stream collects: what it brings too early waits
            one.begin_anew(self._streamed_at)
        looking = asyncio.ensure_future(self._keep_looking(VenueReader(client)))
        try:
            while not self._widened.is_set():
                await asyncio.wait({stream, looking}, timeout=CHECK_PERIOD_S, return_when=asyncio.FIRST_COMPLETED)
                if looking.done():
                    looking.result()
                if self._streamed_at > began_at:
                    self._backoff.reset()
                if stream.done():
                    stream.result()
                    raise ConnectionError("the market stream ended")
                silent_s = self._clock.monotonic() - self._streamed_at
                if silent_s > STALE_FEED_S:
                    raise TimeoutError(f"nothing heard for {silent_s:.1f} s")
        finally:
            for task in (stream, looking):
                task.cancel()
            await asyncio.gather(stream, looking, return_exceptions=True)

    # what is missing, by REST

    async def _keep_looking(self, reader: VenueReader) -> None:
        """Until cancelled; an answer that is long in coming holds up no stream."""
        while True:
            await self._look(reader)
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(CHECK_PERIOD_S):
                    await self._lacking.wait()

    async def _look(self, reader: VenueReader) -> None:
        """See what is missing and ask for it. TimeoutError: a symbol's stream is broken."""
        self._lacking.clear()
        now = self._clock.monotonic()
        newest_ms = max((one.bars.last_open_ms or 0 for one in self._symbols.values()), default=0)
        await self._missing.look(reader, {one: one.look(now, newest_ms) for one in self._symbols.values()})
        for one in self._symbols.values():
            if one.difference is not None and not self._source.embedded:  # there, closed bars know no customer's trades
                made, told = one.difference
                text = f"{one.symbol}: {made}; the venue's own, which counts: {told}"
                self._missing.complaints.say("a bar made of its trades", text, DIFFERENCE_SAID_EVERY_S)
            if one.deaf:
                raise TimeoutError(f"{one.symbol}: its price moves and its stream is silent")

    async def _drop_client(self) -> None:
        client, self._client = self._client, None
        if client is not None:
            client.listener = None
            await client.drop()

    # what the stream says

    def on_book_ticker(self, message: dict[str, Any]) -> None:
        """A new best bid or ask."""
        one = self._markets.get(message["s"])
        if one is None:
            return
        now = self._clock.monotonic()
        try:
            quote = one.hear_quote(message, now)
        except BadReply as error:
            self._refuse(error)
            return
        self._heard_at = self._streamed_at = now
        self._on_quote(quote)

    def on_trade(self, message: dict[str, Any]) -> None:
        """A trade."""
        one = self._markets.get(message.get("s", ""))
        if one is None:
            return
        now = self._clock.monotonic()
        try:
            trade = one.hear_trade(message, now)
        except BadReply as error:
            self._refuse(error)
            return
        self._heard_at = self._streamed_at = now
        if trade is not None:
            self._ranges.add(trade)
            self._on_trade(trade)

    def on_kline(self, message: dict[str, Any]) -> None:
        """A bar's progress; only its end matters."""
        kline = message.get("k") or {}
        one = self._markets.get(message.get("s", ""))
        if one is None or kline.get("i") != self._timeframe or kline.get("x") is not True:
            return
        now = self._clock.monotonic()
        try:
            one.hear_closed(kline, now)
            self._heard_at = self._streamed_at = now
        except BadReply as error:
            self._refuse(error)
        if one.wants_bars:
            self._lacking.set()

    def on_user_event(self, message: dict[str, Any]) -> None:
        """Not ours to hear."""

    def _tell(self, trades: Sequence[Trade]) -> None:
        """Trades that REST brought, seconds late. No range has them: they may be older than a position that was opened
        meanwhile, whose stop they would touch. What they mean for older ones, their bar says."""
        for trade in trades:
            self._on_trade(trade)

    def _refuse(self, error: BadReply) -> None:
        self._refused += 1
        self._missing.complaints.say("feed refused", str(error))

    def _hear(self) -> None:
        self._heard_at = self._clock.monotonic()

    def get_health(self) -> ComponentHealth:
        """See feed_health."""
        silent = [symbol for symbol in self._symbols if self.stale_for_s(symbol) > STALE_FEED_S]
        counts = {"refused": self._refused, "reconnects": self._reconnects, "ranges": self._ranges.told}
        stale = self.stale_for_s()
        heard_ms = None if self._heard_at == self._began_at else self._clock.now_ms() - round(stale * 1000)
        errors = self._error_count + self._missing.error_count
        return health_of(self._symbols.values(), silent, stale, (heard_ms, errors), counts)
