"""Clients that mean harm: half requests, broken HTTP, bombs, odd paths. Nothing they send is executed, holds anybody
up, breaks the venue or is answered with a traceback."""

import asyncio
import gzip
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import aiohttp
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from execution.runtime.clock import ManualClock, SystemClock
from execution.venue import doors, rest
from execution.venue.limits import RateLimits
from tests.support import eventually_async
from tests.venue.support import SANDBOX, Raw, Running, raw_client, running, signed
from tests.venue.test_fuzz import balances, in_thread

CHUNKS = b"POST /api/v3/order HTTP/1.1\r\nHost: x\r\nConnection: close\r\nTransfer-Encoding: chunked\r\n\r\n"
ORDER = {"symbol": "BTCUSDT", "side": "BUY", "type": "MARKET", "quantity": "0.001"}


@asynccontextmanager
async def venue_and_client(tmp_path: Path) -> AsyncIterator[tuple[Running, Raw]]:
    """A venue that stands still and a client that means no harm; at the end both are well."""
    async with running(tmp_path, driven=False) as venue, raw_client(venue) as raw:
        yield venue, raw
        assert (await raw.public("ping")).status == 200
        assert venue.server.get_health()["error_count"] == 0


async def spoken(venue: Running, sent: bytes, end: bool = True) -> bytes:
    """What comes back for these bytes, until the venue hangs up."""
    reader, writer = await asyncio.open_connection("127.0.0.1", venue.port)
    writer.write(sent)
    if end:
        writer.write_eof()
    try:
        return await asyncio.wait_for(reader.read(), 30)
    except ConnectionError:
        return b""
    finally:
        writer.close()


def whole_order() -> bytes:
    """A good signed order as it goes over the line."""
    body = signed(dict(ORDER), SystemClock().now_ms()).encode()
    head = (
        f"POST /api/v3/order HTTP/1.1\r\nHost: x\r\nX-MBX-APIKEY: {SANDBOX.key}\r\nContent-Length: {len(body)}\r\n\r\n"
    )
    return head.encode() + body


def test_an_order_that_is_sent_by_half_is_never_executed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(rest, "BODY_WITHIN_S", 0.1)
    monkeypatch.setattr(doors, "IDLE_MOST_S", 0.1)
    monkeypatch.setattr(doors, "LOOK_PERIOD_S", 0.02)

    async def scene() -> None:
        async with venue_and_client(tmp_path) as (venue, raw):
            looking = asyncio.create_task(venue.server._doors.run())
            held, order = balances(venue), whole_order()
            for length in (1, 30, len(order) // 2, len(order) - 1):
                back = await spoken(venue, order[:length])
                assert back.partition(b" ")[2][:3] in (b"", b"400", b"408"), "it hangs up half-way"
                if b"\r\n\r\n" in order[:length]:
                    back = await spoken(venue, order[:length], end=False)
                    assert back.startswith(b"HTTP/1.1 408"), "it stops half-way and stays"
            assert balances(venue) == held
            assert (await raw.signed("GET", "allOrders", symbol="BTCUSDT")).body == []
            assert (await spoken(venue, order, end=False)).startswith(b"HTTP/1.1 200")
            assert balances(venue) != held, "the whole of it is an order like any other"
            looking.cancel()

    asyncio.run(scene())


def test_who_connects_and_never_asks_is_sent_away_and_who_asks_stays(tmp_path: Path) -> None:
    async def scene() -> None:
        clock = ManualClock()
        async with venue_and_client(tmp_path) as (venue, raw):
            door = venue.server._doors
            door._clock = clock
            socket = await raw.session.ws_connect(f"{venue.url}/ws/btcusdt@trade")
            assert (await raw.public("ping")).status == 200
            lines = [await asyncio.open_connection("127.0.0.1", venue.port) for _ in range(50)]
            for _, writer in lines[::2]:
                writer.write(b"GET /api/v3/time HTTP/1.1\r\nHost:")
            await eventually_async(lambda: len(door._connections()) == 52, 30)
            door.look()
            clock.advance(doors.FIRST_REQUEST_WITHIN_S)
            door.look()
            for reader, writer in lines:
                try:
                    assert await asyncio.wait_for(reader.read(), 30) == b""
                except ConnectionError:
                    pass  # that is what being sent away looks like, too
                writer.close()
            await eventually_async(lambda: len(door._connections()) == 2, 30)
            await socket.send_json({"method": "LIST_SUBSCRIPTIONS", "id": 1})
            assert (await socket.receive_json(timeout=30))["result"] == ["btcusdt@trade"]
            clock.advance(doors.IDLE_MOST_S)
            door.look()
            await socket.send_json({"method": "LIST_SUBSCRIPTIONS", "id": 2})
            assert (await socket.receive_json(timeout=30))["id"] == 2, "a WebSocket is never idle"
            await socket.close()

    asyncio.run(scene())


BROKEN = {
    "no HTTP at all": b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + bytes(200),
    "only line ends": b"\r\n" * 500,
    "a line without end": b"GET /" + b"a" * 100_000,
    "a header without end": b"GET / HTTP/1.1\r\nX: " + b"a" * 100_000,
    "a thousand headers": b"GET / HTTP/1.1\r\n" + b"X: y\r\n" * 1000 + b"\r\n",
    "two lengths": b"POST /api/v3/order HTTP/1.1\r\nHost: x\r\nContent-Length: 3\r\nContent-Length: 7\r\n\r\nabcdefg",
    "a length below nought": b"POST /api/v3/order HTTP/1.1\r\nHost: x\r\nContent-Length: -1\r\n\r\n",
    "a length that is no number": b"POST /api/v3/order HTTP/1.1\r\nHost: x\r\nContent-Length: 1e3\r\n\r\n",
    "a length and chunks": b"POST /api/v3/order HTTP/1.1\r\nHost: x\r\nContent-Length: 3\r\n"
    b"Transfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
    "a chunk without size": CHUNKS + b"xyz\r\nabc\r\n",
    "an endless chunk": CHUNKS + b"ffffffffffff\r\nabc",
    "an unknown version": b"GET /api/v3/time HTTP/9.9\r\n\r\n",
    "an unknown method": b"FLY /api/v3/time HTTP/1.1\r\nHost: x\r\n\r\n",
    "a whole address": b"GET http://else.where/api/v3/time HTTP/1.1\r\nHost: else.where\r\nConnection: close\r\n\r\n",
    "somebody else's proxy": b"CONNECT example.com:443 HTTP/1.1\r\nHost: example.com\r\n\r\n",
    "a nought in the path": b"GET /api/v3/time\x00 HTTP/1.1\r\nHost: x\r\n\r\n",
    "a way up": b"GET /../../etc/passwd HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n",
    "no bytes at all": b"",
}


def test_broken_http_is_refused_and_never_kept_or_answered_with_a_500(tmp_path: Path) -> None:
    async def scene() -> None:
        async with venue_and_client(tmp_path) as (venue, _raw):
            held = balances(venue)
            for name, sent in BROKEN.items():
                back = await spoken(venue, sent)
                assert b"Traceback" not in back, name
                assert b"root:" not in back, name
                status = back.split(b" ", 2)[1:2]
                assert not status or status[0][:1] in b"2 4", (name, back[:200])
            assert balances(venue) == held

    asyncio.run(scene())


def test_a_bomb_of_nothing_but_noughts_is_refused_before_it_is_whole(tmp_path: Path) -> None:
    async def scene() -> None:
        async with venue_and_client(tmp_path) as (venue, raw):
            bomb = gzip.compress(b"a" * 50_000_000)
            assert len(bomb) < rest.BODY_MAX_BYTES
            for encoding in ("gzip", "deflate", "br", "identity", "none-such"):
                headers = {"Content-Encoding": encoding, "X-MBX-APIKEY": SANDBOX.key}
                async with raw.session.post(f"{venue.url}/api/v3/order", data=bomb, headers=headers) as reply:
                    assert 400 <= reply.status < 500, encoding
                    assert "Traceback" not in await reply.text()

    asyncio.run(scene())


PATHS = st.text(st.characters(codec="utf-8", exclude_characters="\r\n"), max_size=30)
STARTS = st.sampled_from(["/", "/ws", "/ws/", "/stream?streams=", "/stream/ws/", "/ws-api/v3", "/api/v3/", "/sapi/v1/"])


def test_odd_paths_and_methods_get_a_code_or_a_line_and_never_a_500(tmp_path: Path) -> None:
    async def scene() -> None:
        loop = asyncio.get_running_loop()
        async with venue_and_client(tmp_path) as (venue, raw):

            @settings(max_examples=150, deadline=None)
            @given(
                method=st.sampled_from(["GET", "POST", "PUT", "DELETE", "PATCH", "HEAD", "OPTIONS", "TRACE"]),
                start=STARTS,
                path=PATHS | st.sampled_from(["btcusdt@trade/!ticker@arr", "btcusdt@depth5@100ms", "@", "a@b/c@d"]),
                upgrade=st.booleans(),
            )
            def storm(method: str, start: str, path: str, upgrade: bool) -> None:
                venue.server._rest._office.limits = RateLimits()
                line = f"{method} {start}{path} HTTP/1.1\r\nHost: x\r\n"
                if upgrade:
                    line += "Upgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Version: 13\r\n"
                    line += "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n"
                else:
                    line += "Connection: close\r\n"
                back = in_thread(spoken(venue, line.encode() + b"\r\n"), loop)
                assert b"Traceback" not in back
                assert not back or back.split(b" ", 2)[1][:1] in b"1 2 4", back[:300]

            await asyncio.to_thread(storm)
            assert (await raw.public("time")).status == 200

    asyncio.run(scene())


def test_a_flood_of_subscriptions_is_refused_beyond_the_most_and_leaves_nothing_behind(tmp_path: Path) -> None:
    async def scene() -> None:
        async with venue_and_client(tmp_path) as (venue, raw):
            socket = await raw.session.ws_connect(f"{venue.url}/ws")
            kinds = ["trade", "aggTrade", "bookTicker", "ticker", "miniTicker", "depth", "depth5", "depth10", "depth20"]
            names = [f"{coin}usdt@{kind}" for coin in ("btc", "eth") for kind in kinds]
            for number in range(70):
                await socket.send_json({"method": "SUBSCRIBE", "params": names, "id": number})
                assert (await socket.receive_json(timeout=30)).get("result", 0) is None, "the same again is no more"
            await socket.send_json({"method": "SUBSCRIBE", "params": names * 100, "id": "many"})
            reply = await socket.receive_json(timeout=30)
            assert reply["id"] == "many"
            await socket.close()
            listeners = venue.server._sockets._streams._listeners
            await eventually_async(lambda: not listeners, 30)

    asyncio.run(scene())


def test_who_sends_no_http_or_goes_away_half_way_is_a_line_in_the_log_and_no_traceback(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level("INFO")

    async def scene() -> None:
        async with venue_and_client(tmp_path) as (venue, _raw):
            await spoken(venue, b"GET /" + b"a" * 10_000 + b" HTTP/1.1\r\n\r\n")
            _reader, writer = await asyncio.open_connection("127.0.0.1", venue.port)
            writer.write(whole_order()[:-9])
            await eventually_async(lambda: venue.server._rest.requests == 1)
            writer.transport.abort()
            await eventually_async(lambda: len(told()) == 2)

    def told() -> list[str]:
        return [getattr(record, "fields", {}).get("error", "") for record in caplog.records if "client" in record.msg]

    asyncio.run(scene())
    assert told() == ["LineTooLong", "ConnectionResetError"]
    assert [record.msg for record in caplog.records if record.exc_info] == []


def test_a_session_of_aiohttp_that_is_dropped_in_mid_answer_costs_nobody_anything(tmp_path: Path) -> None:
    async def scene() -> None:
        async with venue_and_client(tmp_path) as (venue, _raw):
            for _ in range(30):
                async with aiohttp.ClientSession() as session:
                    asking = asyncio.create_task(session.get(f"{venue.url}/api/v3/depth?symbol=BTCUSDT&limit=5000"))
                    await asyncio.sleep(0)
                    asking.cancel()

    asyncio.run(scene())
