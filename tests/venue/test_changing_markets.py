"""Markets that change while the venue runs: delisted and listed, with other filters, with a gap in the price; and the
filters that look at the last minutes. As ccxt and a raw client meet them."""

import asyncio
import json
import os
import signal
from decimal import Decimal
from pathlib import Path
from typing import Any

import ccxt
import pytest
from hypothesis import given
from hypothesis import strategies as st

from execution.console.cli import run
from execution.runtime.settings import VenueConfig
from execution.venue.faults import Fault, Faults, Rule
from execution.venue.price_path import quotes
from execution.venue.server import ApiKey
from tests.console.test_venue_commands import serving
from tests.support import eventually_async
from tests.venue.support import ccxt_client, raw_client, running

D = Decimal
PAIR, SYMBOL = "XRP/USDT", "XRPUSDT"
FAST = VenueConfig(speed=600)


async def open_three(client: Any) -> list[Any]:
    """A limit order, a stop order and one that was filled."""
    last = (await client.fetch_ticker(PAIR))["last"]
    bought = await client.create_order(PAIR, "market", "buy", 200)
    limit = await client.create_order(PAIR, "limit", "buy", 100, round(last * 0.5, 5))
    stop = await client.create_order(PAIR, "stop_loss", "sell", 100, None, {"stopPrice": round(last * 0.5, 5)})
    return [bought, limit, stop]


def test_a_delisted_market_is_gone_its_open_orders_have_expired_and_their_money_is_free(tmp_path: Path) -> None:
    async def scene() -> None:
        faults = Faults()
        async with running(tmp_path, FAST, faults=faults) as venue, ccxt_client(venue.port) as client:
            watched = asyncio.create_task(client.watch_orders())
            await eventually_async(lambda: venue.server.users.listeners("sandbox"), 30)
            bought, limit, stop = await open_three(client)
            assert (await client.fetch_balance())["USDT"]["used"] > 0
            faults.add(Rule(Fault.DELIST, SYMBOL))
            await eventually_async(lambda: SYMBOL not in venue.server.exchange.listed, 30)
            held = await client.fetch_balance()
            assert (held["USDT"]["used"], held["XRP"]["used"]) == (0, 0)
            assert [(await client.fetch_order(one["id"], PAIR))["status"] for one in (bought, limit, stop)] == [
                "closed",
                "expired",
                "expired",
            ], "what there was can still be read"
            for ask in (client.create_order(PAIR, "market", "buy", 100), client.fetch_ticker(PAIR)):
                with pytest.raises(ccxt.BadSymbol):
                    await ask
            assert PAIR not in await client.load_markets(True)
            await asyncio.wait_for(watched, 30)
            await eventually_async(lambda: [one["status"] for one in client.orders].count("expired") == 2, 30)

            faults.add(Rule(Fault.LIST, SYMBOL))
            await eventually_async(lambda: SYMBOL in venue.server.exchange.listed, 30)
            assert PAIR in await client.load_markets(True)

            async def sold() -> bool:
                return bool((await client.create_order(PAIR, "market", "sell", 50))["status"] == "closed")

            await eventually_async(sold, 30)

    asyncio.run(scene())


def test_a_market_is_listed_that_nobody_has_seen_before_and_stays_listed(tmp_path: Path) -> None:
    config = VenueConfig(speed=600, symbols=("BTC/USDT",), listed_later=("DOGE/USDT",))

    async def scene() -> None:
        faults = Faults()
        async with running(tmp_path, config, faults=faults) as venue, ccxt_client(venue.port) as client:
            assert list(client.markets) == ["BTC/USDT"]
            with pytest.raises(ccxt.BadSymbol):
                await client.public_get_klines({"symbol": "DOGEUSDT", "interval": "1m"})
            faults.add(Rule(Fault.LIST, "DOGEUSDT"))

            async def bought() -> bool:
                if "DOGE/USDT" not in await client.load_markets(True):
                    return False
                return bool((await client.create_order("DOGE/USDT", "market", "buy", 100))["status"] == "closed")

            await eventually_async(bought, 30)
            assert len(await client.fetch_ohlcv("DOGE/USDT", "1m", None, 50)) > 40, "it has a past"
        async with running(tmp_path, config) as venue, ccxt_client(venue.port) as client:
            assert set(client.markets) == {"BTC/USDT", "DOGE/USDT"}
            assert (await client.fetch_balance())["DOGE"]["free"] > 99

    asyncio.run(scene())


def test_streams_of_all_markets_go_on_when_the_last_of_them_is_gone(tmp_path: Path) -> None:
    async def scene() -> None:
        import aiohttp

        faults = Faults()
        async with (
            running(tmp_path, FAST, faults=faults) as venue,
            aiohttp.ClientSession() as web,
            web.ws_connect(f"{venue.url}/ws/!miniTicker@arr") as socket,
        ):
            assert [row["s"] for row in await socket.receive_json(timeout=10)][-1] == SYMBOL
            faults.add(Rule(Fault.DELIST, SYMBOL))
            while SYMBOL in [row["s"] for row in await socket.receive_json(timeout=10)]:
                pass

    asyncio.run(scene())


def test_kill_9_forgets_no_delisting_and_brings_no_order_back(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = tmp_path / "alone"
    monkeypatch.setenv("NAE_HOME", str(tmp_path))
    placed: list[Any] = []

    def where(said: dict[str, str]) -> tuple[int, ApiKey]:
        key = json.loads(Path(said["key"].removeprefix("trader: ")).read_text())
        return int(said["REST"].removesuffix("/api/v3").rpartition(":")[2]), ApiKey("trader", key["key"], key["secret"])

    async def before(port: int, key: ApiKey) -> None:
        async with ccxt_client(port, key) as client:
            placed.extend(await open_three(client))
            assert run(["venue", "fault", "delist", "--on", SYMBOL, "--folder", str(folder)]) == 0

            async def freed() -> bool:
                return bool((await client.fetch_balance())["USDT"]["used"] == 0)

            await eventually_async(freed, 30)

    async def after(port: int, key: ApiKey) -> None:
        async with ccxt_client(port, key) as client:
            assert PAIR not in client.markets
            held = await client.fetch_balance()
            assert (held["USDT"]["used"], held["XRP"]["used"]) == (0, 0)
            for one in placed[1:]:
                found = await client.private_get_order({"symbol": SYMBOL, "orderId": one["id"]})
                assert found["status"] == "EXPIRED"
            assert run(["venue", "fault", "list", "--on", SYMBOL, "--folder", str(folder)]) == 0

            async def listed() -> bool:
                return PAIR in await client.load_markets(True)

            await eventually_async(listed, 30)
            assert await client.fetch_open_orders(PAIR) == []

    with serving(folder) as (process, said):
        asyncio.run(before(*where(said)))
        os.kill(process.pid, signal.SIGKILL)
        process.wait(30)
    with serving(folder) as (_, said):
        asyncio.run(after(*where(said)))
    capsys.readouterr()


def test_filters_that_change_are_shown_and_held_and_change_back(tmp_path: Path) -> None:
    async def scene() -> None:
        faults = Faults()
        async with running(tmp_path, FAST, faults=faults) as venue, raw_client(venue) as raw:
            symbol = venue.server.exchange.symbols["BTCUSDT"]

            async def shown() -> dict[str, Any]:
                info = (await raw.public("exchangeInfo", symbol="BTCUSDT")).body["symbols"][0]["filters"]
                return {one["filterType"]: one for one in info}

            usual = await shown()
            for fault, value in ((Fault.TICK_SIZE, "5"), (Fault.STEP_SIZE, "0.005"), (Fault.MIN_NOTIONAL, "300")):
                faults.add(Rule(fault, "BTCUSDT", value=D(value)))
            await eventually_async(lambda: (symbol.tick_size, symbol.step_size) == (500, 500))
            changed = await shown()
            assert changed["PRICE_FILTER"]["tickSize"] == "5.00000000"
            assert changed["LOT_SIZE"]["stepSize"] == "0.00500000"
            assert changed["NOTIONAL"]["minNotional"] == "300.00000000"

            async def on_the_grid() -> bool:
                book = (await raw.public("depth", symbol="BTCUSDT")).body
                return all(float(price) % 5 == 0 for price, _ in book["bids"] + book["asks"])

            await eventually_async(on_the_grid, 30)
            last = symbol.average * symbol.tick // 5 * 5
            order = {"symbol": "BTCUSDT", "side": "BUY", "type": "LIMIT", "timeInForce": "GTC"}
            for price, quantity, name in (
                (last * D("0.9") // 5 * 5 + D("2.5"), "0.01", "PRICE_FILTER"),
                (last * D("0.9") // 5 * 5, "0.006", "LOT_SIZE"),
                (D(25_000), "0.01", "NOTIONAL"),
            ):
                reply = await raw.signed("POST", "order", **order, price=price, quantity=quantity)
                assert (reply.code, reply.body["msg"]) == (-1013, f"Filter failure: {name}")
            good = await raw.signed("POST", "order", **order, price=last * D("0.9") // 5 * 5, quantity="0.01")
            assert good.body["status"] == "NEW"
            faults.remove()
            await eventually_async(lambda: symbol.tick_size == symbol.step_size == 1)
            assert await shown() == usual

    asyncio.run(scene())


def test_a_filter_that_cannot_be_is_said_once_and_changes_nothing(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    async def scene() -> None:
        faults = Faults()
        async with running(tmp_path, FAST, faults=faults) as venue:
            faults.add(Rule(Fault.TICK_SIZE, "BTCUSDT", value=D("0.015")))
            await eventually_async(lambda: "a fault can't happen" in caplog.text)
            bars = venue.server.market.bars_closed
            await eventually_async(lambda: venue.server.market.bars_closed > bars + 2)
            assert caplog.text.count("a fault can't happen") == 1
            assert venue.server.exchange.symbols["BTCUSDT"].tick_size == 1

    asyncio.run(scene())


def test_a_gap_fills_a_stop_order_where_it_ends_and_leaves_a_stop_limit_open(tmp_path: Path) -> None:
    async def scene() -> None:
        faults = Faults()
        async with running(tmp_path, FAST, faults=faults) as venue, ccxt_client(venue.port) as client:
            pair = "BTC/USDT"
            last = (await client.fetch_ticker(pair))["last"]
            await client.create_order(pair, "market", "buy", 0.03)
            stop, limit = round(last * 0.9, 2), round(last * 0.89, 2)
            market = await client.create_order(pair, "stop_loss", "sell", 0.01, None, {"stopPrice": stop})
            limited = await client.create_order(pair, "stop_loss_limit", "sell", 0.01, limit, {"stopPrice": stop})
            number = faults.add(Rule(Fault.GAP, "BTCUSDT", value=D("-0.3")))

            async def ended() -> bool:
                return bool((await client.fetch_order(market["id"], pair))["status"] == "closed")

            await eventually_async(ended, 30)
            filled = await client.fetch_order(market["id"], pair)
            assert filled["average"] < last * 0.8, "at the gap's far side"
            bars = venue.server.market.bars_closed
            await eventually_async(lambda: venue.server.market.bars_closed > bars + 3, 30)
            jumped = await client.private_get_order({"symbol": "BTCUSDT", "orderId": limited["id"]})
            assert (jumped["status"], jumped["isWorking"]) == ("NEW", True), "its limit was jumped over"
            faults.remove(number)

            async def came_back() -> bool:
                return bool((await client.fetch_order(limited["id"], pair))["status"] == "closed")

            await eventually_async(came_back, 30)
            assert (await client.fetch_order(limited["id"], pair))["average"] >= limit

    asyncio.run(scene())


def test_filters_hold_an_order_against_the_price_of_the_last_minutes(tmp_path: Path) -> None:
    async def scene() -> None:
        faults = Faults()
        async with running(tmp_path, FAST, faults=faults) as venue, raw_client(venue) as raw:
            symbol, engine = venue.server.exchange.symbols["BTCUSDT"], venue.server.exchange.engine
            average = D((await raw.public("avgPrice", symbol="BTCUSDT")).body["price"])
            await raw.signed("POST", "order", symbol="BTCUSDT", side="BUY", type="MARKET", quantity="0.05")
            faults.add(Rule(Fault.GAP, "BTCUSDT", value=D("-0.9")))
            await eventually_async(lambda: engine.last_ticks["BTCUSDT"] < symbol.average / 5)
            limit = {"symbol": "BTCUSDT", "side": "SELL", "type": "LIMIT", "timeInForce": "GTC", "quantity": "0.01"}
            low = await raw.signed("POST", "order", **limit, price=round(average * D("0.15"), 2))
            assert low.body["msg"] == "Filter failure: PERCENT_PRICE_BY_SIDE"
            quantity = round(20 / average, 5)
            assert quantity * symbol.price(engine.last_ticks["BTCUSDT"]) < symbol.notional_min
            few = await raw.signed("POST", "order", symbol="BTCUSDT", side="SELL", type="MARKET", quantity=quantity)
            assert few.body["status"] == "FILLED", "it counts at the average price"

    asyncio.run(scene())


def test_an_order_at_any_price_may_be_less_than_one_with_a_limit(tmp_path: Path) -> None:
    async def scene() -> None:
        async with running(tmp_path, driven=False) as venue, raw_client(venue) as raw:
            info = (await raw.public("exchangeInfo", symbol="BTCUSDT")).body["symbols"][0]["filters"]
            most = {one["filterType"]: D(one["maxQty"]) for one in info if "maxQty" in one}
            assert 0 < most["MARKET_LOT_SIZE"] < most["LOT_SIZE"]
            more = most["MARKET_LOT_SIZE"] + D("0.001")
            order = {"symbol": "BTCUSDT", "side": "BUY", "quantity": more}
            refused = await raw.signed("POST", "order", **order, type="MARKET")
            assert refused.body["msg"] == "Filter failure: MARKET_LOT_SIZE"
            limited = await raw.signed("POST", "order", **order, type="LIMIT", timeInForce="GTC", price="50000")
            assert limited.code == -2010, "there is only no money for it"

    asyncio.run(scene())


@given(ticks=st.integers(1, 10**7), lots=st.integers(1, 10**4), step=st.integers(1, 2000))
def test_quotes_lie_on_the_grid_and_never_cross(ticks: int, lots: int, step: int) -> None:
    bids, asks = quotes(ticks, lots, step)
    assert all(price % step == 0 for price, _ in [*bids, *asks])
    assert all(price < ticks for price, _ in bids)
    assert all(price > ticks for price, _ in asks)
    assert len({price for price, _ in bids}) == len(bids)
    assert sum(size for _, size in asks) == sum(size for _, size in quotes(ticks, lots)[1])
