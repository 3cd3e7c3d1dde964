"""What the journal says of a request and of its fate. Facts only; no file."""

from typing import Any

from execution.venue import errors
from execution.venue.auth import Window

Facts = dict[str, Any]
UNFORESEEN: Facts = {"status": 503, "code": None}
UNKNOWN: Facts = {"status": errors.unknown_outcome().status, "code": errors.unknown_outcome().code}


def request_facts(verb: str, account: str, values: dict[str, str], window: Window) -> Facts:
    """Who asked for what, and when by its own clock."""
    names = ("newClientOrderId" if verb.startswith("POST") else "origClientOrderId", "listClientOrderId")
    name = next((values[name] for name in names if name in values), None)
    request = {"account": account, "verb": verb, "symbol": values.get("symbol"), "id": name}
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
