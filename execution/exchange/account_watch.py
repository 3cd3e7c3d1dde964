"""An account as the venue itself tells it: what is held, and which stops stand there. For whoever checks a trader
without asking it.

Heard from the account's event stream, asked for at its beginning and again each minute. Its client can't send anything
but questions. It writes nothing.
"""

import asyncio
import logging
from collections.abc import Iterable, Mapping
from decimal import Decimal
from typing import Any

import msgspec

from execution.exchange import translate
from execution.exchange.classify import BadReply, VenueError
from execution.exchange.client import VenueClient
from execution.exchange.user_line import user_line
from execution.runtime.backoff import Backoff
from execution.runtime.clock import Clock
from execution.vocabulary.market import SymbolRules
from execution.vocabulary.money import ZERO, floor_to_step
from execution.vocabulary.orders import STOPS

LOG = logging.getLogger("nae.account_watch")
FIRST_RETRY_S = 0.5
LAST_RETRY_S = 15.0
ASK_AGAIN_S = 60.0
ATTEMPTS = 3  # an event between two answers makes them differ: ask again
_STANDING = ("NEW", "PARTIALLY_FILLED")
_STOP_TYPES = frozenset(kind.upper() for kind in STOPS)


class StandingStop(msgspec.Struct, frozen=True):
    """A sale that waits at the venue for its stop price. `symbol` as the venue writes it."""

    symbol: str
    remaining: Decimal


def stops_of(rows: Any) -> dict[str, StandingStop]:
    """The stops among open orders, by the venue's order id. BadReply when the rows can't be read."""
    if not isinstance(rows, list):
        raise BadReply("the venue's open orders aren't a list")
    try:
        return {
            str(row["orderId"]): StandingStop(
                row["symbol"], translate.amount(row["origQty"]) - translate.amount(row["executedQty"])
            )
            for row in rows
            if row["side"] == "SELL" and row["type"] in _STOP_TYPES
        }
    except (TypeError, KeyError, ValueError) as error:
        raise BadReply(f"an open order can't be read: {type(error).__name__}") from None


def unprotected(
    held: Mapping[str, Decimal], stops: Iterable[StandingStop], rules: Mapping[str, SymbolRules], quote: str
) -> dict[str, Decimal]:
    """How much of what is held no stop would sell, by symbol; less than a lot doesn't count. `held` by currency."""
    covered: dict[str, Decimal] = {}
    for stop in stops:
        covered[stop.symbol] = covered.get(stop.symbol, ZERO) + stop.remaining
    found = {}
    for currency, amount in held.items():
        rule = rules.get(f"{currency}/{quote}")
        if rule is None or not rule.stop_type:
            continue
        bare = floor_to_step(amount - covered.get(translate.market_id(rule.symbol), ZERO), rule.lot_step)
        if bare >= max(rule.lot_min, rule.lot_step):
            found[rule.symbol] = bare
    return found


class AccountWatch:
    """Keeps `totals` (by currency) and `stops` as the venue says. `heard` is when, on our monotonic clock; None: never.

    `client` is a reader (see VenueClient.reads_only); streams use clients of their own, made by its `renewed()`.
    """

    def __init__(self, client: VenueClient, clock: Clock) -> None:
        self.client = client
        self._clock = clock
        self._events = 0
        self._backoff = Backoff(FIRST_RETRY_S, LAST_RETRY_S)
        self.totals: dict[str, Decimal] = {}
        self.stops: dict[str, StandingStop] = {}
        self.heard: float | None = None
        self.connected = False

    async def run(self) -> None:
        """Keep up until cancelled."""
        while True:
            try:
                await self._listen()
            except (ConnectionError, TimeoutError, VenueError, BadReply) as error:
                LOG.warning("watching the account: %s", error)
            await self._clock.sleep(self._backoff.next_s())

    async def _listen(self) -> None:
        async with user_line(self.client, self) as line:
            try:
                while not line.done():
                    await self._ask()
                    self.connected = True
                    self._backoff.reset()
                    await asyncio.wait({line}, timeout=ASK_AGAIN_S)
                await line
            finally:
                self.connected = False

    async def _ask(self) -> None:
        """What is held and what stands, of one moment: no event came between the two answers."""
        for _ in range(ATTEMPTS):
            before = self._events
            stops = stops_of(await self.client.call("privateGetOpenOrders"))
            balances = translate.balances_of(await self.client.call("privateGetAccount", {"omitZeroBalances": "true"}))
            if self._events == before:
                break
        self.stops = stops
        self.totals = {currency: balance.total for currency, balance in balances.items()}
        self.heard = self._clock.monotonic()

    def on_user_event(self, message: dict[str, Any]) -> None:
        """One event of the account. One that can't be read ends the stream: it is asked for anew."""
        self._events += 1
        try:
            if message.get("e") == "outboundAccountPosition":
                for row in message["B"]:
                    self.totals[row["a"]] = translate.amount(row["f"]) + translate.amount(row["l"])
            elif message.get("e") == "executionReport" and message["S"] == "SELL" and message["o"] in _STOP_TYPES:
                self._take(str(message["i"]), message)
        except (TypeError, KeyError, ValueError) as error:
            raise BadReply(f"an event of the account can't be read: {type(error).__name__}") from None
        self.heard = self._clock.monotonic()

    def _take(self, order_id: str, message: dict[str, Any]) -> None:
        if message["X"] in _STANDING:
            left = translate.amount(message["q"]) - translate.amount(message["z"])
            self.stops[order_id] = StandingStop(message["s"], left)
        else:
            self.stops.pop(order_id, None)

    def on_book_ticker(self, message: dict[str, Any]) -> None:
        """Not ours to hear."""

    def on_kline(self, message: dict[str, Any]) -> None:
        """Not ours to hear."""

    def on_trade(self, message: dict[str, Any]) -> None:
        """Not ours to hear."""
