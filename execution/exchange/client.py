"""ccxt's Binance client with our rules in its path: allowed hosts only, nothing retried, no secret in any error,
silence while rate-limited, the venue's clock for timestamps. Streams go straight to a listener, raw, without caches.

Knows no orders and no ledger. One connection pool; `renewed()` makes a fresh client when a stream has stalled.
"""

import logging
from collections.abc import Awaitable, Callable
from decimal import Decimal
from typing import Any, Protocol
from urllib.parse import urlsplit

import aiohttp

from execution.exchange.ccxt_door import BaseError, ProBinance
from execution.exchange.classify import BadReply, Failure, VenueError, Verdict, classify
from execution.exchange.large_answers import stays_text
from execution.exchange.line import Line
from execution.exchange.rate_budget import RateBudget
from execution.exchange.venue_clock import VenueClock

LOG = logging.getLogger("nae.exchange")
TOO_MANY_ORDERS = -1015  # of this account; no reason for silence, cancels and questions least of all
_ACCOUNT_EVENTS = frozenset({"executionReport", "outboundAccountPosition", "balanceUpdate"})


class StreamListener(Protocol):
    """Who hears what the streams say, as raw messages."""

    def on_book_ticker(self, message: dict[str, Any]) -> None: ...

    def on_kline(self, message: dict[str, Any]) -> None: ...

    def on_trade(self, message: dict[str, Any]) -> None: ...

    def on_user_event(self, message: dict[str, Any]) -> None: ...


class VenueClient(ProBinance):  # type: ignore[misc]
    """See the module. Build it with `endpoint.build_client`."""

    def __init__(
        self, config: dict[str, Any], venue_clock: VenueClock, budget: RateBudget, renew: Callable[[], "VenueClient"]
    ) -> None:
        super().__init__(config)
        self.venue_clock = venue_clock
        self.budget = budget
        self.renewed = renew
        self.listener: StreamListener | None = None
        self.allowed_hosts: frozenset[str] = frozenset()
        self.embedded = False
        self.reads_only = False
        self.line = Line(self.timeout / 1000)
        self.base_url: str | None = None
        self.requests_sent = 0
        self.strange_codes: dict[int, str] = {}
        self.taker_fee: Decimal | None = None  # the account's, as it said last

    # REST

    def nonce(self) -> int:
        """The timestamp of every signed request."""
        return self.venue_clock.now_ms()

    def get_exceptions_by_url(self, url: str | None, exact_or_broad: str) -> Any:
        """The spot error table on every URL, so that the embedded venue and the real one fail alike."""
        return self.exceptions.get("spot", {}).get(exact_or_broad, {})

    async def call(self, method: str, parameters: dict[str, Any] | None = None) -> Any:
        """One request by ccxt's name for it (`publicGetTime`). Sent once. VenueError says what a failure means."""
        try:
            return await getattr(self, method)(parameters or {})
        except BaseError as error:
            failure = getattr(error, "failure", None) or Failure(type(error).__name__)
        outcome = classify(failure)
        if outcome.strange and failure.code not in self.strange_codes:
            self.strange_codes[failure.code or 0] = outcome.reason
            LOG.warning("the venue says what no table of ours knows: %s", outcome.reason)
        if outcome.verdict is Verdict.CLOCK:
            self.venue_clock.forget()
        # raised out here, without a context: ccxt's own texts carry the signed URL, which could be replayed
        raise VenueError(outcome)

    async def fetch(self, url: str, method: str = "GET", headers: Any = None, body: Any = None) -> Any:
        """ccxt's own door to HTTP, guarded; the facts of a failure travel on the exception as `failure`."""
        self.check_host(url)
        if self.reads_only and method != "GET":
            raise PermissionError(f"this client may only read; it was to {method}")
        quiet = self.budget.quiet_for_s()
        if quiet > 0:
            raise _with_failure(BaseError("quiet"), Failure("asked to be quiet", 429, None, "", quiet))
        self.requests_sent += 1
        asked_at = self.budget.clock.monotonic()
        try:
            return await super().fetch(url, method, headers, body)
        except BaseError as error:
            if not hasattr(error, "failure"):
                never_sent = isinstance(error.__cause__, aiohttp.ClientConnectorError)
                _with_failure(error, Failure(type(error).__name__, never_sent=never_sent))
            raise
        finally:
            self.last_request_headers = None  # it holds the API key
            self.line.note(self.budget.clock.monotonic() - asked_at)

    def handle_errors(  # noqa: PLR0917 -- ccxt's signature
        self, code: int, reason: str, url: str, method: str, headers: Any, body: str, response: Any, *request: Any
    ) -> Any:
        """ccxt's judgement of an answer, with the answer's own facts kept on what it raises."""
        told = response if isinstance(response, dict) else {}
        if code in (418, 429) and told.get("code") != TOO_MANY_ORDERS:
            self.budget.be_quiet(_number_in(headers, "Retry-After"))
        try:
            return super().handle_errors(code, reason, url, method, headers, body, response, *request)
        except BaseError as error:
            number, message = told.get("code"), told.get("msg")
            raise _with_failure(
                error,
                Failure(
                    kind=type(error).__name__,
                    http_status=code,
                    code=number if isinstance(number, int) else None,
                    message=message if isinstance(message, str) else "",
                    retry_after_s=_number_in(headers, "Retry-After"),
                ),
            ) from None

    def handle_http_status_code(self, code: int, reason: str, url: str, method: str, body: str) -> None:
        """ccxt's judgement of an answer without a readable error, its status kept."""
        try:
            super().handle_http_status_code(code, reason, url, method, body)
        except BaseError as error:
            raise _with_failure(error, Failure(type(error).__name__, http_status=code)) from None

    def on_rest_response(  # noqa: PLR0917 -- ccxt's signature
        self, code: int, reason: str, url: str, method: str, headers: Any, body: str, *rest: Any
    ) -> str:
        """Read the venue's own count of what we have asked of it."""
        weight = _number_in(headers, "X-MBX-USED-WEIGHT-1M")
        if weight is not None:
            self.budget.hear(int(weight), self.venue_clock.now_ms())
        return body.strip()

    def parse_json(self, http_response: str) -> Any:
        """ccxt's decoding; None, which has it give the text itself, for a large answer that is wanted so."""
        return None if stays_text(http_response) else super().parse_json(http_response)

    def used_weight(self) -> int:
        """What this minute has cost so far, by the venue's count."""
        return self.budget.used_weight(self.venue_clock.now_ms())

    def spare(self) -> bool:
        """May what can wait be asked now?"""
        return self.budget.spare(self.venue_clock.now_ms())

    async def synchronise_clock(self) -> None:
        """Ask the venue for its time. VenueError when it doesn't tell, BadReply when it can't be read."""
        asked_at = self.budget.clock.monotonic()
        reply = await self.call("publicGetTime")
        told = reply.get("serverTime") if isinstance(reply, dict) else None
        if not isinstance(told, int):
            raise BadReply("the venue's time can't be read")
        self.venue_clock.learn(told, asked_at, self.budget.clock.monotonic())

    async def drop(self) -> None:
        """Close at once, without waiting for a venue that may not answer any more."""
        if self.tcp_connector is not None:
            await self.tcp_connector.close()
        await self.close()

    # hosts

    def check_host(self, url: str) -> None:
        """Refuse every host that isn't this endpoint's: a sandbox has no way to a real exchange."""
        host = urlsplit(url).hostname
        if host not in self.allowed_hosts:
            raise PermissionError(f"this client may not talk to {host}")

    def client(self, url: str) -> Any:
        """ccxt's WebSocket connection for `url`."""
        self.check_host(url)
        return super().client(url)

    # streams

    async def subscribe(self, streams: list[str]) -> None:
        """Market streams by Binance's names; the listener hears them. Ends only by raising, when the line is lost."""
        url = f"{self.urls['api']['ws']['spot']}/0"
        number = self.request_id(url)
        request = {"method": "SUBSCRIBE", "params": streams, "id": number}
        try:
            await self.watch_multiple(url, ["line"], request, ["line"], {"id": number})
        except BaseError as error:
            raise ConnectionError(f"market stream: {type(error).__name__}") from None

    async def subscribe_user(self) -> Awaitable[None]:
        """The account's own events, once this returns; the listener hears them. The returned wait ends only by raising,
        when the line is lost. ConnectionError when there is none."""
        try:
            await self.ensure_user_data_stream_ws_subscribe_signature("spot")
        except (BaseError, KeyError) as error:  # a line lost in the middle: ccxt then trips over its own tidying up
            raise ConnectionError(f"user stream: {type(error).__name__}") from None
        return self._user_line_lost()

    async def _user_line_lost(self) -> None:
        url = self.urls["api"]["ws"]["ws-api"]["spot"]
        try:
            await self.watch_multiple(url, ["line"], None, ["line"], {})
        except BaseError as error:
            raise ConnectionError(f"user stream: {type(error).__name__}") from None

    def handle_message(self, client: Any, message: Any) -> None:
        """Every frame of every stream."""
        try:
            if not self._tell_listener(message):
                super().handle_message(client, message)
        except Exception as error:  # noqa: BLE001 -- a callback's boundary: the task that listens gets the error
            client.reject(error)

    def _tell_listener(self, message: Any) -> bool:
        """True when the frame was the listener's; what is left is ccxt's own: replies to requests, errors."""
        listener = self.listener
        if listener is None or not isinstance(message, dict):
            return False
        event = message.get("event") or message.get("data") or message
        kind = event.get("e")
        if kind is None and "b" in event and "a" in event and "s" in event:
            listener.on_book_ticker(event)
        elif kind == "trade":
            listener.on_trade(event)
        elif kind == "kline":
            listener.on_kline(event)
        elif kind in _ACCOUNT_EVENTS:
            listener.on_user_event(event)
        else:
            return False
        return True


def _with_failure(error: Any, failure: Failure) -> Any:
    error.failure = failure
    return error


def _number_in(headers: Any, name: str) -> float | None:
    """A number in the headers, whatever their spelling; None when there is none."""
    for key, value in (headers or {}).items():
        if key.lower() == name.lower():
            try:
                return float(value)
            except ValueError:
                return None
    return None
