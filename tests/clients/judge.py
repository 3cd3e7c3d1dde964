"""The official client's typed models as judge of the venue's replies: every field known to them, of their type, and
there, unless Binance itself sends it only sometimes. The client hides what doesn't fit behind a logged warning; here it
is a failure."""

import logging
import re
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from pydantic import BaseModel

ANY_ORDER = (
    *("icebergQty", "preventedMatchId", "preventedQuantity", "stopPrice", "strategyId", "strategyType"),
    *("trailingDelta", "trailingTime", "usedSor", "workingFloor", "expiryReason"),
    *("pegPriceType", "pegOffsetType", "pegOffsetValue", "peggedPrice"),
)
SOMETIMES = {
    **dict.fromkeys(ANY_ORDER, "only of the orders that it says something about"),
    "count": "only where a limit's use is asked for",
    "sors": "only where orders are routed smartly",
    "priceExponent": "only in the binary encoding",
    "qtyExponent": "only in the binary encoding",
    "multiplierExponent": "only in the binary encoding",
    "externalCalculationId": "only of a price made elsewhere",
    "rateLimits": "only when asked for",
    "fills": "only in a FULL reply",
}
UNKNOWN_TO_THE_MODELS = {
    "stopPrice": "in Binance's reply to a new conditional order",
    "selfTradePreventionMode": "in Binance's reply to a cancelled list",
    "preventedMatches": "in Binance's reply to an order that would have traded with its own account",
    **dict.fromkeys(("strategyId", "strategyType"), "in Binance's reply to a new order that named them"),
    "rateLimits": "in every reply by socket that doesn't switch it off",
}


class Judge(logging.Handler):
    """Collects what doesn't fit."""

    def __init__(self) -> None:
        super().__init__(logging.WARNING)
        self.complaints: list[str] = []

    def emit(self, record: logging.LogRecord) -> None:
        """A warning of the client's is a complaint."""
        self.complaints.append(record.getMessage())

    def see(self, reply: Any, *may_miss: str) -> None:
        """Judge one reply; `may_miss` are the fields that this one needn't have."""
        self.complaints += _faults(reply, type(reply).__name__, frozenset(may_miss))


@contextmanager
def judged() -> Iterator[Judge]:
    """A judge; at the end it must have found nothing."""
    judge, root = Judge(), logging.getLogger()
    root.addHandler(judge)
    try:
        yield judge
    finally:
        root.removeHandler(judge)
    assert not judge.complaints, "\n".join(judge.complaints)


def _faults(value: Any, path: str, may_miss: frozenset[str]) -> Iterator[str]:
    if isinstance(value, list):
        for row in value[:20]:
            yield from _faults(row, path, may_miss)
    elif getattr(value, "actual_instance", None) is not None:
        yield from _faults(value.actual_instance, path, may_miss)
    elif isinstance(value, BaseModel):
        for name in getattr(value, "additional_properties", None) or ():
            if name not in UNKNOWN_TO_THE_MODELS:
                yield f"{path}: {name} isn't in the model"
        for name, field in type(value).model_fields.items():
            if name == "additional_properties" or re.fullmatch(r"(one|any)of_schema.*", name):
                continue
            known = field.alias or name
            inner = getattr(value, name)
            if inner is not None:
                yield from _faults(inner, f"{path}.{known}", may_miss)
            elif known not in may_miss and known not in SOMETIMES:
                yield f"{path}: {known} is missing"
