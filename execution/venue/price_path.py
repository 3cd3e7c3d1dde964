"""How a candle becomes a market: the prices it passes through, and the quotes the market makers keep around each.
Pure and seeded, so that the same candle always plays the same."""

from itertools import pairwise
from math import sqrt
from random import Random
from zlib import crc32

from execution.venue.bars import Bar, Move
from execution.venue.symbols import Symbol, quote_unit

LEVELS = 10
HALF_SPREAD = 0.00015
LEVEL_DOLLARS = 2_000
VOLUME_SHARE = 40  # a level holds at least this fraction (1/40) of the candle's volume
CALM_RANGE = 0.01  # of a minute: from low to high, as a share of the price; it grows with the root of time
STRESS_MOST = 8.0
TRADES_MOST = 3  # in one step
SIZE_SPREAD = 1.3  # of the logarithm of a trade's size
ODD_SIDE = 0.2  # of the trades that go against the price
WOBBLE = 0.1  # of the candle's range, between its four prices


def price_path(bar: Bar, steps: int, seed: str) -> list[int]:
    """`steps` (at least 4) prices in ticks from the open through high and low, in seeded order, to the close."""
    corners = [bar.open, bar.high, bar.low, bar.close]
    if crc32(seed.encode()) & 1:
        corners[1], corners[2] = bar.low, bar.high
    if steps == 4:
        return corners
    random = Random(seed)
    places = [0, (steps - 1) // 3, 2 * (steps - 1) // 3, steps - 1]
    path = [bar.open]
    for (start, first), (end, last) in pairwise(zip(places, corners, strict=True)):
        for step in range(start + 1, end):
            straight = first + (last - first) * (step - start) / (end - start)
            wobble = WOBBLE * (bar.high - bar.low) * random.uniform(-1.0, 1.0)
            path.append(min(bar.high, max(bar.low, round(straight + wobble))))
        path.append(last)
    return path


def candle_moves(bar: Bar, steps: int, seed: str, open_ms: int, interval_ms: int) -> list[list[Move]]:
    """A candle of which only the four prices are known: one price in each step, along the path, and a few trades there,
    of very uneven sizes, most of them on the side to which the price moves."""
    path, random = price_path(bar, steps, seed), Random(f"{seed}/flow")
    sizes = [random.lognormvariate(0.0, SIZE_SPREAD) for _ in range(steps * TRADES_MOST)]
    unit = bar.volume_e8 / sum(sizes)
    moves: list[list[Move]] = []
    falling = bar.close < bar.open
    for step, ticks in enumerate(path):
        if step and ticks != path[step - 1]:
            falling = ticks < path[step - 1]
        time_ms = open_ms + step * interval_ms // steps
        parts = sizes[step * TRADES_MOST : (step + 1) * TRADES_MOST]
        moves.append([Move(ticks, int(size * unit), falling ^ (random.random() < ODD_SIDE), time_ms) for size in parts])
    return moves


def stress(bar: Bar, interval_ms: int) -> float:
    """How much wider and thinner than usual the book is around a candle: 1 in calm, more when the price runs."""
    run = (bar.high - bar.low) / bar.close / (CALM_RANGE * sqrt(interval_ms / 60_000))
    return min(STRESS_MOST, max(1.0, run * run))


def grown(so_far: Bar | None, moves: list[Move]) -> Bar:
    """The candle as far as it has come, after these moves; it opens with its first trade."""
    bar = so_far
    for ticks, volume, _, _ in moves:
        if bar is None or not bar.volume_e8:
            bar = Bar(ticks, ticks, ticks, ticks, volume)
        elif volume:
            bar = Bar(bar.open, max(bar.high, ticks), min(bar.low, ticks), ticks, bar.volume_e8 + volume)
    assert bar is not None, "every step has at least one move"
    return bar


def level_lots(symbol: Symbol, bar: Bar, strain: float = 1.0) -> int:
    """What the market makers offer on their best level: enough for ordinary orders, more in busy candles, less of it
    under stress."""
    dollars = LEVEL_DOLLARS * float(quote_unit(symbol.quote))
    enough = int(dollars / float(symbol.value(bar.close, 1))) + 1
    lots = max(enough, bar.volume_e8 // symbol.lot_e8 // VOLUME_SHARE)
    return lots if strain <= 1 else max(1, int(lots / strain))


def quotes(
    ticks: int, lots: int, step: int = 1, strain: float = 1.0
) -> tuple[list[tuple[int, int]], list[tuple[int, int]]]:
    """(bids, asks) around a price as (ticks, lots), best first, growing with distance; each a multiple of `step`, and
    further away under stress."""
    half = max(1, round(ticks * HALF_SPREAD * strain))
    gap = max(1, half // 2)
    sizes = [lots * (10 + 5 * level + (ticks * 31 + level * 17) % 7) // 10 for level in range(LEVELS)]
    bids: dict[int, int] = {}
    asks: dict[int, int] = {}
    for level, size in enumerate(sizes):
        away = half + level * gap
        bid, ask = (ticks - away) // step * step, -(-(ticks + away) // step) * step
        bids[bid], asks[ask] = bids.get(bid, 0) + size, asks.get(ask, 0) + size
    return [(price, size) for price, size in bids.items() if price > 0], list(asks.items())
