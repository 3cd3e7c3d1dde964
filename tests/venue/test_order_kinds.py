"""Every kind of order as a client of the protocol sees it: the real ccxt and raw requests, with their events, codes and
shapes."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, closing
from decimal import Decimal
from pathlib import Path
from typing import Any

import aiohttp
import ccxt
import pytest

from execution.runtime.clock import SystemClock
from execution.runtime.settings import VenueConfig
from execution.runtime.sqlite import open_writer
from execution.venue.journal import JOURNAL_NAME
from execution.venue.price_path import quotes
from execution.venue.server import STORE_NAME
from tests.venue.support import SANDBOX, Raw, Running, ccxt_client, raw_client, running, signed

PAIR = "BTC/USDT"
BTC = {"symbol": "BTCUSDT"}
D = Decimal


def go(venue: Running, share: float) -> None:
    """The market trades at its price times `share`."""
    exchange = venue.server.exchange
    ticks = round(exchange.engine.last_ticks["BTCUSDT"] * share)
    exchange.move("BTCUSDT", ticks, 10**6, quotes(ticks, 10**6), SystemClock().now_ms())


def price(venue: Running, share: float) -> str:
    exchange = venue.server.exchange
    return exchange.symbols["BTCUSDT"].price_text(round(exchange.engine.last_ticks["BTCUSDT"] * share))


@asynccontextmanager
async def holding(tmp_path: Path) -> AsyncIterator[tuple[Running, Raw]]:
    """A venue whose market stands still, and an account with 0.1 BTC less its fee."""
    async with running(tmp_path, driven=False) as venue, raw_client(venue) as raw:
        await raw.signed("POST", "order", **BTC, side="BUY", type="MARKET", quantity="0.1")
        yield venue, raw


def test_a_stop_loss_placed_by_ccxt_waits_is_shown_so_and_sells_when_the_market_falls(tmp_path: Path) -> None:
    async def scene() -> None:
        async with holding(tmp_path) as (venue, raw), ccxt_client(venue.port) as client:
            at = float(price(venue, 0.98))
            placed = await client.create_order(PAIR, "market", "sell", 0.05, None, {"stopLossPrice": at})
            found = await client.fetch_order(placed["id"], PAIR)
            assert (found["status"], found["type"], found["stopPrice"]) == ("open", "market", pytest.approx(at))
            state = (await raw.signed("GET", "order", **BTC, orderId=placed["id"])).body
            assert (state["type"], state["isWorking"], state["workingTime"]) == ("STOP_LOSS", False, -1)
            with pytest.raises(ccxt.OrderImmediatelyFillable):
                await client.create_order(PAIR, "market", "sell", 0.01, None, {"stopLossPrice": at * 1.1})
            go(venue, 0.99)
            assert (await client.fetch_order(placed["id"], PAIR))["filled"] == 0
            go(venue, 0.98)
            sold = await client.fetch_order(placed["id"], PAIR)
            assert (sold["status"], sold["filled"]) == ("closed", 0.05)
            profit = await client.create_order(
                PAIR, "limit", "sell", 0.01, float(price(venue, 1.03)), {"takeProfitPrice": float(price(venue, 1.02))}
            )
            go(venue, 1.025)
            resting = (await raw.signed("GET", "order", **BTC, orderId=profit["id"])).body
            assert (resting["type"], resting["isWorking"], resting["status"]) == ("TAKE_PROFIT_LIMIT", True, "NEW")
            assert (await client.cancel_order(profit["id"], PAIR))["status"] == "canceled"

    asyncio.run(scene())


def oco(venue: Running, **more: object) -> dict[str, object]:
    prices = {"abovePrice": price(venue, 1.05), "belowStopPrice": price(venue, 0.95), "belowPrice": price(venue, 0.94)}
    kinds = {"aboveType": "LIMIT_MAKER", "belowType": "STOP_LOSS_LIMIT", "belowTimeInForce": "GTC"}
    return BTC | {"side": "SELL", "quantity": "0.05"} | prices | kinds | more


def test_an_order_list_is_placed_found_and_ends_when_one_of_its_orders_fills(tmp_path: Path) -> None:
    async def scene() -> None:
        async with holding(tmp_path) as (venue, raw):
            placed = (await raw.signed("POST", "orderList/oco", **oco(venue, listClientOrderId="exits"))).body
            number = placed["orderListId"]
            assert (placed["contingencyType"], placed["listStatusType"]) == ("OCO", "EXEC_STARTED")
            assert [report["type"] for report in placed["orderReports"]] == ["LIMIT_MAKER", "STOP_LOSS_LIMIT"]
            account = (await raw.signed("GET", "account")).body["balances"]
            assert {row["asset"]: row["locked"] for row in account}["BTC"] == "0.05000000", "once, not twice"
            assert {o["orderListId"] for o in (await raw.signed("GET", "openOrders")).body} == {number}
            found = (await raw.signed("GET", "orderList", origClientOrderId="exits")).body
            assert [found] == (await raw.signed("GET", "openOrderList")).body
            assert found["orders"] == placed["orders"]
            twin = await raw.signed("POST", "orderList/oco", **oco(venue, listClientOrderId="exits", quantity="0.01"))
            assert twin.code == -2010
            go(venue, 1.06)
            states = [(await raw.signed("GET", "order", **BTC, orderId=leg["orderId"])).body for leg in found["orders"]]
            assert [state["status"] for state in states] == ["FILLED", "EXPIRED"]
            assert (await raw.signed("GET", "myTrades", **BTC)).body[-1]["orderListId"] == number
            assert (await raw.signed("GET", "openOrderList")).body == []
            done = (await raw.signed("GET", "orderList", orderListId=number)).body
            assert (done["listStatusType"], done["listOrderStatus"]) == ("ALL_DONE", "ALL_DONE")
            assert (await raw.signed("GET", "allOrderList")).body == [done]
            assert (await raw.signed("GET", "orderList", orderListId=99)).code == -2018
            assert (await raw.signed("DELETE", "orderList", **BTC, orderListId=number)).code == -2011

    asyncio.run(scene())


def test_the_older_form_of_an_order_list_works_through_ccxt_and_one_cancel_ends_both(tmp_path: Path) -> None:
    async def scene() -> None:
        async with holding(tmp_path) as (venue, raw), ccxt_client(venue.port) as client:
            prices = {"price": price(venue, 1.05), "stopPrice": price(venue, 0.95)}
            placed = await client.private_post_order_oco(BTC | {"side": "SELL", "quantity": "0.05"} | prices)
            assert [report["type"] for report in placed["orderReports"]] == ["LIMIT_MAKER", "STOP_LOSS"]
            ended = (await raw.signed("DELETE", "orderList", **BTC, orderListId=placed["orderListId"])).body
            assert [report["status"] for report in ended["orderReports"]] == ["CANCELED", "CANCELED"]
            assert (await raw.signed("GET", "openOrders")).body == []
            again = (await raw.signed("POST", "orderList/oco", **oco(venue))).body
            leg = again["orders"][1]["orderId"]
            both = (await raw.signed("DELETE", "order", **BTC, orderId=leg)).body
            assert both["orderListId"] == again["orderListId"]
            assert [report["status"] for report in both["orderReports"]] == ["CANCELED", "CANCELED"]
            account = (await raw.signed("GET", "account")).body["balances"]
            assert {row["asset"]: row["locked"] for row in account}["BTC"] == "0.00000000"
            counted = (await raw.signed("GET", "rateLimit/order")).body[0]["count"]
            assert counted == 5, "one for the purchase, two for each list"

    asyncio.run(scene())


@pytest.mark.parametrize(
    ("change", "code"),
    [
        ({"aboveType": "LIMIT"}, -1158),
        ({"aboveType": "WISH"}, -1116),
        ({"aboveStopPrice": "70000"}, -1106),
        ({"belowTimeInForce": None}, -1102),
        ({"belowStopPrice": None}, -1102),
        ({"belowStopPrice": "0.001"}, -1013),
        ({"quantity": "1000"}, -1013),
        ({"quantity": "10"}, -2010),
        ({"selfTradePreventionMode": "TRANSFER"}, -1013),
        ({"selfTradePreventionMode": "LUCK"}, -1130),
        ({"listClientOrderId": "no spaces"}, -1100),
        ({"icebergQty": "1"}, -1104),
    ],
)
def test_a_wrong_order_list_gets_its_code_and_changes_nothing(
    tmp_path: Path, change: dict[str, str | None], code: int
) -> None:
    async def scene() -> None:
        async with holding(tmp_path) as (venue, raw):
            values = {name: value for name, value in (oco(venue) | change).items() if value is not None}
            before = (await raw.signed("GET", "account")).body["balances"]
            reply = await raw.signed("POST", "orderList/oco", **values)
            assert (reply.status, reply.code) == (400, code), reply.body
            assert (await raw.signed("GET", "account")).body["balances"] == before

    asyncio.run(scene())


def test_a_cancel_replace_says_of_each_half_what_became_of_it(tmp_path: Path) -> None:
    async def scene() -> None:
        async with holding(tmp_path) as (venue, raw):
            limit = BTC | {"side": "SELL", "type": "LIMIT", "timeInForce": "GTC", "quantity": "0.05"}
            first = (await raw.signed("POST", "order", **limit, price=price(venue, 1.1), newClientOrderId="one")).body
            new = limit | {"price": price(venue, 1.2), "cancelReplaceMode": "STOP_ON_FAILURE"}
            done = await raw.signed("POST", "order/cancelReplace", **new, cancelOrderId=first["orderId"])
            assert (done.status, done.body["cancelResult"], done.body["newOrderResult"]) == (200, "SUCCESS", "SUCCESS")
            assert done.body["cancelResponse"]["origClientOrderId"] == "one"
            assert done.body["newOrderResponse"]["status"] == "NEW"
            gone = await raw.signed("POST", "order/cancelReplace", **new, cancelOrigClientOrderId="one")
            assert (gone.status, gone.code) == (400, -2022)
            assert (gone.body["data"]["cancelResult"], gone.body["data"]["newOrderResult"]) == (
                "FAILURE",
                "NOT_ATTEMPTED",
            )
            allowed = new | {"cancelReplaceMode": "ALLOW_FAILURE", "quantity": "0.01"}
            half = await raw.signed("POST", "order/cancelReplace", **allowed, cancelOrigClientOrderId="one")
            assert (half.status, half.code, half.body["data"]["newOrderResult"]) == (409, -2021, "SUCCESS")
            number = done.body["newOrderResponse"]["orderId"]
            poor = await raw.signed("POST", "order/cancelReplace", **new | {"quantity": "1"}, cancelOrderId=number)
            assert (poor.status, poor.code) == (409, -2021)
            assert poor.body["data"]["newOrderResponse"]["code"] == -2010
            assert (await raw.signed("GET", "order", **BTC, orderId=number)).body["status"] == "CANCELED"
            both = await raw.signed("POST", "order/cancelReplace", **allowed | {"quantity": "1"}, cancelOrderId=number)
            assert (both.status, both.code) == (400, -2022)
            (left,) = (await raw.signed("GET", "openOrders")).body
            assert left["origQty"] == "0.01000000"
            wrong = await raw.signed("DELETE", "order", **BTC, orderId=left["orderId"], cancelRestrictions="X")
            assert wrong.code == -1145
            only = {"orderId": left["orderId"], "cancelRestrictions": "ONLY_PARTIALLY_FILLED"}
            assert (await raw.signed("DELETE", "order", **BTC, **only)).code == -2011
            lines = (tmp_path / JOURNAL_NAME).read_text()
            assert '"verb":"POST order/cancelReplace"' in lines

    asyncio.run(scene())


def test_ccxt_edits_an_order_by_cancel_replace(tmp_path: Path) -> None:
    async def scene() -> None:
        async with holding(tmp_path) as (venue, _raw), ccxt_client(venue.port) as client:
            first = await client.create_order(PAIR, "limit", "sell", 0.05, float(price(venue, 1.1)))
            edited = await client.edit_order(first["id"], PAIR, "limit", "sell", 0.04, float(price(venue, 1.2)))
            (left,) = await client.fetch_open_orders(PAIR)
            assert (left["id"], left["amount"]) == (edited["id"], 0.04)
            assert (await client.fetch_order(first["id"], PAIR))["status"] == "canceled"

    asyncio.run(scene())


def test_fees_are_paid_in_bnb_once_the_account_asks_for_it(tmp_path: Path) -> None:
    async def scene() -> None:
        config = VenueConfig(symbols=("BTC/USDT", "BNB/USDT"))
        async with running(tmp_path, config, driven=False) as venue, raw_client(venue) as raw:
            now = SystemClock().now_ms()

            async def wish(method: str, **values: object) -> Any:
                return (await raw.ask(method, "/sapi/v1/bnbBurn", signed(values, now), key=SANDBOX.key)).body

            assert (await wish("GET"))["spotBNBBurn"] is False
            await raw.signed("POST", "order", symbol="BNBUSDT", side="BUY", type="MARKET", quantity="1")
            assert (await wish("POST", spotBNBBurn="true"))["spotBNBBurn"] is True
            bought = (await raw.signed("POST", "order", **BTC, side="BUY", type="MARKET", quantity="0.01")).body
            assert {fill["commissionAsset"] for fill in bought["fills"]} == {"BNB"}
            (fill,) = bought["fills"]
            last = venue.server.exchange.engine.last_ticks["BNBUSDT"]
            bnb = venue.server.exchange.symbols["BNBUSDT"].price(last)
            fee = D(fill["price"]) * D(fill["qty"]) * D("0.001") * D("0.75") / bnb
            assert abs(D(fill["commission"]) - fee) < D("0.00000001")
        async with running(tmp_path, config, driven=False) as venue, raw_client(venue) as raw:
            assert (await raw.ask("GET", "/sapi/v1/bnbBurn", signed({}, now), key=SANDBOX.key)).body["spotBNBBurn"]

    asyncio.run(scene())


def test_the_user_stream_tells_of_lists_and_of_stops_that_begin_to_work(tmp_path: Path) -> None:
    async def scene() -> None:
        async with (
            holding(tmp_path) as (venue, _raw),
            aiohttp.ClientSession() as session,
            session.ws_connect(f"{venue.url}/ws-api/v3") as socket,
        ):

            async def call(method: str, **values: object) -> Any:
                asked = {"apiKey": SANDBOX.key, "timestamp": SystemClock().now_ms()} | values
                ordered = dict(sorted(asked.items()))
                stamp = signed(ordered, 0).rpartition("=")[2]
                await socket.send_json({"id": 1, "method": method, "params": ordered | {"signature": stamp}})
                while True:
                    message = await socket.receive_json(timeout=5)
                    if "id" in message:
                        return message
                    events.append(message["event"])

            events: list[Any] = []
            assert (await call("userDataStream.subscribe.signature"))["status"] == 200
            placed = await call("orderList.place.oco", **oco(venue))
            assert placed["status"] == 200, placed
            go(venue, 0.95)
            assert (await call("openOrderLists.status"))["result"] == []
            number = placed["result"]["orders"][1]["orderId"]
            assert (await call("orderList.status", orderListId=1))["result"]["listOrderStatus"] == "ALL_DONE"
            assert (await call("order.cancel", **BTC, orderId=placed["result"]["orders"][0]["orderId"]))["error"]
            told = [(e["e"], e.get("x"), e.get("X"), e.get("w")) for e in events]
            assert told.count(("listStatus", None, None, None)) == 2
            stops = [e for e in events if e["e"] == "executionReport" and e["i"] == number]
            assert [(e["x"], e["X"], e["w"]) for e in stops][:2] == [("NEW", "NEW", False), ("NEW", "NEW", True)]
            assert stops[-1]["X"] == "FILLED" and stops[-1]["g"] == 1
            assert D(stops[0]["P"]) == D(placed["result"]["orderReports"][1]["stopPrice"])

    asyncio.run(scene())


def test_stops_lists_and_modes_outlive_a_restart(tmp_path: Path) -> None:
    async def scene() -> None:
        async with holding(tmp_path) as (venue, raw):
            await raw.signed("POST", "orderList/oco", **oco(venue, selfTradePreventionMode="EXPIRE_TAKER"))
            await raw.signed(
                "POST",
                "order",
                **BTC,
                side="BUY",
                type="TAKE_PROFIT",
                quantity="0.01",
                stopPrice=price(venue, 0.9),
            )
            before = [
                (await raw.signed("GET", path)).body
                for path in ("openOrders", "openOrderList", "account", "allOrderList")
            ]
            assert len(before[0]) == 3
        async with running(tmp_path, driven=False) as venue, raw_client(venue) as raw:
            after = [
                (await raw.signed("GET", path)).body
                for path in ("openOrders", "openOrderList", "account", "allOrderList")
            ]
            before[2]["updateTime"] = after[2]["updateTime"]
            assert after == before
            go(venue, 0.95)
            (left,) = (await raw.signed("GET", "openOrders")).body
            assert left["type"] == "TAKE_PROFIT"
            assert (await raw.signed("GET", "openOrderList")).body == []
            go(venue, 0.9)
            assert (await raw.signed("GET", "openOrders")).body == []

    asyncio.run(scene())


def test_the_orders_of_a_list_whose_market_is_gone_end_and_give_their_money_back_once(tmp_path: Path) -> None:
    async def scene() -> None:
        async with holding(tmp_path) as (venue, raw):
            await raw.signed("POST", "orderList/oco", **oco(venue))
            buy = BTC | {"side": "BUY", "type": "STOP_LOSS", "quantity": "0.01"}
            await raw.signed("POST", "order", **buy, stopPrice=price(venue, 1.1))
            assert len((await raw.signed("GET", "openOrders")).body) == 3
        other = VenueConfig(symbols=("ETH/USDT",))
        async with running(tmp_path, other, driven=False) as venue, raw_client(venue) as raw:
            for path in ("openOrders", "openOrderList"):
                assert (await raw.signed("GET", path)).body == []
            (done,) = (await raw.signed("GET", "allOrderList")).body
            assert done["listStatusType"] == "ALL_DONE"
            account = (await raw.signed("GET", "account")).body["balances"]
            assert {row["locked"] for row in account} == {"0.00000000"}
            assert {row["asset"]: row["free"] for row in account}["BTC"] == "0.09990000"

    asyncio.run(scene())


def test_an_order_that_meets_its_own_account_is_said_to_be_prevented(tmp_path: Path) -> None:
    async def scene() -> None:
        async with holding(tmp_path) as (_venue, raw):
            ask = D((await raw.public("ticker/bookTicker", **BTC)).body["askPrice"])
            inside = str(ask - D("0.01"))
            limit = BTC | {"type": "LIMIT", "timeInForce": "GTC", "quantity": "0.01", "price": inside}
            mine = (await raw.signed("POST", "order", **limit, side="SELL", newOrderRespType="FULL")).body
            taker = await raw.signed("POST", "order", **limit, side="BUY", selfTradePreventionMode="EXPIRE_BOTH")
            assert (taker.body["status"], taker.body["preventedQuantity"]) == ("EXPIRED_IN_MATCH", "0.01000000")
            assert taker.body["selfTradePreventionMode"] == "EXPIRE_BOTH"
            state = (await raw.signed("GET", "order", **BTC, orderId=mine["orderId"])).body
            assert (state["status"], state["preventedQuantity"]) == ("EXPIRED_IN_MATCH", "0.01000000")

    asyncio.run(scene())


def test_a_store_from_before_there_were_stops_and_lists_is_taken_up(tmp_path: Path) -> None:
    async def scene() -> None:
        async with holding(tmp_path) as (venue, raw):
            limit = BTC | {"side": "SELL", "type": "LIMIT", "timeInForce": "GTC", "quantity": "0.05"}
            await raw.signed("POST", "order", **limit, price=price(venue, 1.1))
            before = [(await raw.signed("GET", path, **BTC)).body for path in ("openOrders", "myTrades", "allOrders")]
        with closing(open_writer(tmp_path / STORE_NAME, "")) as store:
            for table in ("order_terms", "order_lists", "wishes"):
                store.execute(f"DROP TABLE {table}")
        async with running(tmp_path, driven=False) as venue, raw_client(venue) as raw:
            after = [(await raw.signed("GET", path, **BTC)).body for path in ("openOrders", "myTrades", "allOrders")]
            assert after == before
            assert (await raw.signed("POST", "orderList/oco", **oco(venue, quantity="0.01"))).status == 200

    asyncio.run(scene())
