"""The servers that the venue's benchmarks measure, each in a process of its own: `python -m benchmarks.venue_servers
NAME FOLDER [JSON]` prints its port and serves. `bare` is the floor: the same library, and nothing behind it."""

import asyncio
import json
import sys
from collections.abc import AsyncIterator, Callable, Coroutine
from contextlib import asynccontextmanager
from decimal import Decimal
from pathlib import Path
from typing import Any, NamedTuple

import psutil
from aiohttp import web

from benchmarks.feed_flood import flood
from execution.runtime.clock import SystemClock
from execution.runtime.settings import VenueConfig
from execution.venue import limits
from execution.venue.server import ApiKey, VenueServer

KEY = ApiKey("sandbox", "k" * 32, "s" * 32)
PEER = ApiKey("peer", "p" * 32, "q" * 32)  # an account of its own, for who is compared with us
MUCH = 10**12
START_WITHIN_S = 60
REPLY = b'{"symbol":"BTCUSDT","orderId":1,"status":"FILLED"}'
DEPTH = (
    '{"e":"depthUpdate","E":%d,"s":"AUSDT","U":1,"u":2,"b":['
    + ",".join(['["30000.00000000","0.00000000"]'] * 10)
    + "],"
    '"a":[' + ",".join(['["30001.00000000","0.01000000"]'] * 10) + "]}"
)
PERIOD_S = 0.1
LIMITS = ("WEIGHT_PER_MINUTE", "REQUESTS_PER_5_MIN", "ORDERS_PER_10_S", "ORDERS_PER_DAY", "CONNECTIONS_PER_5_MIN")


class Served(NamedTuple):
    """A server that listens."""

    port: int
    process: psutil.Process


async def serve_venue(folder: Path, words: dict[str, Any]) -> None:
    """The whole venue without limits on how much may be asked."""
    for name in LIMITS:
        assert hasattr(limits, name), f"limits.{name} is gone: the benchmark would measure refusals"
        setattr(limits, name, MUCH)
    opening = Decimal(words.pop("opening_balance", 10**8))
    config = VenueConfig(opening_balance=opening, **words)
    server = VenueServer(config, folder, [KEY, PEER], SystemClock())
    print(await server.start(), flush=True)
    await server.run_market()


async def serve_bare(_folder: Path, _words: dict[str, Any]) -> None:
    """A server that reads a request and answers; on a WebSocket it sends a message per stream each 100 ms."""
    clock = SystemClock()

    async def handle(request: web.Request) -> web.Response:
        await request.read()
        return web.Response(body=REPLY, content_type="application/json")

    async def stream(request: web.Request) -> web.WebSocketResponse:
        socket = web.WebSocketResponse(compress=False)
        await socket.prepare(request)
        due = clock.monotonic()
        while not socket.closed:
            try:
                for _ in request.path.removeprefix("/ws/").split("/"):
                    await socket.send_str(DEPTH % clock.now_ms())
            except ConnectionError:
                break  # the client has gone
            due += PERIOD_S
            await clock.sleep(max(0.0, due - clock.monotonic()))
        return socket

    application = web.Application()
    application.router.add_get("/ws/{streams:.*}", stream)
    application.router.add_route("*", "/{path:(?s:.*)}", handle)
    runner = web.AppRunner(application, access_log=None)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    print(runner.addresses[0][1], flush=True)
    await asyncio.Event().wait()


SERVERS: dict[str, Callable[[Path, dict[str, Any]], Coroutine[Any, Any, None]]] = {
    "venue": serve_venue,
    "bare": serve_bare,
    "flood": flood,
}


@asynccontextmanager
async def serving(name: str, folder: Path, **words: Any) -> AsyncIterator[Served]:
    """One of the servers; `words` are settings of the venue."""
    command = (sys.executable, "-m", "benchmarks.venue_servers", name, str(folder), json.dumps(words))
    child = await asyncio.create_subprocess_exec(*command, stdout=asyncio.subprocess.PIPE)
    try:
        assert child.stdout is not None
        port = int(await asyncio.wait_for(child.stdout.readline(), START_WITHIN_S))
        yield Served(port, psutil.Process(child.pid))
    finally:
        child.kill()
        await child.wait()


def main(arguments: list[str]) -> None:
    """Serve, for ever."""
    name, folder, *words = arguments
    if name not in SERVERS:
        raise SystemExit(f"{name}: one of {', '.join(sorted(SERVERS))} would be right")
    asyncio.run(SERVERS[name](Path(folder), json.loads(words[0]) if words else {}))


if __name__ == "__main__":
    main(sys.argv[1:])
