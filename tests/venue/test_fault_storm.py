"""Every fault at once, by seed, over two clients that trade by REST and by WebSocket: whatever they are told, no money
comes or goes, no lock is left, the venue finds no error of its own, and once the faults are over it is a good venue."""

import asyncio
from decimal import Decimal
from pathlib import Path
from random import Random
from typing import Any

import aiohttp
import pytest

from execution.runtime.clock import SystemClock
from execution.runtime.settings import VenueConfig
from execution.venue.fault_kinds import MEANINGS, Fault
from execution.venue.faults import Faults, Rule
from execution.venue.journal import JOURNAL_NAME
from execution.venue.journal_check import check
from execution.venue.limits import RateLimits
from execution.venue.server import STORE_NAME
from tests.support import eventually_async, rounds
from tests.venue.support import LIVE, SANDBOX, Running, raw_client, running, signed

PLACES = {
    "a request": ("*", "POST /api/v3/order", "DELETE *", "GET *", "WS order.*", "WS *"),
    "an event": ("*", "btcusdt@*", "sandbox *"),
    "a symbol": ("BTCUSDT", "*"),
    "a door": ("*", "streams", "ws-api"),
    "an account": ("sandbox", "*"),
    "nothing": ("*",),
}
LASTING = {Fault.DELIST, Fault.LIST}  # they change what is traded for good; test_changing_markets has them
STREAMS = ("bookTicker", "trade", "aggTrade", "depth@100ms", "depth5", "ticker", "miniTicker", "kline_1m", "avgPrice")
REQUESTS = 120
SHORT = {Fault.OFFLINE: 0.2, Fault.REVOKED_KEY: 0.5, Fault.ENDPOINT_GONE: 0.5}


def drawn(random: Random, kind: Fault) -> Rule:
    """Somewhere, sometimes, for a while, as much as makes sense."""
    meaning = MEANINGS[kind]
    places = next((places for begin, places in PLACES.items() if meaning.on.startswith(begin)), ("*",))
    value = None
    if kind is Fault.BALANCE:
        places, value = ("sandbox/BTC", "live/USDT", "sandbox/ETH"), Decimal(random.choice(("1", "-1", "0.00000001")))
    elif meaning.unit == "seconds":
        value = Decimal(str(round(random.uniform(0, 0.3), 3)))
    return Rule(
        kind,
        random.choice(places),
        None,
        random.choice((0.05, 0.3, 1.0)),
        random.uniform(0, 1),
        SHORT.get(kind, 1.5),
        value,
    )


def request_of(random: Random, known: list[int]) -> tuple[str, str, dict[str, object]]:
    """A request as a trader makes it."""
    price = str(random.choice((20_000, 55_000, 90_000, 130_000)))
    size = {"quantity": random.choice(("0.001", "0.01")), "side": random.choice(("BUY", "SELL"))}
    mode = {"selfTradePreventionMode": random.choice(("DECREMENT", "EXPIRE_BOTH", "NONE"))}
    order: dict[str, object] = {"symbol": "BTCUSDT", **size, **mode}
    limit = order | {"type": "LIMIT", "timeInForce": random.choice(("GTC", "IOC", "FOK")), "price": price}
    stop = order | {"type": "STOP_LOSS_LIMIT", "timeInForce": "GTC", "price": price, "stopPrice": price}
    iceberg = limit | {"timeInForce": "GTC", "quantity": "0.01", "icebergQty": "0.002"}
    some = random.choice(known) if known else 1
    kinds: list[tuple[str, str, dict[str, object]]] = [
        ("POST", "order", order | {"type": "MARKET"}),
        ("POST", "order", limit),
        ("POST", "order", limit),
        ("POST", "order", stop),
        ("POST", "order", iceberg),
        ("POST", "order/cancelReplace", limit | {"cancelReplaceMode": "ALLOW_FAILURE", "cancelOrderId": some}),
        ("DELETE", "order", {"symbol": "BTCUSDT", "orderId": some}),
        ("GET", "order", {"symbol": "BTCUSDT", "orderId": some}),
        ("GET", "openOrders", {}),
        ("GET", "myTrades", {"symbol": "BTCUSDT"}),
        ("GET", "account", {}),
    ]
    return random.choice(kinds)


async def trade(venue: Running, random: Random, key: Any) -> None:
    """By REST; whatever comes back is fine but an error of the venue's own."""
    known: list[int] = []
    timeout = aiohttp.ClientTimeout(total=3)
    async with aiohttp.ClientSession(timeout=timeout) as session:
        for _ in range(REQUESTS):
            venue.server._rest._office.limits = RateLimits()
            method, path, values = request_of(random, known)
            query = signed(values, SystemClock().now_ms(), key.secret)
            url = f"{venue.url}/api/v3/{path}?{query}"
            try:
                async with session.request(method, url, headers={"X-MBX-APIKEY": key.key}) as reply:
                    body = await reply.json(content_type=None)
            except (aiohttp.ClientError, TimeoutError, ValueError, ConnectionError):
                continue
            if isinstance(body, dict) and isinstance(body.get("orderId"), int):
                known.append(body["orderId"])


async def listen(venue: Running, path: str, says: list[dict[str, object]]) -> None:
    """A listener that comes back whenever it is cut off."""
    while True:
        try:
            async with aiohttp.ClientSession() as session, session.ws_connect(venue.url + path) as socket:
                for message in says:
                    await socket.send_json(message)
                async for _ in socket:
                    pass
        except (aiohttp.ClientError, ConnectionError):
            pass
        await asyncio.sleep(0)


def wishes() -> list[dict[str, object]]:
    query = signed({"apiKey": SANDBOX.key}, SystemClock().now_ms())
    values = dict(part.split("=") for part in query.split("&"))
    return [{"id": 1, "method": "userDataStream.subscribe.signature", "params": values}]


@pytest.mark.parametrize("seed", range(rounds(2)))
def test_no_storm_of_faults_costs_anybody_a_digit_or_the_venue_its_order(tmp_path: Path, seed: int) -> None:
    async def scene() -> None:
        random, faults = Random(seed), Faults(seed)
        async with running(tmp_path, VenueConfig(speed=600), faults=faults) as venue, raw_client(venue) as raw:
            exchange = venue.server.exchange
            assets = ("BTC", "ETH", "USDT", "BNB")
            totals = {asset: exchange.engine.accounts.total(asset) for asset in assets}
            streams = "/stream?streams=" + "/".join(f"btcusdt@{name}" for name in STREAMS)
            listeners = [
                asyncio.create_task(listen(venue, streams, [])),
                asyncio.create_task(listen(venue, "/ws-api/v3", wishes())),
            ]
            for kind in Fault:
                if kind not in LASTING:
                    faults.add(drawn(random, kind))
            await asyncio.gather(trade(venue, Random(seed + 1), SANDBOX), trade(venue, Random(seed + 2), LIVE))
            for task in listeners:
                task.cancel()
            faults.remove()
            venue.server._rest._office.limits = RateLimits()

            async def well() -> bool:
                try:
                    return (await raw.public("ping")).status == 200
                except (aiohttp.ClientError, ConnectionError):
                    return False

            await eventually_async(well, 30)
            bars = venue.server.market.bars_closed
            await eventually_async(lambda: venue.server.market.bars_closed > bars + 2, 30)
            assert len(faults.happened) > 3
            assert {asset: exchange.engine.accounts.total(asset) for asset in assets} == totals
            for key in (SANDBOX, LIVE):
                for path in ("openOrderList", "openOrders"):
                    query = signed({}, SystemClock().now_ms(), key.secret)
                    assert (await raw.ask("GET", f"/api/v3/{path}", query, key=key.key)).status == 200
                query = signed({"symbol": "BTCUSDT"}, SystemClock().now_ms(), key.secret)
                await raw.ask("DELETE", "/api/v3/openOrders", query, key=key.key)
                held = exchange.engine.accounts.balances(key.account)
                assert {balance.locked for balance in held.values()} == {Decimal(0)}, "no order, no lock"
            assert venue.server.get_health()["error_count"] == 0
        verdict = check(tmp_path / JOURNAL_NAME, tmp_path / STORE_NAME)
        assert verdict.problems == []
        assert verdict.compared > 5, "the venue's own log tells of it all"

    asyncio.run(scene())
