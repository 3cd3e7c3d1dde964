"""The market as it happens: the last good quote of each symbol, and every closed bar exactly once and in order.

A stream that stalls or breaks is thrown away with its client; a new one is opened and REST fills the gap. Nothing else
keeps quotes fresh: staleness is seen here, by our own clock. Decides nothing about trading.
"""

import asyncio
import contextlib
import logging
from collections.abc import Callable, Iterable, Sequence
from decimal import Decimal
from typing import Any

from execution.exchange import translate
from execution.exchange.bar_sequence import BarSequence
from execution.exchange.classify import BadReply, VenueError
from execution.exchange.client import VenueClient
from execution.exchange.venue_reader import VenueReader
from execution.runtime.backoff import Backoff
from execution.runtime.clock import Clock, iso
from execution.vocabulary.health import ComponentHealth, ComponentStatus
from execution.vocabulary.limits import STALE_FEED_S
from execution.vocabulary.market import Candle, Quote

LOG = logging.getLogger("nae.feed")
CHECK_PERIOD_S = 1.0
SPIKE = Decimal(10)  # a quote this many times the last one, or one over it, is a mistake
FIRST_RETRY_S = 0.2
LAST_RETRY_S = 5.0


class MarketFeed:
    """Quotes and bars of `symbols`. `on_bar(symbol, candle)` is called once per closed bar, oldest first.

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
        self._symbols = {translate.market_id(symbol): symbol for symbol in symbols}
        self._timeframe = timeframe
        self._clock = clock
        self._on_bar = on_bar
        self._on_quote: Callable[[Quote], None] = lambda quote: None
        self._bars = {symbol: BarSequence(symbol, timeframe, on_bar) for symbol in symbols}
        self.quotes: dict[str, Quote] = {}
        self._gaps = asyncio.Event()
        self._widened = asyncio.Event()
        self._heard_at = clock.monotonic()
        self._heard_ms: int | None = None
        self._reconnects = 0
        self._refused = 0
        self._error_count = 0
        self._backoff = Backoff(FIRST_RETRY_S, LAST_RETRY_S)

    def quote(self, symbol: str) -> Quote | None:
        """The last good best bid and ask, however old."""
        return self.quotes.get(symbol)

    def tell_quotes(self, hear: Callable[[Quote], None]) -> None:
        """Call `hear` with each new good quote of the stream from now on."""
        self._on_quote = hear

    @property
    def symbols(self) -> tuple[str, ...]:
        """What is followed."""
        return tuple(self._symbols.values())

    def stale_for_s(self) -> float:
        """Seconds since the market was last heard; since the start when never."""
        return self._clock.monotonic() - self._heard_at

    async def warm(self, limit: int) -> None:
        """Deliver the last `limit` closed bars of every symbol, and have quotes. VenueError, BadReply."""
        reader = VenueReader(self._source)
        await asyncio.gather(*(self._fill(reader, bars, limit) for bars in self._bars.values()))
        await self._read_quotes(reader)

    async def follow(self, symbols: Iterable[str], limit: int) -> None:
        """Deliver these too from now on, their last `limit` closed bars first. VenueError, BadReply: not yet."""
        more = {symbol for symbol in symbols if symbol not in self._bars}
        if not more:
            return
        reader = VenueReader(self._source)
        sequences = {symbol: BarSequence(symbol, self._timeframe, self._on_bar) for symbol in sorted(more)}
        await asyncio.gather(*(self._fill(reader, bars, limit) for bars in sequences.values()))
        self._bars |= sequences
        self._symbols |= {translate.market_id(symbol): symbol for symbol in sequences}
        self._widened.set()  # the open stream knows the old names only: it is opened anew

    async def run(self) -> None:
        """Deliver until cancelled, through every disconnection."""
        try:
            while True:
                try:
                    await self._listen()
                except (ConnectionError, VenueError, BadReply, TimeoutError) as error:
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
        client = self._client = self._source.renewed()
        client.listener = self
        names = [f"{name.lower()}@{kind}" for name in self._symbols for kind in ("bookTicker", self._kline_stream)]
        stream = asyncio.ensure_future(client.subscribe(names))
        try:
            reader = VenueReader(client)
            await self._catch_up(reader)  # while the stream collects: what it brings too early waits in the sequences
            while not self._widened.is_set():
                waiting = asyncio.ensure_future(self._gaps.wait())
                await asyncio.wait({stream, waiting}, timeout=CHECK_PERIOD_S, return_when=asyncio.FIRST_COMPLETED)
                waiting.cancel()
                if stream.done():
                    stream.result()
                    raise ConnectionError("the market stream ended")
                if self.stale_for_s() > STALE_FEED_S:
                    raise TimeoutError(f"nothing heard for {self.stale_for_s():.1f} s")
                if self._gaps.is_set():
                    await self._catch_up(reader)
        finally:
            stream.cancel()
            with contextlib.suppress(asyncio.CancelledError, ConnectionError):
                await stream

    @property
    def _kline_stream(self) -> str:
        return f"kline_{self._timeframe}"

    async def _catch_up(self, reader: VenueReader) -> None:
        """Quotes and missed bars by REST."""
        self._gaps.clear()
        await self._read_quotes(reader)
        for bars in self._bars.values():
            if bars.last_open_ms is not None:
                await self._fill(reader, bars, 999)

    async def _fill(self, reader: VenueReader, bars: BarSequence, limit: int) -> None:
        since = None if bars.last_open_ms is None else bars.last_open_ms + bars.step_ms
        bars.fill(await reader.fetch_candles(bars.symbol, self._timeframe, since, limit))

    async def _read_quotes(self, reader: VenueReader) -> None:
        fresh = await reader.fetch_quotes(tuple(self._symbols.values()))
        self.quotes.update(fresh)
        if fresh:
            self._hear()

    async def _drop_client(self) -> None:
        client, self._client = self._client, None
        if client is not None:
            client.listener = None
            await client.drop()

    # what the stream says

    def on_book_ticker(self, message: dict[str, Any]) -> None:
        """A new best bid or ask."""
        symbol = self._symbols.get(message["s"])
        if symbol is None:
            return
        try:
            quote = translate.quote_of(symbol, message["b"], message["a"], self._clock.monotonic())
        except BadReply as error:
            self._refuse(str(error))
            return
        last = self.quotes.get(symbol)
        if last is not None and not last.bid / SPIKE < quote.bid < last.bid * SPIKE:
            self._refuse(f"{symbol}: {quote.bid} after {last.bid} is a mistake")
            return
        self.quotes[symbol] = quote
        self._hear()
        self._on_quote(quote)

    def on_kline(self, message: dict[str, Any]) -> None:
        """A bar's progress; only its end matters."""
        kline = message.get("k") or {}
        symbol = self._symbols.get(message.get("s", ""))
        if symbol is None or kline.get("i") != self._timeframe:
            return
        if kline.get("x") is not True:
            return
        try:
            candle = translate.candle_of_stream(kline)
        except BadReply as error:
            self._refuse(str(error))
            return
        self._hear()
        if not self._bars[symbol].add(candle):
            self._gaps.set()

    def on_user_event(self, message: dict[str, Any]) -> None:
        """Not ours to hear."""

    def _refuse(self, why: str) -> None:
        self._refused += 1
        LOG.warning("feed refused: %s", why)

    def _hear(self) -> None:
        self._heard_at = self._clock.monotonic()
        self._heard_ms = self._clock.now_ms()
        self._backoff.reset()

    def get_health(self) -> ComponentHealth:
        """Degraded once nothing was heard for STALE_FEED_S. `metrics`: bars, gaps, refused messages, reconnects."""
        stale = self.stale_for_s()
        if self._heard_ms is None:
            status = ComponentStatus.STARTING
        else:
            status = ComponentStatus.DEGRADED if stale > STALE_FEED_S else ComponentStatus.HEALTHY
        return ComponentHealth(
            status=status,
            last_activity=None if self._heard_ms is None else iso(self._heard_ms),
            error_count=self._error_count,
            metrics={
                "stale_for_s": round(stale, 1),
                "bars": sum(bars.delivered for bars in self._bars.values()),
                "flat_bars": sum(bars.flat for bars in self._bars.values()),
                "refused": self._refused,
                "reconnects": self._reconnects,
            },
        )
