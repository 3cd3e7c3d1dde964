"""What a faulty venue does with a request: executes and doesn't say so, says so late, holds it up, cuts the line,
answers with a page. The one place where requests go wrong; which do is decided in faults.py."""

import re
from collections.abc import Awaitable, Callable

from execution.runtime.clock import Clock
from execution.venue import errors
from execution.venue.archive import is_archived
from execution.venue.fault_kinds import AT_DOOR, REFUSED_AT_DOOR, Fault
from execution.venue.faults import Faults

TIMED_OUT = errors.ApiError(-1007, "Timeout waiting for response from backend server. Execution status unknown.", 504)
BUSY = errors.ApiError(-1008, "Server is currently overloaded with other requests. Please try again later.", 503)
BROKEN = errors.ApiError(-1001, "Internal error; unable to process your request. Please try again.", 503)
UNKNOWN = errors.ApiError(-1000, "An unknown error occurred while processing the request.", 503)
GONE = errors.ApiError(-1020, "This operation is not supported.", 404)
REFUSALS = {Fault.REFUSE_504: TIMED_OUT, Fault.SERVER_BUSY: BUSY, Fault.INTERNAL_ERROR: BROKEN}
DENIALS = {
    Fault.EXECUTE_504: TIMED_OUT,
    Fault.UNEXPECTED_RESPONSE: errors.unknown_outcome(),
    Fault.UNKNOWN_ERROR: UNKNOWN,
}
WAIT = {
    Fault.TOO_MANY_REQUESTS: ("Too many requests; please use the websocket for live updates.", 429),
    Fault.BANNED: ("Way too much request weight used; IP banned.", 418),
}
PAGE = b"<html><head><title>502 Bad Gateway</title></head><body><h1>502 Bad Gateway</h1></body></html>"
LAGGING = ("order.status", "openOrders.status", "allOrders", "myTrades")
LAGGING_PATHS = tuple(f"GET /api/v3/{path}" for path in ("order", "openOrders", "allOrders", "myTrades"))
ORDERS = ("GET /api/v3/order", "GET /api/v3/allOrders", "WS order.status", "WS allOrders")
TRADES = ("POST /api/", "PUT /api/", "DELETE /api/")  # requests that a key needs the right to trade for
TRADES_BY_SOCKET = re.compile(r"WS (order|orderList|openOrders|sor\.order)\.(place|test|cancel|amend)")
RIGHTS = "GET /sapi/v1/account/apiRestrictions"
ACCOUNTS = ("GET /api/v3/account", "WS account.status")


class Spoilt(Exception):
    """The answer is no JSON: a body and its HTTP status."""

    def __init__(self, body: bytes, status: int = 200) -> None:
        super().__init__(status)
        self.body = body
        self.status = status


class RequestFaults:
    """The faults that befall requests."""

    def __init__(self, faults: Faults, clock: Clock) -> None:
        self._faults = faults
        self._clock = clock

    async def at_door(self, request: str, answer: Callable[[], Awaitable[object]]) -> object:
        """Answer any request; raises ApiError or Spoilt instead when a fault befalls it."""
        late_s = self._faults.latency(request)
        if late_s is not None:
            await self._clock.sleep(late_s)
        if self._faults.standing(Fault.ENDPOINT_GONE, request) is not None:
            raise GONE
        rule = self._faults.pick(AT_DOOR, request)
        if rule is None:
            return await self._coded(request, answer)
        if rule.fault in REFUSED_AT_DOOR:
            if rule.fault is Fault.HTML_502:
                raise Spoilt(PAGE, 502)
            text, status = WAIT[rule.fault]
            raise errors.ApiError(-1003, text, status, int(rule.seconds))
        await answer()
        raise Spoilt(PAGE if rule.fault is Fault.HTML_REPLY else b"")

    async def _coded(self, request: str, answer: Callable[[], Awaitable[object]]) -> object:
        """The answer; a refusal with another code, when codes have changed."""
        try:
            return await answer()
        except errors.ApiError as error:
            other = self._faults.standing(Fault.ERROR_CODE, request)
            if other is None:
                raise
            raise errors.ApiError(int(other.amount), error.message, error.status, error.retry_after_s) from error

    async def inside(
        self, request: str, account: str, run: Callable[[], Awaitable[object]], hang_up: Callable[[], None]
    ) -> object:
        """Carry out a signed request of an account, or not, and tell the truth about it, or not."""
        trades = request.startswith(TRADES) or TRADES_BY_SOCKET.match(request)
        if trades and self._faults.standing(Fault.READ_ONLY_KEY, account) is not None:
            raise errors.unknown_key()
        rule = self._faults.next_rule(request)
        if rule is None:
            return self._read(request, account, await run())
        if rule.fault in REFUSALS:
            raise REFUSALS[rule.fault]
        if rule.fault is Fault.CUT:
            hang_up()
            return None
        if rule.fault is Fault.DELAY:
            await self._clock.sleep(rule.seconds)
        reply = self._read(request, account, await run())
        if rule.fault is Fault.LATE_REPLY:
            await self._clock.sleep(rule.seconds)
        if rule.fault in DENIALS:
            raise DENIALS[rule.fault]
        if rule.fault is Fault.EXECUTE_CUT:
            hang_up()
        return reply

    def _read(self, request: str, account: str, reply: object) -> object:
        """What can be read: the young is missing while reading lags, the old once it is archived."""
        if isinstance(reply, dict) and (request == RIGHTS or request in ACCOUNTS):
            return reply | self._rights(request, account)
        if request in ORDERS:
            reply = self._without_archived(request, reply)
        lag = self._faults.standing(Fault.READ_LAG, request)
        if lag is None or not (request in LAGGING_PATHS or request.removeprefix("WS ") in LAGGING):
            return reply
        youngest = self._clock.now_ms() - int(lag.seconds * 1000)
        if isinstance(reply, dict):
            if int(reply["time"]) > youngest:
                raise errors.no_such_order()
            return reply
        assert isinstance(reply, list)
        return [row for row in reply if int(row["time"]) <= youngest]

    def _rights(self, request: str, account: str) -> dict[str, object]:
        """What an account's key may do, as far as a fault has changed it."""
        changed: dict[str, object] = {}
        if self._faults.standing(Fault.WITHDRAW_RIGHT, account) is not None:
            changed["enableWithdrawals" if request == RIGHTS else "canWithdraw"] = True
        if request == RIGHTS and self._faults.standing(Fault.READ_ONLY_KEY, account) is not None:
            changed["enableSpotAndMarginTrading"] = False
        return changed

    def _without_archived(self, request: str, reply: object) -> object:
        rule = self._faults.standing(Fault.ARCHIVE, request)
        if rule is None:
            return reply
        after_s = rule.seconds
        if isinstance(reply, dict):
            if is_archived(reply, self._clock.now_ms(), after_s):
                raise errors.archived_order()
            return reply
        assert isinstance(reply, list)
        return [row for row in reply if not is_archived(row, self._clock.now_ms(), after_s)]
