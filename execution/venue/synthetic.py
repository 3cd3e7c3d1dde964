"""An invented market: candles that are a pure function of (seed, symbol, index). Prices move through trends, ranges,
quiet and volatile spells, and stay around a level for ever; a crash comes to all symbols at once. Nothing is stored.

Symbols are correlated: a share of every candle's noise (COMMON_SHARE, so its square is the target) is the same for all.
What it has in common with real markets is checked by `benchmarks.market_facts` and its tests: fat tails, more so over
short times; volatility that clusters; returns that don't tell the next one; volume that goes with volatility; a wider,
thinner book when prices run (price_path.stress); trades of very uneven sizes whose sides come in runs.
"""

import math
from collections import OrderedDict
from dataclasses import dataclass
from itertools import cycle, pairwise
from random import Random

from execution.venue.bars import Bar, BarColumns, Move
from execution.venue.market_kinds import CRASH, USUAL, Kind, Spell
from execution.venue.price_path import TRADES_MOST, candle_moves
from execution.venue.symbols import E8, Symbol, quote_unit, split_pair, steps_for
from execution.vocabulary.exit_codes import ConfigError

INTERVAL_MS = 60_000
FIRST_MS = 1_735_689_600_000  # 2025-01-01T00:00:00Z
BLOCK = 1024  # candles made at once; a block begins and ends on levels known without the blocks before it
BLOCKS_KEPT = 6
COMMON_SHARE = 0.6  # of every candle's noise that all symbols have in common
SIGN_TRIES = 24
CRASH_LEAST, CRASH_MOST = 12, 45  # candles
CRASH_FALL = 0.4  # of its time it falls, then it makes good CRASH_RECOVERY of that
CRASH_RECOVERY = 0.45
TURNOVER = 150_000  # dollars per candle, about
BASE_PRICES = {"BTC": 60_000.0, "ETH": 3_000.0, "SOL": 150.0, "BNB": 600.0, "XRP": 0.6, "ADA": 0.45, "DOGE": 0.12}


@dataclass(frozen=True)
class Crash:
    """Where in its block a crash begins, and the drift of each of its candles."""

    first: int
    drifts: tuple[float, ...]


class SyntheticMarket:
    """The source of an invented market (see bars.Source)."""

    def __init__(self, seed: int, pairs: tuple[str, ...], kind: Kind = USUAL) -> None:
        if not pairs:
            raise ConfigError('venue.symbols is empty; it must list markets, like ["BTC/USDT"]')
        if len(set(pairs)) < len(pairs):
            raise ConfigError(f"venue.symbols = {list(pairs)!r} lists a market twice")
        self.name = f"synthetic:{seed}" if kind is USUAL else f"synthetic:{kind.name}:{seed}"
        self.interval_ms = INTERVAL_MS
        self.first_ms = FIRST_MS
        self.length: int | None = None
        self.exact = False
        self.symbols = [_symbol(pair) for pair in pairs]
        self._seed = seed
        self._kind = kind
        self._by_name = {symbol.name: symbol for symbol in self.symbols}
        self._blocks: OrderedDict[tuple[str, int], BarColumns] = OrderedDict()
        self._common: OrderedDict[int, list[float]] = OrderedDict()

    def bar(self, symbol: str, index: int) -> Bar:
        """One candle; any index from 0 on."""
        number, offset = divmod(index, BLOCK)
        block = self._blocks.get((symbol, number))
        if block is None:
            block = self._blocks[symbol, number] = self._make(self._by_name[symbol], number)
            while len(self._blocks) > BLOCKS_KEPT * len(self._by_name):
                self._blocks.popitem(last=False)
        return block[offset]

    def moves(self, symbol: str, index: int, steps: int) -> list[list[Move]]:
        """Along a seeded path through the candle's four prices."""
        seed, open_ms = f"{self.name}/{symbol}/{index}", self.first_ms + index * self.interval_ms
        return candle_moves(self.bar(symbol, index), steps, seed, open_ms, self.interval_ms)

    def moves_most(self, steps: int) -> int:
        """A few in each step."""
        return steps * TRADES_MOST

    def _random(self, *parts: object) -> Random:
        return Random("/".join(map(str, (self._seed, *parts))))

    def _common_noise(self, number: int) -> list[float]:
        noise = self._common.get(number)
        if noise is None:
            random = self._random("@market", number)
            noise = self._common[number] = [random.gauss(0.0, 1.0) for _ in range(BLOCK)]
            while len(self._common) > BLOCKS_KEPT:
                self._common.popitem(last=False)
        return noise

    def crash(self, number: int) -> Crash | None:
        """The crash of a block, if it has one."""
        random = self._random("@crash", number)
        if random.random() >= self._kind.crash_chance:
            return None
        length = random.randint(CRASH_LEAST, CRASH_MOST)
        falling = max(2, int(length * CRASH_FALL))
        depth = random.uniform(*self._kind.crash_depth)
        fall, rise = -depth / falling, depth * CRASH_RECOVERY / (length - falling)
        first = random.randrange(*(self._kind.crash_from or (0, BLOCK - length)))
        return Crash(first, (fall,) * falling + (rise,) * (length - falling))

    def level(self, symbol: Symbol, number: int) -> int:
        """The price in ticks at which block `number` opens."""
        draws = (self._random(symbol.name, "level", number >> octave, octave) for octave in (0, 2, 4))
        shift = sum(random.gauss(0.0, 1.0) for random in draws)
        price = base_price(symbol.base, symbol.quote) * math.exp(self._kind.level_spread * shift)
        return max(100, round(price / float(symbol.tick)))

    def _make(self, symbol: Symbol, number: int) -> BarColumns:
        random = self._random(symbol.name, number)
        start, end = self.level(symbol, number), self.level(symbol, number + 1)
        spells = _draw_spells(random, self._kind)
        crash = self.crash(number)
        if crash is not None:
            spells[crash.first : crash.first + len(crash.drifts)] = [CRASH] * len(crash.drifts)
        returns = _returns(random, spells, self._common_noise(number), math.log(end / start), crash)
        return _bars(random, symbol, (start, end), returns, spells)


def _symbol(pair: str) -> Symbol:
    base, quote = split_pair(pair, "venue.symbols")
    return steps_for(base, quote, base_price(base, quote))


def base_price(base: str, quote: str) -> float:
    """About what a coin costs here: known coins as people know them, others by their name."""
    dollars = BASE_PRICES.get(base) or 10 ** Random(base).uniform(-0.5, 2.5)
    return dollars / (BASE_PRICES.get(quote, 1.0) if quote_unit(quote) != 1 else 1.0)


def _draw_spells(random: Random, kind: Kind) -> list[Spell]:
    """The spell of each candle of a block."""
    spells: list[Spell] = []
    in_order = cycle(kind.spells)
    while len(spells) < BLOCK:
        spell = random.choices(kind.spells, kind.weights)[0] if kind.weights else next(in_order)
        spells += [spell] * random.randint(spell.least, spell.most)
    return spells[:BLOCK]


def _returns(
    random: Random, spells: list[Spell], common: list[float], total: float, crash: Crash | None
) -> list[float]:
    """Logarithmic returns per candle that add up to `total`, noise first, then drifts whose signs lead there."""
    noise = _noise(random, spells, common)
    if crash is not None:
        for index, drift in enumerate(crash.drifts, crash.first):
            noise[index] += drift * math.exp(0.5 * common[index])
    runs = _runs(spells)
    drifts = [random.uniform(0.7, 1.4) * spells[first].drift for first, _ in runs]
    signs = _signs(random, [spells[first].sign for first, _ in runs], runs, drifts, total - sum(noise))
    for (first, last), drift, sign in zip(runs, drifts, signs, strict=True):
        for index in range(first, last):
            noise[index] += sign * drift
    free = [index for index, spell in enumerate(spells) if not spell.pull and spell is not CRASH] or list(range(BLOCK))
    rest = (total - sum(noise)) / len(free)
    for index in free:
        noise[index] += rest
    return noise


def _noise(random: Random, spells: list[Spell], common: list[float]) -> list[float]:
    noise: list[float] = []
    offset = last = 0.0
    own_share = math.sqrt(1 - COMMON_SHARE**2)
    for index, spell in enumerate(spells):
        if index and spell is not spells[index - 1]:
            offset = last = 0.0
        shock = spell.noise * (COMMON_SHARE * common[index] + own_share * random.gauss(0.0, 1.0))
        if spell.jump and random.random() < spell.jump:
            shock += random.choice((-1, 1)) * random.uniform(0.006, 0.015)
        last = shock + spell.echo * last - spell.pull * offset
        offset += last
        noise.append(last)
    return noise


def _runs(spells: list[Spell]) -> list[tuple[int, int]]:
    edges = [0, *(i for i in range(1, len(spells)) if spells[i] is not spells[i - 1]), len(spells)]
    return list(pairwise(edges))


def _signs(
    random: Random, given: list[int], runs: list[tuple[int, int]], drifts: list[float], wanted: float
) -> list[int]:
    """Of some draws the one that leaves the least to be added evenly."""
    moves = [drift * (last - first) for (first, last), drift in zip(runs, drifts, strict=True)]
    draws = [[sign or random.choice((-1, 1)) for sign in given] for _ in range(SIGN_TRIES)]
    return min(draws, key=lambda signs: abs(wanted - sum(s * move for s, move in zip(signs, moves, strict=True))))


def _bars(
    random: Random, symbol: Symbol, span: tuple[int, int], returns: list[float], spells: list[Spell]
) -> BarColumns:
    bars = BarColumns()
    turnover_e8 = TURNOVER * float(quote_unit(symbol.quote)) * E8 / float(symbol.tick)
    (start, end), log_level = span, 0.0
    last = start
    for index, (change, spell) in enumerate(zip(returns, spells, strict=True)):
        log_level += change
        close = end if index == BLOCK - 1 else max(1, round(start * math.exp(log_level)))
        reach = 0.35 * spell.noise * last
        high = max(last, close) + int(abs(random.gauss(0.0, reach)))
        low = max(1, min(last, close) - int(abs(random.gauss(0.0, reach))))
        busy = random.lognormvariate(0.0, 0.5) * (0.6 + abs(change) / 0.002)
        bars.append(Bar(last, high, low, close, round(turnover_e8 * busy / close)))
        last = close
    return bars
