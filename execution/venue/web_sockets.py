"""The two WebSocket doors: market streams (/ws, /stream) with SUBSCRIBE and friends, and the way to the WebSocket API
(/ws-api/v3). Bad messages get an error, never silence, never a traceback. A connection lives for a day."""

import logging
from collections.abc import Awaitable, Callable
from functools import partial
from typing import TypeGuard

import orjson
from aiohttp import web

from execution.runtime.clock import Clock
from execution.venue import errors
from execution.venue.connection import GOING_AWAY, Connection
from execution.venue.fault_kinds import DAY_S, Fault
from execution.venue.faults import Faults
from execution.venue.listen_keys import ListenKeys
from execution.venue.streams import Streams, Subscriber
from execution.venue.time_unit import message_in_microseconds, wants_microseconds
from execution.venue.web_socket_api import WebSocketApi, json_object

log = logging.getLogger("nae.venue")

PROPERTIES = ("SET_PROPERTY", "GET_PROPERTY")
LIFE_S = float(DAY_S)
LOOK_PERIOD_S = 0.25
UNFORESEEN = errors.ApiError(-1000, "An unknown error occurred while processing the request.", 503)


class WebSockets:
    """All open connections."""

    def __init__(
        self,
        streams: Streams,
        api: WebSocketApi,
        clock: Clock,
        faults: Faults | None = None,
        listen_keys: ListenKeys | None = None,
    ) -> None:
        self._clock = clock
        self._faults = faults
        self._since: dict[Connection, float] = {}
        self.connections: dict[Connection, str] = {}
        self.failures = 0
        self._streams = streams
        self._api = api
        self._listen_keys = listen_keys

    async def market(self, request: web.Request) -> web.StreamResponse:
        """/ws, /ws/<streams>, /stream?streams=…, /stream/ws/<anything>."""
        connection = Connection(request, self._clock.now_ms())
        path = request.path.strip("/")
        subscriber = Subscriber(connection, combined=path == "stream")
        named = request.query.get("streams", "") if path == "stream" else path.rpartition("ws")[2].strip("/")
        keys, names = self._apart(named.split("/"))
        names = [name for name in names if "@" in name]
        refused = self._refused(request, connection)
        if refused is not None:
            return refused
        try:
            self._streams.check(names)
        except ValueError as error:
            body = errors.ApiError(-1100, f"Invalid stream: {error}").body()
            return web.Response(body=orjson.dumps(body), status=400, content_type="application/json")
        response = await connection.open()
        self._streams.subscribe(subscriber, names)
        if self._listen_keys is not None:
            self._listen_keys.subscribe(subscriber, keys)
        try:
            await self._read(connection, "streams", partial(self._market_message, subscriber))
        finally:
            self._streams.leave(subscriber)
            if self._listen_keys is not None:
                self._listen_keys.leave(subscriber)
        return response

    def _apart(self, names: list[str]) -> tuple[list[str], list[str]]:
        """listenKeys, and the names of streams."""
        keys = [name for name in names if self._listen_keys is not None and name in self._listen_keys]
        return keys, [name for name in names if name not in keys]

    async def api(self, request: web.Request) -> web.StreamResponse:
        """/ws-api/v3."""
        connection = Connection(request, self._clock.now_ms())
        refused = self._refused(request, connection)
        if refused is not None:
            return refused
        response = await connection.open()
        try:
            await self._read(connection, "ws-api", partial(self._api.answer, connection))
        finally:
            self._api.leave(connection)
        return response

    def _refused(self, request: web.Request, connection: Connection) -> web.Response | None:
        """The answer to who may not connect now."""
        try:
            self._api.admit(request.remote or "", self._clock.now_ms())
            if wants_microseconds(request.query.get("timeUnit")):
                connection.translate = message_in_microseconds
        except errors.ApiError as error:
            headers = {} if error.retry_after_s is None else {"Retry-After": str(error.retry_after_s)}
            body = orjson.dumps(error.body())
            return web.Response(body=body, status=error.status, headers=headers, content_type="application/json")
        return None

    def at(self, door: str) -> list[Connection]:
        """The connections of a door, "streams" or "ws-api"."""
        return [connection for connection, entered in self.connections.items() if entered == door]

    async def _read(self, connection: Connection, door: str, answer: Callable[[str], Awaitable[object]]) -> None:
        self.connections[connection] = door
        self._since[connection] = self._clock.monotonic()
        try:
            while (text := await connection.next_text()) is not None:
                reply = await self._guarded(answer, text)
                connection.offer(reply if isinstance(reply, bytes) else orjson.dumps(reply))
        finally:
            self.connections.pop(connection, None)
            self._since.pop(connection, None)
            await connection.close()

    async def run(self, pace: Clock) -> None:
        """End connections that are too old, for ever, looking as often as `pace` lets it."""
        while True:
            now = self._clock.monotonic()
            for connection, since in list(self._since.items()):
                if now - since >= self._life_s(self.connections[connection]):
                    connection.end_after_this(GOING_AWAY)
            await pace.sleep(LOOK_PERIOD_S)

    def _life_s(self, door: str) -> float:
        short = self._faults.standing(Fault.SHORT_LIFE, door) if self._faults is not None else None
        return LIFE_S if short is None else short.seconds

    async def _guarded(self, answer: Callable[[str], Awaitable[object]], text: str) -> object:
        try:
            return await answer(text)
        except ConnectionError:
            raise  # the client has gone
        except Exception as error:
            self.failures += 1
            log.error("a message failed", exc_info=True, extra={"fields": {"error": repr(error)}})
            return {"id": None, "status": UNFORESEEN.status, "error": UNFORESEEN.body()}

    async def _market_message(self, subscriber: Subscriber, text: str) -> object:
        message = json_object(text)
        if message is None:
            return _stream_error(None, 3, "Invalid JSON: expected an object")
        number, method, names = message.get("id"), message.get("method"), message.get("params", [])
        if method in PROPERTIES:
            return _property(subscriber, message)
        if not _are_names(names):
            return _stream_error(number, 2, "Invalid request: params must be a list of stream names")
        keys, names = self._apart(names)
        try:
            if method == "SUBSCRIBE":
                self._streams.check(names)
                self._streams.subscribe(subscriber, names)
                if self._listen_keys is not None:
                    self._listen_keys.subscribe(subscriber, keys)
            elif method == "UNSUBSCRIBE":
                self._streams.unsubscribe(subscriber, names)
                if self._listen_keys is not None:
                    self._listen_keys.unsubscribe(subscriber, keys)
            elif method == "LIST_SUBSCRIPTIONS":
                return {"result": list(subscriber.streams), "id": number}
            else:
                return _stream_error(number, 2, "Invalid request: unknown method")
        except ValueError as error:
            return _stream_error(number, 2, f"Invalid request: invalid stream {error}")
        return {"result": None, "id": number}

    async def close(self) -> None:
        """End every connection."""
        for connection in list(self.connections):
            await connection.close()


def _stream_error(number: object, code: int, text: str) -> dict[str, object]:
    return {"error": {"code": code, "msg": text}, "id": number}


def _are_names(params: object) -> TypeGuard[list[str]]:
    return isinstance(params, list) and all(isinstance(name, str) for name in params)


def _property(subscriber: Subscriber, message: dict[str, object]) -> dict[str, object]:
    """`combined`: do events come wrapped in their stream's name?"""
    number, params = message.get("id"), message.get("params")
    setting = message.get("method") == "SET_PROPERTY"
    if not isinstance(params, list) or len(params) != 1 + setting or params[0] != "combined":
        return _stream_error(number, 0, "Unknown property")
    if not setting:
        return {"result": subscriber.combined, "id": number}
    if not isinstance(params[1], bool):
        return _stream_error(number, 1, "Invalid value type: expected Boolean")
    subscriber.combined = params[1]
    return {"result": None, "id": number}
