"""What the table of faults can't say of requests: clocks, waiting times, the ways of the WebSocket API."""

import asyncio
from decimal import Decimal
from pathlib import Path
from typing import Any

import aiohttp
import ccxt
import pytest

from execution.runtime.clock import ManualClock
from execution.venue.faults import Fault, Faults, Rule
from tests.venue.support import ccxt_client, raw_client, running

PAIR = "BTC/USDT"
POST = "POST /api/v3/order"


async def buy(client: Any, name: str = "mine") -> Any:
    return await client.create_order(PAIR, "market", "buy", 0.001, params={"clientOrderId": name})


def test_ccxt_cannot_read_an_order_while_reading_lags_behind(tmp_path: Path) -> None:
    async def scene() -> None:
        clock, faults = ManualClock(), Faults()
        faults.add(Rule(Fault.READ_LAG, value=Decimal(2)))
        async with (
            running(tmp_path, clock=clock, driven=False, faults=faults) as venue,
            ccxt_client(venue.port) as client,
        ):
            client.milliseconds = clock.now_ms
            placed = await buy(client)
            assert placed["status"] == "closed", "the order's own answer is the truth"
            with pytest.raises(ccxt.OrderNotFound):
                await client.fetch_order(placed["id"], PAIR)
            assert await client.fetch_my_trades(PAIR) == []
            assert await client.fetch_open_orders(PAIR) == []
            clock.advance(2)
            assert (await client.fetch_order(placed["id"], PAIR))["status"] == "closed"
            assert len(await client.fetch_my_trades(PAIR)) == 1

    asyncio.run(scene())


def test_ccxt_with_a_true_clock_is_refused_by_a_venue_whose_clock_is_off_until_it_asks_the_time(tmp_path: Path) -> None:
    async def scene() -> None:
        faults = Faults()
        async with running(tmp_path, driven=False, faults=faults) as venue, ccxt_client(venue.port) as client:
            faults.add(Rule(Fault.CLOCK_OFFSET, value=Decimal(30)))
            with pytest.raises(ccxt.InvalidNonce):
                await buy(client)
            await client.load_time_difference()
            client.options["adjustForTimeDifference"] = True
            assert (await buy(client))["status"] == "closed"

    asyncio.run(scene())


def test_a_refusal_for_now_says_how_long_to_wait_and_befalls_public_requests_too(tmp_path: Path) -> None:
    async def scene() -> None:
        faults = Faults()
        async with running(tmp_path, driven=False, faults=faults) as venue, raw_client(venue) as raw:
            for fault, status, wait in ((Fault.TOO_MANY_REQUESTS, 429, "7"), (Fault.BANNED, 418, "120")):
                faults.add(Rule(fault, "GET /api/v3/depth", value=Decimal(wait)))
                reply = await raw.public("depth", symbol="BTCUSDT")
                assert (reply.status, reply.code, reply.headers["Retry-After"]) == (status, -1003, wait)
                assert (await raw.public("depth", symbol="BTCUSDT")).status == 200

    asyncio.run(scene())


def test_ccxt_meets_faults_by_web_socket_too(tmp_path: Path) -> None:
    async def scene() -> None:
        faults = Faults()
        async with running(tmp_path, driven=False, faults=faults) as venue, ccxt_client(venue.port) as client:
            order = (PAIR, "market", "buy", 0.001)
            for fault, error, filled in (
                (Fault.REFUSE_504, ccxt.RequestTimeout, 0),
                (Fault.EXECUTE_504, ccxt.RequestTimeout, 1),
                (Fault.EXECUTE_CUT, ccxt.NetworkError, 2),
            ):
                faults.add(Rule(fault, "WS order.place"))
                with pytest.raises(error):
                    await asyncio.wait_for(client.create_order_ws(*order), 30)
                assert len(await client.fetch_my_trades(PAIR)) == filled
            assert (await asyncio.wait_for(client.create_order_ws(*order), 30))["status"] == "closed"

    asyncio.run(scene())


def test_spoilt_answers_by_web_socket_are_no_json(tmp_path: Path) -> None:
    async def scene() -> None:
        faults = Faults()
        async with (
            running(tmp_path, driven=False, faults=faults) as venue,
            aiohttp.ClientSession() as session,
            session.ws_connect(f"{venue.url}/ws-api/v3") as socket,
        ):
            for fault, begins in ((Fault.HTML_REPLY, "<html>"), (Fault.EMPTY_REPLY, "")):
                faults.add(Rule(fault, "WS time"))
                await socket.send_json({"id": 1, "method": "time"})
                assert (await socket.receive_str(timeout=30)).startswith(begins)
            await socket.send_json({"id": 2, "method": "time"})
            assert (await socket.receive_json(timeout=30))["status"] == 200

    asyncio.run(scene())
