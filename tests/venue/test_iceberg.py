"""Icebergs: the book shows a part, what is hidden trades after everything that is shown at its price, each next part
stands last, and all of it is as good as any order."""

import asyncio
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from execution.venue.book import BUY, SELL, Order, OrderBook
from execution.venue.plan import make_plan
from execution.venue.symbols import Symbol
from tests.venue.support import raw_client, running
from tests.venue.test_order_kinds import BTC, D, holding, price

MARKET = Symbol("BTC", "USDT", 2, 3)


def resting(number: int, lots: int, part: int = 0, account: str = "ann") -> Order:
    return Order(number, account, "BTCUSDT", f"c{number}", SELL, "LIMIT", "GTC", 100, lots, 1, iceberg_lots=part)


def taker(lots: int) -> Order:
    return Order(99, "bob", "BTCUSDT", "t", BUY, "LIMIT", "GTC", 100, lots, 1)


def test_shown_parts_trade_first_in_turn_and_hidden_ones_after_all_of_them() -> None:
    book = OrderBook()
    for order in (resting(1, 25, 10), resting(2, 5), resting(3, 12, 8)):
        book.add(order)
    assert book.asks() == [(100, 10 + 5 + 8)]
    met = [(meeting.maker.id, meeting.lots) for meeting in make_plan(MARKET, book, taker(100)).meetings]
    assert met == [(1, 10), (2, 5), (3, 8), (1, 10), (3, 4), (1, 5)]
    assert [(m.maker.id, m.lots) for m in make_plan(MARKET, book, taker(16)).meetings] == [(1, 10), (2, 5), (3, 1)]


def test_the_next_part_stands_behind_the_others() -> None:
    book = OrderBook()
    first, second = resting(1, 25, 10), resting(2, 5)
    book.add(first)
    book.add(second)
    first.filled_lots += 4
    book.taken(first, 4)
    assert [order.id for order, _ in book.makers(BUY, 100)][:2] == [1, 2], "a part that isn't gone keeps its place"
    first.filled_lots += 6
    book.taken(first, 6)
    assert [order.id for order, _ in book.makers(BUY, 100)][:2] == [2, 1]
    assert book.asks() == [(100, 15)]


PARTS = st.lists(st.tuples(st.integers(1, 40), st.integers(0, 15)), min_size=1, max_size=6)


@given(orders=PARTS, wanted=st.integers(1, 200))
def test_a_taker_gets_as_much_as_if_nothing_were_hidden(orders: list[tuple[int, int]], wanted: int) -> None:
    hidden, plain = OrderBook(), OrderBook()
    for number, (lots, part) in enumerate(orders, 1):
        hidden.add(resting(number, lots, part))
        plain.add(resting(number, lots))
    plan = make_plan(MARKET, hidden, taker(wanted))
    assert plan.lots == make_plan(MARKET, plain, taker(wanted)).lots
    taken = dict.fromkeys(range(1, len(orders) + 1), 0)
    for meeting in plan.meetings:
        taken[meeting.maker.id] += meeting.lots
        assert not meeting.maker.iceberg_lots or meeting.lots <= meeting.maker.iceberg_lots
    assert all(taken[number] <= lots for number, (lots, _) in enumerate(orders, 1))


def test_an_iceberg_is_shown_by_its_part_fills_whole_and_comes_back_after_a_restart(tmp_path: Path) -> None:
    async def scene() -> None:
        async with holding(tmp_path) as (venue, raw):
            assert (await raw.public("exchangeInfo")).body["symbols"][0]["icebergAllowed"]
            ask = D((await raw.public("ticker/bookTicker", **BTC)).body["askPrice"])
            inside = str(ask - D("0.01"))
            order = BTC | {"side": "SELL", "type": "LIMIT", "timeInForce": "GTC", "quantity": "0.05", "price": inside}
            mine = (await raw.signed("POST", "order", **order, icebergQty="0.02", newOrderRespType="FULL")).body
            assert mine["icebergQty"] == "0.02000000"
            best = (await raw.public("ticker/bookTicker", **BTC)).body
            assert (D(best["askPrice"]), best["askQty"]) == (D(inside), "0.02000000")
            depth = (await raw.public("depth", **BTC, limit=5)).body["asks"][0]
            assert depth[1] == "0.02000000"
            assert venue.server.exchange.engine.accounts.balance("sandbox", "BTC").locked == D("0.05")
            buy = BTC | {"side": "BUY", "type": "LIMIT", "timeInForce": "IOC", "price": inside}
            buy |= {"selfTradePreventionMode": "NONE"}
            filled = (await raw.signed("POST", "order", **buy, quantity="0.03")).body
            assert (filled["status"], len(filled["fills"])) == ("FILLED", 2), "two parts, one order"
            assert (await raw.public("ticker/bookTicker", **BTC)).body["askQty"] == "0.01000000"
        async with running(tmp_path, driven=False) as venue, raw_client(venue) as raw:
            (left,) = (await raw.signed("GET", "openOrders")).body
            assert (left["icebergQty"], left["executedQty"]) == ("0.02000000", "0.03000000")
            (order_left,) = venue.server.exchange.engine.open_orders("sandbox")
            assert (order_left.shown, order_left.left) == (1000, 2000)
            gone = (await raw.signed("DELETE", "order", **BTC, orderId=mine["orderId"])).body
            assert (gone["status"], gone["icebergQty"]) == ("CANCELED", "0.02000000")
            assert venue.server.exchange.engine.accounts.balance("sandbox", "BTC").locked == 0

    asyncio.run(scene())


@pytest.mark.parametrize(
    ("change", "code"),
    [
        ({"icebergQty": "0.03"}, -2010),
        ({"icebergQty": "0"}, -1013),
        ({"icebergQty": "0.000001"}, -1013),
        ({"icebergQty": "0.0019"}, -1013),
        ({"icebergQty": "0.01", "timeInForce": "IOC"}, -1014),
        ({"icebergQty": "0.01", "timeInForce": "FOK"}, -1014),
        ({"icebergQty": "0.002"}, None),
        ({"icebergQty": "0.02"}, None),
    ],
)
def test_an_iceberg_has_at_most_ten_parts_and_stays_until_it_is_cancelled(
    tmp_path: Path, change: dict[str, str], code: int | None
) -> None:
    async def scene() -> None:
        async with holding(tmp_path) as (venue, raw):
            order = BTC | {"side": "SELL", "type": "LIMIT", "timeInForce": "GTC", "quantity": "0.02"}
            reply = await raw.signed("POST", "order", **(order | {"price": price(venue, 1.1)} | change))
            assert reply.body.get("code") == code
            maker = order | {"price": price(venue, 1.2), "type": "LIMIT_MAKER", "icebergQty": "0.01"}
            del maker["timeInForce"]
            assert (await raw.signed("POST", "order", **maker)).status == 200
            market = {"symbol": "BTCUSDT", "side": "SELL", "type": "MARKET", "quantity": "0.01", "icebergQty": "0.01"}
            assert (await raw.signed("POST", "order", **market)).code == -1106

    asyncio.run(scene())
