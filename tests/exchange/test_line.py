"""How long a venue takes is measured where it is asked, over every renewal, and a request ends when it was told to."""

import asyncio
import time

import pytest

from execution.exchange.classify import VenueError
from execution.exchange.endpoint import Endpoint, build_client
from execution.exchange.line import REQUESTS_KEPT_MAX, Line
from execution.runtime.clock import SystemClock
from execution.vocabulary.limits import REQUEST_TIMEOUT_MOST_S


def test_the_shares_of_what_was_measured_are_told() -> None:
    line = Line(4.0)
    assert line.get_health().metrics == {"requests": 0, "given_up": 0, "timeout_s": 4.0}
    for hundredths in range(1, 101):
        line.note(hundredths / 100)
    line.note(4.2)
    metrics = line.get_health().metrics
    assert (metrics["requests"], metrics["given_up"]) == (101, 1)
    assert (metrics["p50_s"], metrics["p99_s"]) == (0.51, 1.0)


def test_only_the_newest_requests_count() -> None:
    line = Line(4.0)
    for _ in range(REQUESTS_KEPT_MAX):
        line.note(9.0)
    for _ in range(REQUESTS_KEPT_MAX):
        line.note(0.01)
    assert line.get_health().metrics["p99_s"] == 0.01


def test_a_request_to_a_silent_venue_is_given_up_after_the_configured_time_and_that_is_seen() -> None:
    async def scene() -> None:
        async def silent(_: asyncio.StreamReader, __: asyncio.StreamWriter) -> None:
            await asyncio.Event().wait()

        server = await asyncio.start_server(silent, "127.0.0.1", 0)
        port = server.sockets[0].getsockname()[1]
        client = build_client(Endpoint("binance", f"http://127.0.0.1:{port}"), None, SystemClock(), timeout_s=0.3)
        renewed = client.renewed()
        try:
            for one in (client, renewed):
                began = time.monotonic()
                with pytest.raises(VenueError):
                    await one.call("publicGetTime")
                assert 0.25 < time.monotonic() - began < 2.0
            metrics = renewed.line.get_health().metrics
            assert (metrics["requests"], metrics["given_up"], metrics["timeout_s"]) == (2, 2, 0.3)
        finally:
            await client.close()
            await renewed.close()
            server.close()

    asyncio.run(scene())


@pytest.mark.parametrize(("asked_s", "given_s"), [(1.5, 1.5), (60.0, REQUEST_TIMEOUT_MOST_S)])
def test_no_setting_lets_a_request_outlive_its_receive_window(asked_s: float, given_s: float) -> None:
    async def scene() -> None:
        client = build_client(Endpoint("binance", "http://127.0.0.1:9"), None, SystemClock(), timeout_s=asked_s)
        assert client.timeout == client.renewed().timeout == given_s * 1000

    asyncio.run(scene())
