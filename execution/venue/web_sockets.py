"""The two WebSocket doors: market streams (/ws, /stream) with SUBSCRIBE and friends, and the WebSocket API
(/ws-api/v3) with signed requests and the user stream. Bad messages get an error, never silence, never a traceback."""

import logging
from collections.abc import Awaitable, Callable, Mapping
from functools import partial

import orjson
from aiohttp import web

from execution.runtime.clock import Clock
from execution.venue import errors
from execution.venue.auth import ApiKey, check_signature, find_account, read_window
from execution.venue.connection import Connection
from execution.venue.journal import Journal, journaled
from execution.venue.limits import RateLimits
from execution.venue.market_rest import MarketRest
from execution.venue.request_faults import RequestFaults, Spoilt
from execution.venue.streams import Streams, Subscriber
from execution.venue.trading import Request, Trading
from execution.venue.user_stream import UserStream

log = logging.getLogger("nae.venue")

Values = dict[str, str]
UNFORESEEN = errors.ApiError(-1000, "An unknown error occurred while processing the request.", 503)


class WebSockets:
    """All open connections."""

    def __init__(self, streams: Streams, api: "WebSocketApi") -> None:
        self.connections: dict[Connection, str] = {}
        self.failures = 0
        self._streams = streams
        self._api = api

    async def market(self, request: web.Request) -> web.StreamResponse:
        """/ws, /ws/<streams>, /stream?streams=…, /stream/ws/<anything>."""
        connection = Connection(request)
        path = request.path.strip("/")
        subscriber = Subscriber(connection, combined=path == "stream")
        named = request.query.get("streams", "") if path == "stream" else path.rpartition("ws")[2].strip("/")
        names = [name for name in named.split("/") if "@" in name]
        try:
            self._streams.check(names)
        except ValueError as error:
            body = errors.ApiError(-1100, f"Invalid stream: {error}").body()
            return web.Response(body=orjson.dumps(body), status=400, content_type="application/json")
        response = await connection.open()
        self._streams.subscribe(subscriber, names)
        try:
            await self._read(connection, "streams", partial(self._market_message, subscriber))
        finally:
            self._streams.leave(subscriber)
        return response

    async def api(self, request: web.Request) -> web.StreamResponse:
        """/ws-api/v3."""
        connection = Connection(request)
        response = await connection.open()
        try:
            await self._read(connection, "ws-api", partial(self._api.answer, connection))
        finally:
            self._api.leave(connection)
        return response

    def at(self, door: str) -> list[Connection]:
        """The connections of a door, "streams" or "ws-api"."""
        return [connection for connection, entered in self.connections.items() if entered == door]

    async def _read(self, connection: Connection, door: str, answer: Callable[[str], Awaitable[object]]) -> None:
        self.connections[connection] = door
        try:
            while (text := await connection.next_text()) is not None:
                reply = await self._guarded(answer, text)
                connection.offer(reply if isinstance(reply, bytes) else orjson.dumps(reply))
        finally:
            self.connections.pop(connection, None)
            await connection.close()

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
        message = _object(text)
        if message is None:
            return _stream_error(None, 3, "Invalid JSON: expected an object")
        number, method, names = message.get("id"), message.get("method"), message.get("params", [])
        if not isinstance(names, list) or not all(isinstance(name, str) for name in names):
            return _stream_error(number, 2, "Invalid request: params must be a list of stream names")
        try:
            if method == "SUBSCRIBE":
                self._streams.check(names)
                self._streams.subscribe(subscriber, names)
            elif method == "UNSUBSCRIBE":
                self._streams.unsubscribe(subscriber, names)
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


class WebSocketApi:
    """The methods of the WebSocket API."""

    def __init__(
        self,
        market: MarketRest,
        trading: Trading,
        journal: Journal,
        *,
        users: UserStream,
        keys: Mapping[str, ApiKey],
        limits: RateLimits,
        clock: Clock,
        faults: RequestFaults | None = None,
    ) -> None:
        self._users = users
        self._faults = faults
        self._keys = keys
        self._limits = limits
        self._clock = clock
        self._public: dict[str, Callable[[Values], object]] = {
            "ping": market.ping,
            "time": market.time,
            "exchangeInfo": market.exchange_info,
            "depth": market.depth,
            "klines": market.klines,
            "ticker.price": market.ticker_price,
            "ticker.book": market.book_ticker,
            "ticker.24hr": market.ticker_day,
        }
        self._signed: dict[str, Request] = {
            "order.place": journaled("POST order", trading.place_order, journal),
            "order.test": journaled("POST order/test", trading.test_order, journal),
            "order.status": trading.query_order,
            "order.cancel": journaled("DELETE order", trading.cancel_order, journal),
            "openOrders.status": trading.open_orders,
            "openOrders.cancelAll": journaled("DELETE openOrders", trading.cancel_all, journal),
            "order.cancelReplace": journaled("POST order/cancelReplace", trading.replacing.replace_order, journal),
            "orderList.place.oco": journaled("POST orderList/oco", trading.lists.place_pair, journal),
            "orderList.place": journaled("POST order/oco", trading.lists.place_limit_and_stop, journal),
            "orderList.cancel": journaled("DELETE orderList", trading.lists.cancel_list, journal),
            "orderList.status": trading.lists.query_list,
            "openOrderLists.status": trading.lists.open_lists,
            "allOrderLists": trading.lists.all_lists,
            "allOrders": trading.all_orders,
            "myTrades": trading.my_trades,
            "account.status": trading.account,
            "account.rateLimits.orders": trading.order_rate,
        }

    async def answer(self, connection: Connection, text: str) -> object:
        """The reply to one message."""
        message = _object(text)
        number = message.get("id") if message else None
        try:
            if message is None or not isinstance(message.get("method"), str):
                raise errors.ApiError(-1135, "Invalid JSON Request")
            self._limits.spend(connection.address, 2, self._clock.now_ms())
            run = partial(self._run, connection, message)
            result = await (run() if self._faults is None else self._faults.at_door(f"WS {message['method']}", run))
            return {"id": number, "status": 200, "result": result}
        except Spoilt as spoilt:
            return spoilt.body
        except errors.ApiError as error:
            return {"id": number, "status": error.status, "error": error.body()}

    async def _run(self, connection: Connection, message: dict[str, object]) -> object:
        method, values = str(message["method"]), _values(message.get("params"))
        if method in self._public:
            return self._public[method](values)
        if method == "userDataStream.unsubscribe":
            number = values.get("subscriptionId")
            self._users.unsubscribe(connection, int(number) if number and number.isdigit() else None)
            return {}
        if method not in self._signed and method != "userDataStream.subscribe.signature":
            raise errors.ApiError(-1020, "This operation is not supported.")
        key = find_account(self._keys, values.get("apiKey"))
        payload = "&".join(f"{name}={values[name]}" for name in sorted(values) if name != "signature")
        check_signature(key.secret, payload, values.get("signature"))
        values.pop("returnRateLimits", None)  # a wish about the reply's shape, which has none here
        window = read_window(values)
        window.check(self._clock.now_ms())
        if method in self._signed:
            request = partial(self._signed[method], key.account, values, window)
            if self._faults is None:
                return request()
            return await self._faults.inside(f"WS {method}", request, connection.cut)
        return {"subscriptionId": self._users.subscribe(connection, key.account)}

    def leave(self, connection: Connection) -> None:
        """The connection has gone."""
        self._users.leave(connection)


def _object(text: str) -> dict[str, object] | None:
    try:
        message = orjson.loads(text)
    except orjson.JSONDecodeError:
        return None
    return message if isinstance(message, dict) else None


def _values(params: object) -> Values:
    """Parameters as a REST client would have sent them. Raises -1135 for anything but words and numbers."""
    if params is None:
        return {}
    if not isinstance(params, dict) or not all(isinstance(v, str | int | float) for v in params.values()):
        raise errors.ApiError(-1135, "Invalid JSON Request")
    values = {name: str(value).lower() if isinstance(value, bool) else str(value) for name, value in params.items()}
    for name, value in values.items():
        if not value:
            raise errors.empty_parameter(name)
    return values


def _stream_error(number: object, code: int, text: str) -> dict[str, object]:
    return {"error": {"code": code, "msg": text}, "id": number}
