"""Candles into the float64 array that research loops over. It doesn't fetch, fill or judge them."""

import itertools
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from execution.research.bars import bar_of
from execution.vocabulary.market import Candle

CandleArray = NDArray[np.float64]


def candle_array(candles: Sequence[Candle]) -> CandleArray:
    """Shape (n, 5): open, high, low, close, volume. ValueError when the candles' times don't rise."""
    for before, after in itertools.pairwise(candles):
        if after.open_ms <= before.open_ms:
            raise ValueError(f"candle at {after.open_ms} ms follows the one at {before.open_ms} ms: times must rise")
    return np.array([bar_of(candle) for candle in candles], dtype=np.float64).reshape(-1, 5)
