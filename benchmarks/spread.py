"""How a list of times is spread: median, p99 and worst. Nothing else."""

import statistics
from collections.abc import Iterable
from typing import NamedTuple


class Spread(NamedTuple):
    """How a figure is spread, in its own unit."""

    median: float
    p99: float
    worst: float
    size: int

    @classmethod
    def of(cls, values: Iterable[float]) -> "Spread | None":
        """None for no values."""
        ordered = sorted(values)
        if not ordered:
            return None
        late = ordered[min(len(ordered) - 1, int(len(ordered) * 0.99))]
        return cls(statistics.median(ordered), late, ordered[-1], len(ordered))
