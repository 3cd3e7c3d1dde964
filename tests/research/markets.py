"""Seeded candles for tests, and the real ones where they are to be found."""

import os
from functools import cache
from pathlib import Path

import numpy as np
import pytest

from execution.research.candles import CandleArray

BESIDE = Path(__file__).resolve().parents[3] / "shared" / "data"


def random_market(seed: int, bars: int, volatility: float = 0.002, price: float = 100.0) -> CandleArray:
    """A random walk with trends, jumps, gaps and flat bars: rows of open, high, low, close, volume."""
    rng = np.random.default_rng(seed)
    drift = np.repeat(rng.normal(0.0, volatility / 4, bars // 50 + 1), 50)[:bars]
    moves = rng.normal(drift, volatility) * (rng.random(bars) > 0.05)
    moves += (rng.random(bars) < 0.01) * rng.normal(0.0, volatility * 10, bars)
    close = price * np.exp(np.cumsum(moves))
    opened = np.concatenate(([price], close[:-1])) * np.exp((rng.random(bars) < 0.1) * rng.normal(0, volatility, bars))
    reach = np.abs(rng.normal(0.0, volatility / 2, (2, bars)))
    high = np.maximum(opened, close) * (1 + reach[0])
    low = np.minimum(opened, close) * (1 - reach[1])
    return np.ascontiguousarray(np.column_stack((opened, high, low, close, rng.random(bars) * 100)))


def with_unfit_bars(candles: CandleArray, seed: int) -> CandleArray:
    """The same, some bars spoiled: NaN, infinity, zero, negative, high below low."""
    rng = np.random.default_rng(seed)
    spoiled = candles.copy()
    for at in np.flatnonzero(rng.random(len(candles)) < 0.1):
        spoiled[at, rng.integers(0, 4)] = rng.choice([np.nan, np.inf, -np.inf, 0.0, -1.0])
    return spoiled


@cache
def real_bitcoin() -> CandleArray:
    """One month of recorded 1-minute bars; the test is skipped where the file isn't at hand."""
    path = Path(os.environ.get("NAE_CANDLE_DATA", BESIDE)) / "BTC_USD-1m.parquet"
    if not path.is_file():
        pytest.skip(f"no {path}: set NAE_CANDLE_DATA to a folder with recorded candles")
    import polars

    frame = polars.read_parquet(path).select("open", "high", "low", "close", "volume")
    return np.ascontiguousarray(frame.to_numpy().astype(np.float64))
