"""Nothing that is sent breaks the venue: odd requests to every endpoint, odd messages, torn frames, big bodies, slow
and many clients. What is refused changes no balance; nothing makes or loses money; nobody sees a 500 or a traceback."""

import asyncio
import hashlib
import hmac
import json
import os
import resource
from collections import Counter
from collections.abc import Mapping
from pathlib import Path
from typing import Any
from urllib.parse import quote, urlencode

import aiohttp
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from execution.runtime.clock import SystemClock
from execution.venue.limits import RateLimits
from execution.venue.list_entry import PAIR_PARAMETERS, STOP_PARAMETERS
from execution.venue.order_entry import TEST_PARAMETERS
from execution.venue.replacing import REPLACE
from execution.venue.web_socket_api import SIGNED_HERE
from tests.venue.support import LIVE, SANDBOX, Running, raw_client, running, signed

ODD = st.text(st.characters(codec="utf-8"), max_size=12)
MEANT = sorted(TEST_PARAMETERS | PAIR_PARAMETERS | STOP_PARAMETERS | REPLACE)  # all that an order may be asked for
NAMES = [
    *MEANT,
    *("symbol", "side", "type", "timeInForce", "quantity", "quoteOrderQty", "price", "stopPrice", "newClientOrderId"),
    *("orderId", "origClientOrderId", "cancelOrderId", "cancelReplaceMode", "orderListId", "aboveType", "belowType"),
    *("abovePrice", "belowPrice", "aboveStopPrice", "belowStopPrice", "stopLimitPrice", "selfTradePreventionMode"),
    *("newOrderRespType", "limit", "interval", "startTime", "endTime", "fromId", "symbols", "spotBNBBurn", "x"),
    *("recvWindow", "timestamp", "apiKey", "signature", "icebergQty", "listClientOrderId"),
]
KNOWN = [
    *("BTCUSDT", "ETHUSDT", "BUY", "SELL", "LIMIT", "MARKET", "STOP_LOSS_LIMIT", "LIMIT_MAKER", "GTC", "FOK", "0.01"),
    *("40000", "100000", "1", "-1", "0", "1m", "1" * 30, "9" * 20 + "." + "9" * 20, "NaN", "true", "[]"),
    *("STOP_ON_FAILURE", "ALLOW_FAILURE", "EXPIRE_BOTH", "FULL", '["BTCUSDT"]', "1e5", "\u0661\u0662"),
]
VALUES = st.one_of(st.sampled_from(KNOWN), ODD)
LIMIT = {
    "symbol": "BTCUSDT",
    "side": "BUY",
    "type": "LIMIT",
    "timeInForce": "GTC",
    "quantity": "0.01",
    "price": "40000",
}
MARKET = {"symbol": "BTCUSDT", "side": "BUY", "type": "MARKET", "quantity": "0.01"}
STARTS = st.sampled_from([{}, {}, {"symbol": "BTCUSDT"}, LIMIT, MARKET, MARKET | {"side": "SELL"}])
CHANGES = st.dictionaries(st.sampled_from(NAMES), VALUES, max_size=5)
FIELDS = st.builds(lambda start, changes: start | changes, STARTS, CHANGES)
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | VALUES,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(NAMES) | ODD, inner, max_size=4),
    max_leaves=12,
)
REFUSALS = {400, 401, 404, 405, 409, 410, 413, 429}


def totals(venue: Running) -> dict[str, Any]:
    """All there is of each asset."""
    return {asset: venue.server.exchange.engine.accounts.total(asset) for asset in ("BTC", "ETH", "USDT", "BNB")}


def balances(venue: Running) -> dict[str, Any]:
    """What each customer has."""
    accounts = venue.server.exchange.engine.accounts
    return {name: dict(accounts.balances(name)) for name in ("sandbox", "live")}


def in_thread(coroutine: Any, loop: asyncio.AbstractEventLoop) -> Any:
    return asyncio.run_coroutine_threadsafe(coroutine, loop).result(60)


def test_odd_requests_to_every_endpoint_are_refused_by_code_and_cost_nobody_anything(tmp_path: Path) -> None:
    async def scene() -> None:
        loop = asyncio.get_running_loop()
        async with running(tmp_path, driven=False) as venue, raw_client(venue) as raw:
            endpoints = sorted(venue.server._rest._endpoints)
            assert len(endpoints) > 35
            before, answers = totals(venue), Counter[int]()

            @settings(max_examples=250, deadline=None)
            @example(("POST", "/api/v3/order"), MARKET, True, b"")
            @example(("POST", "/api/v3/order"), LIMIT, False, b"")
            @example(("DELETE", "/api/v3/openOrders"), {"symbol": "BTCUSDT"}, False, b"")
            @given(
                endpoint=st.sampled_from(endpoints), values=FIELDS, in_body=st.booleans(), junk=st.binary(max_size=9)
            )
            def storm(endpoint: tuple[str, str], values: dict[str, str], in_body: bool, junk: bytes) -> None:
                method, path = endpoint
                venue.server._rest._office.limits = RateLimits()
                held = balances(venue)
                stranger = urlencode(values)
                for key, body in (("", b""), (LIVE.key, stranger.encode()), ("no key", junk)):
                    reply = in_thread(raw.ask(method, path, stranger + quote(junk), body, key=key), loop)
                    assert reply.status in REFUSALS | {200}, reply
                    assert balances(venue) == held, "nobody has signed anything"
                query = {name: value for name, value in values.items() if name not in ("signature", "timestamp")}
                text = signed(dict(query), SystemClock().now_ms())
                text, body = ("", text.encode()) if in_body else (text, b"")
                reply = in_thread(raw.ask(method, path, text, body, key=SANDBOX.key), loop)
                answers[reply.status] += 1
                assert reply.status == 200 or (reply.status in REFUSALS and reply.code < 0), reply
                assert reply.status in (200, 409) or balances(venue) == held, "what is refused changes nothing"
                assert totals(venue) == before, "nothing makes or loses money"

            def each_once() -> None:
                for endpoint in endpoints:  # chance may leave one out
                    for values in ({"symbol": "BTCUSDT"}, LIMIT, dict.fromkeys(MEANT, "1")):
                        storm.hypothesis.inner_test(endpoint, values, False, b"")  # type: ignore[attr-defined]

            await asyncio.to_thread(storm)
            await asyncio.to_thread(each_once)
            assert answers[200] >= 3, "some were good"
            assert answers[400] > 0
            assert venue.server.get_health()["error_count"] == 0

    asyncio.run(scene())


def test_odd_messages_get_one_answer_each_and_leave_the_line_open(tmp_path: Path) -> None:
    async def scene() -> None:
        loop = asyncio.get_running_loop()
        async with running(tmp_path, driven=False) as venue, aiohttp.ClientSession() as session:
            api = await session.ws_connect(f"{venue.url}/ws-api/v3")
            streams = await session.ws_connect(f"{venue.url}/ws")
            known = venue.server._sockets._api
            methods = [*known._public, *known._signed, *known._sessioned, *SIGNED_HERE, "userDataStream.subscribe"]
            methods += ["SUBSCRIBE", "UNSUBSCRIBE", "LIST_SUBSCRIPTIONS", "SET_PROPERTY", "GET_PROPERTY"]
            names = st.sampled_from(
                ["btcusdt@trade", "btcusdt@depth5", "!ticker@arr", "!x@arr", "@", "btcusdt@kline_1m"]
            )

            async def answered(socket: Any, text: str) -> None:
                await socket.send_str(text)
                reply = await socket.receive_json(timeout=30)
                assert {"result", "error"} & reply.keys(), reply
                assert "Traceback" not in str(reply)

            @settings(max_examples=250, deadline=None)
            @given(
                method=st.sampled_from(methods) | ODD,
                params=FIELDS | st.lists(names | JSON, max_size=4) | JSON,
                number=JSON,
                plain=st.none() | ODD,
            )
            def storm(method: str, params: object, number: object, plain: str | None) -> None:
                venue.server._rest._office.limits = RateLimits()
                held = balances(venue)
                text = json.dumps({"id": number, "method": method, "params": params}) if plain is None else plain
                for socket in (api, streams):
                    in_thread(answered(socket, text), loop)
                assert balances(venue) == held

            await asyncio.to_thread(storm)
            assert venue.server.get_health()["error_count"] == 0
            await api.close()
            await streams.close()

    asyncio.run(scene())


def test_signed_messages_of_every_method_are_answered_and_a_refusal_changes_nothing(tmp_path: Path) -> None:
    async def scene() -> None:
        loop = asyncio.get_running_loop()
        async with running(tmp_path, driven=False) as venue, aiohttp.ClientSession() as session:
            socket = await session.ws_connect(f"{venue.url}/ws-api/v3")
            known, before = venue.server._sockets._api, totals(venue)
            answers = Counter[int]()

            async def asked(message: Mapping[str, object]) -> Any:
                await socket.send_json(message)
                reply = await socket.receive_json(timeout=30)
                while "event" in reply:
                    reply = await socket.receive_json(timeout=30)
                return reply

            def signed_once(method: str, values: dict[str, str]) -> None:
                venue.server._rest._office.limits = RateLimits()
                held = balances(venue)
                wanted = {name: value for name, value in values.items() if name not in ("signature", "timestamp")}
                wanted |= {"apiKey": SANDBOX.key, "timestamp": str(SystemClock().now_ms())}
                payload = "&".join(f"{name}={wanted[name]}" for name in sorted(wanted))
                sign = hmac.new(SANDBOX.secret.encode(), payload.encode(), hashlib.sha256).hexdigest()
                message = {"id": method, "method": method, "params": wanted | {"signature": sign}}
                reply = in_thread(asked(message), loop)
                answers[reply["status"]] += 1
                assert (reply["id"], reply["status"] in REFUSALS | {200}) == (method, True), reply
                assert reply["status"] in (200, 409) or balances(venue) == held, "what is refused changes nothing"
                assert totals(venue) == before, "nothing makes or loses money"

            @settings(max_examples=150, deadline=None)
            @given(method=st.sampled_from(sorted(known._signed)), values=FIELDS)
            def storm(method: str, values: dict[str, str]) -> None:
                signed_once(method, values)

            def each_once() -> None:
                for method in [*known._signed, *SIGNED_HERE]:
                    for values in ({}, {"symbol": "BTCUSDT"}, LIMIT, MARKET):
                        signed_once(method, values)

            await asyncio.to_thread(each_once)
            await asyncio.to_thread(storm)
            assert answers[200] >= 3, "some were good"
            assert venue.server.get_health()["error_count"] == 0
            await socket.close()

    asyncio.run(scene())


FRAMES = {
    "not masked": b"\x81\x02{}",
    "a reserved bit": b"\xf1\x82\x00\x00\x00\x00{}",
    "an unknown kind": b"\x83\x82\x00\x00\x00\x00{}",
    "a split ping": b"\x09\x80\x00\x00\x00\x00",
    "a long ping": b"\x89\xfe\x01\x00\x00\x00\x00\x00" + b"x" * 256,
    "more than there is": b"\x81\xff\x7f\xff\xff\xff\xff\xff\xff\xff\x00\x00\x00\x00",
    "a continuation of nothing": b"\x80\x82\x00\x00\x00\x00{}",
    "no UTF-8": b"\x81\x82\x00\x00\x00\x00\xff\xfe",
    "bytes instead of text": b"\x82\x82\x00\x00\x00\x00{}",
    "no frame at all": os.urandom(64),
}
HANDSHAKE = (
    "GET {path} HTTP/1.1\r\nHost: 127.0.0.1\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
    "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n\r\n"
)


@pytest.mark.parametrize("path", ["/ws", "/ws-api/v3"])
def test_torn_frames_end_their_own_line_and_nobody_elses(tmp_path: Path, path: str) -> None:
    async def scene() -> None:
        async with running(tmp_path, driven=False) as venue, aiohttp.ClientSession() as session:
            good = await session.ws_connect(f"{venue.url}/ws-api/v3")
            for name, frame in FRAMES.items():
                reader, writer = await asyncio.open_connection("127.0.0.1", venue.port)
                writer.write(HANDSHAKE.format(path=path).encode())
                assert b"101" in await reader.readline()
                writer.write(frame)
                writer.write_eof()
                left = await asyncio.wait_for(reader.read(), 30)
                assert b"Traceback" not in left, name
                writer.close()
                await good.send_json({"id": name, "method": "ping"})
                assert (await good.receive_json(timeout=30))["id"] == name
            await good.close()
            assert venue.server.get_health()["error_count"] == 0

    asyncio.run(scene())


def test_a_body_or_message_too_big_is_refused_unread(tmp_path: Path) -> None:
    async def scene() -> None:
        async with (
            running(tmp_path, driven=False) as venue,
            raw_client(venue) as raw,
            aiohttp.ClientSession() as session,
        ):
            async with session.post(f"{venue.url}/api/v3/order", data=b"x" * 1_000_000) as reply:
                assert reply.status == 413
                assert "Traceback" not in await reply.text()
            for path in ("/ws", "/ws-api/v3"):
                async with session.ws_connect(venue.url + path) as socket:
                    await socket.send_str("x" * 100_000)
                    assert (await socket.receive(timeout=30)).type is aiohttp.WSMsgType.CLOSE
            async with session.ws_connect(f"{venue.url}/ws-api/v3") as socket:
                await socket.send_str("[" * 60_000)
                assert (await socket.receive_json(timeout=30))["error"]["code"] == -1135
            assert (await raw.public("ping")).status == 200

    asyncio.run(scene())


def test_a_thousand_silent_and_half_said_connections_hold_up_nobody(tmp_path: Path) -> None:
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = 2600 if hard == resource.RLIM_INFINITY else min(2600, hard)
    resource.setrlimit(resource.RLIMIT_NOFILE, (max(soft, wanted), hard))

    async def scene() -> None:
        async with running(tmp_path) as venue, raw_client(venue) as raw:
            lines = []
            for number in range(min(1000, (wanted - 500) // 2)):
                _, writer = await asyncio.open_connection("127.0.0.1", venue.port)
                writer.write(
                    (b"", b"GET /api/v3/ti", b"POST /api/v3/order HTTP/1.1\r\nContent-Length: 99\r\n\r\nsym")[
                        number % 3
                    ]
                )
                lines.append(writer)
            loop = asyncio.get_running_loop()
            began = loop.time()
            for _ in range(20):
                assert (await raw.public("depth", symbol="BTCUSDT")).status == 200
            assert loop.time() - began < 20
            for writer in lines:
                writer.close()
            assert venue.server.get_health()["error_count"] == 0

    try:
        asyncio.run(scene())
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
