"""The rules by which a position is left, pure: what closed bars decide, what a price decides, and which reason holds.

Prices go through research's own exit rule. It knows no holdings of other symbols, no orders, no venue.
"""

from collections.abc import Iterable, Sequence
from decimal import Decimal
from typing import Any

import msgspec

from execution.research.bars import is_bar
from execution.research.exits import EXIT_REASONS, HOLD, Exits, exit_step, trail_level
from execution.trading.portfolio import Holding
from execution.vocabulary.money import text
from execution.vocabulary.reasons import ExitReason

PRECEDENCE = tuple(ExitReason)
SHOWN = 8  # decimals of what is told


class Watch(msgspec.Struct, frozen=True):
    """One position under watch: how far its bars have been looked at, how many there were, the highest price of them
    (0 before the first), and what they decided."""

    since_ms: int
    checked_ms: int
    bars_held: int = 0
    peak: float = 0.0
    decided: ExitReason | None = None

    def highest(self, price_paid: float) -> float:
        """The highest price since the entry."""
        return max(self.peak, price_paid)


class Seen(msgspec.Struct, frozen=True):
    """The lowest and the highest price that was traded since the last look."""

    low: float
    high: float

    def wider(self, low: float, high: float) -> "Seen":
        """With more trades."""
        return Seen(min(self.low, low), max(self.high, high))


def advanced(
    watch: Watch,
    newest_ms: int,
    rows: Sequence[list[float]],
    price_paid: float,
    exits: Exits,
    *,
    worse: bool = False,
) -> Watch:
    """The watch after the bars closed since, oldest first. The first reason stays; unfit bars don't count. `worse`:
    after the last of them the market is one to leave in; a regime that came and went meanwhile is over."""
    vector = exits.vector()
    held, peak = watch.bars_held, watch.highest(price_paid)
    for number, row in enumerate(rows, 1):
        if watch.decided is not None:
            break
        if not is_bar(row):
            continue
        held += 1
        code, _ = exit_step(price_paid, peak, row, held, worse and number == len(rows), vector)
        if code != HOLD:
            return Watch(watch.since_ms, newest_ms, held, peak, EXIT_REASONS[code])
        peak = max(peak, row[1])
    return Watch(watch.since_ms, newest_ms, held, peak, watch.decided)


def price_reason(price_paid: float, peak: float, low: float, high: float, exits: Exits) -> ExitReason | None:
    """What prices between two closed bars ask for: a stop or the target, never what is counted in closed bars."""
    row = [low, high, low, low, 0.0]
    if not is_bar(row):
        return None
    code, _ = exit_step(price_paid, peak, row, 0, False, exits.vector())
    return EXIT_REASONS.get(code)


def profitable(holding: Holding, bid: Decimal, taker_fee: Decimal) -> bool:
    """Would a sale at `bid` bring more than the position cost, all fees included?"""
    return bid * (1 - taker_fee) > holding.position.entry_price


def first_reason(found: Iterable[ExitReason | None]) -> ExitReason | None:
    """The one that comes first by precedence."""
    return min((reason for reason in found if reason is not None), key=PRECEDENCE.index, default=None)


def levels(price_paid: Decimal, watch: Watch | None, exits: Exits) -> dict[str, Any]:
    """The prices and counts that a position is judged by, for the audit trail."""
    paid = float(price_paid)
    peak = paid if watch is None else watch.highest(paid)
    trail = trail_level(paid, peak, exits.vector())
    told = {
        "price_paid": text(round(price_paid, SHOWN)),
        "stop": _price(paid * (1 - exits.stop)),
        "trailing_stop": _price(trail) if trail else None,
        "peak": _price(peak),
        "target": _price(paid * (1 + exits.target)),
        "bars_held": 0 if watch is None else watch.bars_held,
        "time_exit_bars": exits.bars,
    }
    return {name: value for name, value in told.items() if value is not None}


def _price(value: float) -> str:
    return text(round(Decimal(repr(value)), SHOWN))
