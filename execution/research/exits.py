"""When a long position ends, bar by bar: stop, profit target, time. One rule for the backtest and the traders.

It knows prices only: no costs, no quantities, no orders. A quote is checked as a bar whose four prices are equal.
"""

from dataclasses import dataclass

from execution.research.bars import Vector
from execution.vocabulary.reasons import ExitReason

HOLD, STOP, TARGET, TIME = 0, 1, 2, 3
EXIT_REASONS = {STOP: ExitReason.STOP_LOSS, TARGET: ExitReason.PROFIT_TARGET, TIME: ExitReason.TIME_EXIT}


@dataclass(frozen=True)
class Exits:
    """Shares of the entry price (0.006 = 0.6 %), before costs, and a number of bars."""

    target: float = 0.006
    stop: float = 0.006
    bars: int = 45

    def __post_init__(self) -> None:
        """ValueError names the field that can't be."""
        if not 0.0 < self.target < 10.0:
            raise ValueError(f"exit target = {self.target!r}: must be a share above 0, such as 0.006")
        if not 0.0 < self.stop < 1.0:
            raise ValueError(f"exit stop = {self.stop!r}: must be a share between 0 and 1, such as 0.006")
        if self.bars < 1:
            raise ValueError(f"exit bars = {self.bars!r}: must be at least 1")

    def vector(self) -> list[float]:
        """Target, stop, bars: as `exit_step` reads them."""
        return [self.target, self.stop, float(self.bars)]


def exit_step(entry_price: float, bar: Vector, bars_held: int, exits: Vector) -> tuple[int, float]:
    """The reason code (HOLD, STOP, TARGET, TIME) and the price. `bars_held` counts this bar, the entry bar being 1.

    A bar that touched both stop and target is taken as stopped: its inside is unknown. A bar that opened beyond a
    level fills at its open.
    """
    opened = bar[0]
    stop = entry_price * (1.0 - exits[1])
    target = entry_price * (1.0 + exits[0])
    if bar[2] <= stop:
        return STOP, opened if opened < stop else stop
    if bar[1] >= target:
        return TARGET, opened if opened > target else target
    if bars_held >= exits[2]:
        return TIME, bar[3]
    return HOLD, 0.0
