"""kill -9 at any moment loses no stop order, order list or cancel-replace that was acknowledged, and none is half
there."""

import asyncio
import random
import signal
from decimal import Decimal
from pathlib import Path
from typing import Any

import aiohttp
import pytest

from tests.support import eventually_async, rounds
from tests.venue.support import Raw
from tests.venue.test_durability import process, totals

BTC = {"symbol": "BTCUSDT"}
SELL = BTC | {"side": "SELL", "quantity": "0.0005"}
BUY = BTC | {"side": "BUY", "quantity": "0.0005"}
D = Decimal
TOO_MANY = 429
FAR = {"aboveType": "LIMIT_MAKER", "belowType": "STOP_LOSS_LIMIT", "belowTimeInForce": "GTC"}


class Said:
    """What the venue has acknowledged."""

    def __init__(self) -> None:
        self.lists: dict[int, dict[str, Any]] = {}
        self.cancelled_lists: set[int] = set()
        self.cancels_sent: set[int] = set()
        self.orders: dict[int, dict[str, Any]] = {}
        self.replaced: dict[int, int] = {}
        self.replaces_sent: set[int] = set()

    def count(self) -> int:
        return len(self.lists) + len(self.orders) + len(self.replaced) + len(self.cancelled_lists)


async def act(raw: Raw, seeded: random.Random, said: Said, market: float) -> int:
    """One request of a random kind; what is acknowledged is written down. The answer's status."""

    def at(share: float) -> str:
        return f"{market * share:.2f}"

    draw = seeded.random()
    if draw < 0.35:
        prices = {"abovePrice": at(1.4), "belowStopPrice": at(0.6), "belowPrice": at(0.55)}
        reply = await raw.signed("POST", "orderList/oco", **SELL, **FAR, **prices)
        if reply.status == 200:
            said.lists[reply.body["orderListId"]] = reply.body
    elif draw < 0.55 and said.lists:
        number = seeded.choice(list(said.lists))
        said.cancels_sent.add(number)
        reply = await raw.signed("DELETE", "orderList", **BTC, orderListId=number)
        if reply.status == 200:
            said.cancelled_lists.add(number)
    elif draw < 0.8 or not said.orders:
        near = seeded.choice(["0.9", "1.0002"])  # some go off soon, most never
        stop = {"type": "STOP_LOSS", "stopPrice": at(2 - float(near)) if near == "0.9" else at(float(near))}
        reply = await raw.signed("POST", "order", **BUY, **stop)
        if reply.status == 200:
            said.orders[reply.body["orderId"]] = reply.body
    else:
        number = seeded.choice(list(said.orders))
        said.replaces_sent.add(number)
        fresh = BUY | {"type": "LIMIT", "timeInForce": "GTC", "price": at(0.7), "cancelOrderId": number}
        reply = await raw.signed("POST", "order/cancelReplace", **fresh, cancelReplaceMode="STOP_ON_FAILURE")
        if reply.status == 200:
            said.replaced[number] = reply.body["newOrderResponse"]["orderId"]
    return reply.status


async def trade(raw: Raw, seed: int, said: Said, market: float) -> None:
    seeded = random.Random(seed)
    try:
        while await act(raw, seeded, said, market) != TOO_MANY:
            pass
    except (TimeoutError, aiohttp.ClientError):
        return


@pytest.mark.parametrize("seed", range(rounds(2)))
def test_kill_9_leaves_every_acknowledged_stop_list_and_replacement_whole(tmp_path: Path, seed: int) -> None:
    async def scene() -> None:
        said = Said()
        async with process(tmp_path) as (raw, child):
            market = float((await raw.public("ticker/price", symbol="BTCUSDT")).body["price"])
            await raw.signed("POST", "order", **BTC, side="BUY", type="MARKET", quantity="0.05")
            traders = [asyncio.create_task(trade(raw, seed * 10 + number, said, market)) for number in range(3)]
            enough = random.Random(seed).randint(8, 40)
            await eventually_async(lambda: said.count() >= enough or all(one.done() for one in traders), within_s=20)
            assert said.count() >= 5
            child.send_signal(signal.SIGKILL)
            await asyncio.gather(*traders)
        async with process(tmp_path) as (raw, _child):
            stored = {o["orderId"]: o for o in (await raw.signed("GET", "allOrders", **BTC, limit=1000)).body}
            lists = {one["orderListId"]: one for one in (await raw.signed("GET", "allOrderList", limit=1000)).body}
            check_lists(said, stored, lists)
            check_orders(said, stored)
            held = {row["asset"]: row for row in (await raw.signed("GET", "account")).body["balances"]}
            openly = (await raw.signed("GET", "openOrders")).body
            coins = sum(D(o["origQty"]) for o in openly if o["side"] == "SELL" and o["type"] == "LIMIT_MAKER")
            assert D(held["BTC"]["locked"]) == coins, "the two orders of a list lock their coins once"
            assert totals(tmp_path) == {"USDT": D(20_000), "BTC": D(0)}

    asyncio.run(scene())


def check_lists(said: Said, stored: dict[int, dict[str, Any]], lists: dict[int, dict[str, Any]]) -> None:
    assert set(said.lists) <= set(lists)
    for number, one in lists.items():
        states = {stored[leg["orderId"]]["status"] for leg in one["orders"]}
        assert len(states) == 1, "both orders of a list are open, or both have ended"
        running = one["listOrderStatus"] == "EXECUTING"
        assert states == ({"NEW"} if running else {"CANCELED"})
        assert not (running and number in said.cancelled_lists), "an acknowledged cancel holds"
        assert running or number in said.cancels_sent, "nothing ends of itself"


def check_orders(said: Said, stored: dict[int, dict[str, Any]]) -> None:
    for number in said.orders:
        maybe = {"CANCELED"} if number in said.replaces_sent else set()
        assert stored[number]["status"] in {"NEW", "FILLED"} | maybe
    for gone, fresh in said.replaced.items():
        assert (stored[gone]["status"], stored[fresh]["status"]) == ("CANCELED", "NEW"), "both halves or none"
    known = {*said.orders, *said.replaced.values()}
    limits = [o for o in stored.values() if o["type"] == "LIMIT" and o["orderId"] not in known]
    ended = [o for o in said.replaces_sent - set(said.replaced) if stored[o]["status"] == "CANCELED"]
    assert len(limits) == len(ended), "a replacement that nobody heard of is whole too"
