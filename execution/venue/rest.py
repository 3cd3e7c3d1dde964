"""The REST door: finds the endpoint, counts weight, checks key, signature and time, and answers in JSON. A client never
sees a traceback or a 500: what isn't foreseen is counted, logged and answered with a code."""

import logging
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial

import orjson
from aiohttp import web

from execution.runtime.clock import Clock
from execution.venue import errors
from execution.venue.auth import ApiKey, check_signature, find_account, read_window
from execution.venue.journal import Journal, journaled
from execution.venue.limits import RateLimits
from execution.venue.market_rest import MarketRest
from execution.venue.parameters import parse
from execution.venue.request_faults import RequestFaults, Spoilt
from execution.venue.trading import Request, Trading

log = logging.getLogger("nae.venue")

BODY_MAX_BYTES = 64 * 1024
API = "/api/v3/"
JSON_TYPE = "application/json"
GONE = errors.ApiError(-1020, "The listenKey user data stream was removed; use userDataStream.subscribe.", 410)
NOT_FOUND = errors.ApiError(-1020, "This operation is not supported.", 404)
NOT_ALLOWED = errors.ApiError(-1020, "This operation is not supported with this HTTP method.", 405)
UNFORESEEN = errors.ApiError(-1000, "An unknown error occurred while processing the request.", 503)


@dataclass(frozen=True)
class Endpoint:
    """One method of one path. `weight_all` counts when no symbol is named."""

    run: Callable[[dict[str, str]], object] | None = None
    signed: Request | None = None
    weight: int = 1
    weight_all: int = 0
    counts_orders: bool = False


class Rest:
    """All endpoints."""

    def __init__(
        self,
        market: MarketRest,
        trading: Trading,
        journal: Journal,
        *,
        keys: Mapping[str, ApiKey],
        limits: RateLimits,
        clock: Clock,
        faults: RequestFaults | None = None,
    ) -> None:
        self.requests = 0
        self.failures = 0
        self._keys = keys
        self._limits = limits
        self._clock = clock
        self._faults = faults
        self._endpoints = _public(market) | _signed(trading, journal)
        self._paths = {path for _, path in self._endpoints}

    async def handle(self, request: web.Request) -> web.Response:
        """Answer one request."""
        self.requests += 1
        headers: dict[str, str] = {}
        try:
            if self._faults is None:
                body = await self._answer(request, headers)
            else:
                body = await self._faults.at_door(_named(request), partial(self._answer, request, headers))
        except errors.ApiError as error:
            if error.retry_after_s is not None:
                headers["Retry-After"] = str(error.retry_after_s)
            return _reply(error.body(), headers, error.status)
        except Spoilt as spoilt:
            return web.Response(body=spoilt.body, status=spoilt.status, content_type="text/html")
        except (web.HTTPException, ConnectionError):
            raise  # aiohttp's own refusals (a body too large), and clients that went away
        except Exception as error:
            self.failures += 1
            fields = {"path": request.path, "error": repr(error)}
            log.error("a request failed", exc_info=True, extra={"fields": fields})
            return _reply(UNFORESEEN.body(), headers, UNFORESEEN.status)
        return _reply(body, headers, 200)

    async def _answer(self, request: web.Request, headers: dict[str, str]) -> object:
        endpoint = self._find(request)
        raw_query = request.raw_path.partition("?")[2]
        raw_body = _text(await request.read()) if request.can_read_body else ""
        now_ms = self._clock.now_ms()
        weight = endpoint.weight_all if endpoint.weight_all and "symbol" not in raw_query else endpoint.weight
        used = self._limits.spend(request.remote or "", weight, now_ms)
        headers["X-MBX-USED-WEIGHT"] = headers["X-MBX-USED-WEIGHT-1M"] = str(used)
        values = parse(raw_query, raw_body)
        if endpoint.run is not None:
            return endpoint.run(values)
        assert endpoint.signed is not None
        key = find_account(self._keys, request.headers.get("X-MBX-APIKEY"))
        check_signature(key.secret, _payload(raw_query) + _payload(raw_body), values.get("signature"))
        window = read_window(values)
        window.check(now_ms)
        run = partial(endpoint.signed, key.account, values, window)
        try:
            if self._faults is None:
                return run()
            return await self._faults.inside(_named(request), run, partial(_hang_up, request))
        finally:
            if endpoint.counts_orders:
                counts = self._limits.order_counts(key.account, now_ms)
                headers["X-MBX-ORDER-COUNT-10S"], headers["X-MBX-ORDER-COUNT-1D"] = map(str, counts)

    def _find(self, request: web.Request) -> Endpoint:
        endpoint = self._endpoints.get((request.method, request.path))
        if endpoint is not None:
            return endpoint
        if request.path == API + "userDataStream":
            raise GONE
        raise NOT_ALLOWED if request.path in self._paths else NOT_FOUND


def _public(market: MarketRest) -> dict[tuple[str, str], Endpoint]:
    endpoints = {
        "ping": Endpoint(market.ping),
        "time": Endpoint(market.time),
        "exchangeInfo": Endpoint(market.exchange_info, weight=20),
        "klines": Endpoint(market.klines, weight=2),
        "depth": Endpoint(market.depth, weight=5),
        "trades": Endpoint(market.trades, weight=25),
        "aggTrades": Endpoint(market.aggregate_trades, weight=4),
        "avgPrice": Endpoint(market.average_price, weight=2),
        "ticker/24hr": Endpoint(market.ticker_day, weight=2, weight_all=80),
        "ticker/price": Endpoint(market.ticker_price, weight=2, weight_all=4),
        "ticker/bookTicker": Endpoint(market.book_ticker, weight=2, weight_all=4),
    }
    return {("GET", API + path): endpoint for path, endpoint in endpoints.items()}


def _signed(trading: Trading, journal: Journal) -> dict[tuple[str, str], Endpoint]:
    def noted(verb: str, run: Request) -> Request:
        return journaled(verb, run, journal)

    lists = trading.lists
    replace = noted("POST order/cancelReplace", trading.replacing.replace_order)
    pair = noted("POST orderList/oco", lists.place_pair)
    limit_and_stop = noted("POST order/oco", lists.place_limit_and_stop)
    return {
        ("POST", API + "order/cancelReplace"): Endpoint(signed=replace, counts_orders=True),
        ("POST", API + "orderList/oco"): Endpoint(signed=pair, counts_orders=True),
        ("POST", API + "order/oco"): Endpoint(signed=limit_and_stop, counts_orders=True),
        ("GET", API + "orderList"): Endpoint(signed=lists.query_list, weight=4),
        ("DELETE", API + "orderList"): Endpoint(signed=noted("DELETE orderList", lists.cancel_list)),
        ("GET", API + "allOrderList"): Endpoint(signed=lists.all_lists, weight=20),
        ("GET", API + "openOrderList"): Endpoint(signed=lists.open_lists, weight=6),
        ("GET", "/sapi/v1/bnbBurn"): Endpoint(signed=trading.fee_wish),
        ("POST", "/sapi/v1/bnbBurn"): Endpoint(signed=trading.fee_wish),
        ("POST", API + "order"): Endpoint(signed=noted("POST order", trading.place_order), counts_orders=True),
        ("POST", API + "order/test"): Endpoint(signed=noted("POST order/test", trading.test_order)),
        ("GET", API + "order"): Endpoint(signed=trading.query_order, weight=4),
        ("DELETE", API + "order"): Endpoint(signed=noted("DELETE order", trading.cancel_order)),
        ("GET", API + "openOrders"): Endpoint(signed=trading.open_orders, weight=6, weight_all=80),
        ("DELETE", API + "openOrders"): Endpoint(signed=noted("DELETE openOrders", trading.cancel_all)),
        ("GET", API + "allOrders"): Endpoint(signed=trading.all_orders, weight=20),
        ("GET", API + "myTrades"): Endpoint(signed=trading.my_trades, weight=20),
        ("GET", API + "account"): Endpoint(signed=trading.account, weight=20),
        ("GET", API + "rateLimit/order"): Endpoint(signed=trading.order_rate, weight=40),
        ("GET", "/sapi/v1/asset/tradeFee"): Endpoint(signed=trading.trade_fee),
    }


def _named(request: web.Request) -> str:
    """As faults name a request."""
    return f"{request.method} {request.path}"


def _hang_up(request: web.Request) -> None:
    if request.transport is not None:
        request.transport.abort()


def _text(raw: bytes) -> str:
    try:
        return raw.decode()
    except UnicodeDecodeError as error:
        raise errors.illegal_characters("request", "UTF-8") from error


def _payload(text: str) -> str:
    """What was signed: everything but the signature."""
    return "&".join(part for part in text.split("&") if not part.startswith("signature="))


def _reply(body: object, headers: dict[str, str], status: int) -> web.Response:
    return web.Response(body=orjson.dumps(body), status=status, headers=headers, content_type=JSON_TYPE)
