"""Market events as a broken feed sends them: prices of nought, no numbers, ten times too high, bids above asks.
Pure: an event in, a wrong one out. What isn't a market event stays as it is."""

from collections.abc import Callable
from decimal import Decimal
from typing import Any

import orjson

from execution.venue.fault_kinds import Fault

Change = Callable[[str], str]
NOUGHT, NO_NUMBER = "0.00000000", "NaN"
PRICES: dict[str, tuple[str, ...]] = {
    "trade": ("p",),
    "aggTrade": ("p",),
    "avgPrice": ("w",),
    "24hrTicker": ("o", "h", "l", "c", "w", "x", "b", "a"),
    "24hrMiniTicker": ("o", "h", "l", "c"),
    "kline": ("o", "h", "l", "c"),
    "bookTicker": ("b", "a"),
}
SIDES = (("bids", "asks"), ("b", "a"))


def with_wrong_prices(message: bytes, fault: Fault, factor: Decimal) -> bytes:
    """A market event, wrapped in its stream's name or not, as the fault wants it."""
    event = orjson.loads(message)
    data = event.get("data", event) if isinstance(event, dict) else event
    for one in data if isinstance(data, list) else [data]:
        if fault is Fault.CROSSED_BOOK:
            _cross(one)
        else:
            _reprice(one, _change(fault, factor))
    return orjson.dumps(event)


def _change(fault: Fault, factor: Decimal) -> Change:
    if fault is Fault.ZERO_PRICE:
        return lambda _price: NOUGHT
    if fault is Fault.NAN_PRICE:
        return lambda _price: NO_NUMBER
    return lambda price: format(Decimal(price) * factor, "f")


def _sides(event: dict[str, Any]) -> tuple[str, str] | None:
    """What the bids and the asks of an event are called, when it has any."""
    if _kind(event) not in ("depth", "depthUpdate", "bookTicker", "24hrTicker"):
        return None
    return SIDES[0] if "bids" in event else SIDES[1]


def _kind(event: dict[str, Any]) -> str:
    if "e" in event:
        return str(event["e"])
    return "depth" if "bids" in event else "bookTicker" if {"u", "b", "B", "a", "A"} <= event.keys() else ""


def _cross(event: dict[str, Any]) -> None:
    names = _sides(event)
    if names is not None:
        bids, asks = names
        event[bids], event[asks] = event[asks], event[bids]


def _reprice(event: dict[str, Any], change: Change) -> None:
    kind = _kind(event)
    names = _sides(event)
    if names is not None and isinstance(event[names[0]], list):
        for name in names:
            event[name] = [[change(price), size] for price, size in event[name]]
    held = event["k"] if kind == "kline" else event
    for name in PRICES.get(kind, ()):
        held[name] = change(held[name])
