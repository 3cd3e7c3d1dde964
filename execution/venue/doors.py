"""The venue's port: bound, shut for a while, opened again, and who may stay on it. It knows connections, not requests.
A client that connects and never finishes a request, or has asked nothing for long, is sent away."""

import logging
from collections.abc import Callable

from aiohttp import web
from aiohttp.http_exceptions import HttpProcessingError
from aiohttp.typedefs import Handler
from aiohttp.web_protocol import RequestHandler

from execution.runtime.clock import Clock

log = logging.getLogger("nae.venue")
http_log = logging.getLogger("nae.venue.http")

CLOSE_WITHIN_S = 1.0
FIRST_REQUEST_WITHIN_S = 20.0
IDLE_MOST_S = 3_600.0
LOOK_PERIOD_S = 1.0
BUSY = float("inf")


class Doors:
    """One port of one application."""

    def __init__(self, application: Callable[[], web.Application], host: str, clock: Clock) -> None:
        """`application` makes what is to be served, anew for each `open`."""
        self.port = 0
        self._application = application
        self._host = host
        self._clock = clock
        self._runner: web.AppRunner | None = None
        self._site: web.TCPSite | None = None
        self._asked: dict[RequestHandler, float] = {}
        self._came: dict[RequestHandler, float] = {}

    async def open(self, port: int) -> int:
        """Listen; the port. Raises OSError (EADDRINUSE)."""
        application = self._application()
        application.middlewares.append(self._note)
        self._runner = runner = web.AppRunner(
            application,
            handle_signals=False,
            access_log=None,
            logger=http_log,
            shutdown_timeout=CLOSE_WITHIN_S,
            auto_decompress=False,  # nobody sends us compressed bodies but to hide how large they are
        )
        await runner.setup()
        self._site = web.TCPSite(runner, self._host, port)
        await self._site.start()
        self.port = int(runner.addresses[0][1])
        return self.port

    async def close(self) -> None:
        """Shut, and let go of everything."""
        runner, self._runner, self._site = self._runner, None, None
        if runner is not None:
            await runner.cleanup()

    async def listen(self, wanted: bool) -> None:
        """Open the port again, or shut it and cut everybody off. Raises OSError when somebody else has it by now."""
        if wanted and self._site is None and self._runner is not None:
            site = web.TCPSite(self._runner, self._host, self.port)
            await site.start()
            self._site = site
        elif not wanted and self._site is not None:
            site, self._site = self._site, None
            await site.stop()
            for connection in self._connections():
                _cut(connection)

    async def run(self) -> None:
        """Send the slow away, for ever."""
        while True:
            self.look()
            await self._clock.sleep(LOOK_PERIOD_S)

    def look(self) -> None:
        """Send away who has connected and not asked, or not asked for long."""
        now, here = self._clock.monotonic(), self._connections()
        self._asked = {one: self._asked[one] for one in here if one in self._asked}
        self._came = {one: self._came.get(one, now) for one in here if one not in self._asked}
        late = [one for one, came in self._came.items() if now - came >= FIRST_REQUEST_WITHIN_S]
        for connection in [*late, *(one for one, asked in self._asked.items() if now - asked >= IDLE_MOST_S)]:
            _cut(connection)

    def _connections(self) -> list[RequestHandler]:
        server = self._runner.server if self._runner is not None else None
        return [] if server is None else list(server.connections)

    @web.middleware
    async def _note(self, request: web.Request, handler: Handler) -> web.StreamResponse:
        """Whoever is being answered is not idle, however long it takes: a WebSocket is one long answer."""
        self._asked[request.protocol] = BUSY
        try:
            return await handler(request)
        finally:
            self._asked[request.protocol] = self._clock.monotonic()


def _cut(connection: RequestHandler) -> None:
    if connection.transport is not None:
        connection.transport.abort()


def _is_ours(record: logging.LogRecord) -> bool:
    """Is it the venue that has failed? What is no HTTP, and who goes away half-way, is a line and no traceback: else
    any client could fill the log."""
    error = record.exc_info[1] if record.exc_info else None
    if not isinstance(error, HttpProcessingError | ConnectionError):
        return True
    log.info("a client's request could not be read", extra={"fields": {"error": type(error).__name__}})
    return False


http_log.addFilter(_is_ours)
