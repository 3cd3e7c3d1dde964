"""A server of ticks in a process of its own: `python -m benchmarks.tick_server` prints its port. Who listens under a
name (`ws://127.0.0.1:PORT/NAME/...`) gets what a line on its standard input says, `NAME SYMBOL BID`, as a best bid and
ask, and nobody else does; then it prints when that left (perf_counter, seconds), once it is asked by `when`."""

import asyncio
import json
import sys
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from decimal import Decimal

from aiohttp import WSMsgType, web

START_WITHIN_S = 60
SPREAD = Decimal("1.00001")


def frame(symbol: str, bid: str, number: int) -> str:
    """A bookTicker as Binance's spot streams send it."""
    ask = (Decimal(bid) * SPREAD).quantize(Decimal("0.01"))
    return json.dumps({"u": number, "s": symbol, "b": bid, "B": "3.10000000", "a": str(ask), "A": "2.20000000"})


class TickServer:
    """Who listens, by name; and when the last tick left."""

    def __init__(self) -> None:
        self._listeners: dict[str, web.WebSocketResponse] = {}
        self._number = 0
        self._left_at = 0.0

    async def listen(self, request: web.Request) -> web.WebSocketResponse:
        """One listener, until it goes; its wishes are granted unread."""
        name = request.path.split("/")[1]
        socket = web.WebSocketResponse(compress=False)
        await socket.prepare(request)
        self._listeners[name] = socket
        async for message in socket:
            if message.type is WSMsgType.TEXT:
                await socket.send_str(json.dumps({"result": None, "id": json.loads(message.data).get("id")}))
        return socket

    async def obey(self, line: str) -> None:
        """Send one tick, or say when the last one left."""
        name, *rest = line.split()
        if name == "when":
            print(self._left_at, flush=True)
            return
        self._number += 1
        told = frame(rest[0], rest[1], self._number)
        socket = self._listeners[name]
        self._left_at = time.perf_counter()
        await socket.send_str(told)


async def serve() -> None:
    """Until standard input ends."""
    server, application = TickServer(), web.Application()
    application.router.add_get("/{path:.*}", server.listen)
    runner = web.AppRunner(application, access_log=None)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    lines = asyncio.StreamReader()
    await asyncio.get_running_loop().connect_read_pipe(lambda: asyncio.StreamReaderProtocol(lines), sys.stdin)
    print(runner.addresses[0][1], flush=True)
    while line := await lines.readline():
        await server.obey(line.decode())
    await runner.cleanup()


class Ticks:
    """The other end, for who measures."""

    def __init__(self, port: int, child: asyncio.subprocess.Process) -> None:
        self.port = port
        self._child = child

    def say(self, name: str, symbol: str, bid: str) -> None:
        """Have one tick sent."""
        assert self._child.stdin is not None
        self._child.stdin.write(f"{name} {symbol} {bid}\n".encode())

    async def left_at(self) -> float:
        """When the last one left."""
        assert self._child.stdin is not None and self._child.stdout is not None
        self._child.stdin.write(b"when\n")
        return float(await asyncio.wait_for(self._child.stdout.readline(), START_WITHIN_S))


@asynccontextmanager
async def ticking() -> AsyncIterator[Ticks]:
    """The server, running."""
    pipe = asyncio.subprocess.PIPE
    child = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "benchmarks.tick_server", stdin=pipe, stdout=pipe
    )
    try:
        assert child.stdout is not None
        yield Ticks(int(await asyncio.wait_for(child.stdout.readline(), START_WITHIN_S)), child)
    finally:
        child.kill()
        await child.wait()


if __name__ == "__main__":
    asyncio.run(serve())
