"""Every REST request that the official client knows, judged by its models."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from decimal import Decimal
from pathlib import Path
from typing import Any

import binance_common.utils
import pytest
from binance_common.configuration import ConfigurationRestAPI
from binance_common.errors import BadRequestError, NotFoundError, UnauthorizedError
from binance_sdk_spot.rest_api.api import AccountApi, GeneralApi, MarketApi, TradeApi
from binance_sdk_spot.rest_api.models import DeleteOpenOrdersResponse
from binance_sdk_spot.spot import Spot
from pydantic import BaseModel

from execution.runtime.clock import SystemClock
from execution.venue.auth import ApiKey
from tests.clients.judge import Judge, judged
from tests.venue.support import LIVE, SANDBOX, Running, running

MARKET, OTHER = "BTCUSDT", "ETHUSDT"
KNOWN = {name for api in (AccountApi, GeneralApi, MarketApi, TradeApi) for name in vars(api) if name[0] != "_"}
NOT_BUILT = {
    *("order_list_oto", "order_list_otoco", "order_list_opo", "order_list_opoco", "order_amend_keep_priority"),
    *("sor_order", "sor_order_test"),
}
COMPARING = ("priceChange", "priceChangePercent", "weightedAvgPrice")
QUOTED = ("prevClosePrice", "lastQty", "bidPrice", "bidQty", "askPrice", "askQty")


def fields_of(model: type[BaseModel]) -> list[str]:
    """A model's fields as they are sent."""
    return [field.alias or name for name, field in model.model_fields.items()]


class Client:
    """The client, its blocking calls in a thread; every reply goes to the judge."""

    def __init__(self, venue: Running, key: ApiKey, judge: Judge, asked: set[str]) -> None:
        given = ConfigurationRestAPI(
            api_key=key.key, api_secret=key.secret, base_path=venue.url, retries=0, timeout=10_000
        )
        self._rest = Spot(config_rest_api=given).rest_api
        self._judge = judge
        self._asked = asked

    async def ask(self, call: str, /, *may_miss: str, **parameters: Any) -> Any:
        """One request; what came, as the client's own type. Raises the client's own errors."""
        self._asked.add(call)
        reply = await asyncio.to_thread(getattr(self._rest, call), **parameters)
        self._judge.see(reply.data(), *may_miss)
        return reply.data()

    async def price(self, share: float) -> float:
        """A share of the market's price, on a tick."""
        return round(float((await self.ask("ticker_price", symbol=MARKET)).actual_instance.price) * share, 2)


@asynccontextmanager
async def scene(folder: Path) -> AsyncIterator[tuple[Client, Client, set[str]]]:
    """Two accounts' clients of one venue, judged; and which requests they made."""
    asked: set[str] = set()
    with judged() as judge:
        async with running(folder, driven=False) as venue:
            yield Client(venue, SANDBOX, judge, asked), Client(venue, LIVE, judge, asked), asked


async def market(client: Client) -> None:
    ask, one = client.ask, {"symbol": MARKET}
    for call in ("ping", "time", "exchange_info", "execution_rules", "ticker24hr", "ticker_book_ticker"):
        await ask(call)
    for call in (
        *("exchange_info", "execution_rules", "reference_price", "reference_price_calculation", "avg_price", "depth"),
        *("get_trades", "agg_trades", "historical_trades", "ticker", "ticker24hr", "ticker_trading_day"),
        *("ticker_price", "ticker_book_ticker"),
    ):
        await ask(call, **one)
    await ask("historical_block_trades", **one, from_id=1)
    for call in ("klines", "ui_klines"):
        rows = await ask(call, **one, interval="1m", limit=3)
        assert [type(value) for value in rows[0]] == [int, *[str] * 5, int, str, int, *[str] * 3]
    some = [MARKET, OTHER]
    for call in ("ticker", "ticker24hr", "ticker_trading_day", "ticker_price", "ticker_book_ticker"):
        rows = await ask(call, symbols=some)
        assert len(getattr(rows, "actual_instance", rows)) == 2
    await ask("ticker24hr", *COMPARING, *QUOTED, **one, type="MINI")
    for call in ("ticker", "ticker_trading_day"):
        await ask(call, *COMPARING, **one, type="MINI")
    await ask("depth", **one, symbol_status="TRADING")
    with pytest.raises(BadRequestError, match="-1220"):
        await ask("depth", **one, symbol_status="BREAK")


async def orders(client: Client, other: Client) -> None:
    ask, low, one = client.ask, await client.price(0.9), {"symbol": MARKET}
    buy = {**one, "side": "BUY", "type": "MARKET", "quantity": 0.01}
    await ask(
        "order_test", "discount", *(f"{name}CommissionForOrder" for name in ("standard", "special", "tax")), **buy
    )
    await ask("order_test", **buy, compute_commission_rates=True)
    filled = await ask("new_order", **buy)
    assert (filled.status, len(filled.fills) >= 1) == ("FILLED", True)
    short = await ask("new_order", *fields_of(type(filled)), **buy, new_order_resp_type="ACK")
    assert short.status is None
    await ask("new_order", **buy, new_order_resp_type="RESULT")
    rest = {**one, "side": "BUY", "type": "LIMIT", "time_in_force": "GTC", "quantity": 0.001}
    await ask("new_order", **rest, price=low, new_client_order_id="resting", strategy_id=3, strategy_type=1_000_001)
    stop = {**one, "side": "SELL", "type": "STOP_LOSS_LIMIT", "time_in_force": "GTC", "quantity": 0.001}
    placed = await ask("new_order", **stop, price=low, stop_price=low, new_order_resp_type="FULL")
    assert float((await ask("get_order", **one, order_id=placed.order_id)).stop_price) == low
    found = await ask("get_order", **one, orig_client_order_id="resting")
    assert (found.status, found.strategy_id, found.strategy_type) == ("NEW", 3, 1_000_001)
    assert len(await ask("get_open_orders")) == 2
    await ask("delete_order", **one, order_id=placed.order_id)
    new = await ask(
        "order_cancel_replace",
        **rest,
        price=low + 1,
        cancel_replace_mode="STOP_ON_FAILURE",
        cancel_orig_client_order_id="resting",
    )
    middle = await client.price(1)
    resting = await ask("new_order", **rest | {"quantity": 0.003}, price=middle)
    await other.ask("new_order", **buy)
    await other.ask("new_order", **rest | {"side": "SELL", "time_in_force": "IOC"}, price=middle)
    assert (await ask("get_order", **one, order_id=resting.order_id)).status == "PARTIALLY_FILLED"
    gone = await ask("delete_open_orders", **one)
    assert {row.order_id for row in gone} == {new.new_order_response.order_id, resting.order_id}
    mine = await ask("new_order", **rest | {"side": "SELL"}, price=middle)
    taker = await ask("new_order", **rest, price=middle, self_trade_prevention_mode="EXPIRE_MAKER")
    assert (await ask("get_order", **one, order_id=mine.order_id)).status == "EXPIRED_IN_MATCH"
    (match,) = await ask("my_prevented_matches", **one, order_id=mine.order_id)
    assert (match.maker_order_id, match.self_trade_prevention_mode) == (mine.order_id, "EXPIRE_MAKER")
    again = await ask("my_prevented_matches", **one, prevented_match_id=match.prevented_match_id)
    assert again == [match]
    await ask("delete_order", **one, order_id=taker.order_id)
    await ask("all_orders", **one)
    assert {trade.is_maker for trade in await ask("my_trades", **one)} == {True, False}


async def lists(client: Client) -> None:
    ask, one, sides = client.ask, {"symbol": MARKET}, {"side": "SELL", "quantity": 0.001}
    high, low = await client.price(1.1), await client.price(0.9)
    pair = {"above_type": "LIMIT_MAKER", "above_price": high, "below_type": "STOP_LOSS", "below_stop_price": low}
    first = await ask("order_list_oco", **one, **sides, **pair)
    older = {"price": high, "stop_price": low, "stop_limit_price": low, "stop_limit_time_in_force": "GTC"}
    second = await ask("order_oco", **one, **sides, **older)
    assert len(await ask("open_order_list")) == 2
    assert (await ask("get_order_list", order_list_id=first.order_list_id)).list_order_status == "EXECUTING"
    done = await ask("delete_order_list", **one, order_list_id=first.order_list_id)
    assert {report.status for report in done.order_reports} == {"CANCELED"}
    (row,) = await ask("delete_open_orders", *fields_of(DeleteOpenOrdersResponse), **one)
    assert row.order_list_id == second.order_list_id, "a list goes as a list, which this model has no fields for"
    assert len(await ask("all_order_list")) == 2


async def account(client: Client) -> None:
    held = await client.ask("get_account")
    assert {balance.asset for balance in held.balances} >= {"BTC", "USDT"}
    await client.ask("get_account", omit_zero_balances=True)
    for call in ("account_commission", "my_allocations", "my_filters"):
        await client.ask(call, symbol=MARKET)
    await client.ask("order_amendments", symbol=MARKET, order_id=1)
    await client.ask("rate_limit_order")


def test_every_reply_is_what_the_official_client_expects(tmp_path: Path) -> None:
    async def walk() -> None:
        async with scene(tmp_path) as (client, other, asked):
            await market(client)
            await orders(client, other)
            await lists(client)
            await account(client)
            assert asked == KNOWN - NOT_BUILT

    asyncio.run(walk())


def test_what_is_not_built_says_so(tmp_path: Path) -> None:
    async def walk() -> None:
        async with scene(tmp_path) as (client, _, _):
            for call in ("sor_order", "sor_order_test"):
                with pytest.raises(NotFoundError, match="-1020"):
                    await client.ask(call, symbol=MARKET, side="BUY", type="MARKET", quantity=0.01)
            with pytest.raises(NotFoundError, match="-1020"):
                await client.ask("order_amend_keep_priority", symbol=MARKET, new_qty=0.001, order_id=1)

    asyncio.run(walk())


def test_each_refusal_is_the_client_s_own_error_with_binance_s_code(tmp_path: Path) -> None:
    async def walk() -> None:
        async with scene(tmp_path) as (client, _, _):
            low = await client.price(0.9)
            limit: dict[str, Any] = {"symbol": MARKET, "side": "BUY", "type": "LIMIT", "time_in_force": "GTC"}
            limit |= {"quantity": 0.001, "price": low, "new_client_order_id": "mine"}
            await client.ask("new_order", **limit)
            for code, text, call, terms in (
                (-2010, "insufficient balance", "new_order", limit | {"quantity": 5, "new_client_order_id": "rich"}),
                (-2010, "Duplicate order sent", "new_order", limit),
                (-1013, "NOTIONAL", "new_order", limit | {"quantity": Decimal("0.00001")}),
                (-1013, "PERCENT_PRICE_BY_SIDE", "new_order", limit | {"price": round(low * 0.1, 2)}),
                (-1013, "LOT_SIZE", "new_order", limit | {"quantity": Decimal("0.0010001")}),
                (-1111, "too much precision", "new_order", limit | {"quantity": Decimal("0.123456789")}),
                (-1121, "Invalid symbol", "new_order", limit | {"symbol": "NOSUCH"}),
                (-2011, "Unknown order", "delete_order", {"symbol": MARKET, "order_id": 987654}),
                (-2013, "does not exist", "get_order", {"symbol": MARKET, "order_id": 987654}),
                (-1131, "recvWindow", "get_account", {"recv_window": 60_001}),
            ):
                with pytest.raises(BadRequestError) as refused:
                    await client.ask(call, **terms)
                assert (refused.value.args[0], text in refused.value.args[1]) == (code, True), refused.value

    asyncio.run(walk())


def test_strangers_and_wrong_clocks_are_told_apart(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    async def walk() -> None:
        with judged() as judge:
            async with running(tmp_path, driven=False) as venue:
                wrong = Client(venue, ApiKey("x", SANDBOX.key, "not it"), judge, set())
                with pytest.raises(BadRequestError, match="-1022"):
                    await wrong.ask("get_account")
                nobody = Client(venue, ApiKey("x", "nobody", "not it"), judge, set())
                with pytest.raises(UnauthorizedError, match="-2015"):
                    await nobody.ask("get_account")
                right = Client(venue, SANDBOX, judge, set())
                for late_ms in (-60_000, 60_000):
                    wrong_ms = SystemClock().now_ms() + late_ms
                    monkeypatch.setattr(binance_common.utils, "get_timestamp", lambda wrong_ms=wrong_ms: wrong_ms)
                    with pytest.raises(BadRequestError, match="-1021"):
                        await right.ask("get_account")

    asyncio.run(walk())
