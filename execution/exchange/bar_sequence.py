"""One symbol's closed bars, exactly once and in order, from two sources that overlap: the stream and REST.

No I/O. A bar that comes too early waits until the gap before it is filled. A bar the venue doesn't have is a bar
without trades: flat at the last close, counted and said.
"""

import logging
from collections.abc import Callable

from execution.vocabulary.market import Candle
from execution.vocabulary.money import ZERO

LOG = logging.getLogger("nae.feed")
_UNITS_MS = {"m": 60_000, "h": 3_600_000, "d": 86_400_000}
WAITING_MAX = 1_000


def timeframe_ms(timeframe: str) -> int:
    """'5m' in milliseconds. ValueError for what isn't a number and one of m, h, d."""
    unit = _UNITS_MS.get(timeframe[-1:])
    if unit is None or not timeframe[:-1].isdigit():
        raise ValueError(f"timeframe {timeframe!r} must be a number and one of m, h, d")
    return int(timeframe[:-1]) * unit


class BarSequence:
    """Delivers to `on_bar(symbol, candle)`."""

    def __init__(self, symbol: str, timeframe: str, on_bar: Callable[[str, Candle], None]) -> None:
        self.symbol = symbol
        self.step_ms = timeframe_ms(timeframe)
        self.last_open_ms: int | None = None
        self.delivered = 0
        self.flat = 0
        self._last: Candle | None = None
        self._on_bar = on_bar
        self._waiting: dict[int, Candle] = {}

    def add(self, candle: Candle) -> bool:
        """A bar from the stream. False when bars before it are missing: `fill` is needed."""
        if self._last is None or candle.open_ms <= self._last.open_ms + self.step_ms:
            self._take(candle)
            self._take_waiting()
            return True
        self.hold(candle)
        return False

    def hold(self, candle: Candle) -> None:
        """A bar from the stream that waits for those before it, until `fill`."""
        if len(self._waiting) < WAITING_MAX:
            self._waiting[candle.open_ms] = candle

    def fill(self, candles: list[Candle]) -> None:
        """Bars by REST, oldest first, then those that waited. What lies between two known bars and is in neither source
        had no trades."""
        for candle in sorted([*candles, *self._waiting.values()], key=lambda each: each.open_ms):
            self._bridge(candle.open_ms)
            self._take(candle)
        self._waiting.clear()

    def _take_waiting(self) -> None:
        while self._last and (candle := self._waiting.pop(self._last.open_ms + self.step_ms, None)):
            self._take(candle)

    def _bridge(self, open_ms: int) -> None:
        """Flat bars up to the one before `open_ms`."""
        while self._last is not None and self._last.open_ms + self.step_ms < open_ms:
            close = self._last.close
            self.flat += 1
            LOG.warning("%s: no bar at %d, taken as one without trades", self.symbol, self._last.open_ms + self.step_ms)
            self._take(Candle(self._last.open_ms + self.step_ms, close, close, close, close, ZERO))

    def _take(self, candle: Candle) -> None:
        if self._last is not None and candle.open_ms <= self._last.open_ms:
            return  # known already
        self._last = candle
        self.last_open_ms = candle.open_ms
        self.delivered += 1
        self._on_bar(self.symbol, candle)
