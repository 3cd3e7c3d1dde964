"""What has grown too old: a connection after a day, an order ninety days after it ended without a fill."""

import asyncio
from pathlib import Path

import aiohttp
import pytest

from execution.runtime.clock import ManualClock
from tests.support import eventually_async
from tests.venue.support import raw_client, running
from tests.venue.test_order_kinds import BTC, price

DAY_S = 86_400


@pytest.mark.parametrize("path", ["/ws/btcusdt@trade", "/ws-api/v3"])
def test_a_connection_lives_for_a_day_and_its_client_may_come_back(tmp_path: Path, path: str) -> None:
    async def scene() -> None:
        clock = ManualClock()
        async with running(tmp_path, clock=clock, driven=False) as venue, raw_client(venue, clock) as raw:
            sockets = venue.server._sockets
            looking = asyncio.create_task(sockets.run(ManualClock()))
            socket = await raw.session.ws_connect(venue.url + path)
            await eventually_async(lambda: sockets.connections, 30)
            clock.advance(DAY_S - 1)
            for _ in range(20):
                await asyncio.sleep(0)
            assert len(sockets.connections) == 1
            clock.advance(1)
            last = await socket.receive(timeout=30)
            assert (last.type, last.data) == (aiohttp.WSMsgType.CLOSE, 1001)
            async with raw.session.ws_connect(venue.url + path) as again:
                await again.send_json({"id": 1, "method": "LIST_SUBSCRIPTIONS"})
                assert (await again.receive_json(timeout=30))["id"] == 1
            looking.cancel()

    asyncio.run(scene())


def test_an_order_that_ended_unfilled_is_archived_after_ninety_days_and_a_filled_one_never(tmp_path: Path) -> None:
    async def scene() -> None:
        clock = ManualClock()
        async with running(tmp_path, clock=clock, driven=False) as venue, raw_client(venue, clock) as raw:
            bought = await raw.signed("POST", "order", **BTC, side="BUY", type="MARKET", quantity="0.01")
            limit = BTC | {"side": "BUY", "type": "LIMIT", "timeInForce": "GTC", "quantity": "0.01"}
            limit |= {"price": price(venue, 0.9)}
            gone, open_one = [(await raw.signed("POST", "order", **limit)).body["orderId"] for _ in range(2)]
            await raw.signed("DELETE", "order", **BTC, orderId=gone)

            async def found(order_id: int) -> int:
                return (await raw.signed("GET", "order", **BTC, orderId=order_id)).status

            clock.advance(90 * DAY_S - 1)
            assert await found(gone) == 200
            clock.advance(1)
            reply = await raw.signed("GET", "order", **BTC, orderId=gone)
            assert (reply.status, reply.code) == (400, -2026)
            assert [await found(one) for one in (bought.body["orderId"], open_one)] == [200, 200]

    asyncio.run(scene())
