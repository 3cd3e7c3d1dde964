"""What the venue says of an order, written into the ledger: fills first, the order's end only when none is missing."""

import msgspec

from execution.exchange.translate import OrderReport
from execution.ledger.store import Ledger
from execution.vocabulary.order_states import SETTLED, OrderEvent
from execution.vocabulary.orders import Fill, OrderRow


def find_order(ledger: Ledger, report: OrderReport) -> OrderRow | None:
    """Our order behind a report, or None when the order isn't ours."""
    return ledger.order(report.client_order_id) or ledger.order_by_venue_id(report.symbol, report.venue_order_id)


def came_before(ledger: Ledger, fill: Fill) -> bool:
    """Is this trade older than our books, or known to be in them? What the account held when they were opened counts it
    already. Venues number trades upwards."""
    mark = ledger.last_trade_id(fill.symbol)
    known_to_here = mark is not None and (len(fill.trade_id), fill.trade_id) <= (len(mark), mark)
    return ledger.opened_ms is None or known_to_here


def book(ledger: Ledger, report: OrderReport) -> bool:
    """Write a report down. False when the venue has executed more than the fills we know: they must be fetched.

    An order whose fills aren't all known is never settled, whatever its status says: settled means looked at no more.
    """
    order = find_order(ledger, report)
    if order is None:  # somebody else's order on our account: its money is the account's money
        ledger.record_fills([fill for fill in report.fills if not came_before(ledger, fill)])
        return True
    if report.fills:
        ours = order.client_order_id
        ledger.record_fills([msgspec.structs.replace(fill, client_order_id=ours) for fill in report.fills])
        order = ledger.order(ours) or order
    if order.filled < report.executed:
        if order.venue_order_id is None:
            ledger.mark(order.client_order_id, OrderEvent.ACKNOWLEDGED, report.venue_order_id)
        return False
    finished_by_fills = order.state in SETTLED and report.event is OrderEvent.FILLED_IN_FULL
    if report.event is not OrderEvent.PARTLY_FILLED and not finished_by_fills:
        ledger.mark(order.client_order_id, report.event, report.venue_order_id)
    return True
