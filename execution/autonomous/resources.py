"""What a process's use of memory, descriptors, cores and children says about its future. Pure functions over readings.

A slope is the median of all slopes between two readings (Theil and Sen's), so a spike changes nothing; and it has to
hold in the newer half too, so that warming up is no leak. Times are monotonic seconds.
"""

import itertools
import statistics
from collections.abc import Sequence
from dataclasses import dataclass

from execution.vocabulary.limits import (
    LEAK_RESTART_WITHIN_S,
    LEAK_SAID_WITHIN_S,
    SPIN_SHARE,
    SPIN_WITHIN_S,
)

READINGS_LEAST = 10
SPAN_LEAST_S = 120.0
THIN = 3  # every third reading tells as much
NEAR_SHARE = 0.8  # of the ceiling: near enough to act without any slope


@dataclass(frozen=True)
class Reading:
    """One process at one moment."""

    at: float
    rss_bytes: int
    descriptors: int | None
    cpu_s: float


@dataclass(frozen=True)
class Ceilings:
    """What a process may use."""

    rss_bytes: int
    descriptors: int | None = None


@dataclass(frozen=True)
class Patience:
    """How much must have been seen before anything is said. As shipped: minutes, so that no work looks like a fault."""

    readings_least: int = READINGS_LEAST
    span_least_s: float = SPAN_LEAST_S
    spin_within_s: float = SPIN_WITHIN_S


AS_SHIPPED = Patience()


@dataclass(frozen=True)
class Finding:
    """`leak` says what grows and when it meets its ceiling; `act`: that is so near that it must be renewed now;
    `grows`: memory or descriptor."""

    leak: str = ""
    act: bool = False
    spins: bool = False
    grows: str = ""


def slope(points: Sequence[tuple[float, float]]) -> float:
    """The median growth per second between any two of `points`; 0 when there aren't two."""
    pairs = itertools.combinations(points, 2)
    slopes = [(later[1] - earlier[1]) / (later[0] - earlier[0]) for earlier, later in pairs if later[0] > earlier[0]]
    return statistics.median(slopes) if slopes else 0.0


def meets_ceiling_in_s(
    points: Sequence[tuple[float, float]], ceiling: float, patience: Patience = AS_SHIPPED
) -> float | None:
    """Seconds until growth as it is meets `ceiling`; None when there is no steady growth, or too little was seen."""
    if len(points) < patience.readings_least or points[-1][0] - points[0][0] < patience.span_least_s:
        return None
    points = points[::-THIN][::-1]  # slopes between all pairs are many
    growth = min(slope(points), slope(points[len(points) // 2 :]))
    return max(0.0, ceiling - points[-1][1]) / growth if growth > 0 else None


def find(readings: Sequence[Reading], ceilings: Ceilings, patience: Patience = AS_SHIPPED) -> Finding:
    """What there is to say about a process, oldest reading first."""
    if not readings:
        return Finding()
    memory = _leak("memory", [(one.at, one.rss_bytes) for one in readings], ceilings.rss_bytes, patience)
    counted = [(one.at, one.descriptors) for one in readings if one.descriptors is not None]
    most = ceilings.descriptors
    files = _leak("descriptor", counted, most, patience) if most and counted else ("", False)
    leak, act = found = max(memory, files, key=lambda found: (found[1], bool(found[0])))
    grows = ("memory" if found is memory else "descriptor") if leak else ""
    return Finding(leak, act, spins(readings, patience), grows)


def _leak(what: str, points: Sequence[tuple[float, float]], ceiling: float, patience: Patience) -> tuple[str, bool]:
    used = points[-1][1] / ceiling
    if used >= NEAR_SHARE:
        return f"{what} at {used:.0%} of its ceiling", True
    left_s = meets_ceiling_in_s(points, ceiling, patience)
    if left_s is None or left_s > LEAK_SAID_WITHIN_S:
        return "", False
    return f"{what} leak: ceiling in {left_s / 60:.0f} min", left_s < LEAK_RESTART_WITHIN_S


def spins(readings: Sequence[Reading], patience: Patience = AS_SHIPPED) -> bool:
    """Has it used a whole core lately? Who shares its core with others gets less, so a starved one never spins."""
    last = readings[-1]
    before = next((one for one in reversed(readings) if last.at - one.at >= patience.spin_within_s), None)
    return before is not None and (last.cpu_s - before.cpu_s) / (last.at - before.at) >= SPIN_SHARE
