"""Trade files: the columns that exchanges publish are found by their header, every trade is replayed in its place, and
what is wrong is named by file, row, column and value."""

import asyncio
import csv
from decimal import Decimal
from pathlib import Path

import pytest

from execution.console.cli import run
from execution.runtime.clock import ManualClock
from execution.runtime.settings import VenueConfig
from execution.venue.bars import Bar
from execution.venue.market_state import Tick
from execution.venue.recorded import open_recording
from execution.venue.server import ApiKey, VenueServer
from execution.venue.trade_file import TradeSeries, load_trades
from execution.vocabulary.exit_codes import ConfigError
from tests.console.test_venue_commands import serving
from tests.venue.support import ccxt_client, raw_client, running

START = 1_700_000_040_000
MINUTE = 60_000
BINANCE = ["id", "price", "qty", "quoteQty", "time", "isBuyerMaker", "isBestMatch"]
Row = list[object]


def trades(count: int = 6) -> list[tuple[int, float, float, bool]]:
    """(time, price, quantity, was it a sale?): three a minute."""
    return [(START + 20_000 * i, 100.0 + i % 4, 0.5 + i, i % 2 == 0) for i in range(count)]


def write(folder: Path, header: list[str] | None, rows: list[Row], name: str = "BTCUSDT-trades-2023-11-14.csv") -> Path:
    path = folder / name
    if path.suffix == ".parquet":
        import polars

        polars.DataFrame(rows, schema=header, orient="row").write_parquet(path)
    else:
        with path.open("w", newline="") as file:
            csv.writer(file).writerows([header, *rows] if header else rows)
    return path


def binance(rows: list[tuple[int, float, float, bool]]) -> list[Row]:
    return [[9 + i, p, q, p * q, t, str(sale), "True"] for i, (t, p, q, sale) in enumerate(rows)]


def read(series: TradeSeries) -> list[tuple[int, float, float, bool]]:
    price = [float(series.symbol.price(ticks)) for ticks in series.ticks]
    return list(zip(series.times, price, [v / 1e8 for v in series.volumes], map(bool, series.falling), strict=True))


WAYS: dict[str, tuple[list[str] | None, object]] = {
    "Binance, as published": (None, lambda i, t, p, q, s: [i, p, q, p * q, t, str(s), "True"]),
    "Binance, microseconds": (None, lambda i, t, p, q, s: [i, p, q, p * q, t * 1000 + 7, str(s), "True"]),
    "Binance aggTrades": (None, lambda i, t, p, q, s: [i, p, q, i, i, t, str(s), "True"]),
    "Binance futures": (
        ["id", "price", "qty", "quote_qty", "time", "is_buyer_maker"],
        lambda i, t, p, q, s: [i, p, q, p * q, t, str(s).lower()],
    ),
    "Bybit": (
        ["id", "timestamp", "price", "volume", "side"],
        lambda i, t, p, q, s: [i, t, p, q, "sell" if s else "buy"],
    ),
    "Bybit derivatives": (
        ["timestamp", "symbol", "side", "size", "price", "tickDirection", "trdMatchID"],
        lambda i, t, p, q, s: [t / 1000, "BTCUSDT", "Sell" if s else "Buy", q, p, "PlusTick", "x"],
    ),
    "OKX": (
        ["instrument_name", "trade_id", "side", "price", "size", "created_time"],
        lambda i, t, p, q, s: ["BTC-USDT", i, "SELL" if s else "BUY", p, q, t],
    ),
    "Tardis": (
        ["exchange", "symbol", "timestamp", "local_timestamp", "id", "side", "price", "amount"],
        lambda i, t, p, q, s: ["x", "BTCUSDT", t * 1000, t, i, "sell" if s else "buy", p, q],
    ),
    "one letter": (["time", "price", "qty", "side"], lambda i, t, p, q, s: [t, p, q, "S" if s else "B"]),
    "one digit": (["time", "price", "qty", "m"], lambda i, t, p, q, s: [t, p, q, int(s)]),
    "ccxt": (
        ["timestamp", "datetime", "symbol", "id", "side", "price", "amount", "cost"],
        lambda i, t, p, q, s: [t, "then", "BTC/USDT", i, "sell" if s else "buy", p, q, p * q],
    ),
}


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("kind", ["csv", "parquet"])
def test_the_columns_that_exchanges_publish_are_found_by_their_header(tmp_path: Path, way: str, kind: str) -> None:
    header, make = WAYS[way]
    if kind == "parquet" and header is None:
        pytest.skip("a parquet file always has a header")
    if kind == "parquet" and way == "Bybit derivatives":
        pytest.skip("its seconds have fractions: CSV only")
    rows = [make(i, *trade) for i, trade in enumerate(trades())]  # type: ignore[operator]
    series = load_trades(write(tmp_path, header, rows, f"BTC_USDT-trades.{kind}"))
    assert read(series) == trades()


def test_without_a_side_the_price_says_who_took(tmp_path: Path) -> None:
    path = write(tmp_path, None, [[t // 1000, p, q] for t, p, q, _ in trades()], "XBT_USD.csv")
    series = load_trades(path)
    assert (series.symbol.name, [bool(sale) for sale in series.falling]) == (
        "XBTUSDT",
        [False, False, False, False, True, False],
    )


def test_minutes_are_made_of_their_trades_and_those_without_any_are_flat(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    rows = [*trades(4), (START + 4 * MINUTE + 1, 90.125, 0.25, True)]
    source = open_recording(write(tmp_path, BINANCE, binance(rows)), "base", "")
    symbol = source.symbols[0]
    assert (symbol.name, source.first_ms, source.length, str(symbol.tick)) == ("BTCUSDT", START, 5, "0.001")
    bars = [source.bar("BTCUSDT", index) for index in range(5)]
    assert bars[0] == Bar(100_000, 102_000, 100_000, 102_000, 450_000_000)
    assert bars[1] == Bar(103_000, 103_000, 103_000, 103_000, 350_000_000)
    assert bars[2] == bars[3] == Bar(103_000, 103_000, 103_000, 103_000, 0)
    assert bars[4] == Bar(90_125, 90_125, 90_125, 90_125, 25_000_000)
    assert "minutes without a trade" in caplog.text


def test_the_market_goes_through_every_trade_in_its_place_and_the_book_stands_around_each(tmp_path: Path) -> None:
    async def scene() -> None:
        made = [
            (START + 7_000 * i, 100 + (i * 37 % 50) / 100, 0.001 + i % 9, i % 3 == 0)
            for i in range(60 * MINUTE // 7000)
        ]
        config = VenueConfig(market=f"replay:{write(tmp_path, BINANCE, binance(made))}", speed=60_000)
        server = VenueServer(config, tmp_path / "home", [ApiKey("a", "k", "s")], ManualClock())
        exchange, seen = server.exchange, list[Tick]()
        await server.start()
        move, begun = exchange.move, server.market.candles.now_ms()

        def look(name: str, ticks: int, *rest: object) -> None:
            move(name, ticks, *rest)  # type: ignore[arg-type]
            bid, ask = exchange.engine.books[name].best_bid(), exchange.engine.books[name].best_ask()
            assert bid and ask and bid[0] < ticks < ask[0]

        exchange.move = look  # type: ignore[method-assign,assignment]
        server.market.listeners.append(lambda _name, fresh, _closed: seen.extend(fresh))
        driver = asyncio.create_task(server.run_market())
        while not server.market.ended:
            await asyncio.sleep(0)
        driver.cancel()
        symbol = exchange.symbols["BTCUSDT"]
        told = [
            (
                t.time_ms,
                float(symbol.price(t.trade.ticks)),
                float(symbol.quantity(t.trade.lots)),
                t.trade.buyer_is_maker,
            )
            for t in seen
        ]
        assert told == [(t, round(p, 2), q, sale) for t, p, q, sale in made if t >= begun]
        assert len(told) > 200
        await server.stop()

    asyncio.run(scene())


def test_a_resting_order_is_filled_by_the_trades_that_reach_it_and_by_no_more_than_they_are(tmp_path: Path) -> None:
    async def scene() -> None:
        rows = [(START + 1000 * i, 100.0, 1.0, False) for i in range(60 * 60)]
        rows[2400:2403] = [
            (t, p, q, True) for (t, _, _, _), p, q in zip(rows[2400:2403], (90, 95, 90), (2, 3, 4), strict=True)
        ]
        config = VenueConfig(market=f"replay:{write(tmp_path, BINANCE, binance(rows))}", speed=100_000)
        async with running(tmp_path / "home", config, driven=False) as venue, raw_client(venue) as raw:
            order = {"symbol": "BTCUSDT", "side": "BUY", "type": "LIMIT", "timeInForce": "GTC"}
            placed = await raw.signed("POST", "order", **order, price="90", quantity="50")
            driver = asyncio.create_task(venue.server.run_market())
            while not venue.server.market.ended:
                await asyncio.sleep(0)
            driver.cancel()
            found = (await raw.signed("GET", "order", symbol="BTCUSDT", orderId=placed.body["orderId"])).body
            assert (found["status"], float(found["executedQty"])) == ("PARTIALLY_FILLED", 6.0)
            assert Decimal(found["cummulativeQuoteQty"]) == 6 * 90, "at its own price"

    asyncio.run(scene())


def problem(path: Path) -> str:
    with pytest.raises(ConfigError) as error:
        open_recording(path, "base", "")
    assert str(path) in str(error.value)
    return str(error.value)


@pytest.mark.parametrize(
    ("column", "value", "said"),
    [
        (1, "abc", "row 3, column price = 'abc': it must be a number"),
        (1, "", "row 3, column price = '': it must be a number"),
        (1, "nan", "finite"),
        (1, -1, "above 0"),
        (1, 1e9, "below 1,000,000,000"),
        (1, 1e-9, "at least 0.00000001"),
        (2, 0, "row 3, column qty = '0': a quantity must be above 0"),
        (2, 1e-9, "column qty = 1e-09: it must be at least"),
        (2, "inf", "finite"),
        (4, START, "row 3, column time = '1700000040000': before the row above"),
        (4, -5, "a time since 1970"),
        (4, START * 1000, "a time since 1970, in the unit of the first row"),
        (5, "maybe", "row 3, column isBuyerMaker = 'maybe': it must be true or false"),
    ],
)
def test_a_bad_value_is_named_with_its_row_and_column(tmp_path: Path, column: int, value: object, said: str) -> None:
    rows = binance(trades())
    rows[2][column] = value
    assert said in problem(write(tmp_path, BINANCE, rows))


def test_files_that_hold_neither_trades_nor_candles_are_refused(tmp_path: Path) -> None:
    assert "neither candles" in problem(write(tmp_path, ["a", "b"], [[1, 2]]))
    assert "neither candles" in problem(write(tmp_path, None, []))
    assert "no rows" in problem(write(tmp_path, BINANCE, []))
    assert "row 2, column count = 6: a row must have 7 values" in problem(
        write(tmp_path, BINANCE, [binance(trades())[0], binance(trades())[1][:6]])
    )
    far = [*trades(2), (START + 10**12, 100.0, 1.0, True)]
    assert "not one recording" in problem(write(tmp_path, BINANCE, binance(far)))
    rows: list[Row] = [[t, str(p), q] for t, p, q, _ in trades()]
    assert "column price has the type String; it must hold numbers" in problem(
        write(tmp_path, ["time", "price", "qty"], rows, "BTC_USDT.parquet")
    )
    empty: list[Row] = [[START, 1.0, 1.0], [START, None, 1.0]]
    assert "row 2, column price = None" in problem(
        write(tmp_path, ["time", "price", "qty"], empty, "BTC_USDT-x.parquet")
    )


def test_candles_are_still_candles(tmp_path: Path) -> None:
    header = ["timestamp", "open", "high", "low", "close", "volume"]
    rows: list[Row] = [[START + i * MINUTE, 1.0, 2.0, 0.5, 1.5, 10] for i in range(4)]
    assert open_recording(write(tmp_path, header, rows), "base", "").bar("BTCUSDT", 0) == Bar(
        10000, 20000, 5000, 15000, 10**9
    )
    assert "volume is missing" in problem(write(tmp_path, header[:5], [row[:5] for row in rows]))


def test_a_venue_by_itself_replays_trades(tmp_path: Path) -> None:
    path = write(tmp_path, None, binance([(START + 500 * i, 100.0 + i % 7, 0.5, i % 2 == 0) for i in range(24_000)]))

    async def look(port: int) -> None:
        async with ccxt_client(port) as client:
            rows = await client.fetch_ohlcv("BTC/USDT", "1m", None, 10)
            assert [row[1:5] for row in rows[:-1]] != []
            assert all(100 <= row[3] <= row[2] <= 106 and row[5] == 60 for row in rows[:-1])
            trades = await client.fetch_trades("BTC/USDT")
            assert {trade["amount"] for trade in trades} == {0.5}

    with serving(tmp_path / "alone", "--market", f"replay:{path}") as (_, said):
        assert said["market"].endswith("BTCUSDT")
        asyncio.run(look(int(said["REST"].removesuffix("/api/v3").rpartition(":")[2])))


def test_the_help_says_which_recordings_there_are_and_shows_examples(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["venue", "serve", "--help"]) == 0
    told = " ".join(capsys.readouterr().out.split())
    for text in ("replay:FILE", "mirror:binance", "Binance, Bybit", "--market replay:BTC_USDT-1m.parquet --speed 60"):
        assert text in told
