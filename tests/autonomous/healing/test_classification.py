"""What kind of trouble a report tells of: by types, numbers and what our own code says, by no text."""

import builtins
import errno
import importlib
import inspect
import sqlite3

import ccxt
import pytest
from hypothesis import given
from hypothesis import strategies as st

from execution.autonomous.healing.seeing.classification import CRITICAL_FROM, cause_of, classify, severity_of
from execution.exchange.classify import Failure, VenueError
from execution.exchange.classify import classify as judge
from execution.runtime.errors import describe
from execution.vocabulary.exit_codes import ConfigError
from execution.vocabulary.health import ErrorCount
from execution.vocabulary.issues import IssueType, Severity
from execution.vocabulary.limits import ERROR_WINDOW_S, ERRORS_UNHEALTHY_PER_MINUTE
from tests.injected import TEXTS

HOUSE = (
    "execution.exchange.classify",
    "execution.ledger.rows",
    "execution.ledger.opening",
    "execution.ledger.schema",
    "execution.ledger.books",
    "execution.ledger.store",
    "execution.runtime.bus",
    "execution.runtime.codec",
    "execution.trading.streams",
    "execution.autonomous.supervisor_door",
)


def house_errors() -> dict[str, type[Exception]]:
    found: dict[str, type[Exception]] = {}
    for module in map(importlib.import_module, HOUSE):
        found |= {name: one for name, one in inspect.getmembers(module, inspect.isclass) if issubclass(one, Exception)}
    return found


class Own(Exception):
    """Says of itself what it is."""

    issue_type = IssueType.AUTH


@pytest.mark.parametrize(
    ("error", "kind"),
    [
        (ModuleNotFoundError("x"), IssueType.IMPORT),
        (NameError("x"), IssueType.IMPORT),
        (UnboundLocalError("x"), IssueType.UNKNOWN),
        (AttributeError("x"), IssueType.ATTRIBUTE),
        (KeyError("x"), IssueType.KEY),
        (IndexError("x"), IssueType.KEY),
        (IndentationError("x"), IssueType.SYNTAX),
        (ConnectionResetError("x"), IssueType.CONNECTION),
        (OSError(errno.ECONNREFUSED, "x"), IssueType.CONNECTION),
        (TimeoutError("x"), IssueType.TIMEOUT),
        (OSError(errno.ENOSPC, "x"), IssueType.DISK),
        (OSError(errno.EROFS, "x"), IssueType.DISK),
        (OSError(errno.EMFILE, "x"), IssueType.DESCRIPTOR_LEAK),
        (PermissionError(errno.EACCES, "x"), IssueType.CONFIG),
        (MemoryError(), IssueType.MEMORY),
        (sqlite3.OperationalError("x"), IssueType.DATABASE),
        (ConfigError("x"), IssueType.CONFIG),
        (ccxt.RateLimitExceeded("x"), IssueType.RATE_LIMIT),
        (ccxt.InvalidNonce("x"), IssueType.CLOCK),
        (ccxt.RequestTimeout("x"), IssueType.TIMEOUT),
        (ccxt.ExchangeNotAvailable("x"), IssueType.CONNECTION),
        (ccxt.InsufficientFunds("x"), IssueType.INSUFFICIENT_FUNDS),
        (ccxt.PermissionDenied("x"), IssueType.AUTH),
        (Own("x"), IssueType.AUTH),
        (ValueError("x"), IssueType.UNKNOWN),
        (RuntimeError("x"), IssueType.UNKNOWN),
    ],
    ids=lambda one: str(one) if isinstance(one, IssueType) else type(one).__name__,
)
def test_a_type_or_a_number_tells_the_kind(error: Exception, kind: IssueType) -> None:
    assert classify(describe(error)) is kind


@pytest.mark.parametrize(
    ("name", "kind"),
    [
        ("LedgerDamaged", IssueType.DATABASE),
        ("LedgerUntrusted", IssueType.DATABASE),  # by descent a ConfigError, which a person would have to mend
        ("LedgerTaken", IssueType.UNKNOWN),
        ("LedgerFromLater", IssueType.CONFIG),
        ("WrongAccount", IssueType.CONFIG),
        ("NoAnswer", IssueType.TIMEOUT),
        ("StreamEnded", IssueType.CONNECTION),
        ("BadReply", IssueType.CONNECTION),
    ],
)
def test_errors_of_our_own_have_their_kind(name: str, kind: IssueType) -> None:
    assert classify(describe(house_errors()[name]("x"))) is kind


def every_exception() -> list[type[BaseException]]:
    classes = [one for module in (builtins, ccxt) for one in vars(module).values() if isinstance(one, type)]
    found = [one for one in (*classes, *house_errors().values()) if issubclass(one, BaseException)]
    return [one for one in found if not issubclass(one, BaseExceptionGroup)]


def test_every_class_of_exception_gets_a_kind_and_a_cause() -> None:
    for kind in every_exception():
        error = kind.__new__(kind)  # some can't be made without their own arguments
        found = classify(describe(error))
        assert isinstance(found, IssueType) and cause_of(found), kind


NAMES = st.text(max_size=20) | st.sampled_from([kind.__name__ for kind in every_exception()])


@given(
    st.builds(
        ErrorCount,
        *[st.text(max_size=9), NAMES, *[st.text(max_size=9)] * 2],
        *[st.integers(0, 9)] * 2,
        st.just(0.0),
        bases=st.lists(NAMES, max_size=4),
        context=st.dictionaries(st.sampled_from(["errno", "code", "task"]), st.text(max_size=12), max_size=3),
        issue=st.text(max_size=12) | st.sampled_from(list(IssueType)),
    )
)
def test_every_report_gets_a_kind_also_one_of_a_later_build(report: ErrorCount) -> None:
    assert isinstance(classify(report), IssueType)


@pytest.mark.parametrize("text", TEXTS, ids=range(len(TEXTS)))
def test_no_text_decides_what_kind_of_trouble_it_is(text: str) -> None:
    venue = VenueError(judge(Failure("ExchangeError", 400, -1000, text)))
    for error, kind in (
        (venue, IssueType.UNKNOWN),
        (RuntimeError(text), IssueType.UNKNOWN),
        (ccxt.ExchangeError(text), IssueType.UNKNOWN),
        (KeyError(text), IssueType.KEY),
        (ConnectionError(text), IssueType.CONNECTION),
        (ModuleNotFoundError(text), IssueType.IMPORT),
    ):
        told = describe(error)
        assert classify(told) is kind
        assert "name" not in told.context, "what a text says is no module's name"


def test_how_bad_it_is_goes_by_how_often_and_by_what_it_ends() -> None:
    assert severity_of(IssueType.KEY, 0) is Severity.NOTE
    assert severity_of(IssueType.KEY, 1) is Severity.WARNING
    often = round(ERRORS_UNHEALTHY_PER_MINUTE * ERROR_WINDOW_S / 60) + 1
    assert severity_of(IssueType.KEY, often) is Severity.SERIOUS
    assert severity_of(IssueType.DISK, 1) is Severity.SERIOUS
    assert severity_of(IssueType.KEY, 1, ends_process=True) is Severity.SERIOUS
    assert severity_of(IssueType.CRASH, CRITICAL_FROM) is Severity.CRITICAL
