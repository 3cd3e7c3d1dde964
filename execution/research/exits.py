"""When a long position ends, bar by bar: stop, trailing stop, profit target, regime, time. One rule for the backtest
and the traders.

It knows prices only: no costs, no quantities, no orders. A quote is checked as a bar whose four prices are equal.
"""

from dataclasses import dataclass

from execution.research.bars import Vector
from execution.vocabulary.reasons import ExitReason

HOLD, STOP, TARGET, TIME, TRAIL, REGIME = 0, 1, 2, 3, 4, 5
EXIT_REASONS = {
    STOP: ExitReason.STOP_LOSS,
    TRAIL: ExitReason.TRAILING_STOP,
    TARGET: ExitReason.PROFIT_TARGET,
    REGIME: ExitReason.REGIME_CHANGE,
    TIME: ExitReason.TIME_EXIT,
}


@dataclass(frozen=True)
class Exits:
    """Shares of the entry price (0.006 = 0.6 %), before costs, and a number of bars.

    The trailing stop begins once price was `trail_after` above the entry and stands `trail_distance` below the highest
    price; a distance of 0 is no trailing stop.
    """

    target: float = 0.006
    stop: float = 0.006
    bars: int = 45
    trail_after: float = 0.0
    trail_distance: float = 0.0

    def __post_init__(self) -> None:
        """ValueError names the field that can't be."""
        if not 0.0 < self.target < 10.0:
            raise ValueError(f"exit target = {self.target!r}: must be a share above 0, such as 0.006")
        if not 0.0 < self.stop < 1.0:
            raise ValueError(f"exit stop = {self.stop!r}: must be a share between 0 and 1, such as 0.006")
        if self.bars < 1:
            raise ValueError(f"exit bars = {self.bars!r}: must be at least 1")
        if not 0.0 <= self.trail_after < 10.0:
            raise ValueError(f"exit trail_after = {self.trail_after!r}: must be a share of at least 0, such as 0.006")
        if not 0.0 <= self.trail_distance < 1.0:
            raise ValueError(f"exit trail_distance = {self.trail_distance!r}: must be a share from 0 (none) to 1")

    def vector(self) -> list[float]:
        """Target, stop, bars, trail_after, trail_distance: as `exit_step` reads them."""
        return [self.target, self.stop, float(self.bars), self.trail_after, self.trail_distance]


def trail_level(entry_price: float, peak: float, exits: Vector) -> float:
    """Where the trailing stop stands; 0 while there is none. `peak` only rises, and this with it."""
    if exits[4] > 0.0 and peak >= entry_price * (1.0 + exits[3]):
        return peak * (1.0 - exits[4])
    return 0.0


def exit_step(  # noqa: PLR0917 - numba takes numbers, not objects
    entry_price: float, peak: float, bar: Vector, bars_held: int, worse: bool, exits: Vector
) -> tuple[int, float]:
    """The reason code (HOLD, STOP, ...) and the price. `bars_held` counts this bar, the entry bar being 1; `peak` is
    the highest price of the bars held before it, or the entry price; `worse`: it closed in a regime to leave in.

    A bar that touched both stop and target is taken as stopped: its inside is unknown, which is also why its own high
    moves no stop before the next bar. A bar that opened beyond a level fills at its open.
    """
    opened = bar[0]
    code = STOP
    stop = entry_price * (1.0 - exits[1])
    target = entry_price * (1.0 + exits[0])
    trail = trail_level(entry_price, peak, exits)
    if trail > stop:
        code = TRAIL
        stop = trail
    if bar[2] <= stop:
        return code, opened if opened < stop else stop
    if bar[1] >= target:
        return TARGET, opened if opened > target else target
    if worse:
        return REGIME, bar[3]
    if bars_held >= exits[2]:
        return TIME, bar[3]
    return HOLD, 0.0
