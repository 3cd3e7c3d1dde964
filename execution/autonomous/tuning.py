"""How often the machine and the processes are sampled: closer when errors come, back to the base when calm.

A pure, bounded adjustment; each change is recorded with its evidence and undone by the calm that follows.
"""

from dataclasses import dataclass

CLOSEST_S = 5.0
CALM_FOR_S = 120.0


@dataclass(frozen=True)
class Interval:
    """The sampling interval now, and since when nothing has gone wrong (monotonic seconds)."""

    base_s: float
    current_s: float
    calm_since: float


def tune(interval: Interval, errors_per_minute: float, now: float) -> Interval:
    """Halve the interval while errors come, double it after CALM_FOR_S without, never beyond the bounds."""
    closest_s = min(CLOSEST_S, interval.base_s)
    if errors_per_minute > 0:
        return Interval(interval.base_s, max(closest_s, interval.current_s / 2), now)
    if interval.current_s < interval.base_s and now - interval.calm_since >= CALM_FOR_S:
        return Interval(interval.base_s, min(interval.base_s, interval.current_s * 2), now)
    return interval
