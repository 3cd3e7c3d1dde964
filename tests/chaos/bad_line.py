"""A line between traders and venue on which order requests get lost, late, unanswered or answered wrongly: at random by
seed, or each in the same way."""

import asyncio
import random
from collections import Counter
from collections.abc import Callable
from enum import StrEnum

from execution.runtime.clock import SystemClock
from execution.vocabulary.limits import RECV_WINDOW_MS, REQUEST_TIMEOUT_S

ORDER = b"POST /api/v3/order"
OPEN_WITHIN_S = 1.0


class Fate(StrEnum):
    """What happens to one order request."""

    DELIVERED = "delivered"
    LOST = "lost"
    UNANSWERED = "unanswered"  # executed, and the line is cut instead of the reply
    LATE = "late"  # arrives when nobody waits for the reply any more, inside the receive window
    TOO_LATE = "too late"  # arrives after the receive window
    EXECUTED_504 = "executed, 504"
    SWALLOWED_504 = "not executed, 504"
    REFUSED = "refused"  # the venue says no


DELAY_S = {
    Fate.LATE: (REQUEST_TIMEOUT_S + RECV_WINDOW_MS / 1000) / 2,
    Fate.TOO_LATE: RECV_WINDOW_MS / 1000 + 0.4,
}
_EMPTY = b"Content-Length: 0\r\nConnection: close\r\n\r\n"
TIMED_OUT = b"HTTP/1.1 504 Gateway Time-out\r\nContent-Type: text/html\r\n" + _EMPTY
_NO = b'{"code":-2010,"msg":"Account has insufficient balance for requested action."}'
REFUSAL = b"HTTP/1.1 400 Bad Request\r\nContent-Type: application/json\r\nConnection: close\r\n"
REFUSAL += b"Content-Length: %d\r\n\r\n%s" % (len(_NO), _NO)
IN_PLACE = {Fate.SWALLOWED_504: TIMED_OUT, Fate.REFUSED: REFUSAL}  # the venue never has the request
WEIGHTS = {Fate.DELIVERED: 6, Fate.LOST: 1, Fate.UNANSWERED: 2, Fate.LATE: 1, Fate.TOO_LATE: 1}


class BadLine:
    """Listens on `port` once opened, forwards to the venue."""

    def __init__(self, venue_port: int, seed: int) -> None:
        self.port = 0
        self.venue_port = venue_port
        self.fates: Counter[Fate] = Counter()
        self.sound = False  # set: every request is delivered
        self.always: Fate | None = None  # set: every order's fate
        self.on_order: Callable[[], None] = lambda: None  # an order has come as far as it will
        self._chance = random.Random(seed)
        self._tasks: set[asyncio.Task[None]] = set()
        self._server: asyncio.Server | None = None

    async def open(self) -> None:
        self._server = await asyncio.start_server(self._connected, "127.0.0.1", 0)
        self.port = self._server.sockets[0].getsockname()[1]

    async def close(self) -> None:
        if self._server is not None:
            self._server.close()
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    async def _connected(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            async with asyncio.timeout(OPEN_WITHIN_S):
                there = await asyncio.open_connection("127.0.0.1", self.venue_port)
        except (OSError, TimeoutError):
            writer.close()  # the venue is dead: so is this line
            return
        unanswered, timed_out = asyncio.Event(), asyncio.Event()
        for work in (
            self._requests(reader, there[1], writer, unanswered, timed_out),
            self._replies(there[0], writer, there[1], unanswered, timed_out),
        ):
            task = asyncio.ensure_future(work)
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)

    async def _requests(
        self,
        reader: asyncio.StreamReader,
        out: asyncio.StreamWriter,
        back: asyncio.StreamWriter,
        unanswered: asyncio.Event,
        timed_out: asyncio.Event,
    ) -> None:
        """Client to venue. A late request is delivered though its sender has hung up."""
        try:
            while data := await reader.read(65_536):
                fate = self._fate() if data.startswith(ORDER) and not self.sound else Fate.DELIVERED
                if data.startswith(ORDER):
                    self.fates[fate] += 1
                if fate is Fate.LOST or fate in IN_PLACE:
                    self.on_order()
                if fate is Fate.LOST:
                    break
                if fate in IN_PLACE:
                    back.write(IN_PLACE[fate])
                    await back.drain()
                    break
                if fate is Fate.EXECUTED_504:
                    timed_out.set()
                elif fate is not Fate.DELIVERED:
                    unanswered.set()
                await SystemClock().sleep(DELAY_S.get(fate, 0.0))
                out.write(data)
                await out.drain()
                if data.startswith(ORDER):
                    self.on_order()
        except OSError:
            pass  # an end was killed
        finally:
            back.close()
            if not unanswered.is_set():
                out.close()

    async def _replies(
        self,
        reader: asyncio.StreamReader,
        out: asyncio.StreamWriter,
        back: asyncio.StreamWriter,
        unanswered: asyncio.Event,
        timed_out: asyncio.Event,
    ) -> None:
        try:
            while data := await reader.read(65_536):
                if unanswered.is_set():
                    break
                if timed_out.is_set():
                    out.write(TIMED_OUT)
                    await out.drain()
                    break
                out.write(data)
                await out.drain()
        except OSError:
            pass  # an end was killed
        finally:
            out.close()
            back.close()

    def _fate(self) -> Fate:
        if self.always is not None:
            return self.always
        return self._chance.choices(list(WEIGHTS), list(WEIGHTS.values()))[0]
