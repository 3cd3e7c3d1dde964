"""Requests that are nearly right, of every kind of order: an answer with a code, never a 500, and never a changed
balance that the answer doesn't speak of."""

import asyncio
from collections.abc import Mapping
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from execution.venue import limits
from tests.venue.support import Raw, Reply, raw_client, running
from tests.venue.test_order_kinds import BTC, oco, price

ODD = [
    *("", "0", "-1", "1e5", "NaN", "9" * 20 + "." + "9" * 20, "0." + "0" * 18 + "1", "true", "null", "BUY", "SELL"),
    *("LIMIT", "MARKET", "STOP_LOSS", "TAKE_PROFIT_LIMIT", "LIMIT_MAKER", "IOC", "FOK", "GTX", "EXPIRE_BOTH", "ü"),
    *(
        "0.01",
        "0.00001",
        "40000",
        "45000.5",
        "100000000000",
        "ETHUSDT",
        "ONLY_NEW",
        "ALLOW_FAILURE",
        "RESULT",
        "a" * 37,
    ),
]
EXTRA = [
    *("price", "stopPrice", "quantity", "quoteOrderQty", "timeInForce", "icebergQty", "trailingDelta", "type", "side"),
    *("newClientOrderId", "listClientOrderId", "newOrderRespType", "selfTradePreventionMode", "cancelRestrictions"),
    *("aboveType", "belowType", "abovePrice", "belowTimeInForce", "stopLimitPrice", "orderListId", "limit", "fromId"),
]
Request = tuple[str, str, Mapping[str, object]]


def nearly_right(raw_prices: dict[str, str], pair: dict[str, object], resting: int) -> list[Request]:
    """A good request of every kind."""
    stop = BTC | {"side": "SELL", "type": "STOP_LOSS_LIMIT", "timeInForce": "GTC", "quantity": "0.01"}
    limit = BTC | {"side": "BUY", "type": "LIMIT", "timeInForce": "GTC", "quantity": "0.01", "price": raw_prices["low"]}
    old = {"price": raw_prices["high"], "stopPrice": raw_prices["low"], "quantity": "0.01", "side": "SELL"}
    replace = {"cancelReplaceMode": "ALLOW_FAILURE", "cancelOrderId": resting}
    return [
        ("POST", "order", stop | {"price": raw_prices["low"], "stopPrice": raw_prices["low"]}),
        (
            "POST",
            "order",
            BTC | {"side": "BUY", "type": "TAKE_PROFIT", "quantity": "0.01", "stopPrice": raw_prices["low"]},
        ),
        ("POST", "order", BTC | {"side": "BUY", "type": "MARKET", "quoteOrderQty": "20"}),
        ("POST", "orderList/oco", pair),
        ("POST", "order/oco", BTC | old),
        ("POST", "order/cancelReplace", limit | replace),
        ("DELETE", "orderList", BTC | {"orderListId": 1}),
        ("GET", "allOrderList", {"limit": 10}),
        ("GET", "orderList", {"orderListId": 1}),
    ]


def test_no_nearly_right_order_breaks_the_venue_or_moves_money_unsaid(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(limits, "WEIGHT_PER_MINUTE", 10**9)
    monkeypatch.setattr(limits, "ORDERS_PER_10_S", 10**9)

    async def ask(raw: Raw, request: Request) -> tuple[Reply, Any, Any]:
        method, path, values = request
        before = (await raw.signed("GET", "account")).body["balances"]
        reply = await raw.signed(method, path, **values)
        return reply, before, (await raw.signed("GET", "account")).body["balances"]

    async def scene(loop: asyncio.AbstractEventLoop) -> None:
        async with running(tmp_path, driven=False) as venue, raw_client(venue) as raw:
            await raw.signed("POST", "order", **BTC, side="BUY", type="MARKET", quantity="0.05")
            rest = BTC | {"side": "SELL", "type": "LIMIT", "timeInForce": "GTC", "quantity": "0.001"}
            resting = (await raw.signed("POST", "order", **rest, price=price(venue, 2))).body["orderId"]
            good = nearly_right({"low": price(venue, 0.9), "high": price(venue, 1.1)}, oco(venue), resting)
            engine = venue.server.exchange.engine
            totals = {asset: engine.accounts.total(asset) for asset in ("USDT", "BTC")}

            @settings(max_examples=120, deadline=None)
            @given(
                st.sampled_from(good),
                st.dictionaries(st.sampled_from(EXTRA), st.sampled_from(ODD), max_size=3),
                st.sets(st.integers(0, 12), max_size=2),
            )
            def storm(request: Request, changes: dict[str, str], dropped: set[int]) -> None:
                method, path, values = request
                kept = {name: value for place, (name, value) in enumerate(values.items()) if place not in dropped}
                asked = asyncio.run_coroutine_threadsafe(ask(raw, (method, path, {**kept, **changes})), loop)
                reply, before, after = asked.result()
                assert reply.status in (200, 400, 409), reply
                assert reply.status == 200 or reply.code < 0
                assert reply.status in (200, 409) or before == after, reply.body
                assert {asset: engine.accounts.total(asset) for asset in totals} == totals

            await asyncio.to_thread(storm)
            assert venue.server.get_health()["error_count"] == 0
            held = (await raw.signed("GET", "account")).body["balances"]
            assert all(Decimal(row["free"]) >= 0 and Decimal(row["locked"]) >= 0 for row in held)

    async def main() -> None:
        await scene(asyncio.get_running_loop())

    asyncio.run(main())
