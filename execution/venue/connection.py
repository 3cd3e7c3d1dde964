"""One WebSocket client: what it is owed waits in a bounded queue, so that a slow reader is cut off instead of holding
up the market. It knows frames, not their meaning."""

import asyncio
from collections import deque
from collections.abc import Callable

from aiohttp import WSMsgType, web

QUEUE_MAX = 5_000
MESSAGE_MAX_BYTES = 64 * 1024
HEARTBEAT_S = 30.0
POLICY_VIOLATION = 1008
GOING_AWAY = 1001


class Connection:
    """A client's socket and its outgoing queue."""

    def __init__(self, request: web.Request, since_ms: int) -> None:
        self.since_ms = since_ms
        self.account: str | None = None
        self.address = request.remote or ""
        self.translate: Callable[[bytes], bytes] | None = None
        self._request = request
        self._socket = web.WebSocketResponse(
            heartbeat=HEARTBEAT_S, max_msg_size=MESSAGE_MAX_BYTES, compress=False, timeout=1.0
        )
        self._queue: deque[bytes] = deque()
        self._wake = asyncio.Event()
        self._writer: asyncio.Task[None] | None = None
        self.too_slow = False
        self._last: int | None = None

    async def open(self) -> web.WebSocketResponse:
        """Shake hands. Raises aiohttp's HTTPBadRequest for a request that isn't a WebSocket's."""
        await self._socket.prepare(self._request)
        self._writer = asyncio.create_task(self._write())
        return self._socket

    def offer(self, message: bytes) -> None:
        """Queue a text message. A client that has let too many wait is cut off."""
        if self.too_slow:
            return
        if self.translate is not None:
            message = self.translate(message)
        if len(self._queue) >= QUEUE_MAX:
            self.too_slow = True
            self._queue.clear()
        else:
            self._queue.append(message)
        self._wake.set()

    async def next_text(self) -> str | None:
        """The client's next text message; None once it has gone or sent something else."""
        message = await self._socket.receive()
        return str(message.data) if message.type is WSMsgType.TEXT else None

    async def close(self, code: int = GOING_AWAY) -> None:
        """Say goodbye, without waiting long for an answer."""
        if self._writer is not None:
            self._writer.cancel()
        if not self._socket.closed:
            await self._socket.close(code=code)

    def end_after_this(self, code: int = POLICY_VIOLATION) -> None:
        """Close once everything that waits has been sent."""
        self._last = code
        self._wake.set()

    def cut(self) -> None:
        """End the line at once, without a word, as a network does."""
        if self._request.transport is not None:
            self._request.transport.abort()

    async def _write(self) -> None:
        try:
            while not self.too_slow:
                await self._wake.wait()
                self._wake.clear()
                while self._queue:
                    await self._socket.send_frame(self._queue.popleft(), WSMsgType.TEXT)
                if self._last is not None:
                    break
            await self._socket.close(code=POLICY_VIOLATION if self._last is None else self._last)
        except ConnectionError:
            return  # the reader sees the end of the connection and cleans up
