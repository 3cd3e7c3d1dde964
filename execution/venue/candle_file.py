"""Recorded candles from a file, parquet or CSV. Every row is checked; what is wrong is said by file, row and column.
Missing candles become flat ones, counted; nothing else is repaired."""

import logging
import math
import re
from collections import Counter
from dataclasses import dataclass
from decimal import Decimal
from itertools import pairwise
from pathlib import Path

from execution.venue.bars import Bar, BarColumns
from execution.venue.symbols import E8, E8_DIGITS, Symbol, split_pair, steps_for
from execution.venue.table_file import Columns, bad, csv_rows, read_header, read_parquet
from execution.vocabulary.exit_codes import ConfigError

log = logging.getLogger("nae.venue")

COLUMNS = ("timestamp", "open", "high", "low", "close", "volume")
PRICES = COLUMNS[1:5]
MINUTE_MS = 60_000
NAME_FORM = re.compile(r"([A-Z0-9]+)[_-]([A-Z0-9]+)(-[\w-]+)?")  # BTC_USDT-1m
PUBLISHED_FORM = re.compile(r"([A-Z0-9]+)(USDT|USDC|FDUSD|BTC|ETH|BNB)-[\w-]+")  # BTCUSDT-trades-2026-11-20
FILLED_MAX_SHARE = 20  # more missing candles than this many times the recorded ones: not one market's file


@dataclass(frozen=True)
class CandleSeries:
    """A whole candle file, without gaps. Prices are in the symbol's ticks."""

    symbol: Symbol
    interval_ms: int
    first_ms: int
    bars: BarColumns
    missing: int


def load_candles(path: Path, volume_unit: str = "base", pair: str = "") -> CandleSeries:
    """Read and check a candle file. `pair` ("BTC/USDT") overrides the symbol in the file's name.

    Raises ConfigError naming the file, the row (the first data row is 1), the column, the value and what is right.
    """
    base, quote = market_of(path, pair)
    header = read_header(path)
    _check_header(path, header)
    columns = _read_csv(path, header) if path.suffix == ".csv" else read_parquet(path, COLUMNS[0], COLUMNS[1:])
    if not columns["timestamp"]:
        raise ConfigError(f"{path}: there are no rows; at least two candles are needed")
    _check_rows(path, columns)
    interval = _interval(path, columns["timestamp"])
    symbol = steps_for(base, quote, columns["close"][0], _decimals(columns))
    bars, missing = _fill(path, columns, symbol, interval, volume_unit)
    if missing:
        fields = {"file": path.name, "missing": missing, "rows": len(columns["timestamp"])}
        log.warning("missing candles count as candles without trades", extra={"fields": fields})
    return CandleSeries(symbol, interval, int(columns["timestamp"][0]), bars, missing)


def market_of(path: Path, pair: str) -> tuple[str, str]:
    """Base and quote, as `pair` or the file's name says. Raises ConfigError."""
    if pair:
        return split_pair(pair, "venue.replay_symbol")
    match = NAME_FORM.fullmatch(path.stem) or PUBLISHED_FORM.fullmatch(path.stem)
    if not match:
        raise ConfigError(
            f"{path}: the file's name doesn't say which market it is; name it like BTC_USDT-1m.parquet"
            ' or set venue.replay_symbol = "BTC/USDT"'
        )
    base, quote = match.group(1), match.group(2)
    return split_pair(f"{base}/{'USDT' if quote == 'USD' else quote}", f"{path}: the market in the name")


def _check_header(path: Path, names: list[str]) -> None:
    for name in COLUMNS:
        if name not in names:
            raise ConfigError(f"{path}: column {name} is missing; the columns must be {', '.join(COLUMNS)}")
    for name in names:
        if name not in COLUMNS or names.count(name) > 1:
            raise ConfigError(f"{path}: column {name!r} isn't known; the columns must be {', '.join(COLUMNS)}")


def _read_csv(path: Path, header: list[str]) -> Columns:
    columns: Columns = {name: [] for name in header}
    for number, row in csv_rows(path, len(header)):
        for name, text in zip(header, row, strict=True):
            columns[name].append(_number(path, number, name, text))
    return columns


def _number(path: Path, row: int, column: str, text: str) -> float:
    try:
        return int(text) if column == "timestamp" else float(text)
    except ValueError:
        right = "it must be whole milliseconds since 1970" if column == "timestamp" else "it must be a number"
        bad(path, row, column, text, right)


def _check_rows(path: Path, columns: Columns) -> None:
    for name in COLUMNS[1:]:
        for row, value in enumerate(columns[name]):
            if not math.isfinite(value):
                bad(path, row, name, value, "it must be a finite number")
            if name == "volume" and value < 0:
                bad(path, row, name, value, "a volume can't be negative")
            if name != "volume" and value <= 0:
                bad(path, row, name, value, "a price must be above 0")
            if value >= 1e9 and name != "volume":
                bad(path, row, name, value, "a price must be below 1,000,000,000")
    prices = zip(*(columns[name] for name in PRICES), strict=True)
    for row, (first, high, low, last) in enumerate(prices):
        if high < low:
            bad(path, row, "high", high, f"it is below the low ({low!r})")
        if high < max(first, last):
            bad(path, row, "high", high, f"it is below the open or the close ({max(first, last)!r})")
        if low > min(first, last):
            bad(path, row, "low", low, f"it is above the open or the close ({min(first, last)!r})")


def _interval(path: Path, times: list[float]) -> int:
    """The usual distance of two rows; every row must lie on that grid, in order."""
    for row, (before, after) in enumerate(pairwise(times), start=1):
        if after == before:
            bad(path, row, "timestamp", after, "the same as in the row before; every candle must be there once")
        if after < before:
            bad(path, row, "timestamp", after, f"before the row above ({before!r}); rows must be in order of time")
    if len(times) < 2:
        raise ConfigError(f"{path}: row 1 is the only one; at least two candles are needed to know their length")
    interval = int(Counter(after - before for before, after in pairwise(times)).most_common(1)[0][0])
    if interval % MINUTE_MS:
        bad(path, 1, "timestamp", times[1], f"candles of {interval} ms; the length must be whole minutes")
    for row, time_ms in enumerate(times):
        if time_ms % interval or time_ms < 0:
            right = f"it must be a multiple of the candle's length ({interval} ms)"
            bad(path, row, "timestamp", time_ms, right)
    return interval


def _decimals(columns: Columns) -> int:
    """How many decimals the recorded prices have, at most eight."""
    texts = {repr(value) for name in PRICES for value in columns[name]}
    exponents = (Decimal(text).normalize().as_tuple().exponent for text in texts)
    return min(E8_DIGITS, max(-int(exponent) for exponent in exponents))


def _fill(path: Path, columns: Columns, symbol: Symbol, interval: int, volume_unit: str) -> tuple[BarColumns, int]:
    bars, missing = BarColumns(), 0
    scale = 10**symbol.price_decimals
    times = columns["timestamp"]
    expected = int((times[-1] - times[0]) // interval) + 1
    if expected > FILLED_MAX_SHARE * len(times):
        bad(path, len(times) - 1, "timestamp", times[-1], f"{expected - len(times)} candles before it are missing")
    for row, values in enumerate(zip(*(columns[name] for name in COLUMNS), strict=True)):
        if row:
            gap = int((values[0] - times[row - 1]) // interval) - 1
            missing += gap
            for _ in range(gap):
                close = bars[len(bars) - 1].close
                bars.append(Bar(close, close, close, close, 0))
        prices = [round(value * scale) for value in values[1:5]]
        if min(prices) < 1:
            bad(path, row, "low", values[3], "a price must be at least 0.00000001")
        volume = values[5] / values[4] if volume_unit == "quote" else values[5]
        if volume >= 1e10:
            bad(path, row, "volume", values[5], "a volume must be below 10,000,000,000 of the base currency")
        bars.append(Bar(prices[0], prices[1], prices[2], prices[3], round(volume * E8)))
    return bars, missing
