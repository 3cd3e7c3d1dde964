"""kill -9 at a commit that many share: nobody has heard, seen or been answered what isn't stored, and what anybody was
told is there."""

import asyncio
import random
from pathlib import Path
from typing import Any

import aiohttp
import orjson
import pytest

from execution.runtime.clock import SystemClock
from execution.runtime.sqlite import read_all
from execution.venue.journal_check import check
from tests.support import rounds
from tests.venue.support import SANDBOX, Raw, signed
from tests.venue.test_durability import process, totals, trade

TRADERS = 6
SUBSCRIBE = "userDataStream.subscribe.signature"


class Heard:
    """Everything that left the venue: replies, what a look showed, events of the account, trades in public."""

    def __init__(self) -> None:
        self.answered: dict[int, dict[str, Any]] = {}
        self.cancelled: set[int] = set()
        self.shown: set[int] = set()
        self.orders: set[int] = set()
        self.trades: set[int] = set()

    def event(self, text: str) -> None:
        message = orjson.loads(text)
        event = message.get("event", message)
        if event.get("e") == "executionReport":
            self.orders.add(event["i"])
            self.trades |= {event["t"]} - {-1}
        elif event.get("e") == "trade":
            self.trades.add(event["t"])


async def listen(socket: aiohttp.ClientWebSocketResponse, heard: Heard) -> None:
    async for message in socket:
        if message.type is aiohttp.WSMsgType.TEXT:
            heard.event(message.data)


async def look(raw: Raw, heard: Heard) -> None:
    try:
        while True:
            reply = await raw.signed("GET", "openOrders", symbol="BTCUSDT")
            if reply.status == 200:
                heard.shown |= {order["orderId"] for order in reply.body}
    except (TimeoutError, aiohttp.ClientError):
        return


async def subscribed(session: aiohttp.ClientSession, port: int) -> list[aiohttp.ClientWebSocketResponse]:
    """The public trades, and the account's own events."""
    public = await session.ws_connect(f"http://127.0.0.1:{port}/ws/btcusdt@trade")
    private = await session.ws_connect(f"http://127.0.0.1:{port}/ws-api/v3")
    query = signed({"apiKey": SANDBOX.key}, SystemClock().now_ms())
    params = dict(pair.split("=") for pair in query.split("&"))
    await private.send_json({"id": 1, "method": SUBSCRIBE, "params": params})
    assert (await private.receive_json())["status"] == 200
    return [public, private]


@pytest.mark.parametrize("when", ["before", "after"])
@pytest.mark.parametrize("seed", range(rounds(2)))
def test_a_venue_that_dies_at_a_commit_has_told_nobody_what_is_not_stored(tmp_path: Path, when: str, seed: int) -> None:
    async def scene() -> None:
        heard = Heard()
        commits = random.Random(seed).randint(6, 18)
        async with process(tmp_path, when, str(commits)) as (raw, child), aiohttp.ClientSession() as session:
            sockets = await subscribed(session, int(raw._url.rpartition(":")[2]))
            listening = [asyncio.create_task(listen(socket, heard)) for socket in sockets]
            asked = [trade(raw, seed * 10 + n, heard.answered, heard.cancelled) for n in range(TRADERS)]
            await asyncio.wait_for(asyncio.gather(*asked, look(raw, heard)), 30)
            await asyncio.wait_for(child.wait(), 10)
            await asyncio.gather(*listening)
        stored = {row["id"]: row for row in read_all(tmp_path / "venue.db", "SELECT * FROM orders")}
        fills = {row["trade_id"] for row in read_all(tmp_path / "venue.db", "SELECT trade_id FROM fills")}
        assert stored and heard.answered
        assert set(stored) >= set(heard.answered) | heard.shown | heard.orders
        assert fills >= heard.trades
        for number, reply in heard.answered.items():
            maybe = {"CANCELED"} if number in heard.cancelled and reply["status"] == "NEW" else set()
            assert stored[number]["status"] in {reply["status"]} | maybe
        written = check(tmp_path / "journal.jsonl", tmp_path / "venue.db")
        assert bool(written.problems) == (when == "after"), "what was stored in the last moment has no line yet"
        async with process(tmp_path):
            pass  # a start writes it down
        whole = check(tmp_path / "journal.jsonl", tmp_path / "venue.db")
        assert whole.problems == [] and whole.compared >= len(fills) + len(stored)
        money = totals(tmp_path)
        assert {asset: amount for asset, amount in money.items() if amount} == {"USDT": 20_000}

    asyncio.run(scene())
