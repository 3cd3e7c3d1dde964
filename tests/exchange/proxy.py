"""A TCP proxy between a client and the venue that loses requests or replies, or goes silent, on command."""

import asyncio
import contextlib
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from enum import StrEnum


class Loses(StrEnum):
    NOTHING = "nothing"
    REQUEST = "request"  # read from the client, never forwarded; the line is cut
    REPLY = "reply"  # forwarded and answered; the answer is never delivered; the line is cut
    EVERYTHING = "everything"  # silence: connections stay, nothing moves


class Proxy:
    """Listens on `port`, forwards to the venue. `match` limits the loss to requests that begin with it."""

    def __init__(self, venue_port: int) -> None:
        self.loses = Loses.NOTHING
        self.match = b""
        self.requests: list[bytes] = []
        self.connections = 0
        self.port = 0
        self._venue_port = venue_port
        self._tasks: set[asyncio.Task[None]] = set()

    def count(self, start: bytes) -> int:
        return sum(request.startswith(start) for request in self.requests)

    async def handle(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.connections += 1
        venue_reader, venue_writer = await asyncio.open_connection("127.0.0.1", self._venue_port)
        lose_answer = asyncio.Event()
        there = asyncio.ensure_future(self._forward(reader, venue_writer, lose_answer))
        back = asyncio.ensure_future(self._return(venue_reader, writer, lose_answer))
        self._tasks |= {there, back}
        await asyncio.wait({there, back}, return_when=asyncio.FIRST_COMPLETED)
        for task in (there, back):
            task.cancel()
            with contextlib.suppress(asyncio.CancelledError, ConnectionError):
                await task
        for each in (writer, venue_writer):
            each.close()

    async def _forward(self, reader: asyncio.StreamReader, out: asyncio.StreamWriter, lose: asyncio.Event) -> None:
        while data := await reader.read(65_536):
            self.requests.append(data)
            if self.loses is Loses.EVERYTHING:
                await asyncio.Event().wait()
            if self.loses is not Loses.NOTHING and data.startswith(self.match):
                if self.loses is Loses.REQUEST:
                    return
                lose.set()
            out.write(data)
            await out.drain()

    async def _return(self, reader: asyncio.StreamReader, out: asyncio.StreamWriter, lose: asyncio.Event) -> None:
        while data := await reader.read(65_536):
            if lose.is_set():
                return
            if self.loses is Loses.EVERYTHING:
                await asyncio.Event().wait()
            out.write(data)
            await out.drain()

    async def close(self) -> None:
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)


@asynccontextmanager
async def proxy_to(venue_port: int) -> AsyncIterator[Proxy]:
    proxy = Proxy(venue_port)
    server = await asyncio.start_server(proxy.handle, "127.0.0.1", 0)
    proxy.port = server.sockets[0].getsockname()[1]
    try:
        yield proxy
    finally:
        server.close()
        await proxy.close()
