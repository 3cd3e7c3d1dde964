"""Another exchange's candles as they are known so far, and what the venue needs of that exchange's public data. How it
is reached isn't known here."""

from collections.abc import Mapping, Sequence
from decimal import Decimal
from typing import Protocol

from execution.venue.bars import Bar, BarColumns
from execution.venue.symbols import E8, E8_DIGITS, Symbol
from execution.vocabulary.exit_codes import ConfigError
from execution.vocabulary.market import Candle, SymbolRules

MINUTE_MS = 60_000
MIRROR = "mirror:"  # how such a market's name begins
Rows = Sequence[tuple[Decimal, Decimal]]


class Hearer(Protocol):
    """Who hears what the original says, symbols written like BTC/USDT."""

    def on_book(self, symbol: str, bids: Rows, asks: Rows) -> None:
        """The book as it is now: (price, quantity), best first."""

    def on_trade(self, symbol: str, price: Decimal, quantity: Decimal, sold: bool, time_ms: int) -> None:
        """A trade; `sold` when the taker was the seller."""

    def on_lost(self, why: str) -> None:
        """From now on nothing is known, until a book is heard again."""


class Original(Protocol):
    """The public data of another exchange, its rules and last candles already loaded."""

    @property
    def name(self) -> str:
        """What it is called."""
        ...

    @property
    def rules(self) -> Mapping[str, SymbolRules]:
        """What it demands, by symbol."""
        ...

    @property
    def history(self) -> Mapping[str, Sequence[Candle]]:
        """The last closed minutes, by symbol."""
        ...

    async def candles(self, symbol: str, since_ms: int) -> Sequence[Candle]:
        """Closed minutes that open at `since_ms` or later, oldest first. Raises ConnectionError."""
        ...

    async def follow(self, hearer: Hearer) -> None:
        """Tell books and trades, for ever, through every disconnection."""
        ...


class MirroredBars:
    """The minutes of all symbols, from the same one on (see bars.Bars)."""

    def __init__(self, original: Original) -> None:
        """Raises ConfigError when the original has no closed minute of a symbol."""
        self.name = MIRROR + original.name
        self.interval_ms = MINUTE_MS
        self.length: int | None = None
        self.original = original
        self.pairs: dict[str, Symbol] = {pair: _symbol(rules) for pair, rules in original.rules.items()}
        self.symbols = list(self.pairs.values())
        for pair in self.pairs:
            if not original.history.get(pair):
                raise ConfigError(f"{original.name} has no candles of {pair}; another market would be right")
        self.first_ms = max(rows[0].open_ms for rows in original.history.values())
        self._bars = {symbol.name: BarColumns() for symbol in self.symbols}
        for pair, rows in original.history.items():
            self.extend(self.pairs[pair], rows)
        for pair, symbol in self.pairs.items():  # one that hasn't traded lately
            self.fill(symbol, self.known, candle_bar(symbol, original.history[pair][-1]).close)

    @property
    def known(self) -> int:
        """How many candles the best known symbol has."""
        return max(len(bars) for bars in self._bars.values())

    def length_of(self, symbol: Symbol) -> int:
        """How many candles of a symbol are known."""
        return len(self._bars[symbol.name])

    def next_ms(self, symbol: Symbol) -> int:
        """When the first candle opens that isn't known."""
        return self.first_ms + self.length_of(symbol) * MINUTE_MS

    def bar(self, symbol: str, index: int) -> Bar:
        """One candle. Raises IndexError for one that isn't known yet."""
        return self._bars[symbol][index]

    def extend(self, symbol: Symbol, rows: Sequence[Candle]) -> None:
        """Closed candles that follow; a minute between them that is missing was one without trades."""
        for row in rows:
            if row.open_ms < self.next_ms(symbol):
                continue
            bar = candle_bar(symbol, row)
            while self.next_ms(symbol) < row.open_ms:
                self._repeat(symbol, bar.open)
            self._bars[symbol.name].append(bar)

    def fill(self, symbol: Symbol, count: int, price: int = 1) -> None:
        """Nothing was heard of the next candles, up to so many in all: they count as flat, at first at `price`."""
        while self.length_of(symbol) < count:
            self._repeat(symbol, price)

    def _repeat(self, symbol: Symbol, price: int) -> None:
        bars = self._bars[symbol.name]
        close = bars[len(bars) - 1].close if len(bars) else price
        bars.append(Bar(close, close, close, close, 0))


def _symbol(rules: SymbolRules) -> Symbol:
    symbol = Symbol(rules.base, rules.quote, _decimals(rules.price_tick), _decimals(rules.lot_step))
    symbol.notional_min = rules.notional_min
    return symbol


def _decimals(step: Decimal) -> int:
    return min(E8_DIGITS, max(0, -int(step.normalize().as_tuple().exponent)))


def candle_bar(symbol: Symbol, row: Candle) -> Bar:
    """A candle in ticks."""
    first, high, low, close = (ticks_of(symbol, price) for price in (row.open, row.high, row.low, row.close))
    return Bar(first, high, low, close, int(row.volume * E8))


def ticks_of(symbol: Symbol, price: Decimal, up: bool = False) -> int:
    """A price in ticks, at least one, rounded down or up where the original has a finer step."""
    whole, rest = divmod(price, symbol.tick)
    return max(1, int(whole) + (1 if up and rest else 0))


def levels_of(symbol: Symbol, rows: Rows, share: float, up: bool) -> list[tuple[int, int]]:
    """Book levels as (ticks, lots), prices times `share`; what is less than a lot is left out."""
    levels: dict[int, int] = {}
    for price, quantity in rows:
        ticks = ticks_of(symbol, price if share == 1 else price * Decimal(share), up)
        lots = int(quantity / symbol.lot)
        if lots:
            levels[ticks] = levels.get(ticks, 0) + lots
    return list(levels.items())
