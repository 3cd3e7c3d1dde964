"""What one request or one market step did: reports on orders, fills, trades on the tape, order lists. Facts only."""

from dataclasses import dataclass, field
from decimal import Decimal
from typing import NamedTuple

from execution.venue.book import NO_LIST, Order, copied


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


class Prevented(NamedTuple):
    """A trade of an account with itself that wasn't made, and what each of the two orders lost instead of it."""

    id: int
    account: str
    symbol: str
    taker_id: int
    maker_id: int
    mode: str
    price: Decimal
    taker_quantity: Decimal
    maker_quantity: Decimal
    time_ms: int


class Report(NamedTuple):
    """What happened to an order: NEW, TRADE, TRADE_PREVENTION, CANCELED or EXPIRED, with the order as it was after."""

    kind: str
    order: Order
    fill: Fill | None
    prevented: Prevented | None = None


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
    prevented: list[Prevented] = field(default_factory=list)

    def report(self, kind: str, order: Order, fill: Fill | None = None, prevented: Prevented | None = None) -> None:
        """This has happened to the order, which is now as it is."""
        self.reports.append(Report(kind, copied(order), fill, prevented))

    def about(self, order_id: int) -> list[Report]:
        """What happened to an order, and to those it would have traded with but for its account."""
        return [
            report
            for report in self.reports
            if report.order.id == order_id or (report.prevented and report.prevented.taker_id == order_id)
        ]
