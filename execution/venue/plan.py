"""Whom a taker would meet, by price and time, and for how much; its own orders are told apart, for self-trade
prevention. Pure: nothing is changed."""

from dataclasses import dataclass, field
from typing import NamedTuple

from execution.venue.accounts import MARKET_MAKER
from execution.venue.book import DECREMENT, EXPIRE_MAKER, EXPIRE_TAKER, NO_PREVENTION, Order, OrderBook
from execution.venue.symbols import Symbol


class Meeting(NamedTuple):
    """A taker and a maker trade; or, when they are of one account, each loses what the taker's mode says."""

    maker: Order
    lots: int
    maker_loses: int = 0
    taker_loses: int = 0


@dataclass(slots=True)
class Plan:
    """The makers a taker meets, in order; `lots` are traded, `lost` are the taker's that aren't; `blocked` when one of
    its own orders ends it."""

    meetings: list[Meeting] = field(default_factory=list)
    lots: int = 0
    lost: int = 0
    blocked: bool = False

    @property
    def fills(self) -> list[tuple[Order, int]]:
        """The trades: (maker, lots)."""
        return [(meeting.maker, meeting.lots) for meeting in self.meetings if meeting.lots]


def make_plan(symbol: Symbol, book: OrderBook, taker: Order) -> Plan:
    """What happens when the taker meets the book."""
    plan = Plan()
    left, budget = taker.left, taker.quote_budget
    guarded, gone = taker.prevention != NO_PREVENTION, set[int]()
    for maker, offered in book.makers(taker.side, taker.ticks):
        if maker.id in gone:
            continue
        room = int(budget // symbol.value(maker.ticks, 1)) if taker.quote_budget else left
        lots = min(offered, room)
        if not lots:
            break
        if guarded and maker.account == taker.account:
            if maker.account == MARKET_MAKER:
                continue  # its quotes are no orders of a customer: they are withdrawn anyway
            meeting = _prevented(taker.prevention, maker, lots, room)
            if taker.prevention == EXPIRE_MAKER:
                gone.add(maker.id)
            plan.blocked = taker.prevention not in (EXPIRE_MAKER, DECREMENT)
        else:
            meeting = Meeting(maker, lots)
        plan.meetings.append(meeting)
        plan.lots += meeting.lots
        plan.lost += meeting.taker_loses
        if plan.blocked:
            break
        left -= meeting.lots + meeting.taker_loses
        if taker.quote_budget:
            budget -= symbol.value(maker.ticks, meeting.lots + meeting.taker_loses)
    return plan


def _prevented(mode: str, maker: Order, lots: int, room: int) -> Meeting:
    """What two orders of one account lose that would trade `lots`, while the taker could still trade `room`."""
    if mode == DECREMENT:
        return Meeting(maker, 0, lots, lots)
    maker_loses = 0 if mode == EXPIRE_TAKER else maker.left
    return Meeting(maker, 0, maker_loses, 0 if mode == EXPIRE_MAKER else room)
