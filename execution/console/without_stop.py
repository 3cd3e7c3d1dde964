"""What an account still holds without a stop at the venue: nobody sells it while its trader is away. Sends nothing."""

from collections.abc import Collection, Iterable, Mapping
from decimal import Decimal
from typing import Any

from execution.vocabulary.money import ZERO, text
from execution.vocabulary.orders import STOPS, OrderRow, Position

COVERED_SHARE = Decimal("0.99")  # what is left of a position beside its stop is less than a lot


def without_stop(
    held: Mapping[str, Position], orders: Iterable[OrderRow], standing: Collection[str] | None
) -> dict[str, str]:
    """Quantity and cost by symbol. `standing`: the ids of the orders that the venue shows; None when it doesn't tell,
    and the books have to be believed."""
    covered: dict[str, Decimal] = {}
    for order in orders:
        if order.guards if standing is None else order.type in STOPS and order.client_order_id in standing:
            covered[order.symbol] = covered.get(order.symbol, ZERO) + order.remaining
    return {
        symbol: f"{text(row.quantity)} (cost {text(round(row.cost, 2))})"
        for symbol, row in held.items()
        if covered.get(symbol, ZERO) < row.quantity * COVERED_SHARE
    }


def without_stop_by(status: Mapping[str, Any]) -> dict[str, str]:
    """The same by the word of the trader that holds the account."""
    return {
        symbol: f"{row['quantity']} (worth {row['value']})"
        for symbol, row in status["positions"].items()
        if row["stop"] is None and not row["dust"]
    }
