"""The WebSocket API (/ws-api/v3): signed requests, sessions and the user stream over one connection. One reply to each
message, by its id; a bad message gets an error, never silence."""

from collections.abc import Callable
from functools import partial
from urllib.parse import urlencode
from weakref import WeakKeyDictionary

import orjson

from execution.venue import errors
from execution.venue.auth import ApiKey, check_signature, find_account, read_window
from execution.venue.back_office import BackOffice, Change
from execution.venue.connection import Connection
from execution.venue.limits import order_limits, rate_limits
from execution.venue.market_rest import MarketRest
from execution.venue.request_faults import Spoilt
from execution.venue.trading import Request
from execution.venue.weights import METHOD_USUAL, method_weight

Values = dict[str, str]
SIGNED_HERE = ("session.logon", "userDataStream.subscribe.signature")
BANNED = 418
NUMBER_LENGTH = 19


class WebSocketApi:
    """The methods of the WebSocket API."""

    def __init__(self, office: BackOffice) -> None:
        self._sessions: WeakKeyDictionary[Connection, tuple[ApiKey, int]] = WeakKeyDictionary()
        self._office = office
        self._users, self._clock = office.users, office.clock
        self._public = _public(office.market)
        self._signed = _signed(office)
        self._sessioned: dict[str, Callable[[Connection, Values], object]] = {
            "session.status": self._session_status,
            "session.logout": self._log_out,
            "session.subscriptions": lambda connection, _values: self._users.numbers(connection),
            "userDataStream.unsubscribe": self._unsubscribe,
        }

    async def answer(self, connection: Connection, text: str) -> object:
        """The reply to one message."""
        message = json_object(text)
        number = message.get("id") if message else None
        values: Values = {}
        limits: dict[str, object] = {}
        try:
            values, method = self._spent(connection, message, limits)
            run = partial(self._run, connection, method, values)
            result = await (run() if self._office.faults is None else self._office.faults.at_door(f"WS {method}", run))
            if limits and method.startswith("order.") and (account := self._account(connection, values)):
                limits["rateLimits"] = self._order_counts(account)
            return {"id": number, "status": 200, "result": result} | limits
        except Spoilt as spoilt:
            return spoilt.body
        except errors.ApiError as error:
            if error.status == BANNED:
                connection.end_after_this()
            return {"id": number, "status": error.status, "error": _with_wait(error, self._clock.now_ms())} | limits

    def _spent(
        self, connection: Connection, message: dict[str, object] | None, limits: dict[str, object]
    ) -> tuple[Values, str]:
        """Parameters and method; what they weigh is counted, and what is used now stands in `limits`."""
        try:
            if message is None or not isinstance(message.get("method"), str):
                raise errors.ApiError(-1135, "Invalid JSON Request")
            values, method = _values(message.get("params")), str(message["method"])
        except errors.ApiError:
            self._office.limits.spend(connection.address, METHOD_USUAL, self._clock.now_ms())
            raise
        used = self._office.limits.spend(connection.address, method_weight(method, values), self._clock.now_ms())
        if values.get("returnRateLimits") != "false":
            limits["rateLimits"] = [rate_limits()[0] | {"count": used}]
        return values, method

    def _account(self, connection: Connection, values: Values) -> str | None:
        """Whose request it was: the key's it named, else the session's."""
        named = self._office.keys.get(values["apiKey"]) if "apiKey" in values else None
        session = self._sessions.get(connection)
        return named.account if named else session[0].account if session else None

    def _order_counts(self, account: str) -> list[dict[str, object]]:
        counts = self._office.limits.order_counts(account, self._clock.now_ms())
        return [limit | {"count": count} for limit, count in zip(order_limits(), counts, strict=True)]

    async def _run(self, connection: Connection, method: str, values: Values) -> object:
        if method in self._public:
            values.pop("returnRateLimits", None)
            return await self._office.look(self._public[method], values)
        if method in self._sessioned:
            return self._sessioned[method](connection, values)
        logged_on = self._sessions.get(connection)
        if method == "userDataStream.subscribe":
            if logged_on is None:
                raise errors.ApiError(-2014, "This session is not logged on; see session.logon.", 401)
            key = find_account(self._office.keys, logged_on[0].key)
            return {"subscriptionId": self._users.subscribe(connection, key.account)}
        if method not in self._signed and method not in SIGNED_HERE:
            raise errors.ApiError(-1020, "This operation is not supported.")
        key = self._signer(connection, values)
        values.pop("returnRateLimits", None)  # signed like the rest, and a wish about the reply's shape
        window = read_window(values)
        window.check(self._clock.now_ms())
        if method == "session.logon":
            return self._log_on(connection, key)
        if method in self._signed:
            request = partial(self._office.carry_out, self._signed[method], key.account, values, window)
            if self._office.faults is None:
                return await request()
            return await self._office.faults.inside(f"WS {method}", key.account, request, connection.cut)
        return {"subscriptionId": self._users.subscribe(connection, key.account)}

    def _signer(self, connection: Connection, values: Values) -> ApiKey:
        """Whose request it is: by its own key and signature, or, without them, by the session. Raises ApiError."""
        logged_on = self._sessions.get(connection)
        if logged_on is not None and "apiKey" not in values and "signature" not in values:
            values.setdefault("timestamp", str(self._clock.now_ms()))
            return find_account(self._office.keys, logged_on[0].key)  # it may have been revoked since
        key = find_account(self._office.keys, values.get("apiKey"))
        signed = {name: values[name] for name in sorted(values) if name != "signature"}
        plain, encoded = "&".join(f"{name}={value}" for name, value in signed.items()), urlencode(signed)
        try:
            check_signature(key.secret, plain, values.get("signature"))
        except errors.ApiError:
            if encoded == plain:
                raise
            check_signature(key.secret, encoded, values.get("signature"))  # some clients sign it as a query string
        return key

    # sessions

    def _log_on(self, connection: Connection, key: ApiKey) -> object:
        if not key.is_ed25519:
            raise errors.ApiError(-4056, "HMAC_SHA256 API key is not supported.")
        self._sessions[connection] = (key, self._clock.now_ms())
        return self._session_status(connection, {})

    def _session_status(self, connection: Connection, _values: Values) -> object:
        key, since = self._sessions.get(connection) or (None, None)
        return {
            "apiKey": key.key if key else None,
            "authorizedSince": since,
            "connectedSince": connection.since_ms,
            "returnRateLimits": True,
            "serverTime": self._clock.now_ms(),
            "userDataStream": self._users.listens(connection),
        }

    def _log_out(self, connection: Connection, values: Values) -> object:
        self._sessions.pop(connection, None)
        return self._session_status(connection, values)

    def _unsubscribe(self, connection: Connection, values: Values) -> object:
        number = values.get("subscriptionId")
        if number is not None and not (number.isascii() and number.isdigit() and len(number) < NUMBER_LENGTH):
            raise errors.illegal_characters("subscriptionId", "^[0-9]{1,18}$")
        self._users.end(connection, int(number) if number is not None else None)
        return {}

    def admit(self, address: str, now_ms: int) -> None:
        """Count a connection that is asked for. Raises ApiError when there are too many."""
        self._office.limits.connect(address, now_ms)

    def leave(self, connection: Connection) -> None:
        """The connection has gone."""
        self._sessions.pop(connection, None)
        self._users.leave(connection)


def _public(market: MarketRest) -> dict[str, Callable[[Values], object]]:
    return {
        "ping": market.ping,
        "time": market.time,
        "exchangeInfo": market.exchange_info,
        "executionRules": market.execution_rules,
        "referencePrice": market.reference_price,
        "referencePrice.calculation": market.reference_price_calculation,
        "blockTrades.historical": market.block_trades,
        "depth": market.depth,
        "klines": market.klines,
        "ticker.price": market.ticker_price,
        "ticker.book": market.book_ticker,
        "ticker.24hr": market.ticker_day,
        "ticker": market.ticker_window,
        "ticker.tradingDay": market.ticker_trading_day,
        "trades.historical": market.historical_trades,
        "avgPrice": market.average_price,
        "trades.recent": market.trades,
        "trades.aggregate": market.aggregate_trades,
        "uiKlines": market.klines,
    }


def _signed(office: BackOffice) -> dict[str, Request | Change]:
    trading, wallet = office.trading, office.wallet
    return {
        "order.place": Change("POST order", trading.place_order),
        "order.test": Change("POST order/test", trading.test_order),
        "order.status": trading.query_order,
        "order.cancel": Change("DELETE order", trading.cancel_order),
        "order.cancelReplace": Change("POST order/cancelReplace", trading.replacing.replace_order),
        "orderList.place.oco": Change("POST orderList/oco", trading.lists.place_pair),
        "orderList.place": Change("POST order/oco", trading.lists.place_limit_and_stop),
        "orderList.cancel": Change("DELETE orderList", trading.lists.cancel_list),
        "orderList.status": trading.lists.query_list,
        "openOrderLists.status": trading.lists.open_lists,
        "allOrderLists": trading.lists.all_lists,
        "openOrders.status": trading.open_orders,
        "openOrders.cancelAll": Change("DELETE openOrders", trading.cancel_all),
        "allOrders": trading.all_orders,
        "myTrades": trading.my_trades,
        "account.status": trading.account,
        "account.commission": wallet.commission,
        "myFilters": wallet.filters,
        "myPreventedMatches": wallet.prevented_matches,
        "myAllocations": wallet.none_of_symbol,
        "order.amendments": wallet.none_of_symbol,
        "account.rateLimits.orders": trading.order_rate,
    }


def _with_wait(error: errors.ApiError, now_ms: int) -> dict[str, object]:
    """An error as this API gives it: how long to wait stands in its data."""
    if error.retry_after_s is None:
        return error.body()
    return error.body() | {"data": {"serverTime": now_ms, "retryAfter": now_ms + 1000 * error.retry_after_s}}


def json_object(text: str) -> dict[str, object] | None:
    """A message as it should be; None for anything else."""
    try:
        message = orjson.loads(text)
    except orjson.JSONDecodeError:
        return None
    return message if isinstance(message, dict) else None


def _values(params: object) -> Values:
    """Parameters as a REST client would have sent them. Raises -1135 for other than words, numbers, lists of words."""
    if params is None:
        return {}
    if not isinstance(params, dict):
        raise errors.ApiError(-1135, "Invalid JSON Request")
    values = {name: _text(value) for name, value in params.items()}
    for name, value in values.items():
        if not value:
            raise errors.empty_parameter(name)
    return values


def _text(value: object) -> str:
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, str | int | float):
        return str(value)
    if isinstance(value, list) and all(isinstance(word, str) for word in value):
        return orjson.dumps(value).decode()
    raise errors.ApiError(-1135, "Invalid JSON Request")
