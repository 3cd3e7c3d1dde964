"""Recorded trades from a file, parquet or CSV, by the columns exchanges publish: a time, a price, a quantity, and which
side took if they say so. Every row is checked; what is wrong is said by file, row and column."""

import logging
import math
from array import array
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from decimal import Decimal
from pathlib import Path

from execution.venue.bars import Bar, BarColumns
from execution.venue.candle_file import FILLED_MAX_SHARE, MINUTE_MS, market_of
from execution.venue.symbols import E8, E8_DIGITS, Symbol, steps_for
from execution.venue.table_file import bad, csv_rows, read_header, read_parquet
from execution.vocabulary.exit_codes import ConfigError

log = logging.getLogger("nae.venue")

# what a column may be called: Binance, Bybit, OKX, Kraken, Coinbase, Bitstamp, Tardis, ccxt
TIMES = ("time", "timestamp", "transact_time", "created_time", "date", "T")
PRICES = ("price", "p")
QUANTITIES = ("qty", "quantity", "amount", "size", "volume", "q")
SIDES = ("side", "type")
BUYER_IS_MAKER = ("is_buyer_maker", "isBuyerMaker", "m")
HOUR_MINUTES = 60
# files without a header, as published, by how many columns they have
HEADLESS = {
    7: ("id", "price", "qty", "quoteQty", "time", "isBuyerMaker", "isBestMatch"),  # Binance trades
    8: ("id", "price", "quantity", "first", "last", "time", "isBuyerMaker", "isBestMatch"),  # Binance aggTrades
    3: ("time", "price", "volume"),  # Kraken, Bitstamp
}
UNITS = ((1e11, 1000, 1), (1e14, 1, 1), (1e17, 1, 1000), (math.inf, 1, 1_000_000))  # below it: seconds, ms, µs, ns


@dataclass
class TradeSeries:
    """A whole trade file: each trade's time, price in ticks, 0.00000001 of the base currency, and whether it was a
    sale; the minutes they make, without gaps, and at which trade each begins."""

    symbol: Symbol
    first_ms: int
    missing: int = 0
    bars: BarColumns = field(default_factory=BarColumns)
    starts: "array[int]" = field(default_factory=lambda: array("q"))
    times: "array[int]" = field(default_factory=lambda: array("q"))
    ticks: "array[int]" = field(default_factory=lambda: array("q"))
    volumes: "array[int]" = field(default_factory=lambda: array("q"))
    falling: "array[int]" = field(default_factory=lambda: array("b"))


@dataclass(frozen=True)
class Layout:
    """Which column says what."""

    header: tuple[str, ...]
    headed: bool
    time: str
    price: str
    quantity: str
    side: str | None


@dataclass
class _Raw:
    """The columns as they are recorded."""

    times: "array[int]" = field(default_factory=lambda: array("q"))
    prices: "array[float]" = field(default_factory=lambda: array("d"))
    quantities: "array[float]" = field(default_factory=lambda: array("d"))
    falling: "array[int]" = field(default_factory=lambda: array("b"))


def find_layout(header: Sequence[str]) -> Layout | None:
    """Where a trade's time, price and quantity stand; None when these columns are no trades."""
    headed = not _is_number(header[0]) if header else True
    names = tuple(header) if headed else HEADLESS.get(len(header), ())
    found = [next((name for name in known if name in names), None) for known in (TIMES, PRICES, QUANTITIES)]
    side = next((name for name in (*BUYER_IS_MAKER, *SIDES) if name in names), None)
    time, price, quantity = found
    return Layout(names, headed, time, price, quantity, side) if time and price and quantity else None


def load_trades(path: Path, pair: str = "") -> TradeSeries:
    """Read and check a trade file. `pair` ("BTC/USDT") overrides the symbol in the file's name.

    Raises ConfigError naming the file, the row (the first data row is 1), the column, the value and what is right.
    """
    base, quote = market_of(path, pair)
    layout = find_layout(read_header(path))
    if layout is None:
        raise ConfigError(f"{path}: the columns must say a trade's time, price and quantity, like time, price, qty")
    raw = _Raw()
    for time_ms, price, quantity, falling in _checked(path, layout):
        raw.times.append(time_ms)
        raw.prices.append(price)
        raw.quantities.append(quantity)
        raw.falling.append(falling)
    if not raw.times:
        raise ConfigError(f"{path}: there are no rows; at least one trade is needed")
    symbol = steps_for(base, quote, raw.prices[0], _decimals(raw.prices), _decimals(raw.quantities))
    series = TradeSeries(symbol, raw.times[0] - raw.times[0] % MINUTE_MS, times=raw.times, falling=raw.falling)
    _fill(path, layout, series, raw)
    if series.missing:
        fields = {"file": path.name, "missing": series.missing, "minutes": len(series.bars)}
        log.warning("minutes without a trade count as flat candles", extra={"fields": fields})
    return series


def _is_number(text: str) -> bool:
    try:
        return math.isfinite(float(text))
    except ValueError:
        return False


def _checked(path: Path, layout: Layout) -> Iterator[tuple[int, float, float, bool]]:
    """(milliseconds, price, quantity, was it a sale?) of each row, all checked."""
    last_ms, last_price, falling, unit = 0, 0.0, False, (0, 0)
    for row, (time_text, price_text, quantity_text, side) in enumerate(_read(path, layout)):
        time = _number(path, row, layout.time, time_text)
        if not row:
            unit = next((by, over) for most, by, over in UNITS if time < most)
        time_ms = round(time * unit[0]) // unit[1]
        if not 0 <= time_ms < 1e14:
            bad(path, row, layout.time, time_text, "it must be a time since 1970, in the unit of the first row")
        if time_ms < last_ms:
            bad(path, row, layout.time, time_text, "before the row above; rows must be in order of time")
        price = _number(path, row, layout.price, price_text)
        if not 0 < price < 1e9:
            bad(path, row, layout.price, price_text, "a price must be above 0 and below 1,000,000,000")
        quantity = _number(path, row, layout.quantity, quantity_text)
        if not 0 < quantity < 1e10:
            bad(path, row, layout.quantity, quantity_text, "a quantity must be above 0 and below 10,000,000,000")
        if layout.side is None:
            falling = price < last_price or (price == last_price and falling)
        else:
            falling = _was_sale(path, row, layout.side, side)
        last_ms, last_price = time_ms, price
        yield time_ms, price, quantity, falling


def _was_sale(path: Path, row: int, column: str, value: object) -> bool:
    word = str(value).lower()
    words = ("true", "false", "1", "0") if column in BUYER_IS_MAKER else ("sell", "buy", "s", "b")
    if word not in words:
        bad(path, row, column, value, f"it must be {words[0]} or {words[1]}")
    return word in (words[0], words[2])


def _read(path: Path, layout: Layout) -> Iterator[tuple[object, object, object, object]]:
    names = [layout.time, layout.price, layout.quantity]
    if path.suffix == ".csv":
        places = [layout.header.index(name) for name in (*names, layout.side or layout.time)]
        for _, texts in csv_rows(path, len(layout.header), layout.headed):
            time, price, quantity, side = (texts[place] for place in places)
            yield time, price, quantity, side
        return
    columns = read_parquet(path, names[0], names[1:], [layout.side] if layout.side else ())
    values = [columns[name] for name in (*names, layout.side or layout.time)]
    yield from zip(*values, strict=True)


def _number(path: Path, row: int, column: str, value: object) -> float:
    try:
        number = float(str(value)) if isinstance(value, str) else float(value)  # type: ignore[arg-type]
    except ValueError:
        bad(path, row, column, value, "it must be a number")
    if not math.isfinite(number):
        bad(path, row, column, value, "it must be a finite number")
    return number


def _decimals(values: Iterable[float]) -> int:
    """How many decimals these have, at most eight."""
    exponents = (Decimal(repr(value)).normalize().as_tuple().exponent for value in set(values))
    return max(0, min(E8_DIGITS, max(-int(exponent) for exponent in exponents)))


def _fill(path: Path, layout: Layout, series: TradeSeries, raw: _Raw) -> None:
    scale, last = 10**series.symbol.price_decimals, len(raw.times) - 1
    minutes = (raw.times[last] - series.first_ms) // MINUTE_MS + 1
    if minutes > FILLED_MAX_SHARE * max(last, HOUR_MINUTES):
        bad(path, last, layout.time, raw.times[last], f"{minutes} minutes after the first row: not one recording")
    bar: Bar | None = None
    for row, (time_ms, price, quantity) in enumerate(zip(raw.times, raw.prices, raw.quantities, strict=True)):
        ticks, volume = round(price * scale), round(quantity * E8)
        for column, value, steps in ((layout.price, price, ticks), (layout.quantity, quantity, volume)):
            if not steps:
                bad(path, row, column, value, "it must be at least 0.00000001")
        minute = (time_ms - series.first_ms) // MINUTE_MS
        if bar is None or minute >= len(series.starts):
            bar = _next_minute(series, row, bar, minute, ticks)
        bar = Bar(bar.open, max(bar.high, ticks), min(bar.low, ticks), ticks, bar.volume_e8 + volume)
        series.ticks.append(ticks)
        series.volumes.append(volume)
    assert bar is not None, "there is at least one row"
    series.bars.append(bar)
    series.starts.append(len(raw.times))


def _next_minute(series: TradeSeries, row: int, bar: Bar | None, minute: int, ticks: int) -> Bar:
    """The last minute is over: it, and those without a trade after it, become candles."""
    while len(series.starts) <= minute:
        if bar is not None:
            series.bars.append(bar)
            series.missing += len(series.starts) < minute
            bar = Bar(bar.close, bar.close, bar.close, bar.close, 0)
        series.starts.append(row)
    return Bar(ticks, ticks, ticks, ticks, 0)
