"""Which kind of order an entry should be: a market order, or a limit order that is filled at once or not at all. Pure.

A market order is what everything begins with. Where it was seen to lose more than a little against the quote, one entry
in four tries the other kind until enough is known of it; then the cheaper one is taken, and the dearer one tried again
now and then. Exits are always market orders: an exit that isn't filled is worse than a dear one.
"""

import math

import msgspec

from execution.learning.execution_quality import ORDERS_LEAST, Quality
from execution.vocabulary.orders import OrderType

MATERIAL_SLIPPAGE = 0.0005  # less than this, and a market order is as good as any
LIMIT_ABOVE_ASK = 0.0005  # how far above the ask an immediate limit order still takes
TRY_EVERY = 4  # entries, while little is known of the other kind ...
TRY_AGAIN_EVERY = 20  # ... and once it is


class Choice(msgspec.Struct, frozen=True):
    """A kind of order, and why in words with their numbers."""

    kind: OrderType
    why: str


def choose(market: Quality, limit: Quality, edge: float, turn: int) -> Choice:
    """`edge`: what an entry of this kind is worth on the average, as a share: what is lost with each that isn't filled.
    `turn` counts the entries of the symbol."""
    if market.orders < ORDERS_LEAST or not market.slippage > MATERIAL_SLIPPAGE:
        return Choice(OrderType.MARKET, f"a market order slips {market.slippage:.3%} over {market.orders}")
    if limit.orders < ORDERS_LEAST:
        tries = turn % TRY_EVERY == 0
        why = f"a market order slips {market.slippage:.3%} over {market.orders}; an immediate limit has {limit.orders}"
        return Choice(OrderType.LIMIT if tries else OrderType.MARKET, why)
    missed = (1.0 - limit.filled) * (max(0.0, edge) if math.isfinite(edge) else 0.0)
    cost = limit.slippage + missed
    better, other = (
        (OrderType.LIMIT, OrderType.MARKET) if cost < market.slippage else (OrderType.MARKET, OrderType.LIMIT)
    )
    kind = other if turn % TRY_AGAIN_EVERY == 0 else better
    why = f"market slips {market.slippage:.3%}; an immediate limit {limit.slippage:.3%}, {limit.filled:.0%} filled"
    return Choice(kind, why)
