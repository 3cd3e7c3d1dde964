"""OrderExecutionAssistant: takes approved requests to the gateway, each at most once, and reads what became of them.

A symbol with an order whose end isn't known is left alone until the venue has told. It decides no prices or sizes.
"""

import logging
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import msgspec

from execution.ledger.rows import LedgerTaken
from execution.ledger.store import Ledger
from execution.runtime.backoff import Backoff
from execution.runtime.clock import Clock, iso
from execution.runtime.errors import about
from execution.runtime.settings import TradingConfig
from execution.runtime.sqlite import DatabaseError
from execution.trading.order_feedback import OrderFeedback
from execution.trading.ports import Feed, Gateway
from execution.vocabulary.health import ComponentHealth, ComponentStatus
from execution.vocabulary.limits import ENTRIES_OFF_AFTER_S
from execution.vocabulary.market import Quote
from execution.vocabulary.money import text
from execution.vocabulary.order_states import SETTLED, OrderState
from execution.vocabulary.orders import Fill, OrderOutcome, OrderRequest, Purpose, Side
from execution.vocabulary.reasons import exception_reason

log = logging.getLogger("nae.trading")

PRICE_DRIFT_MAX_SPREADS = 3  # an entry whose price ran away this many allowed spreads is not chased
DRY_RUN_REFUSAL = "dry_run"
STOP_WAS_FIRST = "its_stop_was_first"
EXIT_PAUSE_FIRST_S = 1.0  # after a sale that was refused, before the next is tried ...
EXIT_PAUSE_LAST_S = 30.0  # ... doubling up to this


class Pauses:
    """Which symbols' exits wait because the last one was refused: a venue that says no isn't asked again at once."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._backoffs: dict[str, Backoff] = {}
        self._until: dict[str, float] = {}

    def failed(self, symbol: str) -> None:
        """Wait, longer each time."""
        backoff = self._backoffs.setdefault(symbol, Backoff(EXIT_PAUSE_FIRST_S, EXIT_PAUSE_LAST_S))
        self._until[symbol] = self._clock.monotonic() + backoff.next_s()

    def worked(self, symbol: str) -> None:
        """No more waiting."""
        self._backoffs.pop(symbol, None)
        self._until.pop(symbol, None)

    def waiting(self) -> frozenset[str]:
        """The symbols that wait now."""
        now = self._clock.monotonic()
        return frozenset(symbol for symbol, until in self._until.items() if now < until)


@contextmanager
def _among(symbols: set[str], symbol: str) -> Iterator[None]:
    symbols.add(symbol)
    try:
        yield
    finally:
        symbols.discard(symbol)


class Executed(msgspec.Struct, frozen=True):
    """What became of one request. `filtered` means: not even offered to the gateway, and why."""

    request: OrderRequest
    outcome: OrderOutcome | None = None
    filtered: str = ""

    @property
    def sent(self) -> bool:
        """Did it leave us, or may it have?"""
        return self.outcome is not None and self.outcome.client_order_id is not None

    @property
    def dry_run(self) -> bool:
        """Was it decided and, by the trade mode, not sent?"""
        return self.outcome is not None and self.outcome.refusal == DRY_RUN_REFUSAL

    @property
    def unknown(self) -> bool:
        """Is its end not known?"""
        return self.outcome is not None and self.outcome.state is OrderState.UNKNOWN

    @property
    def moved(self) -> bool:
        """Did anything come of it, or may it still?"""
        return self.sent and (bool(self.fills) or self.outcome is None or self.outcome.state not in SETTLED)

    @property
    def fills(self) -> list[Fill]:
        """What was bought or sold at once."""
        return [] if self.outcome is None else self.outcome.fills

    @property
    def word(self) -> str:
        """One word or two for the audit trail."""
        if self.outcome is None:
            return f"filtered: {self.filtered}"
        if self.outcome.refusal is not None:
            return f"refused: {self.outcome.refusal}"
        return "unanswered" if self.outcome.state is None else self.outcome.state.value


def filter_reason(request: OrderRequest, quote: Quote | None, quote_age_s: float, config: TradingConfig) -> str:
    """Why an entry approved a moment ago mustn't be sent any more; '' when it may. Exits are never held up here."""
    if request.purpose is Purpose.EXIT:
        return ""
    if quote is None or quote_age_s > ENTRIES_OFF_AFTER_S:
        return "old_quote"
    if quote.spread_share > config.spread_max:
        return "wide_spread"
    if quote.ask > request.reference_price * (1 + config.spread_max * PRICE_DRIFT_MAX_SPREADS):
        return "price_ran_away"
    return ""


class OrderExecutionAssistant:
    """One request at a time per symbol. `may_enter` is asked again right before an entry leaves."""

    def __init__(
        self,
        config: TradingConfig,
        gateway: Gateway,
        ledger: Ledger,
        feed: Feed,
        clock: Clock,
        *,
        may_enter: Callable[[], str],
        feedback: OrderFeedback | None = None,
        note_error: Callable[[BaseException], object] = lambda error: None,
    ) -> None:
        self._config = config
        self._gateway = gateway
        self._ledger = ledger
        self._feed = feed
        self._clock = clock
        self._may_enter = may_enter
        self._feedback = feedback
        self._note_error = note_error
        self._in_flight: set[str] = set()
        self._entering: set[str] = set()
        self._pauses = Pauses(clock)
        self._acted_ms: int | None = None
        self.orders = 0
        self.refusals = 0
        self.unknowns = 0
        self.last_refusal = ""

    def blocked(self) -> frozenset[str]:
        """Symbols with an order on its way or of unknown end; a stop that stands at the venue doesn't block."""
        return self._unsettled() | self._in_flight | self._entering

    def selling(self) -> frozenset[str]:
        """Symbols of which something may be sold this moment. What is being bought is no reason to wait with the stop
        of what was bought already, whoever told of it: the reply may be the last to come."""
        unsettled = (order for order in self._ledger.unsettled() if not order.guards)
        return frozenset(order.symbol for order in unsettled if order.side is Side.SELL) | self._in_flight

    def _unsettled(self) -> frozenset[str]:
        return frozenset(order.symbol for order in self._ledger.unsettled() if not order.guards)

    @contextmanager
    def alone_with(self, symbol: str) -> Iterator[None]:
        """Nothing else is sent on this symbol meanwhile."""
        with _among(self._in_flight, symbol):
            yield

    def exits_waiting(self) -> frozenset[str]:
        """Symbols not to be sold this moment: their last sale was refused a moment ago, or an order's end isn't known;
        a purchase that has ended keeps nobody waiting for its reply. While the venue wants to hear nothing, all."""
        if self._gateway.quiet_for_s():
            return frozenset(self._ledger.positions())
        return self._unsettled() | self._in_flight | self._pauses.waiting()

    async def execute_all(self, requests: list[OrderRequest]) -> list[Executed]:
        """Entries one after another; the first without a clear answer ends the round, for the venue isn't well. One
        that raises is logged and left out, and the others go on; when none left, its error is the caller's to see. A
        ledger that can't be written ends the round: nothing is sent that isn't on the disk."""
        done: list[Executed] = []
        errors: list[Exception] = []
        for request in requests:
            if any(earlier.unknown for earlier in done):
                done.append(Executed(request, filtered="venue_unclear"))
                continue
            try:
                done.append(await self.execute(request))
            except (DatabaseError, LedgerTaken):
                raise
            except Exception as error:
                errors.append(error)
                log.exception("entry failed", extra={"fields": {"symbol": request.symbol}})
                done.append(Executed(request, filtered=exception_reason(error)))
        if errors and not any(one.sent for one in done):
            raise errors[0]
        for told in errors:
            self._note_error(told)
        return done

    async def execute(self, request: OrderRequest) -> Executed:
        """Offer one request to the gateway. Errors of the gateway's own (a full disk) are the caller's to see."""
        reason = self._hold_back(request)
        if reason:
            return Executed(request, filtered=reason)
        if request.purpose is Purpose.ENTRY and self._feedback is not None:
            request = self._feedback.shaped(request)
        moved = False
        known = about(symbol=request.symbol, strategy=request.strategy, operation=request.purpose.value)
        with known, _among(self._entering if request.purpose is Purpose.ENTRY else self._in_flight, request.symbol):
            try:
                executed = await self._sent(request)
                moved = executed.moved or executed.filtered == STOP_WAS_FIRST
            finally:
                if request.purpose is Purpose.EXIT:
                    (self._pauses.worked if moved else self._pauses.failed)(request.symbol)
        return self._noted(executed)

    async def _sent(self, request: OrderRequest) -> Executed:
        """A sale first takes the stop away that stands at the venue: no more is ever for sale than is held."""
        if request.purpose is Purpose.EXIT:
            for stop in [row for row in self._ledger.unsettled() if row.guards and row.symbol == request.symbol]:
                now = await self._gateway.cancel(stop.client_order_id)
                if now.filled > stop.filled:
                    return Executed(request, filtered=STOP_WAS_FIRST)
                if now.state not in SETTLED:
                    return Executed(request, filtered="its_stop_still_stands")
        return Executed(request, await self._gateway.place(request))

    def _hold_back(self, request: OrderRequest) -> str:
        entry = request.purpose is Purpose.ENTRY
        if request.symbol in (self.blocked() if entry else self._unsettled() | self._in_flight):
            return "order_unsettled"
        if entry:
            closed = self._may_enter()
            if closed:
                return closed
        quote = self._feed.quote(request.symbol)
        age = 0.0 if quote is None else self._clock.monotonic() - quote.received
        reason = filter_reason(request, quote, age, self._config)
        return self._feedback.holds_back(request) if not reason and entry and self._feedback else reason

    def _noted(self, executed: Executed) -> Executed:
        self._acted_ms = self._clock.now_ms()
        outcome, request = executed.outcome, executed.request
        if outcome is not None and outcome.refusal is not None:
            self.refusals += 1
            self.last_refusal = f"{request.symbol} {request.side}: {outcome.refusal}"
        if outcome is not None and self._feedback is not None:
            self._feedback.heard(outcome)
        self.orders += executed.sent
        self.unknowns += executed.unknown
        level = logging.WARNING if executed.unknown or not executed.sent else logging.INFO
        log.log(
            level,
            "order",
            extra={
                "fields": {
                    "symbol": request.symbol,
                    "side": request.side.value,
                    "quantity": text(request.quantity),
                    "purpose": request.purpose.value,
                    "reason": request.reason,
                    "outcome": executed.word,
                    "order": outcome.client_order_id if outcome else None,
                }
            },
        )
        return executed

    def get_health(self) -> ComponentHealth:
        """Degraded while an order's end isn't known."""
        waiting = sorted(
            order.symbol for order in self._ledger.unsettled() if order.state in (OrderState.SENT, OrderState.UNKNOWN)
        )
        return ComponentHealth(
            status=ComponentStatus.DEGRADED
            if set(waiting) - self._in_flight - self._entering
            else ComponentStatus.HEALTHY,
            last_activity=None if self._acted_ms is None else iso(self._acted_ms),
            error_count=self.refusals + self.unknowns,
            metrics={
                "orders": self.orders,
                "refusals": self.refusals,
                "unknown": self.unknowns,
                "waiting": waiting,
                "last_refusal": self.last_refusal,
            },
        )
