"""Candles as whole numbers in columns: prices in ticks, volume in 0.00000001 of the base currency; and the moves that
make one. The shape that recorded and invented markets share, small enough to keep and exact enough to serve."""

from array import array
from typing import NamedTuple, Protocol

from execution.venue.symbols import Symbol


class Bar(NamedTuple):
    """One candle. Prices in ticks, volume in 0.00000001 of the base currency."""

    open: int
    high: int
    low: int
    close: int
    volume_e8: int


class Move(NamedTuple):
    """The market goes to a price, in ticks; `volume_e8` of the base currency change hands there, sold if `falling`."""

    ticks: int
    volume_e8: int
    falling: bool
    time_ms: int


class BarColumns:
    """Many candles, 40 bytes each."""

    def __init__(self) -> None:
        self._columns = tuple(array("q") for _ in range(5))

    def __len__(self) -> int:
        return len(self._columns[0])

    def append(self, bar: Bar) -> None:
        """Add a candle at the end."""
        for column, value in zip(self._columns, bar, strict=True):
            column.append(value)

    def __getitem__(self, index: int) -> Bar:
        return Bar(*(column[index] for column in self._columns))


class Bars(Protocol):
    """A market's candles: the same index always gives the same candle."""

    @property
    def name(self) -> str:
        """What market this is; another name means another market."""
        ...

    @property
    def interval_ms(self) -> int:
        """The length of one candle."""
        ...

    @property
    def first_ms(self) -> int:
        """When candle 0 opens, in market time."""
        ...

    @property
    def length(self) -> int | None:
        """How many candles there are; None when they never end."""
        ...

    @property
    def symbols(self) -> list[Symbol]:
        """The markets it has."""
        ...

    def bar(self, symbol: str, index: int) -> Bar:
        """One candle. Raises IndexError past the end."""
        ...


class Source(Bars, Protocol):
    """Where a market's candles come from, past and to come, and how each is made."""

    @property
    def exact(self) -> bool:
        """Are its moves every single trade? Else an order that a price reaches may meet more than is traded there."""
        ...

    def moves(self, symbol: str, index: int, steps: int) -> list[list[Move]]:
        """How the market gets through a candle: at least one move in each of `steps` parts of its time, always the
        same ones. Raises IndexError past the end."""
        ...

    def moves_most(self, steps: int) -> int:
        """More than this many moves no candle has, in so many steps."""
        ...
