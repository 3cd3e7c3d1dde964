"""listenKeys: gone, as at Binance; and, where the venue is told so, as they were, for clients from before 2026."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from decimal import Decimal
from pathlib import Path
from typing import Any

import aiohttp

from execution.runtime.clock import Clock, ManualClock
from execution.runtime.settings import VenueConfig
from execution.venue.listen_keys import GOOD_FOR_S
from tests.clients.ccxt_clients import soon
from tests.support import eventually_async
from tests.venue.support import LIVE, SANDBOX, Raw, Reply, Running, raw_client, running

PATH = "/api/v3/userDataStream"
OLD = VenueConfig(legacy_listen_key=True)
BUY = {"symbol": "BTCUSDT", "side": "BUY", "type": "MARKET", "quantity": "0.001"}


@asynccontextmanager
async def old_venue(folder: Path, clock: Clock | None = None) -> AsyncIterator[tuple[Running, Raw]]:
    async with running(folder, OLD, clock, driven=False) as venue, raw_client(venue, clock) as raw:
        yield venue, raw


async def made(raw: Raw, key: str = SANDBOX.key) -> str:
    return str((await raw.ask("POST", PATH, key=key)).body["listenKey"])


async def asked(raw: Raw, method: str, listen_key: str, key: str = SANDBOX.key) -> Reply:
    return await raw.ask(method, PATH, f"listenKey={listen_key}", key=key)


@asynccontextmanager
async def listening(venue: Running, path: str) -> AsyncIterator[aiohttp.ClientWebSocketResponse]:
    url = f"ws://127.0.0.1:{venue.port}{path}"
    async with aiohttp.ClientSession() as session, session.ws_connect(url) as socket:
        yield socket


async def heard(socket: aiohttp.ClientWebSocketResponse, count: int) -> list[Any]:
    return [await soon(socket.receive_json()) for _ in range(count)]


def test_they_are_gone(tmp_path: Path) -> None:
    async def scene() -> None:
        async with running(tmp_path, driven=False) as venue, raw_client(venue) as raw:
            for method in ("POST", "PUT", "DELETE"):
                assert (await raw.ask(method, PATH, key=SANDBOX.key)).status == 410

    asyncio.run(scene())


def test_an_old_client_hears_of_its_orders_bare_by_ws_and_named_by_stream(tmp_path: Path) -> None:
    async def scene() -> None:
        async with old_venue(tmp_path) as (venue, raw):
            key = await made(raw)
            assert len(key) == 64
            assert await made(raw) == key, "the one that is good already"
            async with listening(venue, f"/ws/{key}") as bare, listening(venue, f"/stream?streams={key}") as named:
                await eventually_async(lambda: connections(venue) == 2)
                await raw.signed("POST", "order", **BUY)
                events = await heard(bare, 3)
                assert [event["e"] for event in events] == [*["executionReport"] * 2, "outboundAccountPosition"]
                assert [event["X"] for event in events[:2]] == ["NEW", "FILLED"]
                assert await heard(named, 3) == [{"stream": key, "data": event} for event in events]

    asyncio.run(scene())


def connections(venue: Running) -> int:
    return int(venue.server.get_health()["metrics"]["connections"])


def test_it_is_subscribed_to_and_unsubscribed_from_like_a_stream(tmp_path: Path) -> None:
    async def scene() -> None:
        async with old_venue(tmp_path) as (venue, raw), listening(venue, "/ws") as socket:
            key = await made(raw)
            await socket.send_json({"id": 1, "method": "SUBSCRIBE", "params": [key]})
            await socket.send_json({"id": 2, "method": "LIST_SUBSCRIPTIONS"})
            assert await heard(socket, 2) == [{"result": None, "id": 1}, {"result": [key], "id": 2}]
            venue.server.users.paid_in("sandbox", "USDT", Decimal(1))
            assert [event["e"] for event in await heard(socket, 2)] == ["balanceUpdate", "outboundAccountPosition"]
            await socket.send_json({"id": 3, "method": "UNSUBSCRIBE", "params": [key]})
            assert (await heard(socket, 1))[0]["id"] == 3
            venue.server.users.paid_in("sandbox", "USDT", Decimal(1))
            await socket.send_json({"id": 4, "method": "LIST_SUBSCRIPTIONS"})
            assert await heard(socket, 1) == [{"result": [], "id": 4}], "and no event before"

    asyncio.run(scene())


def test_a_key_hears_only_its_own_account_and_outlives_a_restart(tmp_path: Path) -> None:
    async def scene() -> None:
        async with old_venue(tmp_path) as (_, raw):
            mine, other = await made(raw), await made(raw, LIVE.key)
            assert mine != other
            assert (await asked(raw, "PUT", mine, LIVE.key)).code == -1125
        async with old_venue(tmp_path) as (venue, raw), listening(venue, f"/ws/{other}") as socket:
            await eventually_async(lambda: connections(venue) == 1)
            await raw.signed("POST", "order", **BUY)
            venue.server.users.paid_in("live", "USDT", Decimal(1))
            assert (await heard(socket, 1))[0]["e"] == "balanceUpdate"

    asyncio.run(scene())


def test_it_ends_an_hour_after_its_last_use_and_when_it_is_closed(tmp_path: Path) -> None:
    async def scene() -> None:
        clock = ManualClock()
        async with old_venue(tmp_path, clock) as (venue, raw):
            key = await made(raw)
            async with listening(venue, f"/ws/{key}") as socket:
                await eventually_async(lambda: connections(venue) == 1)
                clock.advance(GOOD_FOR_S - 1)
                assert (await asked(raw, "PUT", key)).body == {}
                clock.advance(GOOD_FOR_S - 1)
                venue.server.users.paid_in("sandbox", "USDT", Decimal(1))
                assert [event["e"] for event in await heard(socket, 2)] == ["balanceUpdate", "outboundAccountPosition"]
                clock.advance(2)
                venue.server.users.paid_in("sandbox", "USDT", Decimal(1))
                (expired,) = await heard(socket, 1)
                assert (expired["e"], expired["listenKey"]) == ("listenKeyExpired", key)
            assert (await asked(raw, "PUT", key)).code == -1125
            await made(raw)
            assert (await asked(raw, "DELETE", key)).body == {}
            assert (await asked(raw, "PUT", key)).code == -1125

    asyncio.run(scene())


def test_a_stranger_gets_none_and_a_signature_is_not_needed(tmp_path: Path) -> None:
    async def scene() -> None:
        async with old_venue(tmp_path) as (_, raw):
            assert (await raw.ask("POST", PATH)).code == -2014
            assert (await raw.ask("POST", PATH, key="nobody")).code == -2015
            assert (await raw.ask("PUT", PATH, key=SANDBOX.key)).code == -1102
            assert (await raw.ask("GET", PATH, key=SANDBOX.key)).status == 405

    asyncio.run(scene())
