"""The market's driver: exact candles, steady steps, fills where the price crosses, and an end that is said once."""

import asyncio
import csv
from contextlib import suppress
from pathlib import Path

import aiohttp
import msgspec
import pytest

from execution.runtime.clock import ManualClock
from execution.runtime.settings import VenueConfig
from execution.venue.markets import make_source
from execution.venue.server import ApiKey, VenueServer
from execution.vocabulary.exit_codes import ConfigError
from execution.vocabulary.health import ComponentHealth
from tests.support import eventually_async
from tests.venue.support import Running, raw_client, running

START = 1_700_000_040_000
MINUTE = 60_000


def recording(folder: Path, count: int = 130, minutes: int = 1, name: str = "BTC_USD-1m.csv") -> Path:
    """A recorded market that swings by a percent."""
    path = folder / name
    with path.open("w", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(["timestamp", "open", "high", "low", "close", "volume"])
        for index in range(count):
            low, high = (100.0, 101.0) if index % 2 else (99.0, 100.0)
            first, last = (low, high) if index % 2 else (high, low)
            time_ms = START - START % (minutes * MINUTE) + index * minutes * MINUTE
            writer.writerow([time_ms, first, high + 0.25, low - 0.25, last, 1000 + index])
    return path


def replay(path: Path, speed: float = 60_000) -> VenueConfig:
    return VenueConfig(market=f"replay:{path}", speed=speed, history_bars=100)


async def until_ended(venue: Running) -> None:
    await eventually_async(lambda: venue.server.market.ended)


def test_closed_klines_are_exactly_the_recorded_ones_whoever_trades(tmp_path: Path) -> None:
    async def scene() -> None:
        path = recording(tmp_path)
        async with running(tmp_path / "home", replay(path)) as venue, raw_client(venue) as raw:
            order = {"symbol": "BTCUSDT", "side": "BUY", "type": "MARKET", "quoteOrderQty": "100"}
            assert (await raw.signed("POST", "order", **order)).status == 200
            await until_ended(venue)
            rows = (await raw.public("klines", symbol="BTCUSDT", interval="1m", limit=1000)).body
        with path.open() as file:
            recorded = [[float(value) for value in row] for row in list(csv.reader(file))[1:]]
        assert [[float(value) for value in row[:6]] for row in rows] == recorded

    asyncio.run(scene())


def test_the_last_price_passes_through_every_corner_of_every_candle(tmp_path: Path) -> None:
    async def scene() -> None:
        config = replay(recording(tmp_path, 110))
        server = VenueServer(config, tmp_path / "home", [ApiKey("a", "k", "s")], ManualClock())
        source = make_source(config)
        seen: dict[int, list[int]] = {}
        candles = server.market.candles

        def look(name: str, _fresh: object, closed: bool) -> None:
            if not closed and name in candles.progress:
                book, last = server.exchange.engine.books[name], server.exchange.engine.last_ticks[name]
                bid, ask = book.best_bid(), book.best_ask()
                assert bid is not None
                assert ask is not None
                assert bid[0] < last < ask[0] <= bid[0] + last // 1000, "the book stands around it"
                seen.setdefault(candles.next_index, []).append(server.exchange.engine.last_ticks[name])

        await server.start()
        server.market.listeners.append(look)
        driver = asyncio.create_task(server.run_market())
        while not server.market.ended:
            await asyncio.sleep(0)
        driver.cancel()
        for index, ticks in seen.items():
            bar = source.bar("BTCUSDT", index)
            assert (ticks[0], max(ticks), min(ticks), ticks[-1]) == (bar.open, bar.high, bar.low, bar.close)
        assert sorted(seen) == list(range(100, 110))
        await server.stop()

    asyncio.run(scene())


def test_resting_orders_fill_as_makers_when_the_market_crosses_them(tmp_path: Path) -> None:
    async def scene() -> None:
        path = recording(tmp_path)
        config = replay(path)
        async with running(tmp_path / "home", config, driven=False) as venue, raw_client(venue) as raw:
            order = {"symbol": "BTCUSDT", "side": "BUY", "type": "LIMIT", "timeInForce": "GTC"}
            low = await raw.signed("POST", "order", **order, price="98.80", quantity="1")
            never = await raw.signed("POST", "order", **order, price="98.70", quantity="1")
            assert low.body["status"] == "NEW"
            driver = asyncio.create_task(venue.server.run_market())
            await until_ended(venue)
            driver.cancel()
            found = (await raw.signed("GET", "order", symbol="BTCUSDT", orderId=low.body["orderId"])).body
            assert (found["status"], found["cummulativeQuoteQty"]) == ("FILLED", "98.80000000")
            trades = (await raw.signed("GET", "myTrades", symbol="BTCUSDT")).body
            assert all(trade["isMaker"] for trade in trades)
            found = (await raw.signed("GET", "order", symbol="BTCUSDT", orderId=never.body["orderId"])).body
            assert found["status"] == "NEW", "the recorded low was 98.75"

    asyncio.run(scene())


def test_a_recorded_market_ends_once_and_for_all(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    async def scene() -> None:
        config = replay(recording(tmp_path))
        for _ in range(2):
            async with running(tmp_path / "home", config) as venue, raw_client(venue) as raw:
                await until_ended(venue)
                health = venue.server.get_health()
                assert health["status"] == "degraded"
                assert msgspec.convert(health, ComponentHealth).metrics["reason"] == "replay ended"
                info = (await raw.public("exchangeInfo", symbol="BTCUSDT")).body["symbols"][0]
                assert info["status"] == "BREAK"
                order = {"symbol": "BTCUSDT", "side": "BUY", "type": "MARKET", "quantity": "1"}
                refused = await raw.signed("POST", "order", **order)
                assert (refused.code, refused.body["msg"]) == (-2010, "Market is closed.")
            assert caplog.text.count("replay ended") == 1
            caplog.clear()

    asyncio.run(scene())


def test_a_coarser_recording_is_served_in_its_own_interval_and_above(tmp_path: Path) -> None:
    async def scene() -> None:
        path = recording(tmp_path, minutes=5, name="ETH_BTC-5m.csv")
        async with running(tmp_path / "home", replay(path), driven=False) as venue, raw_client(venue) as raw:
            assert (await raw.public("klines", symbol="ETHBTC", interval="1m")).code == -1120
            assert len((await raw.public("klines", symbol="ETHBTC", interval="5m")).body) == 100
            assert len((await raw.public("klines", symbol="ETHBTC", interval="15m")).body) == 34
            balances = (await raw.signed("GET", "account")).body["balances"]
            assert balances == [
                {"asset": "BTC", "free": "0.10000000", "locked": "0.00000000"},
                {"asset": "USDT", "free": "10000.00000000", "locked": "0.00000000"},
            ]

    asyncio.run(scene())


def test_closed_klines_are_streamed_once_each_and_coarser_ones_when_complete(tmp_path: Path) -> None:
    async def scene() -> None:
        path = recording(tmp_path)
        async with (
            running(tmp_path / "home", replay(path, 6000), driven=False) as venue,
            aiohttp.ClientSession() as session,
        ):
            names = "btcusdt@kline_1m/btcusdt@kline_5m"
            async with session.ws_connect(f"{venue.url}/stream?streams={names}") as socket:
                driver = asyncio.create_task(venue.server.run_market())
                await until_ended(venue)
                driver.cancel()
                closed: dict[str, list[int]] = {"1m": [], "5m": []}
                while len(closed["1m"]) < 30:
                    kline = (await socket.receive_json(timeout=5))["data"]["k"]
                    if kline["x"]:
                        closed[kline["i"]].append(kline["t"])
        first = START + 100 * MINUTE
        assert closed["1m"] == [first + index * MINUTE for index in range(30)]
        assert closed["5m"] == [t - 4 * MINUTE for t in closed["1m"] if (t + MINUTE) % (5 * MINUTE) == 0]

    asyncio.run(scene())


def test_depth_messages_build_the_same_book_as_a_snapshot(tmp_path: Path) -> None:
    async def scene() -> None:
        config = VenueConfig(speed=6000)
        async with (
            running(tmp_path, config, driven=False) as venue,
            raw_client(venue) as raw,
            aiohttp.ClientSession() as web,
            web.ws_connect(f"{venue.url}/ws/btcusdt@depth@100ms") as socket,
        ):
            snapshot = (await raw.public("depth", symbol="BTCUSDT", limit=1000)).body
            sides = {"b": dict(snapshot["bids"]), "a": dict(snapshot["asks"])}
            driver = asyncio.create_task(venue.server.run_market())
            at = snapshot["lastUpdateId"]
            for _ in range(20):
                event = await socket.receive_json(timeout=5)
                assert event["U"] == at + 1, "no gap"
                at = event["u"]
                for side, levels in sides.items():
                    levels.update(event[side])
                    sides[side] = {price: size for price, size in levels.items() if float(size)}
            driver.cancel()  # its children take some more turns of the loop to end: another step may still come
            with suppress(asyncio.CancelledError):
                await driver
            while at < venue.server.exchange.engine.books["BTCUSDT"].version:
                event = await socket.receive_json(timeout=5)
                at = event["u"]
                for side, levels in sides.items():
                    levels.update(event[side])
                    sides[side] = {price: size for price, size in levels.items() if float(size)}
            final = (await raw.public("depth", symbol="BTCUSDT", limit=1000)).body
            assert (sides["b"], sides["a"]) == (dict(final["bids"]), dict(final["asks"]))

    asyncio.run(scene())


def test_a_candle_takes_its_time_divided_by_the_speed_and_lost_time_is_not_caught_up(tmp_path: Path) -> None:
    async def scene() -> None:
        clock = ManualClock()
        server = VenueServer(VenueConfig(speed=60), tmp_path, [ApiKey("a", "k", "s")], clock)
        await server.start()
        driver = asyncio.create_task(server.run_market())
        began = clock.monotonic()
        while server.market.bars_closed < 10:
            await asyncio.sleep(0)
        assert clock.monotonic() - began == pytest.approx(10, abs=0.6)
        clock.advance(3600)
        before, began = server.market.bars_closed, clock.monotonic()
        while server.market.bars_closed < before + 10:
            await asyncio.sleep(0)
        assert clock.monotonic() - began == pytest.approx(10, abs=1.2)
        driver.cancel()
        await server.stop()

    asyncio.run(scene())


@pytest.mark.parametrize("market", ["", "mirror", "replay:", "replay", "synthetic:7", "replay:/nowhere/BTC_USDT.csv"])
def test_a_market_that_cannot_be_is_refused(tmp_path: Path, market: str) -> None:
    with pytest.raises(ConfigError):
        VenueServer(VenueConfig(market=market), tmp_path, [], ManualClock())


def test_accounts_need_keys_of_their_own(tmp_path: Path) -> None:
    for keys in ([ApiKey("a", "k", "s"), ApiKey("b", "k", "t")], [ApiKey("@market", "k", "s")], [ApiKey("", "k", "s")]):
        with pytest.raises(ConfigError):
            VenueServer(VenueConfig(), tmp_path, keys, ManualClock())
