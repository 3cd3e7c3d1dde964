"""A slow venue and one that is away look alike to a short time-out; a probe with all the time tells them apart."""

import asyncio

import pytest

from agents.line_probe import LineProbe
from execution.exchange.endpoint import Endpoint, build_client
from execution.runtime.clock import SystemClock
from tests.support import eventually_async

ANSWER = b'HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 20\r\n\r\n{"serverTime": 1000}'


@pytest.mark.parametrize(("late_s", "slow"), [(0.5, True), (None, False)])
def test_a_probe_waits_longer_than_requests_may_and_tells_whether_anything_came(
    late_s: float | None, slow: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("agents.line_probe.REQUEST_TIMEOUT_MOST_S", 2.0)

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        if late_s is None:
            await reader.read()  # until whoever asked has gone
        else:
            await SystemClock().sleep(late_s)
            writer.write(ANSWER)
            await writer.drain()
        writer.close()

    async def scene() -> None:
        server = await asyncio.start_server(answer, "127.0.0.1", 0)
        port = server.sockets[0].getsockname()[1]
        client = build_client(Endpoint("binance", f"http://127.0.0.1:{port}"), None, SystemClock(), timeout_s=0.3)
        probe = LineProbe(client, SystemClock())
        try:
            assert probe.told() == {"number": 0, "answered_s": None}
            probe.begin()
            probe.begin()
            await eventually_async(lambda: probe.told()["number"])
            told = probe.told()
            assert told["number"] == 1
            assert (told["answered_s"] is not None) == slow
            assert client.timeout == 300
            assert client.line.get_health().metrics["requests"] == 0
        finally:
            await client.close()
            server.close()

    asyncio.run(scene())
