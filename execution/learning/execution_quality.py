"""How well orders are executed: what they lose against the quote they were decided at, how soon they are filled, how
much of them is. By symbol and kind of order; recent ones weigh most. Pure.

Slippage is a share of the price, positive when it cost something; latency is the venue's own time between the request's
timestamp and the fill.
"""

from collections.abc import Sequence
from decimal import Decimal

import msgspec

from execution.vocabulary.money import ZERO
from execution.vocabulary.orders import Fill, OrderRow, Side

ORDERS_LEAST = 5  # fewer say nothing
MEAN_OVER = 20


class Quality(msgspec.Struct, frozen=True):
    """Means over the last orders. `filled` is the share of what was ordered."""

    orders: int = 0
    slippage: float = 0.0
    latency_ms: float = 0.0
    filled: float = 0.0
    updated_ms: int = 0


class Sample(msgspec.Struct, frozen=True):
    """One order, executed. `slippage` and `latency_ms` are None when nothing of it was filled."""

    filled: float
    slippage: float | None
    latency_ms: float | None
    at_ms: int


def sample_of(order: OrderRow, fills: Sequence[Fill]) -> Sample | None:
    """What one settled order says; None when its numbers make no sense."""
    if not order.quantity > 0 or not order.reference_price > 0:
        return None
    quantity = sum((fill.quantity for fill in fills), ZERO)
    if quantity <= 0:
        return Sample(0.0, None, None, order.updated_ms)
    mean = sum((fill.price * fill.quantity for fill in fills), ZERO) / quantity
    moved = mean / order.reference_price - 1
    last_ms = max(fill.executed_ms for fill in fills)
    return Sample(
        filled=float(min(Decimal(1), quantity / order.quantity)),
        slippage=float(moved if order.side is Side.BUY else -moved),
        latency_ms=float(max(0, last_ms - order.sent_ms)),
        at_ms=order.updated_ms,
    )


def quality_after(known: Quality, sample: Sample) -> Quality:
    """The means with one more order."""
    orders = known.orders + 1
    return Quality(
        orders=orders,
        slippage=_mean(known.slippage, sample.slippage, orders),
        latency_ms=_mean(known.latency_ms, sample.latency_ms, orders),
        filled=_mean(known.filled, sample.filled, orders),
        updated_ms=max(known.updated_ms, sample.at_ms),
    )


def _mean(mean: float, value: float | None, orders: int) -> float:
    return mean if value is None else mean + (value - mean) / min(orders, MEAN_OVER)
