"""Candle files: what is right is read exactly, what is wrong is named by file, row, column and value."""

import csv
import os
import random
from decimal import Decimal
from pathlib import Path

import pytest

from execution.venue.bars import Bar
from execution.venue.candle_file import load_candles
from execution.vocabulary.exit_codes import ConfigError

HEADER = ["timestamp", "open", "high", "low", "close", "volume"]
START = 1_700_000_040_000
MINUTE = 60_000
Row = list[object]


def rows(count: int = 5) -> list[Row]:
    return [[START + i * MINUTE, 100.0 + i, 101.5 + i, 99.25 + i, 100.5 + i, 10.0] for i in range(count)]


def write_csv(folder: Path, content: list[Row], header: list[str] | None = None, name: str = "BTC_USD-1m.csv") -> Path:
    path = folder / name
    with path.open("w", newline="") as file:
        csv.writer(file).writerows([header or HEADER, *content])
    return path


def write_parquet(folder: Path, content: list[Row], name: str = "BTC_USD-1m.parquet") -> Path:
    import polars

    path = folder / name
    polars.DataFrame(content, schema=HEADER, orient="row").write_parquet(path)
    return path


def problem(path: Path, pair: str = "") -> str:
    with pytest.raises(ConfigError) as error:
        load_candles(path, "base", pair)
    assert str(path) in str(error.value) or "replay_symbol" in str(error.value)
    return str(error.value)


@pytest.mark.parametrize("write", [write_csv, write_parquet])
def test_a_good_file_is_read_exactly(tmp_path: Path, write: object) -> None:
    series = load_candles(write(tmp_path, rows()))  # type: ignore[operator]
    assert (series.interval_ms, series.first_ms, len(series.bars), series.missing) == (MINUTE, START, 5, 0)
    assert (series.symbol.name, series.symbol.base, series.symbol.quote) == ("BTCUSDT", "BTC", "USDT")
    bar = series.bars[1]
    assert series.symbol.price(bar.open) == Decimal("101")
    assert series.symbol.price(bar.low) == Decimal("100.25")
    assert bar.volume_e8 == 10 * 10**8


def test_the_name_says_the_market_and_the_configuration_overrides_it(tmp_path: Path) -> None:
    assert load_candles(write_csv(tmp_path, rows(), name="ETH_BTC-5m.csv")).symbol.name == "ETHBTC"
    assert load_candles(write_csv(tmp_path, rows()), pair="DOGE/USDT").symbol.name == "DOGEUSDT"
    assert "name it like" in problem(write_csv(tmp_path, rows(), name="candles.csv"))
    assert "replay_symbol" in problem(write_csv(tmp_path, rows()), pair="doge")


def test_a_volume_in_quote_becomes_base(tmp_path: Path) -> None:
    series = load_candles(write_csv(tmp_path, rows()), "quote")
    assert series.bars[0].volume_e8 == round(10.0 / 100.5 * 1e8)


def test_missing_candles_become_flat_ones_counted_and_said(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    content = rows(6)
    del content[2:4]
    series = load_candles(write_csv(tmp_path, content))
    assert (len(series.bars), series.missing) == (6, 2)
    close = series.bars[1].close
    assert series.bars[2] == series.bars[3] == Bar(close, close, close, close, 0)
    assert "missing candles" in caplog.text


@pytest.mark.parametrize(
    ("row", "column", "value", "words"),
    [
        (1, 1, float("nan"), "finite"),
        (2, 5, float("inf"), "finite"),
        (3, 5, -1.0, "negative"),
        (0, 3, 0.0, "above 0"),
        (4, 4, -5.0, "above 0"),
        (2, 2, 50.0, "below the low"),
        (2, 2, 102.2, "below the open or the close"),
        (2, 3, 102.4, "above the open or the close"),
        (3, 0, START + 2 * MINUTE, "same as in the row before"),
        (3, 0, START + MINUTE, "in order"),
        (3, 0, START + 3 * MINUTE + 1, "multiple"),
        (1, 1, 2e9, "below 1,000,000,000"),
    ],
)
@pytest.mark.parametrize("write", [write_csv, write_parquet])
def test_a_bad_value_is_named_with_its_row_and_column(
    tmp_path: Path, write: object, row: int, column: int, value: object, words: str
) -> None:
    content = rows()
    content[row][column] = value
    said = problem(write(tmp_path, content))  # type: ignore[operator]
    assert f"row {row + 1}, column {HEADER[column]}" in said or column != 2
    assert f"row {row + 1}," in said
    assert str(value) in said
    assert words in said


@pytest.mark.parametrize("text", ["", "abc", "1,5"])
def test_a_csv_value_that_is_no_number_is_named(tmp_path: Path, text: str) -> None:
    content = rows()
    content[2][4] = text
    assert f"row 3, column close = {text!r}" in problem(write_csv(tmp_path, content))


def test_columns_must_be_the_six(tmp_path: Path) -> None:
    assert "volume is missing" in problem(write_csv(tmp_path, [r[:5] for r in rows()], HEADER[:5]))
    wrong = [*HEADER[:5], "vol"]
    assert "volume is missing" in problem(write_csv(tmp_path, rows(), wrong))
    assert "'trades' isn't known" in problem(write_csv(tmp_path, [[*r, 1] for r in rows()], [*HEADER, "trades"]))
    assert "must have 6 values" in problem(write_csv(tmp_path, [*rows(), [1, 2]]))


def test_files_that_are_none_are_refused(tmp_path: Path) -> None:
    assert "no rows" in problem(write_csv(tmp_path, []))
    assert "only one" in problem(write_csv(tmp_path, rows(1)))
    assert "No such file" in problem(tmp_path / "BTC_USD-1m.csv.csv".replace(".csv.csv", "x.csv"))
    assert "can't be read" in problem(tmp_path / "BTC_USD.parquet")
    broken = tmp_path / "BTC_USDT.parquet"
    broken.write_bytes(random.Random(1).randbytes(500))
    assert "can't be read as a parquet file" in problem(broken)
    other = tmp_path / "BTC_USDT.json"
    other.write_text("{}")
    assert "must be a .parquet or a .csv file" in problem(other)
    assert "can't be read" in problem(write_bytes(tmp_path / "BTC_USDT.csv", b"\xff\xfe\x00bad"))


def write_bytes(path: Path, content: bytes) -> Path:
    path.write_bytes(content)
    return path


def test_times_in_seconds_are_refused(tmp_path: Path) -> None:
    assert "whole minutes" in problem(write_csv(tmp_path, [[int(str(r[0])) // 1000, *r[1:]] for r in rows()]))


def test_a_parquet_column_of_another_type_is_refused(tmp_path: Path) -> None:
    assert "whole milliseconds" in problem(write_parquet(tmp_path, [[float(str(r[0])), *r[1:]] for r in rows()]))
    assert "must hold numbers" in problem(write_parquet(tmp_path, [[*r[:5], "many"] for r in rows()]))


DATA = Path(os.environ.get("NAE_CANDLE_DATA", Path(__file__).resolve().parents[3] / "shared" / "data"))


@pytest.mark.skipif(not DATA.is_dir(), reason="set NAE_CANDLE_DATA to a folder with recorded candles")
@pytest.mark.parametrize(
    ("name", "unit", "missing", "decimals"),
    [
        ("BTC_USD-1m.parquet", "quote", 0, 3),
        ("DASH_BTC-5m.parquet", "base", 2, 8),
        ("ETC_BTC-5m.parquet", "base", 0, 8),
    ],
)
def test_real_candles_come_back_to_eight_decimals(name: str, unit: str, missing: int, decimals: int) -> None:
    import polars

    series = load_candles(DATA / name, unit)
    assert (series.missing, series.symbol.price_decimals) == (missing, decimals)
    frame = polars.read_parquet(DATA / name)
    for time_ms, *prices, _volume in (frame.row(i) for i in range(0, frame.height, 97)):
        bar = series.bars[(time_ms - series.first_ms) // series.interval_ms]
        assert [float(series.symbol.price(ticks)) for ticks in bar[:4]] == [round(price, 8) for price in prices]
