"""Selling every position of an account at once, at market, at a person's word: through the gateway like any order, so
that nothing is sold twice. An order of unknown fate holds its symbol until the venue has told; a refused sale is tried
again until the time is over, and so are stops that still stand."""

from collections.abc import Awaitable, Callable, Iterable

import msgspec

from execution.exchange.classify import BadReply, VenueError
from execution.exchange.emergency import take_stops_away
from execution.exchange.gateway import ExchangeGateway
from execution.exchange.reconciliation import reconcile
from execution.ledger.audit_log import AuditLogger
from execution.ledger.store import Ledger
from execution.runtime.backoff import Backoff
from execution.runtime.clock import Clock
from execution.trading.portfolio import Holding, portfolio
from execution.vocabulary.market import Quote
from execution.vocabulary.money import ZERO, text
from execution.vocabulary.order_states import OrderState
from execution.vocabulary.orders import OrderOutcome, OrderRequest, OrderType, Purpose, Side
from execution.vocabulary.reasons import ExitReason

FIRST_RETRY_S = 0.2
LAST_RETRY_S = 2.0
NO_RULES = "the venue doesn't list it"
NO_WORD = "the venue doesn't answer"
SHOWN = 8  # decimals of what is told


class Flattened(msgspec.Struct, frozen=True):
    """What was sold (order ids), what is left and why (by symbol), and orders whose fate isn't known."""

    sold: list[str]
    left: dict[str, str]
    unknown: list[str]
    problem: str = ""


async def flatten(
    gateway: ExchangeGateway,
    look: Callable[[Iterable[str]], Awaitable[dict[str, Quote]]],
    audit: AuditLogger,
    clock: Clock,
    *,
    deadline: float,
    reason: str,
) -> Flattened:
    """Sell until nothing is left that can be sold, or the time is over. Raises nothing for the venue; sqlite's
    DatabaseError when an intent can't be made durable: then nothing was sent for it."""
    ledger = gateway.ledger
    sold: list[str] = []
    refusals: dict[str, str] = {}
    quotes: dict[str, Quote] = {}
    backoff = Backoff(FIRST_RETRY_S, LAST_RETRY_S)
    while True:
        problem = await _learn(gateway)
        try:
            quotes = await look(symbol for symbol in ledger.positions() if symbol in gateway.rules)
        except (VenueError, BadReply) as error:
            problem = str(error)
        held = _held(gateway, quotes)
        waiting = {order.symbol for order in ledger.unsettled()}
        todo = {name: row for name, row in held.items() if not _why_not(row, gateway) and name not in waiting}
        for symbol, holding in todo.items():
            request = _sale(ledger, holding, quotes.get(symbol), reason)
            _tell(audit, request, holding, reason)
            outcome = await gateway.place(request)
            _tell_end(audit, request, outcome)
            sold += [outcome.client_order_id] if outcome.client_order_id else []
            refusals[symbol] = outcome.refusal or ""
        nothing = not held and not waiting  # whatever the venue says: there is nothing to sell
        done = nothing or (not problem and not todo and not (waiting & held.keys()))
        if done or clock.monotonic() >= deadline:
            break
        await clock.sleep(min(backoff.next_s(), max(0.0, deadline - clock.monotonic())))
    held = _held(gateway, quotes)
    left = {name: _why_not(row, gateway) or refusals.get(name) or "not sold in time" for name, row in held.items()}
    unknown = [order.client_order_id for order in ledger.unsettled() if order.state is OrderState.UNKNOWN]
    return Flattened(sold, left, unknown, problem)


async def _learn(gateway: ExchangeGateway) -> str:
    """What the venue knows becomes known; '' or why it couldn't be asked. What is known is sold all the same."""
    try:
        if not gateway.rules:
            await gateway.load_rules()
        await reconcile(gateway, gateway.ledger, strangers=False)
        await take_stops_away(gateway)
    except (VenueError, BadReply) as error:
        return str(error)
    return ""


def _held(gateway: ExchangeGateway, quotes: dict[str, Quote]) -> dict[str, Holding]:
    ledger = gateway.ledger
    return portfolio(
        "",
        balances=ledger.balances(),
        positions=ledger.positions(),
        unsettled=ledger.unsettled(),
        rules=gateway.rules,
        quote=quotes.get,
    ).holdings


def _why_not(holding: Holding, gateway: ExchangeGateway) -> str:
    """Why a position can't be sold now; '' when it can."""
    if holding.position.symbol not in gateway.rules:
        return NO_RULES if gateway.rules else NO_WORD
    if holding.dust or holding.sellable <= ZERO:
        return f"dust: {text(holding.position.quantity)} is too little for any order"
    return ""


def _sale(ledger: Ledger, holding: Holding, quote: Quote | None, reason: str) -> OrderRequest:
    position = holding.position
    return OrderRequest(
        symbol=position.symbol,
        side=Side.SELL,
        type=OrderType.MARKET,
        quantity=holding.sellable,
        reference_price=position.entry_price if quote is None else quote.bid,
        purpose=Purpose.EXIT,
        strategy=position.strategy,
        reason=ExitReason.EMERGENCY.value,
        signal_bar_ms=position.signal_bar_ms,
        correlation_id=f"{ledger.account}-{ledger.epoch}-flatten",
    )


def _tell_end(audit: AuditLogger, request: OrderRequest, outcome: OrderOutcome) -> None:
    audit.record(
        "order",
        request.correlation_id,
        f"{request.strategy}@{request.signal_bar_ms}",
        symbol=request.symbol,
        side=request.side.value,
        order=outcome.client_order_id,
        outcome=outcome.refusal or str(outcome.state),
        checked=outcome.checked,
    )


def _tell(audit: AuditLogger, request: OrderRequest, holding: Holding, reason: str) -> None:
    """Why, in the audit trail, before it leaves."""
    audit.record(
        "decision",
        request.correlation_id,
        f"{request.strategy}@{request.signal_bar_ms}",
        side=request.side.value,
        symbol=request.symbol,
        quantity=text(request.quantity),
        reason=request.reason,
        exit={
            "by": "a person's order to sell everything",
            "why": reason,
            "bid": text(round(request.reference_price, SHOWN)),
            "price_paid": text(round(holding.price_paid, SHOWN)),
        },
    )
