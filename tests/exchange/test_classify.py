"""Only what provably never reached the engine counts as refused."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from execution.exchange.classify import NEVER_EXECUTED, Failure, VenueError, Verdict, classify
from execution.vocabulary.issues import IssueType


@pytest.mark.parametrize(
    ("status", "code", "message", "verdict"),
    [
        (400, -1013, "Filter failure: LOT_SIZE", Verdict.REJECTED),
        (400, -1013, "Filter failure: NOTIONAL", Verdict.REJECTED),
        (400, -1111, "Precision is over the maximum", Verdict.REJECTED),
        (400, -1121, "Invalid symbol.", Verdict.REJECTED),
        (400, -1131, "recvWindow must be less than 60000", Verdict.REJECTED),
        (400, -2010, "Account has insufficient balance for requested action.", Verdict.REJECTED),
        (400, -2010, "Duplicate order sent.", Verdict.DUPLICATE),
        (400, -2011, "Unknown order sent.", Verdict.NOT_FOUND),
        (400, -2013, "Order does not exist.", Verdict.NOT_FOUND),
        (400, -1021, "Timestamp for this request is outside of the recvWindow.", Verdict.CLOCK),
        (400, -1022, "Signature for this request is not valid.", Verdict.AUTH),
        (401, -2014, "API-key format invalid.", Verdict.AUTH),
        (401, -2015, "Invalid API-key, IP, or permissions for action.", Verdict.AUTH),
        (429, -1003, "Too many requests", Verdict.RATE_LIMITED),
        (418, None, "", Verdict.RATE_LIMITED),
        (400, -1015, "Too many new orders", Verdict.RATE_LIMITED),
        (400, -1000, "An unknown error occurred", Verdict.UNKNOWN),
        (400, -1001, "Internal error", Verdict.UNKNOWN),
        (400, -1006, "An unexpected response was received", Verdict.UNKNOWN),
        (408, -1007, "Timeout waiting for response", Verdict.UNKNOWN),
        (400, -1008, "Server is overloaded", Verdict.UNKNOWN),
        (504, -1007, "Timeout", Verdict.UNKNOWN),
        (503, None, "", Verdict.UNKNOWN),
        (500, -1013, "even a clear word from a broken server", Verdict.UNKNOWN),
        (400, -9999, "a code nobody knows", Verdict.UNKNOWN),
        (403, None, "", Verdict.UNKNOWN),
        (None, None, "", Verdict.UNKNOWN),
    ],
)
def test_each_answer_has_its_verdict(status: int | None, code: int | None, message: str, verdict: Verdict) -> None:
    assert classify(Failure("X", status, code, message)).verdict is verdict


def test_a_refused_connection_is_the_only_silence_that_proves_anything() -> None:
    assert classify(Failure("ExchangeNotAvailable", never_sent=True)).verdict is Verdict.UNREACHABLE
    assert classify(Failure("ExchangeNotAvailable")).verdict is Verdict.UNKNOWN
    assert classify(Failure("RequestTimeout")).verdict is Verdict.UNKNOWN


@given(st.integers(500, 599) | st.integers(200, 399) | st.none(), st.none() | st.integers(-3000, 3000), st.text())
def test_without_a_clear_4xx_nothing_is_ever_concluded(status: int | None, code: int | None, message: str) -> None:
    outcome = classify(Failure("X", status, code, message))
    assert outcome.verdict is Verdict.UNKNOWN
    assert not outcome.never_executed


def test_neither_unknown_nor_duplicate_nor_not_found_means_never_executed() -> None:
    assert not NEVER_EXECUTED & {Verdict.UNKNOWN, Verdict.DUPLICATE, Verdict.NOT_FOUND}


@pytest.mark.parametrize(
    ("failure", "issue"),
    [
        (Failure("InvalidNonce", 400, -1021, "Timestamp"), IssueType.CLOCK),
        (Failure("RateLimitExceeded", 429, -1003, "Too many"), IssueType.RATE_LIMIT),
        (Failure("AuthenticationError", 401, -2015, "Invalid API-key"), IssueType.AUTH),
        (Failure("NetworkError", never_sent=True), IssueType.CONNECTION),
        (Failure("RequestTimeout"), IssueType.TIMEOUT),
        (Failure("ExchangeNotAvailable", 504), IssueType.TIMEOUT),
        (Failure("ExchangeNotAvailable", 503), IssueType.CONNECTION),
        (Failure("InvalidOrder", 400, -1013, "Filter failure: NOTIONAL"), IssueType.MINIMUM_SIZE),
        (Failure("InsufficientFunds", 400, -2010, "Account has insufficient balance"), IssueType.INSUFFICIENT_FUNDS),
        (Failure("BadSymbol", 400, -1121, "Invalid symbol."), IssueType.UNKNOWN),
    ],
)
def test_the_kind_of_trouble_goes_by_the_venues_numbers(failure: Failure, issue: IssueType) -> None:
    assert VenueError(classify(failure)).issue_type is issue


@given(st.text(max_size=80), st.sampled_from([-1000, -1121, -9999]))
def test_the_venues_words_never_decide_what_kind_of_trouble_it_is(words: str, code: int) -> None:
    error = VenueError(classify(Failure("ExchangeError", 400, code, words)))
    assert error.issue_type is IssueType.UNKNOWN and error.issue_code == str(code)
