"""The protocol as Binance speaks it: codes, statuses, headers, windows, limits; and no request breaks the venue."""

import asyncio
import json
from decimal import Decimal
from pathlib import Path
from urllib.parse import quote, urlencode

import aiohttp
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from execution.runtime.clock import ManualClock, SystemClock
from execution.venue.limits import RateLimits
from tests.venue.support import LIVE, SANDBOX, Raw, Reply, raw_client, running, signed

ORDER: dict[str, object] = {"symbol": "BTCUSDT", "side": "BUY", "type": "LIMIT", "timeInForce": "GTC"}
ORDER |= {"quantity": "0.01", "price": "40000"}
MARKET: dict[str, object] = {"symbol": "BTCUSDT", "side": "BUY", "type": "MARKET"}


def without(name: str) -> dict[str, object]:
    return {key: value for key, value in ORDER.items() if key != name}


@pytest.mark.parametrize(
    ("values", "code"),
    [
        (without("symbol"), -1102),
        (without("side"), -1102),
        (without("type"), -1102),
        (without("timeInForce"), -1102),
        (without("quantity"), -1102),
        (without("price"), -1102),
        (ORDER | {"symbol": "NOPE"}, -1121),
        (ORDER | {"symbol": "btcusdt"}, -1100),
        (ORDER | {"side": "HOLD"}, -1117),
        (ORDER | {"type": "ICEBERG"}, -1116),
        (ORDER | {"type": "STOP_LOSS"}, -1106),
        (ORDER | {"type": "STOP_LOSS_LIMIT"}, -1102),
        (ORDER | {"timeInForce": "GTX"}, -1115),
        (ORDER | {"quantity": "abc"}, -1100),
        (ORDER | {"quantity": "-1"}, -1100),
        (ORDER | {"quantity": "1e-3"}, -1100),
        (ORDER | {"quantity": "NaN"}, -1100),
        (ORDER | {"quantity": "0"}, -1013),
        (ORDER | {"quantity": "0.000001"}, -1013),
        (ORDER | {"quantity": "0.000000001"}, -1111),
        (ORDER | {"quantity": "99999999999"}, -1013),
        (ORDER | {"price": "40000.001"}, -1013),
        (ORDER | {"price": "40000.0000000001"}, -1111),
        (ORDER | {"price": "1.00"}, -1013),
        (ORDER | {"price": ""}, -1105),
        (ORDER | {"colour": "red"}, -1104),
        (ORDER | {"newClientOrderId": "x" * 37}, -1100),
        (ORDER | {"newClientOrderId": "no spaces"}, -1100),
        (ORDER | {"stopPrice": "1"}, -1106),
        (ORDER | {"quoteOrderQty": "10"}, -1106),
        (ORDER | {"quantity": "1"}, -2010),
        (MARKET, -1102),
        (MARKET | {"quoteOrderQty": "9" * 20 + "." + "9" * 20}, -1111),
        (MARKET | {"quoteOrderQty": "9" * 20 + ".99999999"}, -2010),
        (MARKET | {"quantity": "9" * 20 + ".99999999"}, -1013),
        (MARKET | {"quantity": "0." + "0" * 19 + "1"}, -1111),
        (ORDER | {"price": "9" * 20 + "." + "9" * 20}, -1111),
        (MARKET | {"quantity": "0.01", "price": "1"}, -1106),
        (MARKET | {"quantity": "0.01", "timeInForce": "GTC"}, -1106),
        (MARKET | {"quantity": "0.01", "quoteOrderQty": "10"}, -1128),
        (MARKET | {"quoteOrderQty": "1"}, -1013),
        (MARKET | {"quoteOrderQty": "10001"}, -2010),
        (ORDER | {"recvWindow": "60001"}, -1131),
        *((ORDER | {"recvWindow": odd}, -1100) for odd in ("x", "-1", "1e4", "1_000", "5000.1234", "9" * 40)),
        (ORDER | {"timestamp": "soon"}, -1100),
        (ORDER | {"timestamp": "1"}, -1021),
        (ORDER | {"timestamp": "99999999999999"}, -1021),
    ],
)
def test_a_wrong_order_gets_its_code_and_changes_nothing(tmp_path: Path, values: dict[str, object], code: int) -> None:
    async def scene() -> None:
        async with running(tmp_path, driven=False) as venue, raw_client(venue) as raw:
            reply = await raw.signed("POST", "order", **values)
            assert (reply.status, reply.code) == (400, code), reply.body
            assert (await raw.signed("GET", "openOrders")).body == []

    asyncio.run(scene())


def test_other_requests_with_faults_get_their_codes(tmp_path: Path) -> None:
    async def scene() -> None:
        async with running(tmp_path, driven=False) as venue, raw_client(venue) as raw:
            for method, path, values, code in (
                ("DELETE", "order", {"symbol": "BTCUSDT"}, -1102),
                ("DELETE", "order", {"symbol": "BTCUSDT", "orderId": 5}, -2011),
                ("DELETE", "openOrders", {"symbol": "BTCUSDT"}, -2011),
                ("GET", "order", {"symbol": "BTCUSDT", "origClientOrderId": "none"}, -2013),
                ("GET", "myTrades", {"symbol": "BTCUSDT", "orderId": 1, "startTime": 1}, -1128),
                ("GET", "allOrders", {"symbol": "BTCUSDT", "startTime": 1, "endTime": 10**9}, -1127),
            ):
                reply = await raw.signed(method, path, **values)
                assert (reply.status, reply.code) == (400, code), (path, reply.body)
            assert (await raw.public("klines", symbol="BTCUSDT", interval="7m")).code == -1120
            assert (await raw.public("klines", symbol="BTCUSDT")).code == -1102
            assert (await raw.public("userDataStream")).status == 410
            assert (await raw.ask("POST", "/api/v3/userDataStream")).status == 410
            assert (await raw.public("nothing")).status == 404
            assert (await raw.ask("PUT", "/api/v3/order")).status == 405
            assert (await raw.ask("GET", "/fapi/v1/exchangeInfo")).status == 404
            assert (await raw.public("depth", symbol="BTCUSDT", limit="many")).code == -1100
            assert (await raw.public("ticker/price", symbols='["BTCUSDT","X"]')).code == -1121
            both = await raw.public("ticker/price", symbols='["BTCUSDT"]', symbol="BTCUSDT")
            assert both.code == -1128

    asyncio.run(scene())


def test_keys_and_signatures_are_checked(tmp_path: Path) -> None:
    async def scene() -> None:
        async with running(tmp_path, driven=False) as venue, raw_client(venue) as raw:
            now = SystemClock().now_ms()
            good = signed({}, now)
            account = "/api/v3/account"
            assert (await raw.ask("GET", account, good, key=SANDBOX.key)).status == 200
            faults = [
                (await raw.ask("GET", account, good), 401, -2014),
                (await raw.ask("GET", account, good, key="not a key!"), 401, -2014),
                (await raw.ask("GET", account, good, key="unknown"), 401, -2015),
                (await raw.ask("GET", account, good, key=LIVE.key), 400, -1022),
                (await raw.ask("GET", account, good[:-1] + "0x", key=SANDBOX.key), 400, -1022),
                (await raw.ask("GET", account, f"timestamp={now}", key=SANDBOX.key), 400, -1102),
                (await raw.ask("GET", account, f"{good}&omitZeroBalances=true", key=SANDBOX.key), 400, -1022),
                (await raw.ask("GET", account, f"{good}&timestamp={now}", key=SANDBOX.key), 400, -1101),
            ]
            for reply, status, code in faults:
                assert (reply.status, reply.code) == (status, code)

    asyncio.run(scene())


def test_parameters_may_come_in_query_body_or_both(tmp_path: Path) -> None:
    async def scene() -> None:
        async with running(tmp_path, driven=False) as venue, raw_client(venue) as raw:
            now = SystemClock().now_ms()
            in_body = signed(MARKET | {"quantity": "0.001"}, now)
            assert (await raw.ask("POST", "/api/v3/order", body=in_body, key=SANDBOX.key)).status == 200
            query = urlencode(MARKET)
            whole = signed({"quantity": "0.001", "timestamp": now}, now)
            joined = query + whole.rpartition("&")[0]
            import hashlib
            import hmac

            stamp = hmac.new(SANDBOX.secret.encode(), joined.encode(), hashlib.sha256).hexdigest()
            body = f"{whole.rpartition('&')[0]}&signature={stamp}"
            reply = await raw.ask("POST", "/api/v3/order", query, body, key=SANDBOX.key)
            assert reply.body["status"] == "FILLED"

    asyncio.run(scene())


def test_the_reply_shows_as_much_as_was_asked_for(tmp_path: Path) -> None:
    async def scene() -> None:
        async with running(tmp_path, driven=False) as venue, raw_client(venue) as raw:
            size = {"quantity": "0.001"}
            full = (await raw.signed("POST", "order", **MARKET, **size)).body
            assert [set(fill) for fill in full["fills"]] == [
                {"price", "qty", "commission", "commissionAsset", "tradeId"}
            ]
            assert (full["executedQty"], full["fills"][0]["commission"]) == ("0.00100000", "0.00000100")
            result = (await raw.signed("POST", "order", **MARKET, **size, newOrderRespType="RESULT")).body
            assert result["status"] == "FILLED"
            assert "fills" not in result
            ack = (await raw.signed("POST", "order", **MARKET, **size, newOrderRespType="ACK")).body
            assert set(ack) == {"symbol", "orderId", "orderListId", "clientOrderId", "transactTime"}
            assert (await raw.signed("POST", "order/test", **MARKET, **size)).body == {}
            assert len((await raw.signed("GET", "myTrades", symbol="BTCUSDT")).body) == 3
            assert len((await raw.signed("GET", "myTrades", symbol="BTCUSDT", limit=2)).body) == 2
            third = (await raw.signed("GET", "myTrades", symbol="BTCUSDT", fromId=full["fills"][0]["tradeId"] + 1)).body
            assert len(third) == 2
            mine = (await raw.signed("GET", "myTrades", symbol="BTCUSDT", orderId=ack["orderId"])).body
            assert [trade["orderId"] for trade in mine] == [ack["orderId"]]
            assert (await raw.signed("GET", "rateLimit/order")).body[0]["count"] == 3

    asyncio.run(scene())


def test_weight_is_counted_per_minute_and_refused_beyond_with_a_time_to_wait(tmp_path: Path) -> None:
    async def scene() -> None:
        clock = ManualClock()
        async with running(tmp_path, clock=clock, driven=False) as venue, raw_client(venue, clock) as raw:
            first = await raw.public("exchangeInfo")
            assert first.headers["X-MBX-USED-WEIGHT-1M"] == "20"
            while (reply := await raw.signed("GET", "openOrders")).status == 200:
                assert int(reply.headers["X-MBX-USED-WEIGHT-1M"]) <= 6000
            assert (reply.status, reply.code) == (429, -1003)
            wait_s = int(reply.headers["Retry-After"])
            assert 0 < wait_s <= 61
            clock.advance(wait_s)
            assert (await raw.public("ping")).status == 200

    asyncio.run(scene())


def test_orders_are_counted_per_ten_seconds(tmp_path: Path) -> None:
    async def scene() -> None:
        clock = ManualClock()
        async with running(tmp_path, clock=clock, driven=False) as venue, raw_client(venue, clock) as raw:
            for count in range(1, 101):
                reply = await raw.signed("POST", "order", **ORDER | {"quantity": "5"})
                assert reply.headers["X-MBX-ORDER-COUNT-10S"] == str(count)
                assert reply.code == -2010
            reply = await raw.signed("POST", "order", **ORDER)
            assert (reply.status, reply.code) == (429, -1015)
            assert "Retry-After" not in reply.headers
            clock.advance(10)
            assert (await raw.signed("POST", "order", **ORDER)).status == 200

    asyncio.run(scene())


def test_a_request_that_was_held_up_inside_is_refused_before_it_matches(tmp_path: Path) -> None:
    """recvWindow is checked on arrival and again right before matching."""

    class SlowInside(ManualClock):
        asked = 0

        def now_ms(self) -> int:
            self.asked += 1
            return super().now_ms()

    async def scene() -> None:
        clock = SlowInside()
        async with running(tmp_path, clock=clock, driven=False) as venue, raw_client(venue, clock) as raw:
            original = RateLimits.count_order

            def hold_up(self: RateLimits, account: str, now_ms: int) -> tuple[int, int]:
                clock.advance(5.001)
                return original(self, account, now_ms)

            RateLimits.count_order = hold_up  # type: ignore[method-assign]
            try:
                reply = await raw.signed("POST", "order", **ORDER)
            finally:
                RateLimits.count_order = original  # type: ignore[method-assign]
            assert reply.code == -1021
            assert (await raw.signed("GET", "openOrders")).body == []

    asyncio.run(scene())


def test_the_account_is_shown_whole(tmp_path: Path) -> None:
    async def scene() -> None:
        async with running(tmp_path, driven=False) as venue, raw_client(venue) as raw:
            body = (await raw.signed("GET", "account")).body
            assert body["balances"] == [{"asset": "USDT", "free": "10000.00000000", "locked": "0.00000000"}]
            assert body["commissionRates"]["taker"] == "0.00100000"
            assert body["canTrade"] is True
            await raw.signed("POST", "order", **ORDER)
            body = (await raw.signed("GET", "account", omitZeroBalances="true")).body
            assert body["balances"] == [{"asset": "USDT", "free": "9600.00000000", "locked": "400.00000000"}]

    asyncio.run(scene())


ODD = st.text(st.characters(codec="utf-8"), max_size=12)
NAMES = [*ORDER, "limit", "interval", "startTime", "endTime", "orderId", "symbols", "fromId", "x", "recvWindow"]
LONG = "9" * 20 + "." + "9" * 20
KNOWN = [*map(str, ORDER.values()), "-1", "0", "1m", "1" * 30, LONG, "NaN", '["BTCUSDT"]']
VALUES = st.one_of(ODD, st.sampled_from(KNOWN))
PATHS = [
    "order",
    "openOrders",
    "allOrders",
    "myTrades",
    "klines",
    "depth",
    "trades",
    "aggTrades",
    "avgPrice",
    "account",
]
PATHS += ["order/cancelReplace", "orderList/oco", "order/oco", "orderList", "allOrderList", "openOrderList"]
PATHS += ["ticker/24hr", "ticker/price", "ticker/bookTicker", "exchangeInfo", "time", "order/test", "rateLimit/order"]


def test_no_request_however_odd_is_answered_with_a_500_or_breaks_the_venue(tmp_path: Path) -> None:
    async def asked(raw: Raw, method: str, path: str, values: dict[str, str], junk: bytes) -> list[Reply]:
        query = urlencode(values)
        plain = await raw.ask(method, f"/api/v3/{path}", query + quote(junk), junk if method == "POST" else b"")
        return [await raw.signed(method, path, **values), plain]

    async def scene(loop: asyncio.AbstractEventLoop) -> None:
        async with running(tmp_path, driven=False) as venue, raw_client(venue) as raw:

            @settings(max_examples=150, deadline=None)
            @given(
                method=st.sampled_from(["GET", "POST", "DELETE", "PUT"]),
                path=st.one_of(st.sampled_from(PATHS), ODD.map(quote)),
                values=st.dictionaries(st.sampled_from(NAMES), VALUES, max_size=8),
                junk=st.binary(max_size=20),
            )
            def storm(method: str, path: str, values: dict[str, str], junk: bytes) -> None:
                venue.server._rest._office.limits = RateLimits()
                for reply in asyncio.run_coroutine_threadsafe(asked(raw, method, path, values, junk), loop).result():
                    assert reply.status in (200, 400, 401, 404, 405, 410, 413), reply
                    assert reply.status == 200 or reply.code < 0

            await asyncio.to_thread(storm)
            assert venue.server.get_health()["error_count"] == 0
            assert (await raw.public("ping")).status == 200

    async def main() -> None:
        await scene(asyncio.get_running_loop())

    asyncio.run(main())


def test_web_sockets_answer_bad_messages_with_errors_and_go_on(tmp_path: Path) -> None:
    async def scene() -> None:
        async with running(tmp_path, driven=False) as venue, aiohttp.ClientSession() as session:
            async with session.ws_connect(f"{venue.url}/stream/ws/1") as socket:
                for message in (
                    "not json",
                    "[]",
                    "{}",
                    '{"method":"SUBSCRIBE","params":["x@y"],"id":3}',
                    '{"params":1}',
                ):
                    await socket.send_str(message)
                    assert "error" in await socket.receive_json(timeout=5)
                await socket.send_json({"method": "SUBSCRIBE", "params": ["btcusdt@kline_7m"], "id": 4})
                assert (await socket.receive_json(timeout=5))["id"] == 4
                await socket.send_json({"method": "SUBSCRIBE", "params": ["btcusdt@bookTicker"], "id": 5})
                assert await socket.receive_json(timeout=5) == {"result": None, "id": 5}
                await socket.send_json({"method": "LIST_SUBSCRIPTIONS", "id": 6})
                assert (await socket.receive_json(timeout=5))["result"] == ["btcusdt@bookTicker"]
                await socket.send_json({"method": "UNSUBSCRIBE", "params": ["btcusdt@bookTicker"], "id": 7})
                assert (await socket.receive_json(timeout=5))["id"] == 7
            async with session.ws_connect(f"{venue.url}/ws-api/v3") as socket:
                for message, code in (
                    ("not json", -1135),
                    ('{"id":1}', -1135),
                    ('{"id":1,"method":"fly"}', -1020),
                    ('{"id":1,"method":"order.place"}', -2014),
                    ('{"id":1,"method":"order.place","params":[1]}', -1135),
                    ('{"id":1,"method":"order.place","params":{"apiKey":"sandbox-key"}}', -1102),
                    ('{"id":1,"method":"userDataStream.subscribe.signature","params":{"apiKey":"x"}}', -2015),
                ):
                    await socket.send_str(message)
                    assert (await socket.receive_json(timeout=5))["error"]["code"] == code, message
                await socket.send_json({"id": "a", "method": "time"})
                assert (await socket.receive_json(timeout=5))["result"]["serverTime"] > 0
            assert venue.server.get_health()["error_count"] == 0

    asyncio.run(scene())


def test_combined_streams_are_wrapped_and_plain_ones_are_not(tmp_path: Path) -> None:
    async def scene() -> None:
        async with running(tmp_path) as venue, aiohttp.ClientSession() as session:
            async with session.ws_connect(f"{venue.url}/stream?streams=btcusdt@bookTicker/ethusdt@kline_1m") as socket:
                seen = {(await socket.receive_json(timeout=5))["stream"] for _ in range(8)}
                assert seen == {"btcusdt@bookTicker", "ethusdt@kline_1m"}
            async with session.ws_connect(f"{venue.url}/ws/btcusdt@bookTicker") as socket:
                ticker = await socket.receive_json(timeout=5)
                assert set(ticker) == {"u", "s", "b", "B", "a", "A"}
                assert Decimal(ticker["b"]) < Decimal(ticker["a"])
            with pytest.raises(aiohttp.WSServerHandshakeError):
                await session.ws_connect(f"{venue.url}/ws/nope@bookTicker")
            async with session.get(f"{venue.url}/ws-api/v3") as plain:
                assert plain.status == 400

    asyncio.run(scene())


def test_a_client_that_does_not_read_is_cut_off_and_holds_up_nobody(tmp_path: Path) -> None:
    from execution.venue import connection

    async def scene() -> None:
        async with (
            running(tmp_path, driven=False) as venue,
            aiohttp.ClientSession() as session,
            session.ws_connect(f"{venue.url}/ws") as socket,
        ):
            await socket.send_json({"method": "LIST_SUBSCRIPTIONS", "id": 1})
            await socket.receive_json(timeout=5)
            (one,) = venue.server._sockets.connections
            for _ in range(connection.QUEUE_MAX + 1):
                one.offer(b"{}")
            assert one.too_slow
            while (message := await socket.receive(timeout=5)).type is aiohttp.WSMsgType.TEXT:
                assert json.loads(message.data) == {}
            assert message.type in (aiohttp.WSMsgType.CLOSE, aiohttp.WSMsgType.CLOSING, aiohttp.WSMsgType.CLOSED)

    asyncio.run(scene())
