"""A recorded market: the candles of a file, or its trades, one after the other as they were. Which of them a file holds
is read from its header."""

from bisect import bisect_left
from itertools import pairwise
from pathlib import Path

from execution.venue.bars import Bar, Move, Source
from execution.venue.candle_file import MINUTE_MS, CandleSeries, load_candles
from execution.venue.price_path import TRADES_MOST, candle_moves
from execution.venue.table_file import read_header
from execution.venue.trade_file import TradeSeries, find_layout, load_trades
from execution.vocabulary.exit_codes import ConfigError

CANDLE_COLUMNS = frozenset(("open", "high", "low", "close", "volume"))


def open_recording(path: Path, volume_unit: str, pair: str) -> Source:
    """The market in a file. Raises ConfigError."""
    header = read_header(path)
    if CANDLE_COLUMNS.isdisjoint(header) or find_layout(header) is not None:
        if find_layout(header) is None:
            raise ConfigError(
                f"{path}: the columns {', '.join(header)[:200] or '(none)'} are neither candles (timestamp, open, "
                "high, low, close, volume) nor trades (a time, a price, a quantity: time, price, qty, isBuyerMaker)"
            )
        return RecordedTrades(path, load_trades(path, pair))
    return RecordedCandles(path, load_candles(path, volume_unit, pair))


class RecordedCandles:
    """A candle series as the source of a market (see bars.Source)."""

    def __init__(self, path: Path, series: CandleSeries) -> None:
        self.name = f"replay:{path.name}:{series.first_ms}:{len(series.bars)}"
        self.interval_ms = series.interval_ms
        self.first_ms = series.first_ms
        self.length: int | None = len(series.bars)
        self.symbols = [series.symbol]
        self.exact = False
        self._bars = series.bars

    def bar(self, symbol: str, index: int) -> Bar:
        """One recorded candle. Raises IndexError past the end."""
        return self._bars[index]

    def moves(self, symbol: str, index: int, steps: int) -> list[list[Move]]:
        """Along a seeded path through the candle's four prices."""
        seed, open_ms = f"{self.name}/{symbol}/{index}", self.first_ms + index * self.interval_ms
        return candle_moves(self._bars[index], steps, seed, open_ms, self.interval_ms)

    def moves_most(self, steps: int) -> int:
        """A few in each step."""
        return steps * TRADES_MOST


class RecordedTrades:
    """A trade series as the source of a market: every trade in its place, and the minutes they make."""

    def __init__(self, path: Path, series: TradeSeries) -> None:
        self.name = f"replay:{path.name}:{series.first_ms}:{len(series.bars)}"
        self.interval_ms = MINUTE_MS
        self.first_ms = series.first_ms
        self.length: int | None = len(series.bars)
        self.symbols = [series.symbol]
        self.exact = True
        self._series = series
        self._busiest = max(last - first for first, last in pairwise(series.starts))

    def bar(self, symbol: str, index: int) -> Bar:
        """One minute. Raises IndexError past the end."""
        return self._series.bars[index]

    def moves(self, symbol: str, index: int, steps: int) -> list[list[Move]]:
        """The minute's trades, each in the step in which it happened; a step without one stays where the price is."""
        series, open_ms = self._series, self.first_ms + index * MINUTE_MS
        first, last = series.starts[index], series.starts[index + 1]
        edges = [open_ms + step * MINUTE_MS // steps for step in range(steps + 1)]
        places = [bisect_left(series.times, edge, first, last) for edge in edges]
        ticks = series.bars[index - 1].close if index else series.bars[0].open  # nobody knows yet what comes
        found: list[list[Move]] = []
        for time_ms, (begin, end) in zip(edges, pairwise(places), strict=False):
            rows = range(begin, end)
            moves = [Move(series.ticks[r], series.volumes[r], bool(series.falling[r]), series.times[r]) for r in rows]
            found.append(moves or [Move(ticks, 0, False, time_ms)])
            ticks = found[-1][-1].ticks
        return found

    def moves_most(self, steps: int) -> int:
        """As many as there are trades in the busiest minute, and one in each step without any."""
        return steps + self._busiest
