"""Times in microseconds, by REST, by stream and by the WebSocket API, for who asks for them and for nobody else."""

import asyncio
from pathlib import Path
from typing import Any

import aiohttp
import pytest
from hypothesis import given
from hypothesis import strategies as st

from execution.runtime.settings import VenueConfig
from execution.venue.time_unit import in_microseconds, message_in_microseconds
from tests.venue.support import SANDBOX, raw_client, running, signed

NOW_MS = 1_795_000_000_000
JSON = st.recursive(
    st.none() | st.booleans() | st.integers(0, 10**11) | st.text() | st.just(NOW_MS),
    lambda parts: st.lists(parts) | st.dictionaries(st.text(), parts),
)


def digits(time: int) -> int:
    return len(str(time))


@given(JSON)
def test_times_and_nothing_else_are_changed(value: Any) -> None:
    def back(part: Any) -> Any:
        if isinstance(part, dict):
            return {name: back(inner) for name, inner in part.items()}
        if isinstance(part, list):
            return [back(inner) for inner in part]
        return NOW_MS if part == NOW_MS * 1000 else part

    assert back(in_microseconds(value)) == value


def test_what_is_not_json_stays_as_it_is() -> None:
    assert message_in_microseconds(b"<html>") == b"<html>"


def test_rest_answers_in_the_unit_that_is_asked_for(tmp_path: Path) -> None:
    async def scene() -> None:
        async with (
            running(tmp_path, driven=False) as venue,
            raw_client(venue) as raw,
            aiohttp.ClientSession() as session,
        ):

            async def asked(unit: str, path: str, key: str = "") -> tuple[int, Any]:
                headers = {"X-MBX-TIME-UNIT": unit} | ({"X-MBX-APIKEY": key} if key else {})
                async with session.get(venue.url + path, headers=headers) as reply:
                    return reply.status, await reply.json()

            assert digits((await raw.public("time")).body["serverTime"]) == 13
            status, body = await asked("MICROSECOND", "/api/v3/time")
            assert (status, digits(body["serverTime"])) == (200, 16)
            _, rows = await asked("microsecond", "/api/v3/klines?symbol=BTCUSDT&interval=1m&limit=2")
            assert [digits(rows[0][0]), digits(rows[0][6])] == [16, 16]
            assert isinstance(rows[0][8], int)
            assert rows[0][8] < 10**9
            query = signed({}, body["serverTime"])
            status, account = await asked("MICROSECOND", f"/api/v3/account?{query}", SANDBOX.key)
            assert (status, digits(account["updateTime"])) == (200, 16)
            status, refusal = await asked("NANOSECOND", "/api/v3/time")
            assert (status, refusal["code"]) == (400, -1194)

    asyncio.run(scene())


@pytest.mark.parametrize(
    ("path", "time_of"),
    [
        ("/ws/btcusdt@bookTicker/btcusdt@trade?timeUnit=MICROSECOND", lambda event: event.get("T")),
        ("/stream?streams=btcusdt@kline_1m&timeUnit=microsecond", lambda event: event["data"]["k"]["t"]),
    ],
)
def test_streams_speak_in_the_unit_that_is_asked_for(tmp_path: Path, path: str, time_of: Any) -> None:
    async def scene() -> None:
        async with running(tmp_path, VenueConfig(speed=600)) as venue, aiohttp.ClientSession() as session:
            async with session.ws_connect(f"ws://127.0.0.1:{venue.port}{path}") as socket:
                while (time := time_of(await socket.receive_json(timeout=10))) is None:
                    pass
                assert digits(time) == 16
            async with session.ws_connect(f"ws://127.0.0.1:{venue.port}/ws-api/v3?timeUnit=MICROSECOND") as socket:
                await socket.send_json({"id": 1, "method": "time"})
                assert digits((await socket.receive_json(timeout=10))["result"]["serverTime"]) == 16
            async with session.get(f"{venue.url}/ws?timeUnit=DAY") as reply:
                assert (reply.status, (await reply.json())["code"]) == (400, -1194)

    asyncio.run(scene())
