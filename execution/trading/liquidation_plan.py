"""How everything an account holds becomes its quote currency: directly, or in two sales over a bridge currency, what
brings more after fees, and only where every step of it clears the venue's minimums before the first is taken. Pure.

What has a position is only ever sold on its own market: elsewhere its books would stay open. What can't be sold stays,
with the reason: too little of it is dust.
"""

from collections.abc import Collection, Iterable, Mapping
from decimal import Decimal

import msgspec

from execution.vocabulary.market import Quote, SymbolRules
from execution.vocabulary.money import ZERO, floor_to_step, text
from execution.vocabulary.orders import Fill, OrderRow, Purpose

RESERVE = Decimal("0.01")  # by so much a price may fall before the second sale, and it still clears the minimums
STRATEGY = "liquidation"
FIRST = "first of two"
SECOND = "second of two"
DIRECT = "direct"


class Step(msgspec.Struct, frozen=True):
    """One sale: so much of the symbol's base at about `price`; `proceeds` after the fee."""

    symbol: str
    quantity: Decimal
    price: Decimal
    proceeds: Decimal


class Route(msgspec.Struct, frozen=True):
    """The way of one currency into the quote currency."""

    currency: str
    steps: tuple[Step, ...]

    @property
    def proceeds(self) -> Decimal:
        """What it brings in the quote currency."""
        return self.steps[-1].proceeds


class Plan(msgspec.Struct, frozen=True):
    """What to sell how, and what is left and why, by currency."""

    routes: list[Route]
    left: dict[str, str]


class Unfinished(msgspec.Struct, frozen=True):
    """A liquidation whose first sale is through and whose second isn't: so much of the bridge is still to be sold."""

    first: str  # client order id
    currency: str
    symbol: str  # where the bridge is sold
    quantity: Decimal


def plan(
    free: Mapping[str, Decimal],
    rules: Mapping[str, SymbolRules],
    quotes: Mapping[str, Quote],
    quote: str,
    *,
    positions: Collection[str] = (),
    only: Collection[str] = (),
) -> Plan:
    """The best route of each currency that is held. `positions`: symbols of our own positions. `only`: these alone."""
    routes: list[Route] = []
    left: dict[str, str] = {}
    for currency in sorted(free):
        amount = free[currency]
        if currency == quote or amount <= 0 or (only and currency not in only):
            continue
        bound = f"{currency}/{quote}" in positions
        found = [
            route for route in _routes(currency, amount, rules, quotes, quote) if not bound or len(route.steps) == 1
        ]
        if found:
            routes.append(max(found, key=lambda route: (route.proceeds, -len(route.steps))))
        else:
            left[currency] = _why(currency, amount, rules, quotes, quote)
    return Plan(routes, left)


def _routes(
    currency: str, amount: Decimal, rules: Mapping[str, SymbolRules], quotes: Mapping[str, Quote], quote: str
) -> list[Route]:
    direct = step(amount, rules.get(f"{currency}/{quote}"), quotes)
    found = [Route(currency, (direct,))] if direct is not None else []
    for bridge in bridges(currency, rules, quote):
        first = step(amount, rules[f"{currency}/{bridge}"], quotes)
        second = None if first is None else step(first.proceeds, rules[f"{bridge}/{quote}"], quotes)
        if first is None or second is None:
            continue
        if step(first.proceeds * (1 - RESERVE), rules[f"{bridge}/{quote}"], quotes, falls=RESERVE) is not None:
            found.append(Route(currency, (first, second)))
    return found


def bridges(currency: str, rules: Mapping[str, SymbolRules], quote: str) -> list[str]:
    """Currencies that both markets are there for, and trade."""
    middle = {row.quote for row in rules.values() if row.base == currency and row.trading}
    return sorted(name for name in middle if (row := rules.get(f"{name}/{quote}")) is not None and row.trading)


def step(amount: Decimal, rule: SymbolRules | None, quotes: Mapping[str, Quote], falls: Decimal = ZERO) -> Step | None:
    """The sale of `amount` on one market, were its price to fall by a share; None when the venue wouldn't take it."""
    at = None if rule is None else quotes.get(rule.symbol)
    if rule is None or at is None or not rule.trading:
        return None
    quantity, price = floor_to_step(amount, rule.lot_step), at.bid * (1 - falls)
    if quantity <= 0 or quantity < rule.lot_min or quantity * price < rule.notional_min:
        return None
    return Step(rule.symbol, quantity, price, quantity * price * (1 - rule.taker_fee))


def _why(
    currency: str, amount: Decimal, rules: Mapping[str, SymbolRules], quotes: Mapping[str, Quote], quote: str
) -> str:
    direct = rules.get(f"{currency}/{quote}")
    if direct is None and not bridges(currency, rules, quote):
        return f"nobody trades it against {quote}, also not over another currency"
    if direct is not None and not direct.trading:
        return f"{direct.symbol} doesn't trade now"
    if direct is not None and direct.symbol not in quotes:
        return f"nobody quotes {direct.symbol}"
    return f"dust: {text(amount)} is less than the venue's least order"


def unfinished(
    orders: Iterable[OrderRow],
    fills: Iterable[Fill],
    rules: Mapping[str, SymbolRules],
    quotes: Mapping[str, Quote],
    quote: str,
) -> list[Unfinished]:
    """What the orders of former liquidations left between two sales, oldest first. An order still under way counts as
    sold. What is too little for any order is finished: it is dust."""
    ours = sorted(
        (order for order in orders if order.purpose is Purpose.LIQUIDATION), key=lambda order: order.created_ms
    )
    by_order: dict[str, list[Fill]] = {}
    for fill in fills:
        by_order.setdefault(fill.client_order_id or "", []).append(fill)
    found = []
    for first in ours:
        if not first.reason.startswith(FIRST):
            continue
        bridge = first.symbol.partition("/")[2]
        got = sum((_brought(fill, bridge) for fill in by_order.get(first.client_order_id, [])), ZERO)
        seconds = [order for order in ours if order.correlation_id == first.client_order_id]
        rest = got - sum((_given(order) for order in seconds), ZERO)
        rule = rules.get(f"{bridge}/{quote}")
        if rule is None or (quantity := floor_to_step(max(ZERO, rest), rule.lot_step)) < max(
            rule.lot_min, rule.lot_step
        ):
            continue
        at = quotes.get(rule.symbol)
        if at is None or quantity * at.bid >= rule.notional_min:
            currency = first.symbol.partition("/")[0]
            found.append(Unfinished(first.client_order_id, currency, rule.symbol, quantity))
    return found


def _brought(fill: Fill, bridge: str) -> Decimal:
    return fill.quantity * fill.price - (fill.fee if fill.fee_currency == bridge else ZERO)


def _given(order: OrderRow) -> Decimal:
    """What an order has taken from the account, or may still take."""
    return order.filled if order.settled else order.quantity
