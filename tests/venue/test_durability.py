"""What was acknowledged is never lost: restarts, a store that refuses, markets that change, and kill -9."""

import asyncio
import os
import random
import signal
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from decimal import Decimal
from functools import partial
from pathlib import Path
from typing import Any

import aiohttp
import pytest

from execution.runtime.clock import ManualClock, SystemClock
from execution.runtime.settings import VenueConfig
from execution.runtime.sqlite import DatabaseError, read_all
from execution.venue.errors import ApiError
from execution.venue.server import VenueServer
from execution.venue.store import Store
from execution.vocabulary.exit_codes import BusyError
from tests.support import eventually_async
from tests.venue.support import CLIENTS, LIVE, Raw, Running, raw_client, running, signed

MARKET = {"symbol": "BTCUSDT", "type": "MARKET"}
LIMIT = {"symbol": "BTCUSDT", "side": "BUY", "type": "LIMIT", "timeInForce": "GTC", "price": "30000"}


def totals(folder: Path) -> dict[str, Decimal]:
    """What everybody has of each asset, house included, as stored."""
    sums: dict[str, Decimal] = {}
    for row in read_all(folder / "venue.db", "SELECT * FROM balances"):
        sums[row["asset"]] = sums.get(row["asset"], Decimal(0)) + Decimal(row["free"]) + Decimal(row["locked"])
    return sums


def test_a_restart_brings_back_orders_fills_balances_and_the_book(tmp_path: Path) -> None:
    async def scene() -> None:
        async with running(tmp_path, driven=False) as venue, raw_client(venue) as raw:
            bought = (await raw.signed("POST", "order", **MARKET, side="BUY", quantity="0.01")).body
            resting = (await raw.signed("POST", "order", **LIMIT, quantity="0.02", newClientOrderId="mine")).body
            account = (await raw.signed("GET", "account")).body["balances"]
            trades = (await raw.signed("GET", "myTrades", symbol="BTCUSDT")).body
            state = (await raw.signed("GET", "order", symbol="BTCUSDT", orderId=resting["orderId"])).body
        async with running(tmp_path, driven=False) as venue, raw_client(venue) as raw:
            assert (await raw.signed("GET", "account")).body["balances"] == account
            assert (await raw.signed("GET", "myTrades", symbol="BTCUSDT")).body == trades
            assert (await raw.signed("GET", "openOrders", symbol="BTCUSDT")).body == [state]
            assert (await raw.signed("GET", "order", symbol="BTCUSDT", origClientOrderId="mine")).body == state
            depth = (await raw.public("depth", symbol="BTCUSDT")).body
            assert ["30000.00000000", "0.02000000"] in depth["bids"]
            assert (await raw.signed("POST", "order", **LIMIT, quantity="1", newClientOrderId="mine")).code == -2010
            again = (await raw.signed("POST", "order", **MARKET, side="SELL", quantity="0.001")).body
            assert again["orderId"] > resting["orderId"] > bought["orderId"]
            assert again["fills"][0]["tradeId"] > trades[-1]["id"]
            assert (await raw.signed("DELETE", "order", symbol="BTCUSDT", origClientOrderId="mine")).status == 200
        assert totals(tmp_path) == {"USDT": Decimal(20_000), "BTC": Decimal(0)}

    asyncio.run(scene())


def test_market_time_stands_still_while_the_venue_is_down(tmp_path: Path) -> None:
    async def scene() -> None:
        config = VenueConfig(speed=6000, history_bars=500)
        async with running(tmp_path, config) as venue:
            await eventually_async(lambda: venue.server.market.bars_closed >= 3)
        stopped, next_trade = (
            venue.server.market.candles.next_index,
            max(venue.server.exchange.engine.next_trade_ids.values()),
        )
        async with running(tmp_path, config, driven=False) as venue, raw_client(venue) as raw:
            assert venue.server.market.candles.next_index == stopped
            assert max(venue.server.exchange.engine.next_trade_ids.values()) >= next_trade, (
                "no number on the tape is used twice"
            )
            rows = (await raw.public("klines", symbol="BTCUSDT", interval="1m", limit=1000)).body
            assert len(rows) == stopped, "history has grown by what has passed"

    asyncio.run(scene())


def closed_at_least(venue: Running, count: int) -> bool:
    return venue.server.market.bars_closed >= count


@pytest.mark.parametrize("speed", [60, 6000])
def test_a_closed_candle_and_its_trades_are_remembered_at_once(tmp_path: Path, speed: float) -> None:
    """Without a clean stop too, market time and the numbers of trades never go back."""

    async def scene() -> None:
        clock = ManualClock()
        async with running(tmp_path, VenueConfig(speed=speed), clock) as venue:
            for wanted in (1, 5, 150, 333):
                await eventually_async(partial(closed_at_least, venue, wanted), every_s=0)
                rows = read_all(tmp_path / "venue.db", "SELECT name, value FROM market")
                stored = {row["name"]: row["value"] for row in rows}
                ahead = int(stored["next_index"]) - venue.server.market.candles.next_index
                assert 0 <= ahead < max(1, speed / 60), "as many candles as a second has, at most"
                assert int(stored["next_trade_id"]) > max(venue.server.exchange.engine.next_trade_ids.values())

    asyncio.run(scene())


def test_when_the_store_refuses_nothing_is_acknowledged_and_memory_goes_back_to_it(tmp_path: Path) -> None:
    async def scene() -> None:
        async with running(tmp_path, driven=False) as venue, raw_client(venue) as raw:
            await raw.signed("POST", "order", **LIMIT, quantity="0.02", newClientOrderId="kept")
            account = (await raw.signed("GET", "account")).body["balances"]
            original = Store.save

            def full(*_args: Any, **_named: Any) -> None:
                Store.save = original  # type: ignore[method-assign]
                raise DatabaseError("database or disk is full")

            for values in (MARKET | {"side": "BUY", "quantity": "0.01"}, LIMIT | {"quantity": "0.05"}):
                Store.save = full  # type: ignore[method-assign]
                reply = await raw.signed("POST", "order", **values)
                assert (reply.status, reply.code) == (503, -1006)
            Store.save = full  # type: ignore[method-assign]
            assert (await raw.signed("DELETE", "order", symbol="BTCUSDT", origClientOrderId="kept")).status == 503
            assert (await raw.signed("GET", "account")).body["balances"] == account
            assert [o["clientOrderId"] for o in (await raw.signed("GET", "openOrders")).body] == ["kept"]
            assert (await raw.signed("GET", "myTrades", symbol="BTCUSDT")).body == []
            assert venue.server.get_health()["error_count"] == 3
            assert (await raw.signed("DELETE", "order", symbol="BTCUSDT", origClientOrderId="kept")).status == 200

    asyncio.run(scene())


def test_an_open_order_whose_market_is_gone_is_given_back(tmp_path: Path) -> None:
    async def scene() -> None:
        async with running(tmp_path, driven=False) as venue, raw_client(venue) as raw:
            await raw.signed("POST", "order", **LIMIT, quantity="0.02")
        other = VenueConfig(symbols=("ETH/USDT",))
        async with running(tmp_path, other, driven=False) as venue, raw_client(venue) as raw:
            assert (await raw.signed("GET", "openOrders")).body == []
            (dollars,) = (await raw.signed("GET", "account")).body["balances"]
            assert (dollars["free"], dollars["locked"]) == ("10000.00000000", "0.00000000")
        rows = read_all(tmp_path / "venue.db", "SELECT status FROM orders")
        assert [row["status"] for row in rows] == ["EXPIRED"]

    asyncio.run(scene())


def test_a_port_that_is_taken_is_said_and_leaves_the_store_alone(tmp_path: Path) -> None:
    async def scene() -> None:
        async with running(tmp_path / "one", driven=False) as venue:
            second = VenueServer(VenueConfig(), tmp_path / "two", CLIENTS, SystemClock())
            with pytest.raises(OSError, match="address already in use"):
                await second.start(venue.port)
            assert not (tmp_path / "two").exists()

    asyncio.run(scene())


def test_a_stop_lets_the_market_take_its_last_step_and_nothing_is_stored_after_it(tmp_path: Path) -> None:
    async def scene(folder: Path) -> None:
        server = VenueServer(VenueConfig(speed=60_000_000), folder, CLIENTS, SystemClock())
        await server.start()
        driver = asyncio.create_task(server.run_market())
        await eventually_async(lambda: server.market.bars_closed >= 3, every_s=0)
        await server.stop()
        closed = server.market.bars_closed
        for _ in range(10):
            await asyncio.sleep(0)
        assert not driver.done() and server.market.bars_closed == closed
        with pytest.raises(ApiError, match="-1006"):
            server.market.remember_exactly()  # late, and no reason to end the process
        assert (server.exchange.store_errors, server.market.failures) == (0, 0)
        driver.cancel()
        await asyncio.wait({driver})

    for number in range(3):
        asyncio.run(scene(tmp_path / str(number)))


def test_a_folder_has_one_venue_and_the_second_names_the_first(tmp_path: Path) -> None:
    async def scene() -> None:
        async with running(tmp_path, driven=False) as venue, raw_client(venue) as raw:
            second = VenueServer(VenueConfig(), tmp_path, CLIENTS, SystemClock())
            with pytest.raises(BusyError, match=rf"venue.lock is held by the venue pid {os.getpid()}$"):
                await second.start()
            assert (await raw.signed("POST", "order", **LIMIT, quantity="0.02")).status == 200, "the first goes on"
        async with running(tmp_path, driven=False):
            pass  # a stop gives the folder back

    asyncio.run(scene())


@asynccontextmanager
async def process(folder: Path, *more: str) -> AsyncIterator[tuple[Raw, asyncio.subprocess.Process]]:
    """A venue in its own process; it is killed at the end, if it still lives."""
    command = (sys.executable, "-m", "tests.venue.serving", str(folder), *more)
    child = await asyncio.create_subprocess_exec(*command, stdout=asyncio.subprocess.PIPE)
    try:
        assert child.stdout is not None
        port = int(await asyncio.wait_for(child.stdout.readline(), 20))
        timeout = aiohttp.ClientTimeout(total=5)
        async with aiohttp.ClientSession(timeout=timeout) as session:
            yield Raw(session, f"http://127.0.0.1:{port}", SystemClock()), child
    finally:
        if child.returncode is None:
            child.send_signal(signal.SIGKILL)
        await child.wait()


async def trade(raw: Raw, seed: int, acknowledged: dict[int, dict[str, Any]], cancelled: set[int]) -> None:
    """Orders and cancels until the venue is gone; what it acknowledged, by order id, and which cancels were sent."""
    seeded = random.Random(seed)
    while True:
        draw = seeded.random()
        try:
            if draw < 0.4:
                side = seeded.choice(["BUY", "SELL"])
                reply = await raw.signed("POST", "order", **MARKET, side=side, quantity="0.001")
            elif draw < 0.7 or not acknowledged:
                reply = await raw.signed("POST", "order", **LIMIT, quantity="0.0005")
            else:
                order_id = seeded.choice(list(acknowledged))
                cancelled.add(order_id)
                reply = await raw.signed("DELETE", "order", symbol="BTCUSDT", orderId=order_id)
        except (TimeoutError, aiohttp.ClientError):
            return
        if reply.status == 200:
            acknowledged[reply.body["orderId"]] = reply.body


@pytest.mark.parametrize("seed", [1, 2, 3])
def test_kill_9_at_any_moment_loses_nothing_that_was_acknowledged(tmp_path: Path, seed: int) -> None:
    async def scene() -> None:
        acknowledged: dict[int, dict[str, Any]] = {}
        cancelled: set[int] = set()
        async with process(tmp_path) as (raw, child):
            traders = [
                asyncio.create_task(trade(raw, seed * 10 + number, acknowledged, cancelled)) for number in range(3)
            ]
            enough = random.Random(seed).randint(20, 60)
            await eventually_async(lambda: len(acknowledged) >= enough)
            candles = (await raw.public("klines", symbol="BTCUSDT", interval="1m")).body
            last_trade = (await raw.public("trades", symbol="BTCUSDT")).body[-1]["id"]
            child.send_signal(signal.SIGKILL)
            await asyncio.gather(*traders)
        async with process(tmp_path) as (raw, _child):
            stored = {o["orderId"]: o for o in (await raw.signed("GET", "allOrders", symbol="BTCUSDT")).body}
            for order_id, reply in acknowledged.items():
                maybe = {"CANCELED"} if order_id in cancelled and reply["status"] == "NEW" else set()
                assert stored[order_id]["status"] in {reply["status"]} | maybe
                assert stored[order_id]["executedQty"] == reply["executedQty"]
            closed = [row[0] for row in candles[:-1]]
            now = (await raw.public("klines", symbol="BTCUSDT", interval="1m", limit=1000)).body
            assert set(closed) <= {row[0] for row in now}, "market time never goes back behind a closed candle"
            fresh = (await raw.signed("POST", "order", **MARKET, side="BUY", quantity="0.001")).body
            assert fresh["fills"][0]["tradeId"] > last_trade, "a trade's number is never used twice"
            still_open = {i for i, o in stored.items() if o["status"] == "NEW"}
            assert {o["orderId"] for o in (await raw.signed("GET", "openOrders")).body} == still_open
            locked = sum(Decimal(stored[i]["origQty"]) * 30_000 for i in still_open)
            held = {row["asset"]: row for row in (await raw.signed("GET", "account")).body["balances"]}
            assert Decimal(held["USDT"]["locked"]) == locked
            assert totals(tmp_path) == {"USDT": Decimal(20_000), "BTC": Decimal(0)}
            live = await raw.ask(
                "GET", "/api/v3/account", signed({}, SystemClock().now_ms(), LIVE.secret), key=LIVE.key
            )
            assert live.body["balances"][0]["free"] == "10000.00000000"

    asyncio.run(scene())
