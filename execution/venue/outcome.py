"""What one request or one market step did: reports on orders, fills, trades on the tape, order lists. Facts only."""

from dataclasses import dataclass, field
from decimal import Decimal
from typing import NamedTuple

from execution.venue.book import NO_LIST, Order


class Fill(NamedTuple):
    """One order's side of a trade."""

    trade_id: int
    order_id: int
    account: str
    symbol: str
    side: str
    price: Decimal
    quantity: Decimal
    quote: Decimal
    commission: Decimal
    commission_asset: str
    time_ms: int
    is_maker: bool
    list_id: int = NO_LIST


class Report(NamedTuple):
    """What happened to an order: NEW, TRADE, CANCELED or EXPIRED, with the order as it was right after."""

    kind: str
    order: Order
    fill: Fill | None


class Print(NamedTuple):
    """A trade as the public sees it."""

    id: int
    ticks: int
    lots: int
    buyer_is_maker: bool


class Leg(NamedTuple):
    """One order of an order list."""

    order_id: int
    client_id: str


class ListState(NamedTuple):
    """An order list: two orders of which one cancels the other (OCO). `open` until one of them acts or ends."""

    id: int
    account: str
    symbol: str
    client_id: str
    legs: tuple[Leg, Leg]
    open: bool
    created_ms: int
    updated_ms: int


@dataclass(slots=True)
class Outcome:
    """All that one request or one market step did. Reports tell of customers' orders only."""

    symbol: str
    now_ms: int
    reports: list[Report] = field(default_factory=list)
    prints: list[Print] = field(default_factory=list)
    lists: list[ListState] = field(default_factory=list)
