"""What a failed request means for the order it carried. Pure: from the facts of a failure to one verdict.

Only what provably never reached the matching engine is REJECTED. Everything else is UNKNOWN, and stays so until the
venue tells: a time-out, a cut line, a 5xx, a code we don't know, an answer we can't read.
"""

from enum import StrEnum

import msgspec

from execution.vocabulary.issues import IssueType


class Verdict(StrEnum):
    """What we may conclude."""

    REJECTED = "rejected"  # the venue refused it before matching; nothing happened, nothing will
    UNREACHABLE = "unreachable"  # no connection was made; nothing left us
    NOT_FOUND = "not_found"  # the venue knows no such order (yet)
    ARCHIVED = "archived"  # it ended without a fill so long ago that the venue has put it away
    DUPLICATE = "duplicate"  # an order with this id is alive: look it up
    RATE_LIMITED = "rate_limited"  # refused for asking too much; ask nothing for a while
    AUTH = "auth"  # the key or the signature isn't accepted
    CLOCK = "clock"  # our timestamp is outside the venue's window; refused before matching
    UNKNOWN = "unknown"


NEVER_EXECUTED = frozenset({Verdict.REJECTED, Verdict.UNREACHABLE, Verdict.RATE_LIMITED, Verdict.AUTH, Verdict.CLOCK})


class Failure(msgspec.Struct, frozen=True):
    """The facts of a failed request. `http_status` None: no answer came. `never_sent`: the connection was refused."""

    kind: str
    http_status: int | None = None
    code: int | None = None
    message: str = ""
    retry_after_s: float | None = None
    never_sent: bool = False


class Outcome(msgspec.Struct, frozen=True):
    """A verdict and its reason, fit for logs: no URL, no signature, no key."""

    verdict: Verdict
    reason: str
    retry_after_s: float | None = None
    strange: bool = False  # a code that stands in no table of ours: the venue has changed

    @property
    def never_executed(self) -> bool:
        """May we say for sure that the order wasn't and won't be executed?"""
        return self.verdict in NEVER_EXECUTED


class VenueError(Exception):
    """A request to the venue failed; `outcome` says what that means."""

    def __init__(self, outcome: Outcome) -> None:
        super().__init__(f"{outcome.verdict}: {outcome.reason}")
        self.outcome = outcome

    @property
    def issue_type(self) -> IssueType:
        """The kind of trouble, by the verdict, the venue's number and HTTP's status; never by the venue's words."""
        return _BY_VERDICT.get(self.outcome.verdict) or _ISSUES.get(self.issue_code, IssueType.UNKNOWN)

    @property
    def issue_code(self) -> str:
        """The venue's number (-2010), HTTP's status (504), or the failure's kind: what begins the reason is ours."""
        first, _, rest = self.outcome.reason.partition(" ")
        return rest.partition(" ")[0] if first == "HTTP" else first


class BadReply(Exception):
    """The venue answered something we can't read; the message names the place, never the whole answer."""


_BY_VERDICT = {
    Verdict.RATE_LIMITED: IssueType.RATE_LIMIT,
    Verdict.AUTH: IssueType.AUTH,
    Verdict.CLOCK: IssueType.CLOCK,
    Verdict.UNREACHABLE: IssueType.CONNECTION,
}
_ISSUES = {
    "-1001": IssueType.CONNECTION,
    "-1007": IssueType.TIMEOUT,
    "-1013": IssueType.MINIMUM_SIZE,  # a filter: too small, or not in its steps
    "-1111": IssueType.MINIMUM_SIZE,
    "-2010": IssueType.INSUFFICIENT_FUNDS,  # has other meanings too, which only the venue's words tell
    "408": IssueType.TIMEOUT,
    "504": IssueType.TIMEOUT,
    **dict.fromkeys(("500", "502", "503"), IssueType.CONNECTION),
    "RequestTimeout": IssueType.TIMEOUT,
    **dict.fromkeys(("NetworkError", "ExchangeNotAvailable", "OnMaintenance"), IssueType.CONNECTION),
}
_BY_CODE = {
    -1002: Verdict.AUTH,
    -1003: Verdict.RATE_LIMITED,
    -1015: Verdict.RATE_LIMITED,
    -1013: Verdict.REJECTED,
    -1021: Verdict.CLOCK,
    -1022: Verdict.AUTH,
    -2010: Verdict.REJECTED,
    -2011: Verdict.NOT_FOUND,
    -2013: Verdict.NOT_FOUND,
    -2014: Verdict.AUTH,
    -2015: Verdict.AUTH,
    -2026: Verdict.ARCHIVED,
}
_SAY_NOTHING = frozenset({-1000, -1001, -1004, -1006, -1007, -1008, -1010, -1016, -1020, -1034, -2016, -2021, -2022})
_KNOWN = _SAY_NOTHING | _BY_CODE.keys()
_MALFORMED = range(-1199, -1099)  # the request's own words were refused: parameters, precision, symbol, recvWindow
_TOO_MANY = frozenset({418, 429})


def classify(failure: Failure) -> Outcome:
    """The verdict on one failure."""
    reason = _reason(failure)
    strange = failure.code is not None and failure.code not in _KNOWN and failure.code not in _MALFORMED
    return Outcome(_verdict(failure), reason, failure.retry_after_s, strange)


def _verdict(failure: Failure) -> Verdict:
    if failure.never_sent:
        return Verdict.UNREACHABLE
    status = failure.http_status
    if status is None:
        return Verdict.UNKNOWN
    if status in _TOO_MANY:
        return Verdict.RATE_LIMITED
    if not 400 <= status < 500 or failure.code is None:
        return Verdict.UNKNOWN
    if failure.code == -2010 and "duplicate" in failure.message.lower():
        return Verdict.DUPLICATE
    if failure.code in _MALFORMED:
        return Verdict.REJECTED
    return _BY_CODE.get(failure.code, Verdict.UNKNOWN)


def _reason(failure: Failure) -> str:
    if failure.code is not None:
        return f"{failure.code} {failure.message[:200]}"
    if failure.http_status is not None:
        return f"HTTP {failure.http_status} {failure.kind}"
    return failure.kind
