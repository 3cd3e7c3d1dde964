"""What is refused is refused whole: nothing that was asked for is left out, and nothing comes too late."""

import asyncio
from pathlib import Path

from execution.runtime.clock import ManualClock
from execution.venue.faults import Fault, Faults, Rule
from tests.venue.support import raw_client, running
from tests.venue.test_order_kinds import BTC, D, holding, oco, price


def test_what_makes_an_order_of_a_kind_that_is_not_traded_here_is_refused_by_name_and_never_left_out(
    tmp_path: Path,
) -> None:
    async def scene() -> None:
        async with holding(tmp_path) as (venue, raw):
            limit = BTC | {"side": "BUY", "type": "LIMIT", "timeInForce": "GTC", "quantity": "0.01"}
            limit |= {"price": price(venue, 0.9)}
            older = BTC | {
                "side": "SELL",
                "quantity": "0.01",
                "price": price(venue, 1.1),
                "stopPrice": price(venue, 0.9),
            }
            for path, order, name, what in (
                ("order", limit, "trailingDelta", "Trailing stop"),
                ("order", limit, "pegPriceType", "Pegged"),
                ("order/test", limit, "trailingDelta", "Trailing stop"),
                ("orderList/oco", oco(venue), "aboveIcebergQty", "Iceberg"),
                ("orderList/oco", oco(venue), "belowTrailingDelta", "Trailing stop"),
                ("orderList/oco", oco(venue), "belowPegOffsetValue", "Pegged"),
                ("order/oco", older, "limitIcebergQty", "Iceberg"),
                ("order/oco", older, "trailingDelta", "Trailing stop"),
            ):
                reply = await raw.signed("POST", path, **order, **{name: "1"})
                assert (reply.status, reply.code) == (400, -2010), (path, name)
                assert reply.body["msg"] == f"{what} orders are not supported for this symbol."
                assert (await raw.signed("GET", "openOrders")).body == []
                assert (await raw.signed("POST", path, **order)).status == 200, "without it, it is good"
                await raw.signed("DELETE", "openOrders", **BTC)

    asyncio.run(scene())


def test_whatever_was_held_up_inside_past_its_window_is_refused_and_changes_nothing(tmp_path: Path) -> None:
    async def scene() -> None:
        clock, faults = ManualClock(), Faults()
        async with (
            running(tmp_path, clock=clock, driven=False, faults=faults) as venue,
            raw_client(venue, clock) as raw,
        ):
            await raw.signed("POST", "order", **BTC, side="BUY", type="MARKET", quantity="0.1")
            pair = (await raw.signed("POST", "orderList/oco", **oco(venue))).body["orderListId"]
            low = {"price": price(venue, 0.9), "quantity": "0.01"}
            limit = BTC | {"side": "BUY", "type": "LIMIT", "timeInForce": "GTC"} | low
            mine = (await raw.signed("POST", "order", **limit)).body["orderId"]
            before = (await raw.signed("GET", "openOrders")).body
            replace = {"cancelReplaceMode": "STOP_ON_FAILURE", "cancelOrderId": mine}
            for method, path, values in (
                ("POST", "order", limit),
                ("POST", "orderList/oco", oco(venue)),
                ("POST", "order/cancelReplace", limit | replace),
                ("DELETE", "order", BTC | {"orderId": mine}),
                ("DELETE", "orderList", BTC | {"orderListId": pair}),
                ("DELETE", "openOrders", BTC),
            ):
                for recv_window, held_up, code in (("5000", "5.001", -1021), ("0.5", "0.001", -1021)):
                    faults.add(Rule(Fault.DELAY, f"{method} /api/v3/{path}", value=D(held_up)))
                    reply = await raw.signed(method, path, **values, recvWindow=recv_window)
                    assert reply.code == code, (method, path, recv_window)
                assert (await raw.signed("GET", "openOrders")).body == before, (method, path)
                assert faults.rules() == []

    asyncio.run(scene())
