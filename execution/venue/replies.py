"""What comes back for an order that was placed and for one that was cancelled, alone or with its list."""

from collections.abc import Mapping, Sequence

from execution.venue import shapes
from execution.venue.exchange import Exchange
from execution.venue.outcome import Outcome, Report


def placed(exchange: Exchange, reports: Sequence[Report], values: Mapping[str, str]) -> shapes.Json:
    """The reply to a new order, as long as was asked for."""
    own = [report for report in reports if report.order.id == reports[0].order.id]  # the first says that it came in
    last = own[-1].order
    default = "FULL" if last.type in ("LIMIT", "MARKET") else "ACK"
    fills = [report.fill for report in own if report.fill]
    found = {report.prevented.id: report.prevented for report in reports if report.prevented}
    kind = values.get("newOrderRespType", default)
    return shapes.order_reply(exchange.record(last), fills, kind, list(found.values()))


def cancelled(exchange: Exchange, outcome: Outcome, cancel_id: str) -> shapes.Json:
    """The reply to a cancel: of an order, or of the whole list it belonged to."""
    records = [exchange.record(report.order) for report in outcome.reports]
    replies = [shapes.cancel_reply(record, cancel_id) for record in records]
    return shapes.list_reply(outcome.lists[0], replies) if outcome.lists else replies[0]
