"""The REST door: finds the endpoint, counts weight, checks key, signature and time, and answers in JSON. A client never
sees a traceback or a 500: what isn't foreseen is counted, logged and answered with a code."""

import asyncio
import logging
from functools import partial

import orjson
from aiohttp import web

from execution.venue import errors
from execution.venue.auth import check_signature, find_account, read_window
from execution.venue.back_office import BackOffice
from execution.venue.endpoints import API, listen_key_endpoints, public_endpoints, signed_endpoints
from execution.venue.parameters import parse
from execution.venue.request_faults import Spoilt
from execution.venue.time_unit import in_microseconds, wants_microseconds
from execution.venue.weights import request_weight

log = logging.getLogger("nae.venue")

BODY_MAX_BYTES = 64 * 1024
BODY_WITHIN_S = 10.0
JSON_TYPE = "application/json"
GONE = errors.ApiError(-1020, "The listenKey user data stream was removed; use userDataStream.subscribe.", 410)
NOT_FOUND = errors.ApiError(-1020, "This operation is not supported.", 404)
NOT_ALLOWED = errors.ApiError(-1020, "This operation is not supported with this HTTP method.", 405)
HALF_SENT = errors.ApiError(-1007, "Timeout waiting for the rest of the request.", 408)
UNFORESEEN = errors.ApiError(-1000, "An unknown error occurred while processing the request.", 503)


class Rest:
    """All endpoints."""

    def __init__(self, office: BackOffice) -> None:
        self.requests = 0
        self.failures = 0
        self._office = office
        self._endpoints = public_endpoints(office.market) | signed_endpoints(office)
        if office.listen_keys is not None:
            self._endpoints |= listen_key_endpoints(office.listen_keys)
        self._paths = {path for _, path in self._endpoints}

    async def handle(self, request: web.Request) -> web.Response:
        """Answer one request."""
        self.requests += 1
        headers: dict[str, str] = {}
        try:
            micro = wants_microseconds(request.headers.get("X-MBX-TIME-UNIT"))
            if self._office.faults is None:
                body = await self._answer(request, headers)
            else:
                body = await self._office.faults.at_door(_named(request), partial(self._answer, request, headers))
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
        return _reply(in_microseconds(body) if micro else body, headers, 200)

    async def _answer(self, request: web.Request, headers: dict[str, str]) -> object:
        office = self._office
        raw_query = request.raw_path.partition("?")[2]
        endpoint = self._endpoints.get((request.method, request.path))
        raw_body = _text(await _body(request)) if endpoint is not None and request.can_read_body else ""
        now_ms = office.clock.now_ms()
        usual = 1 if endpoint is None else endpoint.weight_in(raw_query)
        weight = request_weight(request.method, request.path, f"{raw_query}&{raw_body}", usual)
        used = office.limits.spend(request.remote or "", weight, now_ms)
        headers["X-MBX-USED-WEIGHT"] = headers["X-MBX-USED-WEIGHT-1M"] = str(used)
        if endpoint is None:
            raise self._missing(request)
        values = parse(raw_query, raw_body)
        if endpoint.run is not None:
            return await office.look(endpoint.run, values)
        key = find_account(office.keys, request.headers.get("X-MBX-APIKEY"))
        if endpoint.keyed is not None:
            return endpoint.keyed(key, values)
        assert endpoint.signed is not None
        check_signature(key.secret, _payload(raw_query) + _payload(raw_body), values.get("signature"))
        window = read_window(values)
        window.check(now_ms)
        run = partial(office.carry_out, endpoint.signed, key.account, values, window)
        try:
            if office.faults is None:
                return await run()
            return await office.faults.inside(_named(request), key.account, run, partial(_hang_up, request))
        finally:
            if endpoint.counts_orders:
                counts = office.limits.order_counts(key.account, now_ms)
                headers["X-MBX-ORDER-COUNT-10S"], headers["X-MBX-ORDER-COUNT-1D"] = map(str, counts)

    def _missing(self, request: web.Request) -> errors.ApiError:
        if request.path in self._paths:
            return NOT_ALLOWED
        return GONE if request.path == API + "userDataStream" else NOT_FOUND


async def _body(request: web.Request) -> bytes:
    """All that was sent; who doesn't finish within a time is refused."""
    try:
        async with asyncio.timeout(BODY_WITHIN_S):
            return await request.read()
    except TimeoutError as error:
        raise HALF_SENT from error


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
