"""The account's own events as they happen, written to the ledger: acknowledgements, fills, ends of orders.

Only the fastest of three ways a fill becomes known; the reply and reconciliation are the others, and each alone is
enough. While the stream is down, fills are polled.
"""

import logging
from collections.abc import Awaitable, Callable, Sequence
from decimal import Decimal
from typing import Any

from execution.exchange import translate
from execution.exchange.booking import book
from execution.exchange.classify import BadReply, VenueError
from execution.exchange.client import VenueClient
from execution.exchange.user_line import user_line
from execution.ledger.store import Ledger
from execution.runtime.backoff import Backoff
from execution.runtime.clock import Clock, iso
from execution.vocabulary.health import ComponentHealth, ComponentStatus

LOG = logging.getLogger("nae.user_stream")
FIRST_RETRY_S = 0.5
LAST_RETRY_S = 30.0
POLL_PERIOD_S = 2.0


class UserStream:
    """Listens for `symbols`. `poll` books what may have been missed, after each connection and while there is none;
    `outside` hears of money that came or went without a trade.

    Uses a client of its own, made by `client.renewed()`.
    """

    def __init__(
        self,
        client: VenueClient,
        ledger: Ledger,
        symbols: Sequence[str],
        clock: Clock,
        poll: Callable[[], Awaitable[object]],
        *,
        outside: Callable[[str, Decimal], None] = lambda currency, amount: None,
    ) -> None:
        self._source = client
        self._ledger = ledger
        self._symbols = {translate.market_id(symbol): symbol for symbol in symbols}
        self._clock = clock
        self._poll = poll
        self._outside = outside
        self._connected = False
        self._events = 0
        self._error_count = 0
        self._heard_ms: int | None = None
        self._backoff = Backoff(FIRST_RETRY_S, LAST_RETRY_S)

    async def run(self) -> None:
        """Write what is heard until cancelled."""
        while True:
            try:
                await self._listen()
            except (ConnectionError, TimeoutError, VenueError, BadReply) as error:
                self._error_count += 1
                LOG.warning("user stream: %s", error)
            await self._poll_for(self._backoff.next_s())

    async def _listen(self) -> None:
        """One connection, from opening it to losing it. Ends only by raising."""
        async with user_line(self._source, self) as line:
            self._connected = True
            try:
                await self._poll()  # what came before the stream was open
                await line
            finally:
                self._connected = False

    async def _poll_for(self, seconds: float) -> None:
        """In place of the stream: poll until it is time to try it again."""
        until = self._clock.monotonic() + seconds
        while True:
            try:
                await self._poll()
            except (VenueError, BadReply) as error:
                self._error_count += 1
                LOG.warning("polling for fills: %s", error)
            left = until - self._clock.monotonic()
            if left <= 0:
                return
            await self._clock.sleep(min(POLL_PERIOD_S, left))

    def on_user_event(self, message: dict[str, Any]) -> None:
        """One event of the account."""
        self._events += 1
        self._heard_ms = self._clock.now_ms()
        self._backoff.reset()
        if message.get("e") == "balanceUpdate":
            self._money_moved(message)
        if message.get("e") != "executionReport":
            return
        symbol = self._symbols.get(message.get("s", ""))
        if symbol is None:
            return  # not a symbol of ours: reconciliation sees the money and says so
        try:
            report = translate.execution_report_of(message, symbol)
        except BadReply as error:
            self._error_count += 1
            LOG.warning("user stream: %s", error)
            return
        book(self._ledger, report)

    def _money_moved(self, message: dict[str, Any]) -> None:
        try:
            self._outside(str(message["a"]), translate.amount(message["d"]))
        except (KeyError, TypeError, ValueError) as error:
            self._error_count += 1
            LOG.warning("user stream: a balance update can't be read: %s", type(error).__name__)

    def on_book_ticker(self, message: dict[str, Any]) -> None:
        """Not ours to hear."""

    def on_kline(self, message: dict[str, Any]) -> None:
        """Not ours to hear."""

    def on_trade(self, message: dict[str, Any]) -> None:
        """Not ours to hear."""

    def get_health(self) -> ComponentHealth:
        """Degraded while fills are polled. `metrics`: connected, events."""
        return ComponentHealth(
            status=ComponentStatus.HEALTHY if self._connected else ComponentStatus.DEGRADED,
            last_activity=None if self._heard_ms is None else iso(self._heard_ms),
            error_count=self._error_count,
            metrics={"connected": self._connected, "events": self._events},
        )
