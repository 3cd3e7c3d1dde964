"""One bar as research sees it: five floats (open, high, low, close, volume).

Step functions read bars and keep their memory through `Vector`, so the same source runs on plain lists in a trader
and on float64 arrays in research. Nothing here imports numpy or numba.
"""

from typing import Protocol

from execution.vocabulary.market import Candle

OPEN, HIGH, LOW, CLOSE, VOLUME = 0, 1, 2, 3, 4
PRICE_MAX = 1e15  # far above any price; keeps infinities out of the arithmetic


class Vector(Protocol):
    """What a list of floats and a float64 array have in common."""

    def __getitem__(self, index: int, /) -> float: ...

    def __setitem__(self, index: int, value: float, /) -> None: ...

    def __len__(self) -> int: ...


def bar_of(candle: Candle) -> list[float]:
    """The five floats of a closed candle, as a step function takes them."""
    return [float(candle.open), float(candle.high), float(candle.low), float(candle.close), float(candle.volume)]


def is_bar(bar: Vector) -> bool:
    """Positive finite prices that fit together. NaN fails every comparison, so it fails here; volume isn't read."""
    high = bar[1]
    low = bar[2]
    return low > 0.0 and high < PRICE_MAX and low <= bar[0] and bar[0] <= high and low <= bar[3] and bar[3] <= high
