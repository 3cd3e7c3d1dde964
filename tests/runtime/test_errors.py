"""Errors are counted once each, by type and place, in a window, in bounded memory."""

from hypothesis import given
from hypothesis import strategies as st

from execution.runtime.clock import ManualClock
from execution.runtime.config import load
from execution.runtime.errors import KINDS_MAX, REPORTED_MAX, ErrorBook, place_of
from execution.runtime.home import PROJECT_ROOT
from execution.vocabulary.exit_codes import ConfigError
from execution.vocabulary.limits import ERROR_WINDOW_S


def raised(kind: type[BaseException], text: str = "text") -> BaseException:
    try:
        raise kind(text)
    except kind as error:
        return error


def other_place() -> BaseException:
    try:
        raise KeyError("text")
    except KeyError as error:
        return error


def test_the_same_error_at_the_same_place_is_one_kind_with_the_last_message() -> None:
    book = ErrorBook(ManualClock())
    first = book.note(raised(KeyError, "first"))
    assert book.note(raised(KeyError, "second")) == first
    (row,) = book.rows()
    assert (row.kind, row.count, row.in_window, row.message) == ("KeyError", 2, 2, "'second'")


def test_another_type_or_place_is_another_kind() -> None:
    book = ErrorBook(ManualClock())
    prints = {book.note(raised(KeyError)), book.note(raised(ValueError)), book.note(other_place())}
    assert len(prints) == 3


def test_old_errors_leave_the_window_but_stay_counted() -> None:
    clock = ManualClock()
    book = ErrorBook(clock)
    book.note(raised(KeyError))
    clock.advance(ERROR_WINDOW_S + 1)
    (row,) = book.rows()
    assert (row.count, row.in_window, row.last_age_s) == (1, 0, ERROR_WINDOW_S + 1)


def test_the_place_is_the_innermost_one_in_our_own_code() -> None:
    broken = PROJECT_ROOT / "setup.cfg"
    try:
        load(broken, {})
    except ConfigError as error:
        assert place_of(error) == "runtime/config.py:load"
        assert place_of(error.__cause__ or error) == "runtime/config.py:load", "raised inside tomllib, called from ours"


def test_an_error_that_was_never_raised_has_an_unknown_place() -> None:
    assert place_of(KeyError()) == "unknown"


def test_one_kind_too_many_takes_the_place_of_the_one_seen_longest_ago() -> None:
    clock = ManualClock()
    book = ErrorBook(clock)
    for number in [*range(KINDS_MAX), 0, KINDS_MAX]:  # the first is seen again, so the second is the oldest
        book.note(raised(type(f"Kind{number}", (Exception,), {})))
        clock.advance(1)
    kinds = {kind.kind for kind in book._kinds.values()}
    assert len(kinds) == KINDS_MAX
    assert "Kind1" not in kinds
    assert {"Kind0", f"Kind{KINDS_MAX}"} <= kinds


@given(st.lists(st.integers(0, KINDS_MAX * 2), max_size=200))
def test_however_many_kinds_come_memory_and_report_are_bounded(numbers: list[int]) -> None:
    clock = ManualClock()
    book = ErrorBook(clock)
    for number in numbers:
        kind = type(f"Kind{number}", (Exception,), {})
        book.note(raised(kind))
        clock.advance(1)
    assert len(book._kinds) <= KINDS_MAX
    rows = book.rows()
    assert len(rows) <= REPORTED_MAX
    assert [row.last_age_s for row in rows] == sorted(row.last_age_s for row in rows)
    if numbers:
        assert rows[0].kind == f"Kind{numbers[-1]}"
