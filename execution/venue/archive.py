"""Orders that ended long ago without a fill: the exchange has put them away, and nobody can read them. Pure."""

from collections.abc import Mapping
from typing import Any

ARCHIVED_AFTER_S = 90 * 86_400
ENDED = ("CANCELED", "EXPIRED", "EXPIRED_IN_MATCH")


def is_archived(order: Mapping[str, Any], now_ms: int, after_s: float = ARCHIVED_AFTER_S) -> bool:
    """Is an order, as it is shown, put away by now?"""
    unfilled = order["status"] in ENDED and not float(order["executedQty"])
    return unfilled and now_ms - int(order["updateTime"]) >= after_s * 1000
