"""The WebSocket API: sessions by Ed25519, limits in every reply, a user stream that says its end, bans."""

import asyncio
import hashlib
import hmac
from base64 import b64encode
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

import aiohttp
import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from execution.runtime.clock import ManualClock, SystemClock
from execution.runtime.settings import VenueConfig
from execution.venue import limits
from execution.venue.server import ApiKey, VenueServer
from tests.venue.support import SANDBOX, raw_client, running, signed

ORDER = {"symbol": "BTCUSDT", "side": "BUY", "type": "MARKET", "quantity": "0.001"}


class Line:
    """One connection to the WebSocket API, asked message by message."""

    def __init__(self, socket: Any) -> None:
        self.socket = socket
        self.events: list[dict[str, Any]] = []

    async def ask(self, method: str, **params: Any) -> dict[str, Any]:
        """The reply to one request; events that come before it are kept."""
        await self.socket.send_json({"id": "1", "method": method, "params": params})
        while "id" not in (message := await self.socket.receive_json(timeout=30)):
            self.events.append(message)
        return dict(message)


@asynccontextmanager
async def line(url: str) -> AsyncIterator[Line]:
    """A connection."""
    async with aiohttp.ClientSession() as session, session.ws_connect(f"{url}/ws-api/v3") as socket:
        yield Line(socket)


def test_a_session_is_logged_on_by_ed25519_and_then_needs_no_more_signatures(tmp_path: Path) -> None:
    async def scene() -> None:
        private = Ed25519PrivateKey.generate()
        public = private.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo).decode()
        server = VenueServer(VenueConfig(), tmp_path, [ApiKey("anna", "anna-key", public), SANDBOX], SystemClock())
        port = await server.start()
        try:
            async with line(f"http://127.0.0.1:{port}") as connection:
                ask = connection.ask
                assert (await ask("order.place", **ORDER))["error"]["code"] == -2014, "nobody is logged on"
                assert (await ask("userDataStream.subscribe"))["status"] == 401
                assert (await ask("session.status"))["result"]["apiKey"] is None
                values = {"apiKey": "anna-key", "timestamp": SystemClock().now_ms()}
                payload = "&".join(f"{name}={values[name]}" for name in sorted(values))
                stamp = b64encode(private.sign(payload.encode())).decode()
                wrong = b64encode(private.sign(b"other")).decode()
                assert (await ask("session.logon", **values, signature=wrong))["error"]["code"] == -1022
                assert (await ask("session.logon", **values, signature="\u00e4"))["error"]["code"] == -1022
                assert (await ask("session.logon", **values, signature=stamp))["result"]["apiKey"] == "anna-key"
                assert (await ask("userDataStream.subscribe"))["result"] == {"subscriptionId": 0}
                placed = (await ask("order.place", **ORDER))["result"]
                assert placed["status"] == "FILLED"
                found = await ask("order.status", symbol="BTCUSDT", orderId=placed["orderId"])
                assert found["result"]["clientOrderId"] == placed["clientOrderId"]
                kinds = [event["event"]["e"] for event in connection.events]
                assert kinds == ["executionReport", "executionReport", "outboundAccountPosition"]
                assert (await ask("session.logout"))["result"]["apiKey"] is None
                assert (await ask("account.status"))["status"] == 401
        finally:
            await server.stop()

    asyncio.run(scene())


def test_an_hmac_key_signs_each_request_and_logs_nobody_on(tmp_path: Path) -> None:
    async def scene() -> None:
        async with running(tmp_path, driven=False) as venue, line(venue.url) as connection:
            text = signed({"apiKey": SANDBOX.key}, SystemClock().now_ms())
            values = dict(part.split("=") for part in text.split("&"))
            reply = await connection.ask("session.logon", **values)
            assert reply["error"]["code"] == -4056
            status = await connection.ask("account.status", **values)
            assert status["result"]["canTrade"]

    asyncio.run(scene())


def test_a_request_is_signed_as_it_is_or_percent_encoded_and_by_nothing_else(tmp_path: Path) -> None:
    def stamp(text: str) -> str:
        return hmac.new(SANDBOX.secret.encode(), text.encode(), hashlib.sha256).hexdigest()

    async def scene() -> None:
        async with running(tmp_path, driven=False) as venue, line(venue.url) as connection:
            values: dict[str, Any] = {"apiKey": SANDBOX.key, "origClientOrderId": "a/b:c", "symbol": "BTCUSDT"}
            values["timestamp"] = SystemClock().now_ms()
            plain = "&".join(f"{name}={value}" for name, value in sorted(values.items()))
            encoded = urlencode(sorted(values.items()))
            assert plain != encoded

            async def code(**signature: str) -> int:
                return int((await connection.ask("order.status", **values, **signature))["error"]["code"])

            no_such_order = -2013
            assert await code(signature=stamp(plain)) == no_such_order
            assert await code(signature=stamp(encoded)) == no_such_order
            assert await code(signature=stamp(encoded + "x")) == -1022
            assert await code() == -1102

    asyncio.run(scene())


def test_every_reply_says_how_much_is_used_unless_that_is_not_wanted(tmp_path: Path) -> None:
    async def scene() -> None:
        async with running(tmp_path, driven=False) as venue, line(venue.url) as connection:
            first = await connection.ask("ping")
            assert [(row["rateLimitType"], row["count"]) for row in first["rateLimits"]] == [("REQUEST_WEIGHT", 3)], (
                "the line weighs 2"
            )
            assert (await connection.ask("fly"))["rateLimits"][0]["count"] == 5
            assert "rateLimits" not in await connection.ask("ping", returnRateLimits=False)

    asyncio.run(scene())


def test_a_user_stream_that_is_ended_says_so_and_an_unknown_one_is_refused(tmp_path: Path) -> None:
    async def scene() -> None:
        async with running(tmp_path, driven=False) as venue, line(venue.url) as connection:
            text = signed({"apiKey": SANDBOX.key}, SystemClock().now_ms())
            values = dict(part.split("=") for part in text.split("&"))
            assert (await connection.ask("userDataStream.subscribe.signature", **values))["status"] == 200
            assert (await connection.ask("session.status"))["result"]["userDataStream"]
            assert (await connection.ask("userDataStream.unsubscribe", subscriptionId=7))["error"]["code"] == -2036
            assert (await connection.ask("userDataStream.unsubscribe", subscriptionId="x"))["error"]["code"] == -1100
            assert (await connection.ask("userDataStream.unsubscribe", subscriptionId=0))["result"] == {}
            (end,) = connection.events
            assert (end["subscriptionId"], end["event"]["e"]) == (0, "eventStreamTerminated")
            assert not (await connection.ask("session.status"))["result"]["userDataStream"]

    asyncio.run(scene())


def test_who_goes_on_after_429_is_banned_for_longer_each_time_and_the_web_socket_is_cut(tmp_path: Path) -> None:
    async def scene() -> None:
        clock = ManualClock(1_700_000_040_000)
        async with running(tmp_path, clock=clock, driven=False) as venue, raw_client(venue, clock) as raw:
            for seconds in (120, 240):
                counts = venue.server._rest._office.limits
                now_ms = clock.now_ms()
                counts.spend("127.0.0.1", limits.WEIGHT_PER_MINUTE - counts.weight_used("127.0.0.1", now_ms), now_ms)
                async with line(venue.url) as connection:
                    refused = [(await raw.public("ping")).status for _ in range(limits.REFUSED_BEFORE_BAN)]
                    assert set(refused) == {429}
                    reply = await raw.public("ping")
                    assert (reply.status, reply.code, int(reply.headers["Retry-After"])) == (418, -1003, seconds + 1)
                    assert (await raw.public("ping")).status == 418
                    with pytest.raises(aiohttp.WSServerHandshakeError, match="418"):
                        await raw.session.ws_connect(f"{venue.url}/ws")
                    told = await connection.ask("ping")
                    assert (told["status"], told["error"]["data"]["retryAfter"] > clock.now_ms()) == (418, True)
                    assert (await connection.socket.receive(timeout=30)).type is aiohttp.WSMsgType.CLOSE
                clock.advance(seconds)
                assert (await raw.public("ping")).status == 200

    asyncio.run(scene())


def test_lists_of_symbols_come_as_lists(tmp_path: Path) -> None:
    async def scene() -> None:
        async with running(tmp_path, driven=False) as venue, line(venue.url) as connection:
            for method in ("exchangeInfo", "ticker.24hr", "ticker.price", "ticker.book", "ticker"):
                found = (await connection.ask(method, symbols=["BTCUSDT", "ETHUSDT"]))["result"]
                rows = found["symbols"] if method == "exchangeInfo" else found
                assert [row["symbol"] for row in rows] == ["BTCUSDT", "ETHUSDT"], method
            for odd, code in ((["NOPE"], -1121), ([1], -1135), ([["BTCUSDT"]], -1135), ({}, -1135), ([], -1121)):
                assert (await connection.ask("ticker.price", symbols=odd))["error"]["code"] == code, odd

    asyncio.run(scene())
