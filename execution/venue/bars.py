"""Candles as whole numbers in columns: prices in ticks, volume in 0.00000001 of the base currency. The shape that
recorded and invented markets share, small enough to keep and exact enough to serve."""

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


class Source(Protocol):
    """Where a market's candles come from: the same index always gives the same candle."""

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
