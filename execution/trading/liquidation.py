"""Carrying a liquidation out: a saga whose journal is the ledger itself. The second sale of a route names the first in
its correlation id, so that whoever comes after a crash, at whatever line, finds what is between two sales and goes on.

Orders go through the gateway like any other: durable intent, one request, UNKNOWN until the venue tells. It never sends
a second sale for more than the first is known to have brought.
"""

from collections import Counter
from collections.abc import Awaitable, Callable, Collection, Iterable
from decimal import Decimal

import msgspec

from execution.exchange.classify import BadReply, VenueError
from execution.exchange.emergency import take_stops_away
from execution.exchange.gateway import ExchangeGateway
from execution.exchange.reconciliation import reconcile
from execution.ledger.audit_log import AuditLogger
from execution.runtime.backoff import Backoff
from execution.runtime.clock import Clock
from execution.trading.liquidation_plan import (
    DIRECT,
    FIRST,
    SECOND,
    STRATEGY,
    Plan,
    Step,
    Unfinished,
    plan,
    step,
    unfinished,
)
from execution.vocabulary.market import Quote, SymbolRules
from execution.vocabulary.money import ZERO, text
from execution.vocabulary.order_states import OrderState
from execution.vocabulary.orders import OrderRequest, OrderRow, OrderType, Purpose, Side

FIRST_RETRY_S = 0.1
LAST_RETRY_S = 2.0
TRIES = 3  # of a sale that is refused
NEWEST = 5_000  # orders and fills that are looked through for what is unfinished
Look = Callable[[Iterable[str]], Awaitable[dict[str, Quote]]]


class Liquidated(msgspec.Struct):
    """What was sold (order ids), what is left and why (by currency), what is unknown or between two sales."""

    sold: list[str] = []
    left: dict[str, str] = {}
    unknown: list[str] = []
    unfinished: list[Unfinished] = []
    problem: str = ""

    @property
    def done(self) -> bool:
        """Is nothing left but dust, and what nobody trades?"""
        return not (
            self.unknown or self.unfinished or self.problem or any("in time" in why for why in self.left.values())
        )


class Liquidation:
    """One account's, in one currency. `only`: these currencies alone. `avoid`: on none of these symbols. `by`: whose
    order it is, for the audit trail."""

    def __init__(
        self,
        gateway: ExchangeGateway,
        look: Look,
        audit: AuditLogger,
        clock: Clock,
        *,
        quote: str,
        only: Collection[str] = (),
        avoid: Collection[str] = (),
        by: str = "a person's order to liquidate",
    ) -> None:
        self._gateway = gateway
        self._ledger = gateway.ledger
        self._look = look
        self._audit = audit
        self._clock = clock
        self._quote = quote
        self._only = frozenset(only)
        self._avoid = frozenset(avoid)
        self._by = by
        self._told = Liquidated()
        self._quotes: dict[str, Quote] = {}
        self._refused: dict[str, str] = {}
        self._tries: Counter[str] = Counter()

    async def run(self, deadline: float) -> Liquidated:
        """Until nothing is left that can be sold, or the time is over. Raises nothing for the venue; sqlite's
        DatabaseError when an intent can't be made durable."""
        backoff = Backoff(FIRST_RETRY_S, LAST_RETRY_S)
        while True:
            try:
                busy = await self._round()
                self._told.problem = ""
            except (VenueError, BadReply) as error:
                busy, self._told.problem = True, str(error)
            if not busy or self._clock.monotonic() >= deadline:
                break
            await self._clock.sleep(min(backoff.next_s(), max(0.0, deadline - self._clock.monotonic())))
        self._told.unknown = [
            row.client_order_id for row in self._ledger.unsettled() if row.state is OrderState.UNKNOWN
        ]
        self._told.unfinished = self._between(self._quotes)
        self._audit.record("liquidation", **msgspec.structs.asdict(self._told))
        return self._told

    async def _round(self) -> bool:
        """Learn, then sell what can be sold now; is there more to come?"""
        gateway = self._gateway
        if not gateway.rules:
            await gateway.load_rules()
        await reconcile(gateway, self._ledger, strangers=False)
        await take_stops_away(gateway, self._concerned)
        quotes = self._quotes = await self._look(self._markets())
        waiting = {order.symbol for order in self._ledger.unsettled()}
        between = self._between(quotes)
        sent = False
        for saga in between:
            if saga.symbol not in waiting:
                sent |= await self._second(saga, quotes)
        found = self._plan(quotes, between)
        for route in found.routes:
            if self._tries[route.currency] >= TRIES or route.steps[0].symbol in waiting:
                continue
            kind = DIRECT if len(route.steps) == 1 else FIRST
            way = " > ".join([route.currency, *(name.symbol.partition("/")[2] for name in route.steps)])
            sent |= await self._sell(
                route.steps[0], f"{kind}: {way}", f"{self._ledger.account}-{self._ledger.epoch}-{way}"
            )
        late = {route.currency: self._refused.get(route.currency, "not sold in time") for route in found.routes}
        self._told.left = found.left | late
        again = any(self._tries[name] < TRIES for name in late)
        return sent or again or bool(waiting & self._markets()) or bool(between)

    @property
    def _rules(self) -> dict[str, SymbolRules]:
        """Of the markets that may be used."""
        return {name: row for name, row in self._gateway.rules.items() if name not in self._avoid}

    def _concerned(self, order: OrderRow) -> bool:
        return not self._only or order.symbol.partition("/")[0] in self._only

    def _plan(self, quotes: dict[str, Quote], between: list[Unfinished]) -> Plan:
        """What is free of it, by our books, which agree with the venue; what belongs to a saga is left to it."""
        free = dict(self._ledger.balances())
        for order in self._ledger.unsettled():
            if order.side is Side.SELL:
                base = order.symbol.partition("/")[0]
                free[base] = free.get(base, ZERO) - order.remaining
        for saga in between:
            base = saga.symbol.partition("/")[0]
            free[base] = free.get(base, ZERO) - saga.quantity
        held = self._ledger.positions()
        return plan(free, self._rules, quotes, self._quote, positions=held, only=self._only)

    def _between(self, quotes: dict[str, Quote]) -> list[Unfinished]:
        orders = self._ledger.orders(limit=NEWEST)
        return unfinished(orders, self._ledger.fills(limit=NEWEST), self._rules, quotes, self._quote)

    def _markets(self) -> set[str]:
        """Every market that a route could lead over."""
        names = {*self._ledger.balances()} | {row.quote for row in self._rules.values()}
        return {row.symbol for row in self._rules.values() if row.base in names and row.trading}

    async def _second(self, saga: Unfinished, quotes: dict[str, Quote]) -> bool:
        """The sale that ends a saga."""
        rule = self._rules.get(saga.symbol)
        sale = step(min(saga.quantity, self._ledger.balances().get(rule.base, ZERO)) if rule else ZERO, rule, quotes)
        if sale is None:
            return False  # not sellable this moment: it is named as unfinished
        return await self._sell(sale, f"{SECOND}: {saga.currency} > {saga.symbol.replace('/', ' > ')}", saga.first)

    async def _sell(self, sale: Step, reason: str, correlation: str) -> bool:
        """One sale; True when it left."""
        request = OrderRequest(
            symbol=sale.symbol,
            side=Side.SELL,
            type=OrderType.MARKET,
            quantity=sale.quantity,
            reference_price=sale.price,
            purpose=Purpose.LIQUIDATION,
            strategy=STRATEGY,
            reason=reason,
            signal_bar_ms=0,
            correlation_id=correlation,
        )
        told = {"by": self._by, "why": reason, "bid": text(sale.price), "price_paid": None}
        fields = {"side": "sell", "symbol": sale.symbol, "quantity": text(sale.quantity), "reason": reason}
        self._audit.record("decision", correlation, STRATEGY, **fields, exit=told)
        outcome = await self._gateway.place(request)
        self._audit.record(
            "order",
            correlation,
            STRATEGY,
            symbol=sale.symbol,
            side="sell",
            order=outcome.client_order_id,
            outcome=outcome.refusal or str(outcome.state),
            checked=outcome.checked,
        )
        if outcome.client_order_id is None or outcome.state is OrderState.REJECTED:
            currency = sale.symbol.partition("/")[0]
            self._tries[currency] += 1
            self._refused[currency] = outcome.refusal or self._note(outcome.client_order_id)
            return False
        self._told.sold.append(outcome.client_order_id)
        return True

    def _note(self, client_order_id: str | None) -> str:
        order = self._ledger.order(client_order_id or "")
        return f"the venue refused it: {order.note}" if order is not None else "refused"


def total(plan_found: Plan) -> Decimal:
    """What a plan brings, in the quote currency."""
    return sum((route.proceeds for route in plan_found.routes), ZERO)
