"""A venue that mirrors another exchange: a second one of ours, on loopback, reached through ccxt like any other. Its
book and trades stand here, our orders meet them without moving it, and nothing fills on what may be no longer true."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager, suppress
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from execution.exchange.original import open_original
from execution.runtime.clock import Clock, ManualClock, SystemClock
from execution.runtime.settings import VenueConfig
from execution.venue.faults import Fault, Faults, Rule
from execution.venue.mirrored import Hearer
from execution.venue.server import VenueServer
from execution.vocabulary.exit_codes import ConfigError
from execution.vocabulary.market import Candle, SymbolRules
from tests.support import eventually_async
from tests.venue.support import CLIENTS, Raw, Running, raw_client, running

D = Decimal
MIRROR = VenueConfig(market="mirror:binance", history_bars=100)
ORIGINAL = VenueConfig(speed=60, history_bars=150, symbols=("BTC/USDT", "ETH/USDT"))
MINUTE = 60_000
START = 1_700_000_040_000
GTC = {"symbol": "BTCUSDT", "type": "LIMIT", "timeInForce": "GTC"}


@asynccontextmanager
async def mirrored(folder: Path, original: Running) -> AsyncIterator[tuple[Running, Raw]]:
    """A venue that mirrors a running one."""
    found = await open_original("binance", ORIGINAL.symbols, 100, SystemClock(), base_url=original.url)
    async with serving(folder, found, SystemClock()) as pair:
        yield pair


@asynccontextmanager
async def serving(folder: Path, found: Any, clock: Clock) -> AsyncIterator[tuple[Running, Raw]]:
    server = VenueServer(MIRROR, folder, CLIENTS, clock, original=found)
    venue = Running(server, await server.start())
    driver = asyncio.create_task(server.run_market())
    try:
        async with raw_client(venue, clock) as raw:
            yield venue, raw
    finally:
        driver.cancel()
        with suppress(asyncio.CancelledError):
            await driver
        await server.stop()


async def trading(venue: Running) -> None:
    await eventually_async(lambda: not venue.server.market.lost and venue.server.market.tape["BTCUSDT"], 30)


def test_the_book_the_trades_and_the_closed_candles_are_the_originals(tmp_path: Path) -> None:
    async def scene() -> None:
        async with (
            running(tmp_path / "original", ORIGINAL) as original,
            mirrored(tmp_path / "mirror", original) as (venue, raw),
            raw_client(original) as there,
        ):
            await trading(venue)
            begun = venue.server.market.bars_closed
            await eventually_async(lambda: venue.server.market.bars_closed >= begun + 3, 30)
            for symbol in ("BTCUSDT", "ETHUSDT"):
                ours = (await raw.public("klines", symbol=symbol, interval="1m", limit=50)).body
                theirs = (await there.public("klines", symbol=symbol, interval="1m", limit=60)).body
                closed = venue.server.market.candles.now_ms()
                assert [row[:6] for row in ours if row[0] < closed] == [
                    row[:6] for row in theirs if ours[0][0] <= row[0] < closed
                ]
                assert len([row for row in ours if row[0] < closed]) > 40

            async def same_book() -> bool:
                ours, theirs = await asyncio.gather(*(one.public("depth", symbol="BTCUSDT") for one in (raw, there)))
                return bool(ours.body["bids"] == theirs.body["bids"] and ours.body["asks"] == theirs.body["asks"])

            await eventually_async(same_book, 30)
            told = {(row["price"], row["time"]) for row in (await there.public("trades", symbol="BTCUSDT")).body}
            heard = {(row["price"], row["time"]) for row in (await raw.public("trades", symbol="BTCUSDT")).body}
            assert len(heard & told) > 10
            info = [(await one.public("exchangeInfo", symbol="BTCUSDT")).body["symbols"][0] for one in (raw, there)]
            assert info[0]["filters"][:2] == info[1]["filters"][:2], "the same steps"

    asyncio.run(scene())


def test_an_original_that_goes_away_stops_the_market_and_one_that_comes_back_starts_it(tmp_path: Path) -> None:
    async def scene() -> None:
        faults = Faults()
        async with (
            running(tmp_path / "original", ORIGINAL, faults=faults) as original,
            mirrored(tmp_path / "mirror", original) as (venue, raw),
        ):
            await trading(venue)
            order = GTC | {"side": "BUY", "quantity": "0.01"}
            last = D((await raw.public("ticker/price", symbol="BTCUSDT")).body["price"])
            resting = await raw.signed("POST", "order", **order, price=str(round(last * D("0.98"), 2)))
            assert resting.body["status"] == "NEW"
            gone = faults.add(Rule(Fault.OFFLINE))
            await eventually_async(lambda: venue.server.market.lost, 30)
            assert venue.server.get_health()["status"] == "degraded"
            assert "isn't heard" in venue.server.get_health()["metrics"]["reason"]
            info = (await raw.public("exchangeInfo", symbol="BTCUSDT")).body["symbols"][0]
            assert info["status"] == "BREAK"
            refused = await raw.signed("POST", "order", symbol="BTCUSDT", side="BUY", type="MARKET", quantity="0.01")
            assert (refused.code, refused.body["msg"]) == (-2010, "Market is closed.")
            book = (await raw.public("depth", symbol="BTCUSDT")).body
            assert [len(book["bids"]), book["asks"]] == [1, []], "ours alone"
            faults.remove(gone)
            await eventually_async(lambda: not venue.server.market.lost, 30)
            bought = await raw.signed("POST", "order", symbol="BTCUSDT", side="BUY", type="MARKET", quantity="0.01")
            assert bought.body["status"] == "FILLED"

            closed = venue.server.market.bars_closed
            await eventually_async(lambda: venue.server.market.bars_closed > closed, 30)

    asyncio.run(scene())


@pytest.mark.parametrize(("silent", "stands"), [("*", ["BREAK", "BREAK"]), ("btcusdt@*", ["BREAK", "TRADING"])])
def test_a_line_that_is_only_silent_stops_what_it_says_nothing_of(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, silent: str, stands: list[str]
) -> None:
    monkeypatch.setattr("execution.exchange.original.STALE_FEED_S", 1.0)
    monkeypatch.setattr("execution.exchange.original.CHECK_PERIOD_S", 0.1)
    monkeypatch.setattr("execution.venue.mirror.STALE_FEED_S", 1.0)
    monkeypatch.setattr("execution.venue.mirror.QUIET_MAX_S", 1.5)

    async def scene() -> None:
        faults = Faults()
        async with (
            running(tmp_path / "original", ORIGINAL, faults=faults) as original,
            mirrored(tmp_path / "mirror", original) as (venue, raw),
        ):

            async def status() -> list[str]:
                return [one["status"] for one in (await raw.public("exchangeInfo")).body["symbols"]]

            async def is_so(wanted: list[str]) -> bool:
                return await status() == wanted

            await eventually_async(lambda: is_so(["TRADING", "TRADING"]), 30)
            gone = faults.add(Rule(Fault.DROP_EVENT, silent, for_s=3600))
            await eventually_async(lambda: is_so(stands), 30)
            wanted = "degraded" if silent == "*" else "healthy"
            await eventually_async(lambda: venue.server.get_health()["status"] == wanted, 30)
            faults.remove(gone)
            await eventually_async(lambda: is_so(["TRADING", "TRADING"]), 30)

    asyncio.run(scene())


class Written:
    """An original that says what a test tells it to."""

    name = "written"

    def __init__(self) -> None:
        rules = SymbolRules("BTC/USDT", "BTC", "USDT", D("0.01"), D("0.001"), D("0.001"), D(5), D(0))
        self.rules = {"BTC/USDT": rules}
        rows = [Candle(START + i * MINUTE, D(100), D(101), D(99), D(100), D(5)) for i in range(10)]
        self.history = {"BTC/USDT": rows}
        self.later: list[Candle] = []
        self.hearer: Hearer | None = None
        self.asked = 0

    async def candles(self, symbol: str, since_ms: int) -> Sequence[Candle]:
        self.asked += 1
        return [row for row in self.later if row.open_ms >= since_ms]

    async def follow(self, hearer: Hearer) -> None:
        self.hearer = hearer
        await asyncio.Event().wait()

    def book(
        self, *levels: tuple[str, str], asks: Sequence[tuple[str, str]] = (("100.10", "2"), ("100.20", "5"))
    ) -> None:
        assert self.hearer is not None
        bids = levels or (("100.00", "1"), ("99.90", "3"))
        self.hearer.on_book("BTC/USDT", [(D(p), D(q)) for p, q in bids], [(D(p), D(q)) for p, q in asks])

    def trade(self, price: str, quantity: str, minute: int = 10) -> None:
        assert self.hearer is not None
        self.hearer.on_trade("BTC/USDT", D(price), D(quantity), True, START + minute * MINUTE)


@asynccontextmanager
async def written(folder: Path, clock: Clock | None = None) -> AsyncIterator[tuple[Written, Running, Raw]]:
    original = Written()
    async with serving(folder, original, clock or SystemClock()) as (venue, raw):
        await eventually_async(lambda: original.hearer)
        yield original, venue, raw


def test_an_order_that_takes_meets_the_mirrored_book_and_does_not_move_it(tmp_path: Path) -> None:
    async def scene() -> None:
        async with written(tmp_path) as (original, _, raw):
            original.book()
            bought = await raw.signed("POST", "order", symbol="BTCUSDT", side="BUY", type="MARKET", quantity="3")
            assert [(f["price"], f["qty"]) for f in bought.body["fills"]] == [
                ("100.10000000", "2.00000000"),
                ("100.20000000", "1.00000000"),
            ]

            async def as_it_was() -> bool:
                asks = (await raw.public("depth", symbol="BTCUSDT")).body["asks"]
                return bool(asks == [["100.10000000", "2.00000000"], ["100.20000000", "5.00000000"]])

            await eventually_async(as_it_was)

    asyncio.run(scene())


def test_a_resting_order_fills_when_the_original_trades_through_it_by_no_more_than_was_traded(tmp_path: Path) -> None:
    async def scene() -> None:
        async with written(tmp_path) as (original, _, raw):
            original.book()
            placed = await raw.signed("POST", "order", **GTC, side="BUY", price="99.95", quantity="2")

            async def filled() -> str:
                found = await raw.signed("GET", "order", symbol="BTCUSDT", orderId=placed.body["orderId"])
                return str(found.body["executedQty"])

            original.trade("99.95", "9")
            assert await filled() == "0.00000000", "at its price others stand in front"
            original.trade("99.94", "0.5")
            assert await filled() == "0.50000000"
            original.book(asks=[("99.95", "1"), ("100.20", "5")])
            assert await filled() == "1.50000000", "who offers at our price meets us"
            original.trade("99.90", "100")
            assert await filled() == "2.00000000"
            trades = (await raw.signed("GET", "myTrades", symbol="BTCUSDT")).body
            assert {(t["price"], t["isMaker"]) for t in trades} == {("99.95000000", True)}

    asyncio.run(scene())


def test_a_stop_order_hears_the_originals_trades_and_meets_its_book(tmp_path: Path) -> None:
    async def scene() -> None:
        async with written(tmp_path) as (original, _, raw):
            original.book()
            original.trade("100.05", "1")
            await raw.signed("POST", "order", symbol="BTCUSDT", side="BUY", type="MARKET", quantity="1")
            stop = await raw.signed(
                "POST", "order", symbol="BTCUSDT", side="SELL", type="STOP_LOSS", quantity="0.9", stopPrice="99.50"
            )
            original.trade("99.51", "1")
            original.book(("98", "7"))
            original.trade("99.49", "1")
            found = await raw.signed("GET", "order", symbol="BTCUSDT", orderId=stop.body["orderId"])
            assert (found.body["status"], found.body["cummulativeQuoteQty"]) == ("FILLED", "88.20000000")

    asyncio.run(scene())


def test_nothing_fills_on_a_book_that_is_stale(tmp_path: Path) -> None:
    async def scene() -> None:
        clock = Still()
        async with written(tmp_path, clock) as (original, venue, raw):
            original.book()
            placed = await raw.signed("POST", "order", **GTC, side="BUY", price="99.95", quantity="2")
            clock.advance(6)
            await eventually_async(lambda: venue.server.market.lost)
            original.trade("90", "100")
            found = await raw.signed("GET", "order", symbol="BTCUSDT", orderId=placed.body["orderId"])
            assert found.body["status"] == "NEW"
            cancelled = await raw.signed("DELETE", "order", symbol="BTCUSDT", orderId=placed.body["orderId"])
            assert cancelled.body["status"] == "CANCELED", "it can be taken back"
            original.book()
            assert not venue.server.market.lost

    asyncio.run(scene())


class Still(ManualClock):
    """Stands until it is advanced; who sleeps gives way."""

    async def sleep(self, seconds: float) -> None:
        await asyncio.sleep(0)


def test_a_candle_that_the_original_has_not_got_in_time_counts_as_flat(tmp_path: Path) -> None:
    async def scene() -> None:
        clock = Still()
        async with written(tmp_path, clock) as (original, venue, raw):
            original.book()
            original.trade("100.05", "1")
            original.trade("100.50", "1", minute=11)
            await eventually_async(lambda: original.asked > 3)
            assert venue.server.market.bars_closed == 0, "not without the original"
            clock.advance(3)
            original.book()
            clock.advance(3)
            original.book()
            await eventually_async(lambda: venue.server.market.bars_closed)
            original.later = [Candle(START + 11 * MINUTE, D(100), D(103), D(99), D(101), D(7))]
            original.trade("100.70", "1", minute=12)
            await eventually_async(lambda: venue.server.market.bars_closed == 2)
            rows = (await raw.public("klines", symbol="BTCUSDT", interval="1m", limit=3)).body
            assert [[float(v) for v in row[1:6]] for row in rows] == [
                [100, 100, 100, 100, 0],
                [100, 103, 99, 101, 7],
                [100.7, 100.7, 100.7, 100.7, 1],
            ]

    asyncio.run(scene())


def test_an_exchange_or_a_market_that_is_not_known_is_said(tmp_path: Path) -> None:
    async def scene() -> None:
        with pytest.raises(ConfigError, match="mirror:binance would be right"):
            await open_original("kraken", ("BTC/USDT",), 100, SystemClock())
        async with running(tmp_path, ORIGINAL, driven=False) as original:
            with pytest.raises(ConfigError, match=r"venue\.symbols"):
                await open_original("binance", ("XXX/USDT",), 100, SystemClock(), base_url=original.url)
        with pytest.raises(ConfigError, match="must be http://127"):
            await open_original("binance", ("BTC/USDT",), 100, SystemClock(), base_url="http://example.com")

    asyncio.run(scene())
