"""Whom a taker would meet, by price and time, and for how much; its own orders are told apart, for self-trade
prevention. Pure: nothing is changed."""

from dataclasses import dataclass, field

from execution.venue.book import EXPIRE_BOTH, EXPIRE_MAKER, NO_PREVENTION, Order, OrderBook
from execution.venue.symbols import Symbol


@dataclass(slots=True)
class Plan:
    """The makers a taker meets, with lots; its own orders that end instead; whether one of them ends the taker."""

    fills: list[tuple[Order, int]] = field(default_factory=list)
    own: list[Order] = field(default_factory=list)
    lots: int = 0
    blocked: bool = False


def make_plan(symbol: Symbol, book: OrderBook, taker: Order) -> Plan:
    """What happens when the taker meets the book."""
    plan = Plan()
    left, budget = taker.left, taker.quote_budget
    guarded = taker.prevention != NO_PREVENTION
    for maker in book.makers(taker.side, taker.ticks):
        lots = min(maker.left, left)
        if taker.quote_budget:
            lots = min(maker.left, int(budget // symbol.value(maker.ticks, 1)))
        if not lots:
            break
        if guarded and maker.account == taker.account:
            if taker.prevention in (EXPIRE_MAKER, EXPIRE_BOTH):
                plan.own.append(maker)
            if taker.prevention == EXPIRE_MAKER:
                continue
            plan.blocked = True
            break
        if taker.quote_budget:
            budget -= symbol.value(maker.ticks, lots)
        plan.fills.append((maker, lots))
        plan.lots += lots
        left -= lots
    return plan
