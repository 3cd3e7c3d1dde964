"""Every request of the WebSocket API and every stream that the official client knows, judged by its models."""

import asyncio
from decimal import Decimal
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from binance_common.configuration import ConfigurationWebSocketStreams
from binance_sdk_spot.spot import Spot
from binance_sdk_spot.websocket_api.api import AccountApi, AuthApi, GeneralApi, MarketApi, TradeApi, UserDataStreamApi
from binance_sdk_spot.websocket_streams.streams import DefaultApi
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat, PublicFormat

from execution.runtime.settings import VenueConfig
from execution.venue.auth import ApiKey
from tests.clients.ccxt_clients import soon
from tests.clients.judge import judged
from tests.clients.sdk_sockets import MARKET, Caller, Refused, caller
from tests.support import eventually_async
from tests.venue.support import LIVE, SANDBOX, running

OTHER = "ETHUSDT"
APIS = (AccountApi, AuthApi, GeneralApi, MarketApi, TradeApi, UserDataStreamApi)
KNOWN = {name for api in APIS for name in vars(api) if name[0] != "_"}
NOT_BUILT = {
    *(f"order_list_place_{kind}" for kind in ("oto", "otoco", "opo", "opoco")),
    *("order_amend_keep_priority", "sor_order_place", "sor_order_test"),
}
STREAMS = {name for name in vars(DefaultApi) if name[0] != "_"}
SILENT = {"block_trade"}  # there are none on this venue
STREAMS_NOT_BUILT = {"kline_offset"}  # klines of another time zone
IF_AN_ORDER = (
    *("clientOrderId", "cummulativeQuoteQty", "executedQty", "orderId", "origClientOrderId", "origQty"),
    *("origQuoteOrderQty", "price", "selfTradePreventionMode", "side", "status", "timeInForce", "type", "transactTime"),
)
IF_A_LIST = (
    *("contingencyType", "listStatusType", "listOrderStatus", "listClientOrderId", "transactionTime"),
    *("orders", "orderReports"),
)

pytestmark = pytest.mark.filterwarnings("ignore:parameter 'timeout' of type:DeprecationWarning")  # the client's own


async def market(client: Caller) -> None:
    one = {"symbol": MARKET}
    for call in ("ping", "time"):
        await client.ask(call)
    for call in (
        *("exchange_info", "execution_rules", "reference_price_calculation", "avg_price", "depth", "ticker"),
        *("ticker24hr", "ticker_book", "ticker_trading_day", "trades_aggregate", "trades_recent"),
    ):
        await client.ask(call, **one)
    await client.ask("reference_price", "code", "msg", **one)
    for call in ("klines", "ui_klines"):
        await client.ask(call, **one, interval="1m", limit=3)
    for call in ("trades_historical", "block_trades_historical"):
        await client.ask(call, **one, from_id=1)
    await client.ask("ticker", symbols=[MARKET, OTHER])


async def orders(client: Caller, other: Caller) -> None:
    ask, one, low = client.ask, {"symbol": MARKET}, await client.price(0.9)
    buy: dict[str, Any] = {**one, "side": "BUY", "type": "MARKET", "quantity": 0.01}
    rates = [f"{name}CommissionForOrder" for name in ("standard", "special", "tax")]
    await ask("order_test", "discount", *rates, **buy)
    await ask("order_place", **buy)
    await client.told(X="FILLED", o="MARKET")
    rest: dict[str, Any] = {**one, "side": "BUY", "type": "LIMIT", "time_in_force": "GTC", "quantity": 0.003}
    named = "any/legal:id.1-_"
    await ask("order_place", **rest, price=low, new_client_order_id=named)
    assert (await ask("order_status", **one, orig_client_order_id=named)).result.status == "NEW"
    swap = {"cancel_replace_mode": "STOP_ON_FAILURE", "cancel_orig_client_order_id": named}
    middle = await client.price(1)
    resting = (await ask("order_cancel_replace", **rest, price=middle, **swap)).result.new_order_response.order_id
    await client.told(X="CANCELED", C=named)
    await other.ask("order_place", **buy)
    await other.ask("order_place", **rest | {"side": "SELL", "quantity": 0.001, "time_in_force": "IOC"}, price=middle)
    part = await client.told(i=resting, X="PARTIALLY_FILLED")
    assert (part.z, part.m, part.N) == ("0.00100000", True, "BTC")
    await ask("order_cancel", *IF_A_LIST, **one, order_id=resting)
    await client.told(i=resting, X="CANCELED")
    stop = {**one, "side": "SELL", "type": "STOP_LOSS", "quantity": 0.001, "stop_price": low}
    await ask("order_place", *IF_AN_ORDER, "workingTime", **stop)
    high, sides = await client.price(1.1), {**one, "side": "SELL", "quantity": 0.001}
    pair = {"above_type": "LIMIT_MAKER", "above_price": high, "below_type": "STOP_LOSS", "below_stop_price": low}
    first = (await ask("order_list_place_oco", **sides, **pair)).result.order_list_id
    await ask("order_list_place", **sides, price=high, stop_price=low)
    assert (await ask("order_list_status", order_list_id=first)).result.list_order_status == "EXECUTING"
    await ask("order_list_cancel", **one, order_list_id=first)
    await client.told(g=first, L="ALL_DONE")


async def account(client: Caller) -> None:
    one = {"symbol": MARKET}
    for call in ("account_status", "account_rate_limits_orders", "open_order_lists_status", "all_order_lists"):
        await client.ask(call)
    for call in ("account_commission", "all_orders", "my_trades", "my_allocations"):
        await client.ask(call, **one)
    await client.ask("my_filters", "exchangeFilters", "symbolFilters", "assetFilters", **one)  # its model reads nothing
    await client.ask("order_amendments", **one, order_id=1)
    await client.ask("my_prevented_matches", **one, order_id=1)
    assert len((await client.ask("open_orders_status")).result) == 3, "a stop, and a list of two"
    await client.ask("open_orders_cancel_all", *IF_A_LIST, *IF_AN_ORDER, **one)


async def session(client: Caller) -> None:
    status = await client.ask("session_status", "apiKey", "authorizedSince")
    assert status.result.authorized_since is None
    await client.ask("session_logon")
    await client.ask("user_data_stream_subscribe")
    assert len((await client.ask("session_subscriptions")).result) == 1
    assert (await client.ask("session_status")).result.user_data_stream is True
    await client.ask("account_status")
    await client.ask("order_place", symbol=MARKET, side="BUY", type="MARKET", quantity=0.01)
    await client.told(X="FILLED")
    await client.ask("user_data_stream_unsubscribe")
    await client.ask("session_logout", "apiKey", "authorizedSince")


def ed25519() -> tuple[ApiKey, str]:
    """A key to log on with, and its private half."""
    private = Ed25519PrivateKey.generate()
    pem = private.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()).decode()
    public = private.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo).decode()
    return ApiKey("sandbox", "logs-on", public), pem


def test_every_reply_and_every_user_event_is_what_the_official_client_expects(tmp_path: Path) -> None:
    async def walk() -> None:
        key, private = ed25519()
        with judged() as judge:
            async with (
                running(tmp_path, driven=False, keys=(SANDBOX, LIVE, key)) as venue,
                caller(venue.port, judge, SANDBOX) as client,
                caller(venue.port, judge, LIVE) as other,
                caller(venue.port, judge, key, private) as logged_on,
            ):
                await client.ask("user_data_stream_subscribe_signature")
                await market(client)
                await orders(client, other)
                await account(client)
                await session(logged_on)
                venue.server.users.paid_in("sandbox", "USDT", Decimal(5))
                await client.told(a="USDT", d="5.00000000")
                assert client.asked | logged_on.asked == KNOWN - NOT_BUILT

    asyncio.run(walk())


def test_refusals_by_socket_carry_the_same_codes(tmp_path: Path) -> None:
    async def walk() -> None:
        with judged() as judge:
            async with running(tmp_path, driven=False) as venue, caller(venue.port, judge, SANDBOX) as client:
                low = await client.price(0.9)
                limit: dict[str, Any] = {"symbol": MARKET, "side": "BUY", "type": "LIMIT", "time_in_force": "GTC"}
                limit |= {"quantity": 0.001, "price": low, "new_client_order_id": "mine"}
                await client.ask("order_place", **limit)
                for code, call, terms in (
                    (-2010, "order_place", limit),
                    (-2010, "order_place", limit | {"quantity": 5, "new_client_order_id": "rich"}),
                    (-1013, "order_place", limit | {"price": round(low * 0.1, 2)}),
                    (-1121, "order_place", limit | {"symbol": "NOSUCH"}),
                    (-2011, "order_cancel", {"symbol": MARKET, "order_id": 987654}),
                    (-2013, "order_status", {"symbol": MARKET, "order_id": 987654}),
                    (-1020, "sor_order_place", {"symbol": MARKET, "side": "BUY", "type": "MARKET", "quantity": 0.01}),
                    (-4056, "session_logon", {}),
                ):
                    with pytest.raises(Refused) as refused:
                        await client.ask(call, **terms)
                    assert refused.value.args[0] == code, refused.value
                async with caller(venue.port, judge, ApiKey("x", SANDBOX.key, "not it")) as wrong:
                    with pytest.raises(Refused, match="-1022"):
                        await wrong.ask("account_status")
                    with pytest.raises(Refused, match="-1022"):  # what is percent-encoded before it is signed, too
                        await wrong.ask("order_status", symbol=MARKET, orig_client_order_id="any/legal:id")

    asyncio.run(walk())


def test_every_stream_sends_what_the_official_client_expects(tmp_path: Path) -> None:
    async def walk() -> None:
        with judged() as judge:
            async with running(tmp_path, VenueConfig(speed=600)) as venue:
                given = ConfigurationWebSocketStreams(stream_url=f"ws://127.0.0.1:{venue.port}")
                socket: Any = Spot(config_ws_streams=given).websocket_streams
                streams = await socket.create_connection()
                one = {"symbol": MARKET}
                wishes: dict[str, dict[str, Any]] = {
                    **dict.fromkeys(("agg_trade", "avg_price", "book_ticker", "mini_ticker", "ticker", "trade"), one),
                    "all_mini_ticker": {},
                    "all_market_rolling_window_ticker": {"window_size": "1h"},
                    "rolling_window_ticker": one | {"window_size": "1d"},
                    "reference_price": one,
                    "block_trade": one,
                    "diff_book_depth": one | {"update_speed": "100ms"},
                    "partial_book_depth": one | {"levels": "5", "update_speed": "100ms"},
                    "kline": one | {"interval": "1m"},
                }
                assert wishes.keys() == STREAMS - STREAMS_NOT_BUILT
                heard: dict[str, int] = dict.fromkeys(wishes, 0)

                def hear(name: str, event: Any) -> None:
                    judge.see(event)
                    heard[name] += 1

                async def listen(name: str) -> None:
                    handle = await getattr(streams, name)(**wishes[name])
                    handle.on("message", partial(hear, name))

                await soon(asyncio.gather(*map(listen, wishes)))  # each alone waits half a second
                assert len((await soon(streams.list_subscribe()))["result"]) == len(wishes)
                await eventually_async(lambda: min(heard[name] for name in wishes.keys() - SILENT) >= 2, within_s=20)
                assert not heard["block_trade"]
                await streams.unsubscribe(streams=["btcusdt@trade"])
                await streams.close_connection(close_session=True)

    asyncio.run(walk())
