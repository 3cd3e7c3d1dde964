"""The closed bars of every symbol, in order and without holes, and which of them are new since the last look.

A missing bar becomes a flat one, so that everything counted in bars counts the same at any speed. Decides nothing.
"""

import asyncio
from collections import deque
from collections.abc import Sequence
from decimal import Decimal
from itertools import islice
from typing import TypeVar

from execution.research.bars import bar_of
from execution.vocabulary.market import Candle
from execution.vocabulary.money import ZERO

BARS_KEPT = 600
TIMEFRAME_MS = {"1m": 60_000, "3m": 180_000, "5m": 300_000, "15m": 900_000, "30m": 1_800_000, "1h": 3_600_000}

T = TypeVar("T")


class Series:
    """One symbol's last bars, oldest first. `rows` are the same bars as research reads them (five floats)."""

    def __init__(self) -> None:
        self.candles: deque[Candle] = deque(maxlen=BARS_KEPT)
        self.rows: deque[list[float]] = deque(maxlen=BARS_KEPT)

    def append(self, candle: Candle) -> None:
        """Take the next bar."""
        self.candles.append(candle)
        self.rows.append(bar_of(candle))

    @property
    def newest_ms(self) -> int:
        """When the newest closed bar opened, market time; -1 before the first."""
        return self.candles[-1].open_ms if self.candles else -1

    def last_rows(self, count: int) -> list[list[float]]:
        """The last `count` bars in floats, oldest first."""
        return _last(self.rows, count)

    def mean_value(self, count: int) -> Decimal:
        """What was traded per bar over the last `count` bars, in the quote currency; 0 without bars."""
        recent = _last(self.candles, count)
        return sum((candle.volume * candle.close for candle in recent), ZERO) / len(recent) if recent else ZERO


def _last(tape: "deque[T]", count: int) -> list[T]:
    """The newest `count` of a deque without walking the rest."""
    newest: Sequence[T] = list(islice(reversed(tape), max(0, count)))
    return list(reversed(newest))


class BarBook:
    """All symbols' bars. `add` is what a feed calls; `wake` is set whenever there is something new."""

    def __init__(self, timeframe: str) -> None:
        self.step_ms = TIMEFRAME_MS[timeframe]
        self.wake = asyncio.Event()
        self.flat_bars = 0
        self.ignored = 0
        self._series: dict[str, Series] = {}
        self._new: set[str] = set()

    def add(self, symbol: str, candle: Candle) -> None:
        """Take one closed bar. One that isn't newer than what is known is ignored and counted."""
        series = self._series.setdefault(symbol, Series())
        if candle.open_ms <= series.newest_ms:
            self.ignored += 1
            return
        if series.candles:
            self._fill_hole(series, candle)
        series.append(candle)
        self._new.add(symbol)
        self.wake.set()

    def _fill_hole(self, series: Series, candle: Candle) -> None:
        last = series.candles[-1]
        missing = (candle.open_ms - last.open_ms) // self.step_ms - 1
        self.flat_bars += max(0, missing)
        for number in range(max(0, missing - BARS_KEPT), missing):  # older ones would be pushed out again at once
            open_ms = last.open_ms + (number + 1) * self.step_ms
            series.append(Candle(open_ms, last.close, last.close, last.close, last.close, ZERO))

    def take_new(self) -> frozenset[str]:
        """The symbols with bars closed since the last call."""
        taken, self._new = frozenset(self._new), set()
        return taken

    def series(self, symbol: str) -> Series:
        """One symbol's bars; empty when none has been seen."""
        return self._series.get(symbol) or Series()

    def age(self, symbol: str, bar_ms: int) -> int:
        """How many bars of `symbol` have closed after the one that opened at `bar_ms`; 0 when none has."""
        return max(0, (self.series(symbol).newest_ms - bar_ms) // self.step_ms)

    def rows_after(self, symbol: str, bar_ms: int) -> list[list[float]]:
        """The kept bars that opened after `bar_ms`, oldest first, in floats."""
        return self.series(symbol).last_rows(self.age(symbol, bar_ms))

    def newest(self) -> dict[str, int]:
        """When each symbol's newest closed bar opened, market time."""
        return {symbol: series.newest_ms for symbol, series in self._series.items()}
