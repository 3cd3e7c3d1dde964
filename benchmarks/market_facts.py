"""Does the invented market look like a real one? What is known of all of them, measured on it and beside it on recorded
candles; there the book and the trades are ours, as a replay makes them around the candles.

python -m benchmarks.market_facts [--seeds 1 7 8] [--data FOLDER] [--blocks 12]: one column per seed and per file in
FOLDER (candles; NAE_CANDLE_DATA by itself). Exit code 1 when a seed lacks one of the facts.
"""

import argparse
import math
import os
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from rich.console import Console
from rich.table import Table

from execution.venue.bars import Bar, Move, Source
from execution.venue.price_path import level_lots, quotes, stress
from execution.venue.recorded import open_recording
from execution.venue.synthetic import BLOCK, COMMON_SHARE, SyntheticMarket
from execution.vocabulary.exit_codes import ConfigError

Values = NDArray[np.float64]
PAIRS = ("BTC/USDT", "ETH/USDT")
STEPS = 12
FLOW_BARS = 300
NOTHING = float("nan")


class Fact(NamedTuple):
    """One thing that real markets have in common; `holds` says whether a figure is one of theirs."""

    name: str
    wanted: str
    holds: Callable[[float], bool]


FACTS = (
    Fact("fat tails: excess kurtosis of returns", "> 1", lambda x: x > 1),
    Fact("no memory: correlation of a return with the next", "-0.35 to 0.1", lambda x: -0.35 < x < 0.1),
    Fact("clusters: correlation of sizes of returns, next", "> 0.08", lambda x: x > 0.08),
    Fact("clusters: the same 20 candles later", "> 0.04", lambda x: x > 0.04),
    Fact("volume goes with volatility: correlation", "> 0.15", lambda x: x > 0.15),
    Fact("worst fall within 30 candles, %", "> 3", lambda x: x > 3),
    Fact("spread in the wildest 0.2 % of candles, times the usual", "> 1.5", lambda x: x > 1.5),
    Fact("depth there, in shares of turnover, times the usual", "< 0.7", lambda x: x < 0.7),
    Fact("trades: the largest 1 %, times the median", "> 8", lambda x: x > 8),
    Fact("trades: correlation of a side with the next", "> 0.2", lambda x: x > 0.2),
    Fact(
        "two symbols: correlation of returns", f"{COMMON_SHARE**2:.2f} +- 0.1", lambda x: abs(x - COMMON_SHARE**2) < 0.1
    ),
)


def correlation(first: Values, second: Values) -> float:
    """Of two lists; NaN for too short ones, and for one in which nothing changes."""
    if len(first) < 3 or not first.std() or not second.std():
        return NOTHING
    return float(np.corrcoef(first, second)[0, 1])


def returns_of(bars: Sequence[Bar]) -> Values:
    """Logarithmic returns from close to close."""
    return np.diff(np.log(np.array([bar.close for bar in bars], dtype=np.float64)))


def measure(source: Source, name: str, count: int) -> list[float]:
    """All facts but the last, of one symbol."""
    bars = [source.bar(name, index) for index in range(count)]
    returns, volume = returns_of(bars), np.array([bar.volume_e8 for bar in bars][1:], dtype=np.float64)
    sizes, traded = np.abs(returns), volume > 0
    centred = returns - returns.mean()
    kurtosis = float((centred**4).mean() / (centred**2).mean() ** 2 - 3)
    return [
        kurtosis,
        correlation(returns[1:], returns[:-1]),
        correlation(sizes[1:], sizes[:-1]),
        correlation(sizes[20:], sizes[:-20]),
        correlation(np.log(volume[traded]), sizes[traded]),
        _worst_fall(bars),
        *_books(source, bars),
        *_flow(source, name, count),
    ]


def _worst_fall(bars: Sequence[Bar]) -> float:
    highs = [max(bar.high for bar in bars[max(0, index - 30) : index + 1]) for index in range(len(bars))]
    return max(100 * (1 - bar.low / high) for bar, high in zip(bars, highs, strict=True))


def _books(source: Source, bars: Sequence[Bar]) -> tuple[float, float]:
    """Spread and depth where the price runs most, beside the median candle's."""
    symbol, spreads, depths = source.symbols[0], [], []
    for bar in bars:
        strain = stress(bar, source.interval_ms)
        lots = level_lots(symbol, bar, strain)
        bids, asks = quotes(bar.close, lots, 1, strain)
        spreads.append((asks[0][0] - bids[0][0]) / bar.close)
        depths.append(lots / max(1, level_lots(symbol, bar)))
    wild = sorted(range(len(bars)), key=lambda i: (bars[i].high - bars[i].low) / bars[i].close)[
        -max(1, len(bars) // 500) :
    ]
    spread, depth = np.array(spreads), np.array(depths)
    return float(spread[wild].mean() / np.median(spread)), float(depth[wild].mean() / np.median(depth))


def _flow(source: Source, name: str, count: int) -> tuple[float, float]:
    """How uneven trades are, and how much their sides come in runs."""
    first = max(0, count - FLOW_BARS)
    moves: list[Move] = []
    for index in range(first, count):
        moves += [move for step in source.moves(name, index, STEPS) for move in step if move.volume_e8]
    sizes = np.array([move.volume_e8 for move in moves], dtype=np.float64)
    sides = np.array([1.0 if move.falling else -1.0 for move in moves])
    if len(sizes) < 100:
        return NOTHING, NOTHING
    return float(np.quantile(sizes, 0.99) / np.median(sizes)), correlation(sides[1:], sides[:-1])


def measure_seed(seed: int, blocks: int) -> list[float]:
    """Every fact of an invented market."""
    market = SyntheticMarket(seed, PAIRS)
    names = [symbol.name for symbol in market.symbols]
    found = measure(market, names[0], blocks * BLOCK)
    both = [returns_of([market.bar(name, index) for index in range(blocks * BLOCK)]) for name in names]
    return [*found, correlation(*both)]


def measure_file(path: Path, most: int) -> list[float]:
    """Every fact of recorded candles that one symbol can have. Raises ConfigError."""
    source = open_recording(path, "base", "")
    assert source.length is not None, "a recording ends"
    return [*measure(source, source.symbols[0].name, min(source.length, most)), NOTHING]


def missing(found: Sequence[float]) -> list[str]:
    """The facts that don't hold."""
    return [f"{fact.name}: {value:.3f}, not {fact.wanted}" for fact, value in zip(FACTS, found, strict=True)
            if not math.isnan(value) and not fact.holds(value)]  # fmt: skip


def main(words: Sequence[str] | None = None) -> int:
    """Print the table; 0 when every seed has every fact."""
    reader = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    reader.add_argument("--seeds", type=int, nargs="+", default=[1, 7, 8])
    reader.add_argument("--blocks", type=int, default=12)
    reader.add_argument("--data", type=Path, default=os.environ.get("NAE_CANDLE_DATA"))
    given = reader.parse_args(words)
    columns = {f"seed {seed}": measure_seed(seed, given.blocks) for seed in given.seeds}
    wrong = [f"{name}: {fact}" for name, found in columns.items() for fact in missing(found)]
    console = Console(width=200)
    for path in sorted(given.data.glob("*.parquet")) if given.data else ():
        try:
            columns[path.stem] = measure_file(path, given.blocks * BLOCK)
        except ConfigError as error:
            console.print(f"left out: {error}")
    table = Table(title="what real markets have in common")
    for heading in ("fact", "wanted", *columns):
        table.add_column(heading)
    for row, fact in enumerate(FACTS):
        values = [found[row] for found in columns.values()]
        table.add_row(fact.name, fact.wanted, *("" if math.isnan(value) else f"{value:.2f}" for value in values))
    console.print(table)
    for text in wrong:
        console.print(text)
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
