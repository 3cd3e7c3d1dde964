"""Klines as clients read them: ranges of closed candles, coarser intervals put together from them, and the candle in
progress. Closed klines are exactly the source's; nobody's trades change them."""

from dataclasses import dataclass
from decimal import Decimal

from execution.venue import errors
from execution.venue.bars import Bar, Bars
from execution.venue.symbols import AVERAGE_MINUTES, Symbol, e8_text

MINUTE_MS = 60_000
INTERVALS_MS = {
    "1m": MINUTE_MS,
    "3m": 3 * MINUTE_MS,
    "5m": 5 * MINUTE_MS,
    "15m": 15 * MINUTE_MS,
    "30m": 30 * MINUTE_MS,
    "1h": 60 * MINUTE_MS,
    "2h": 120 * MINUTE_MS,
    "4h": 240 * MINUTE_MS,
    "6h": 360 * MINUTE_MS,
    "8h": 480 * MINUTE_MS,
    "12h": 720 * MINUTE_MS,
    "1d": 1440 * MINUTE_MS,
}
TRADES_PER_BAR = 4
HISTORY_LEAST = 20_000


@dataclass(slots=True)
class Progress:
    """The candle being made: what has been traded of it so far."""

    index: int
    bar: Bar


@dataclass(frozen=True, slots=True)
class Kline:
    """One kline of any interval, in ticks and 0.00000001 of the base currency."""

    open_ms: int
    close_ms: int
    bar: Bar
    parts: int

    def quote_e8(self, symbol: Symbol) -> int:
        """Turnover in 0.00000001 of the quote currency, at the kline's typical price."""
        typical = (self.bar.high + self.bar.low + 2 * self.bar.close) * symbol.tick_e8
        return self.bar.volume_e8 * typical // (4 * 100_000_000)

    def row(self, symbol: Symbol) -> list[object]:
        """The kline as REST gives it."""
        first, high, low, last, volume = self.bar
        quote = self.quote_e8(symbol)
        price = symbol.price_text
        half = (e8_text(volume // 2), e8_text(quote // 2))
        texts = (price(first), price(high), price(low), price(last), e8_text(volume))
        return [self.open_ms, *texts, self.close_ms, e8_text(quote), self.parts * TRADES_PER_BAR, *half, "0"]

    def event(self, symbol: Symbol, interval: str, closed: bool, now_ms: int) -> dict[str, object]:
        """The kline as the stream gives it."""
        first, high, low, last, volume = self.bar
        quote = self.quote_e8(symbol)
        kline = {
            "t": self.open_ms,
            "T": self.close_ms,
            "s": symbol.name,
            "i": interval,
            "f": -1,
            "L": -1,
            "o": symbol.price_text(first),
            "c": symbol.price_text(last),
            "h": symbol.price_text(high),
            "l": symbol.price_text(low),
            "v": e8_text(volume),
            "n": self.parts * TRADES_PER_BAR,
            "x": closed,
            "q": e8_text(quote),
            "V": e8_text(volume // 2),
            "Q": e8_text(quote // 2),
            "B": "0",
        }
        return {"e": "kline", "E": now_ms, "s": symbol.name, "k": kline}


class Candles:
    """The klines of all symbols up to the present of market time. `next_index` is the first candle not yet closed."""

    def __init__(self, source: Bars, next_index: int, history_bars: int = 0) -> None:
        """Candles further back than `history_bars` (at least HISTORY_LEAST) are not served: each has to be made."""
        self._history = max(history_bars, HISTORY_LEAST)
        self._source = source
        self.step_ms = source.interval_ms
        self.next_index = next_index
        self.progress: dict[str, Progress] = {}
        self._averages: dict[str, tuple[int, int, int]] = {}
        self._days: dict[str, tuple[int, list[Bar]]] = {}
        self.intervals = {n: ms for n, ms in INTERVALS_MS.items() if not ms % source.interval_ms}

    def interval_ms(self, name: str) -> int:
        """The length of an interval this market can serve. Raises -1120."""
        if name not in self.intervals:
            raise errors.ApiError(-1120, "Invalid interval.")
        return self.intervals[name]

    def now_ms(self) -> int:
        """The present of market time: where the first open candle begins."""
        return self._source.first_ms + self.next_index * self._source.interval_ms

    def kline_at(self, symbol: str, interval_ms: int, open_ms: int) -> Kline | None:
        """The kline that opens at `open_ms`, as far as it is known; None when nothing of it is."""
        step = self._source.interval_ms
        first = max(0, -((self._source.first_ms - open_ms) // step))
        last = min(first_after := (open_ms + interval_ms - self._source.first_ms) // step, self.next_index)
        parts = [self._source.bar(symbol, index) for index in range(first, last)]
        progress = self.progress.get(symbol)
        if progress and first <= progress.index < first_after and progress.index >= last:
            parts.append(progress.bar)
        if not parts:
            return None
        return Kline(open_ms, open_ms + interval_ms - 1, join(parts), len(parts))

    def current(self, symbol: str, interval_ms: int) -> Kline | None:
        """The kline of the latest candle, open or just closed."""
        progress = self.progress.get(symbol)
        index = progress.index if progress else self.next_index - 1
        time_ms = self._source.first_ms + index * self._source.interval_ms
        return self.kline_at(symbol, interval_ms, time_ms - time_ms % interval_ms)

    def is_last_part(self, interval_ms: int, index: int) -> bool:
        """Does this candle complete a kline of that interval?"""
        end_ms = self._source.first_ms + (index + 1) * self._source.interval_ms
        return end_ms % interval_ms == 0

    def select(
        self, symbol: str, interval_ms: int, start_ms: int | None, end_ms: int | None, limit: int
    ) -> list[Kline]:
        """Klines that open within [start, end]: the first `limit` from a start on, else the last ones."""
        oldest = max(0, self.next_index - self._history) * self.step_ms + self._source.first_ms
        earliest = oldest - oldest % interval_ms
        latest = self.now_ms() if symbol in self.progress else self.now_ms() - self._source.interval_ms
        latest = min(latest, latest if end_ms is None else end_ms)
        latest -= latest % interval_ms
        if start_ms is None:
            first = max(earliest, latest - (limit - 1) * interval_ms)
        else:
            first = max(earliest, -(-start_ms // interval_ms) * interval_ms)
            latest = min(latest, first + (limit - 1) * interval_ms)
        times = range(first, latest + 1, interval_ms)
        found = (self.kline_at(symbol, interval_ms, open_ms) for open_ms in times)
        return [kline for kline in found if kline is not None]

    def average_ticks(self, symbol: str) -> Decimal:
        """The price of the last AVERAGE_MINUTES in ticks, weighted by volume, the candle in progress included; 0 when
        nothing was traded."""
        index, worth, volume = self._averages.get(symbol, (-1, 0, 0))
        if index != self.next_index:
            count = max(1, AVERAGE_MINUTES * MINUTE_MS // self.step_ms)
            parts = [self._source.bar(symbol, i) for i in range(max(0, self.next_index - count), self.next_index)]
            worth, volume = sum(map(_worth, parts)), sum(bar.volume_e8 for bar in parts)
            self._averages[symbol] = (self.next_index, worth, volume)
        progress = self.progress.get(symbol)
        if progress and progress.index == self.next_index:
            worth, volume = worth + _worth(progress.bar), volume + progress.bar.volume_e8
        return Decimal(worth) / (4 * volume) if volume else Decimal(0)

    def last_day(self, symbol: str) -> Kline | None:
        """The last 24 hours as one kline, the candle in progress included."""
        step = self._source.interval_ms
        count = min(self.next_index, INTERVALS_MS["1d"] // step - 1)
        parts = self._day_so_far(symbol, count)
        progress = self.progress.get(symbol)
        if progress and progress.index == self.next_index:
            parts = [*parts, progress.bar]
        if not parts:
            return None
        open_ms = self.now_ms() - count * step
        return Kline(open_ms, open_ms + (count + 1) * step - 1, join(parts), count + 1)

    def _day_so_far(self, symbol: str, count: int) -> list[Bar]:
        """The closed candles of the last day as one, put together once per candle."""
        index, day = self._days.get(symbol, (-1, []))
        if index != self.next_index:
            parts = [self._source.bar(symbol, i) for i in range(self.next_index - count, self.next_index)]
            day = [join(parts)] if parts else []
            self._days[symbol] = (self.next_index, day)
        return day


def _worth(bar: Bar) -> int:
    """Four times what changed hands, at the candle's typical price."""
    return (bar.high + bar.low + 2 * bar.close) * bar.volume_e8


def join(parts: list[Bar]) -> Bar:
    """Consecutive candles as one."""
    high = max(bar.high for bar in parts)
    low = min(bar.low for bar in parts)
    return Bar(parts[0].open, high, low, parts[-1].close, sum(bar.volume_e8 for bar in parts))
