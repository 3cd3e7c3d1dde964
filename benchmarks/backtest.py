"""How fast research is: one backtest and a sweep of 200 sets, beside a loop written by hand for that one strategy.

Prints milliseconds, nanoseconds per bar and ratios, all from one run; the ratios on one core. Both sides must make
the same trades, or it says so and fails. Usage: python -m benchmarks.backtest [CANDLES.parquet]
"""

import os
import resource
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from execution.research import kernels
from execution.research.backtest import backtest
from execution.research.candles import CandleArray
from execution.research.costs import Costs, kept_share
from execution.research.exits import Exits
from execution.research.strategies import STRATEGIES
from execution.research.sweep import sweep

BARS = 90_050
SETS = 200
EXITS, COSTS = Exits(), Costs()


def by_hand(candles: Any, lookback: int, margin: float, window: int, exits: Any, out: Any) -> int:
    """Momentum breakout and its exits in one loop over the array: what one would write for nothing else."""
    trades = held = 0
    score = entry = stop = target = 0.0
    for i in range(len(candles)):
        opened, high, low, close = candles[i, 0], candles[i, 1], candles[i, 2], candles[i, 3]
        if held == 0 and score > 0.0:
            held, entry = 1, opened
            stop, target = entry * (1.0 - exits[1]), entry * (1.0 + exits[0])
            out[trades, 0] = i
        elif held > 0:
            held += 1
        if held > 0 and (low <= stop or high >= target or held >= exits[2]):
            price = close
            if low <= stop:
                price = min(opened, stop)
            elif high >= target:
                price = max(opened, target)
            out[trades, 1], out[trades, 2] = i, price / entry
            trades += 1
            held = 0
        score = 0.0
        if i < lookback or i < window or close <= opened:
            continue
        highest = candles[i - 1, 1]
        for k in range(i - 1, i - lookback - 1, -1):
            highest = max(highest, candles[k, 1])
            if highest >= close:
                break
        if close <= highest:
            continue
        a = b = c = d = 0.0
        first = i + 1 - window
        whole = first + window // 4 * 4
        for k in range(first, whole, 4):
            a += max(candles[k, 1], candles[k - 1, 3]) - min(candles[k, 2], candles[k - 1, 3])
            b += max(candles[k + 1, 1], candles[k, 3]) - min(candles[k + 1, 2], candles[k, 3])
            c += max(candles[k + 2, 1], candles[k + 1, 3]) - min(candles[k + 2, 2], candles[k + 1, 3])
            d += max(candles[k + 3, 1], candles[k + 2, 3]) - min(candles[k + 3, 2], candles[k + 2, 3])
        for k in range(whole, i + 1):
            a += max(candles[k, 1], candles[k - 1, 3]) - min(candles[k, 2], candles[k - 1, 3])
        atr = ((a + b) + (c + d)) / window
        if atr > 0.0:
            score = (close - highest) / atr - margin
    return trades


def candles_from(path: Path | None) -> CandleArray:
    """BARS bars: the file's, tiled; without a file a seeded walk."""
    if path is None:
        steps = np.random.default_rng(1).normal(0.0, 0.0005, (BARS, 8))
        walk = 100 * np.exp(np.cumsum(steps.ravel())).reshape(BARS, 8)
        opened = np.concatenate(([100.0], walk[:-1, -1]))
        high, low = np.maximum(walk.max(axis=1), opened), np.minimum(walk.min(axis=1), opened)
        return np.ascontiguousarray(np.column_stack((opened, high, low, walk[:, -1], np.ones(BARS))))
    import polars  # noqa: PLC0415 - only for a file

    once = polars.read_parquet(path).select("open", "high", "low", "close", "volume").to_numpy().astype(np.float64)
    return np.ascontiguousarray(np.tile(once, (-(-BARS // len(once)), 1))[:BARS])


def best_of(runs: int, work: Callable[[], Any]) -> float:
    """The shortest of some runs, in milliseconds: the rest is other people's noise."""
    shortest = float("inf")
    for _ in range(runs):
        start = time.perf_counter()
        work()
        shortest = min(shortest, time.perf_counter() - start)
    return shortest * 1e3


def parameter_sets() -> list[dict[str, float]]:
    """SETS sets of momentum parameters."""
    return [
        {"lookback": float(lookback), "margin_atr": margin / 10, "atr_window": float(window)}
        for lookback in range(5, 55, 5)
        for margin in range(5)
        for window in (7, 14, 21, 28)
    ][:SETS]


def main() -> int:
    """Run, check, print; 1 when the trades differ."""
    candles = candles_from(Path(sys.argv[1]) if len(sys.argv) > 1 else None)
    strategy = STRATEGIES["momentum_breakout"]
    floor, exits, out = kernels.compiled(by_hand), np.array(EXITS.vector()), np.empty((len(candles), 3))
    sets = parameter_sets()

    def hand(params: dict[str, float]) -> Any:
        made = floor(candles, int(params["lookback"]), params["margin_atr"], int(params["atr_window"]), exits, out)
        return out[:made, 2] * kept_share(COSTS) - 1.0

    for params in (strategy.defaults(), *sets[::20]):
        ours = backtest(candles, strategy, params, EXITS, COSTS)
        if not np.array_equal(hand(params), ours.net):
            print(f"the trades differ with {params}")
            return 1
    start = best_of(1, lambda: backtest(candles[:100], strategy, compiled=False))
    one, one_floor = best_of(20, lambda: backtest(candles, strategy)), best_of(20, lambda: hand(strategy.defaults()))
    many = best_of(2, lambda: sweep(candles, strategy, sets, EXITS, COSTS))
    many_floor = best_of(2, lambda: [hand(params) for params in sets])
    cores = os.cpu_count() or 1
    spread = best_of(2, lambda: sweep(candles, strategy, sets, EXITS, COSTS, threads=cores))
    trades = backtest(candles, strategy).trades
    print(f"{len(candles)} bars, {trades} trades, the same by hand; plain Python {start * 10:.1f} µs a bar")
    print(f"one backtest      {one:8.2f} ms  by hand {one_floor:8.2f} ms  ratio {one / one_floor:.2f}")
    print(f"sweep of {len(sets)} sets {many:8.1f} ms  by hand {many_floor:8.1f} ms  ratio {many / many_floor:.2f}")
    print(f"  over {cores} cores  {spread:8.1f} ms  {many / spread:.2f} times as fast")
    for other in STRATEGIES.values():
        backtest(candles, other)
        alone = best_of(5, lambda other=other: backtest(candles, other))  # type: ignore[misc]
        print(f"{other.name:18s}{alone:8.2f} ms  {alone * 1e6 / len(candles):.1f} ns a bar")
    print(f"peak memory {resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024:.0f} MiB (KiB on macOS)")
    return 0


if __name__ == "__main__":
    sys.exit(main())
