"""What trading needs of the world, as small protocols: somewhere to send orders, something that sees the market.

The real ones live in `execution.exchange`; nothing here imports an exchange library, and tests pass hand-written ones.
"""

from collections.abc import Awaitable, Callable, Sequence
from typing import Protocol

from execution.vocabulary.health import ComponentHealth
from execution.vocabulary.market import Quote, SymbolRules, Trade, TradedRange
from execution.vocabulary.orders import OrderOutcome, OrderRequest, OrderRow


class Gateway(Protocol):
    """The only way an order leaves. The binding risk limits are inside it."""

    async def load_rules(self) -> dict[str, SymbolRules]:
        """The venue's rules per symbol."""
        ...

    async def place(self, request: OrderRequest) -> OrderOutcome:
        """Check, write the intent durably, send once. Never retried."""
        ...

    async def cancel(self, client_order_id: str) -> OrderRow:
        """Cancel one order; the order as it stands then. Raises when the venue can't be asked."""
        ...

    def loss_limit_reached(self) -> str:
        """Take in what the account is worth now; the loss limit it has reached, "" when none."""
        ...

    def accept_losses(self) -> None:
        """What was lost so far is measured against no limit any more."""
        ...

    def forget_time(self) -> None:
        """Ask the venue for its time before anything is signed again."""
        ...

    def quiet_for_s(self) -> float:
        """How long the venue wants to hear nothing from us; 0 when it may be asked."""
        ...

    async def probe(self, number: int) -> str | None:
        """Try the order path without an order; None when the venue accepted it, else why not."""
        ...

    def get_health(self) -> ComponentHealth:
        """Whether orders can be sent."""
        ...


class Feed(Protocol):
    """The market as it is now."""

    def tell_quotes(self, hear: Callable[[Quote], None]) -> None:
        """Call `hear` with each new good quote from now on."""
        ...

    def tell_trades(self, hear: Callable[[Trade], None]) -> None:
        """Call `hear` with every trade from now on, once each."""
        ...

    def tell_ranges(self, hear: Callable[[TradedRange], None]) -> None:
        """Call `hear` with what all trades of a burst went through, from now on: no low and no high of it is missed."""
        ...

    def quote(self, symbol: str) -> Quote | None:
        """The last good best bid and ask, however old."""
        ...

    def stale_for_s(self, symbol: str | None = None) -> float:
        """Seconds since anything was heard, of one symbol or of any."""
        ...

    async def warm(self, limit: int) -> None:
        """Deliver the last `limit` closed bars of every symbol."""
        ...

    async def run(self) -> None:
        """Deliver until cancelled."""
        ...

    def get_health(self) -> ComponentHealth:
        """Whether the market is heard."""
        ...


class Stream(Protocol):
    """Something that runs until cancelled, such as the account's own event stream."""

    async def run(self) -> None:
        """Write what is heard to the ledger until cancelled."""
        ...

    def get_health(self) -> ComponentHealth:
        """Whether the stream is heard."""
        ...


class Verdict(Protocol):
    """The answer of one reconciliation."""

    @property
    def reconciled(self) -> bool:
        """Does the ledger agree with the venue to the last digit?"""
        ...

    @property
    def differences(self) -> Sequence[str]:
        """What doesn't agree, for people."""
        ...


Reconcile = Callable[[], Awaitable[Verdict]]
