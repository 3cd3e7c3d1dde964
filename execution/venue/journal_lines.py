"""What the journal says of a request and its fate, of an order and of a trade. Facts only; no file."""

from collections.abc import Callable
from typing import Any

from execution.venue import errors
from execution.venue.auth import Window
from execution.venue.book import Order
from execution.venue.outcome import Fill, Outcome
from execution.venue.store import OrderRecord
from execution.venue.symbols import amount_text

WORD_MAX = 64  # what a client calls things is cut: no longer one is ever accepted
Facts = dict[str, Any]
UNFORESEEN: Facts = {"status": 503, "code": None}
UNKNOWN: Facts = {"status": errors.unknown_outcome().status, "code": errors.unknown_outcome().code}


def request_facts(verb: str, account: str, values: dict[str, str], window: Window) -> Facts:
    """Who asked for what, and when by its own clock."""
    names = ("newClientOrderId" if verb.startswith("POST") else "origClientOrderId", "listClientOrderId")
    name = next((values[name] for name in names if name in values), None)
    symbol = values.get("symbol")
    request = {"account": account, "verb": verb, "symbol": symbol and symbol[:WORD_MAX], "id": name and name[:WORD_MAX]}
    return request | {"sent": window.timestamp_ms}


def refused(error: errors.ApiError) -> Facts:
    """It came to nothing."""
    return {"status": error.status, "code": error.code}


def answered(reply: object) -> Facts:
    """What came of it, as its client was told."""
    return {"status": 200, "code": None, **_order(reply)}


def _order(reply: object) -> Facts:
    if isinstance(reply, dict) and reply.get("newOrderResponse"):
        reply = reply["newOrderResponse"]  # of a cancel-replace
    if isinstance(reply, dict) and "orders" in reply:
        return {"list": reply["orderListId"], "orders": [order["orderId"] for order in reply["orders"]]}
    if not isinstance(reply, dict) or "orderId" not in reply:
        return {}
    return {"order": reply["orderId"], "fills": len(reply.get("fills") or ())}


def order_facts(order: OrderRecord) -> Facts:
    """An order as it is from now on: new, waiting no longer, cancelled, expired."""
    return {
        "event": "order",
        "order": order.id,
        "account": order.account,
        "symbol": order.symbol,
        "client": order.client_id,
        "side": order.side,
        "type": order.type,
        "price": amount_text(order.price),
        "stop": amount_text(order.terms.stop_price),
        "quantity": amount_text(order.quantity),
        "filled": amount_text(order.filled),
        "state": order.status,
        "time": order.updated_ms,
    }


def trade_facts(fill: Fill) -> Facts:
    """One order's side of a trade."""
    return {
        "event": "trade",
        "trade": fill.trade_id,
        "order": fill.order_id,
        "account": fill.account,
        "symbol": fill.symbol,
        "side": fill.side,
        "price": amount_text(fill.price),
        "quantity": amount_text(fill.quantity),
        "quote": amount_text(fill.quote),
        "fee": amount_text(fill.commission),
        "fee_asset": fill.commission_asset,
        "maker": bool(fill.is_maker),
        "time": fill.time_ms,
    }


def outcome_writer(note: Callable[[Facts], None], record: Callable[[Order], OrderRecord]) -> Callable[..., None]:
    """A listener that notes every trade, and every other change of an order."""

    def write(outcome: Outcome, _balances: object) -> None:
        for report in outcome.reports:
            note(order_facts(record(report.order)) if report.fill is None else trade_facts(report.fill))

    return write
