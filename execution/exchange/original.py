"""The public data of a real exchange, for a venue that mirrors it: rules, candles, books and trades, through ccxt. It
has no key and sends no order. A line that is lost or silent is opened anew, and whoever hears is told."""

import asyncio
import contextlib
import logging
from collections.abc import Sequence
from decimal import Decimal
from typing import Any, Protocol

from execution.exchange.ccxt_door import BaseError
from execution.exchange.classify import BadReply, VenueError
from execution.exchange.client import VenueClient
from execution.exchange.endpoint import SUPPORTED, Endpoint, build_client
from execution.exchange.venue_reader import VenueReader
from execution.runtime.backoff import Backoff
from execution.runtime.clock import Clock
from execution.vocabulary.exit_codes import ConfigError
from execution.vocabulary.limits import STALE_FEED_S
from execution.vocabulary.market import Candle, SymbolRules

LOG = logging.getLogger("nae.venue")
DEPTH = 100
CHECK_PERIOD_S = 1.0
CANDLES_MOST = 999
FIRST_RETRY_S, LAST_RETRY_S = 0.2, 5.0
WORDS_MAX = 200
NO_SUCH_SYMBOL = "-1121"
LOST = (BaseError, ConnectionError, TimeoutError, VenueError, BadReply, OSError)
Rows = Sequence[tuple[Decimal, Decimal]]


class Hearer(Protocol):
    """Who hears what the exchange says, symbols written like BTC/USDT."""

    def on_book(self, symbol: str, bids: Rows, asks: Rows) -> None: ...

    def on_trade(self, symbol: str, price: Decimal, quantity: Decimal, sold: bool, time_ms: int) -> None: ...

    def on_lost(self, why: str) -> None: ...


class Original:
    """One exchange and some of its markets. `open_original` makes it."""

    def __init__(self, name: str, client: VenueClient, clock: Clock) -> None:
        self.name = name
        self.rules: dict[str, SymbolRules] = {}
        self.history: dict[str, list[Candle]] = {}
        self._source = client
        self._client: VenueClient | None = None
        self._clock = clock
        self._heard_at = clock.monotonic()

    async def load(self, pairs: Sequence[str], count: int) -> None:
        """Rules and the last closed minutes. Raises ConfigError for a market it hasn't got, VenueError, BadReply."""
        client = self._source.renewed()
        try:
            reader = VenueReader(client, pairs)
            rules = await reader.load_rules()
            for pair in pairs:
                if pair not in rules:
                    raise ConfigError(f"venue.symbols: {self.name} has no {pair}; it has {', '.join(rules)[:200]}")
                self.rules[pair] = rules[pair]
                self.history[pair] = await reader.fetch_candles(pair, "1m", None, min(count, CANDLES_MOST))
        finally:
            await client.drop()

    async def candles(self, symbol: str, since_ms: int) -> list[Candle]:
        """Closed minutes that open at `since_ms` or later, oldest first. Raises ConnectionError."""
        client = self._client
        if client is None:
            raise ConnectionError(f"{self.name} is lost")
        try:
            return await VenueReader(client).fetch_candles(symbol, "1m", since_ms, CANDLES_MOST)
        except LOST as error:
            raise ConnectionError(f"{self.name}: {error}") from error

    async def follow(self, hearer: Hearer) -> None:
        """Tell books and trades, for ever, through every disconnection."""
        backoff = Backoff(FIRST_RETRY_S, LAST_RETRY_S)
        while True:
            began = self._clock.monotonic()
            try:
                await self._listen(hearer)
            except LOST as error:
                hearer.on_lost(f"{type(error).__name__} {error}"[:WORDS_MAX] if str(error) else type(error).__name__)
            if self._heard_at > began:
                backoff.reset()
            await self._clock.sleep(backoff.next_s())

    async def _listen(self, hearer: Hearer) -> None:
        """One connection, until it is lost, which raises."""
        client = self._client = self._source.renewed()
        self._heard_at = self._clock.monotonic()
        tasks: list[asyncio.Task[None]] = []
        try:
            await client.load_markets()
            for pair in self.rules:
                tasks.append(asyncio.create_task(self._hear_books(client, pair, hearer)))
                tasks.append(asyncio.create_task(self._hear_trades(client, pair, hearer)))
            while True:
                done, _ = await asyncio.wait(tasks, timeout=CHECK_PERIOD_S, return_when=asyncio.FIRST_COMPLETED)
                for task in done:
                    task.result()
                silent_s = self._clock.monotonic() - self._heard_at
                if silent_s > STALE_FEED_S:
                    raise TimeoutError(f"nothing heard for {silent_s:.1f} s")
        finally:
            self._client = None
            for task in tasks:
                task.cancel()
            for task in tasks:
                with contextlib.suppress(asyncio.CancelledError, *LOST):
                    await task
            await client.drop()

    async def _hear_books(self, client: VenueClient, pair: str, hearer: Hearer) -> None:
        while True:
            book = await client.watch_order_book(pair)
            self._heard_at = self._clock.monotonic()
            hearer.on_book(pair, _levels(book["bids"]), _levels(book["asks"]))

    async def _hear_trades(self, client: VenueClient, pair: str, hearer: Hearer) -> None:
        while True:
            for trade in await client.watch_trades(pair):
                self._heard_at = self._clock.monotonic()
                price, quantity = Decimal(str(trade["price"])), Decimal(str(trade["amount"]))
                hearer.on_trade(pair, price, quantity, trade["side"] == "sell", int(trade["timestamp"]))


def _levels(rows: Any) -> list[tuple[Decimal, Decimal]]:
    return [(Decimal(str(row[0])), Decimal(str(row[1]))) for row in rows[:DEPTH]]


async def open_original(
    name: str, pairs: Sequence[str], count: int, clock: Clock, base_url: str | None = None
) -> Original:
    """The exchange called `name` (or one on loopback that speaks like it), loaded; waits for as long as it doesn't
    answer. Raises ConfigError for an exchange or a market that isn't known."""
    if name not in SUPPORTED:
        right = ", ".join(f"mirror:{one}" for one in SUPPORTED)
        raise ConfigError(f"venue.market = 'mirror:{name}': this exchange can't be mirrored; {right} would be right")
    client = build_client(Endpoint(name, base_url), None, clock)
    original, backoff = Original(name, client, clock), Backoff(FIRST_RETRY_S, LAST_RETRY_S)
    while True:
        try:
            await original.load(pairs, count)
        except (VenueError, BadReply) as error:
            if NO_SUCH_SYMBOL in str(error):
                raise ConfigError(f"venue.symbols: {name} hasn't got all of {', '.join(pairs)}") from error
            LOG.warning("the exchange that is mirrored doesn't answer", extra={"fields": {"error": str(error)}})
            await clock.sleep(backoff.next_s())
        else:
            return original
