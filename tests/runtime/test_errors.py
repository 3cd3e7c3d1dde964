"""Errors are counted once each, by type, place and shape, in a window, in bounded memory, at next to no cost."""

import importlib
import time
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from execution.runtime.clock import ManualClock
from execution.runtime.config import load
from execution.runtime.errors import (
    CONTEXT_MAX,
    FRAMES_MAX,
    KINDS_MAX,
    MESSAGE_MAX,
    OTHER_SHAPES,
    REPORTED_MAX,
    SHAPES_MAX,
    VALUE_MAX,
    ErrorBook,
    about,
    describe,
    place_of,
)
from execution.runtime.home import PROJECT_ROOT
from execution.runtime.redaction import hide
from execution.runtime.sqlite import open_writer
from execution.runtime.template import READ_MAX
from execution.vocabulary.exit_codes import ConfigError
from execution.vocabulary.issues import IssueType
from execution.vocabulary.limits import ERROR_WINDOW_S


def raised(kind: type[Exception], text: str = "text") -> Exception:
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
        assert place_of(error).startswith("execution.runtime.config:")
        inside = place_of(error.__cause__ or error)
        assert inside.startswith("execution.runtime.config:"), "raised inside tomllib, called from ours"


def test_an_error_that_was_never_raised_has_an_unknown_place() -> None:
    assert place_of(KeyError()) == "unknown"


def test_one_kind_too_many_takes_the_place_of_the_one_seen_longest_ago() -> None:
    clock = ManualClock()
    book = ErrorBook(clock)
    for number in [*range(KINDS_MAX), 0, KINDS_MAX]:  # the first is seen again, so the second is the oldest
        book.note(raised(type(f"Kind{number}", (Exception,), {})))
        clock.advance(1)
    kinds = {kind.told.kind for kind in book._kinds.values()}
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


def test_the_same_fault_has_the_same_fingerprint_whatever_numbers_and_names_it_tells() -> None:
    one, other = raised(ValueError, "order 17 of 'BTC/USDT' failed"), raised(ValueError, "order 4 of 'ETH/USDT' failed")
    assert describe(one).fingerprint == describe(other).fingerprint
    assert describe(one).template == "order <n> of <name> failed"
    assert describe(raised(ValueError, "another matter")).fingerprint != describe(one).fingerprint


def test_what_others_write_into_messages_makes_no_endless_kinds_of_one_place() -> None:
    book = ErrorBook(ManualClock())
    words = ["a", "b", "c", "d", "e", "f", "g", "h"]
    for word in words:
        book.note(raised(ValueError, word))
    rows = book.rows()
    assert len(rows) == SHAPES_MAX + 1
    assert {row.template: row.count for row in rows}[OTHER_SHAPES] == len(words) - SHAPES_MAX


def deep(depth: int) -> None:
    if depth:
        deep(depth - 1)
    raise KeyError("x")


def test_frames_are_the_innermost_ones_outermost_first_without_values() -> None:
    try:
        deep(30)
    except KeyError as error:
        told = describe(error)
    assert len(told.frames) == FRAMES_MAX
    assert all(frame.startswith(f"{__name__}:deep:") for frame in told.frames)
    assert told.bases == ["LookupError", "Exception"]


def test_the_context_is_what_our_code_gave_the_innermost_first_and_it_is_bounded() -> None:
    with pytest.raises(ValueError, match="x") as caught, about(symbol="outer", strategy="s"), about(symbol="inner"):
        raise ValueError("x")
    told = describe(caught.value, task="cycle", symbol="given")
    assert told.context == {"task": "cycle", "symbol": "inner", "strategy": "s"}
    long = describe(ValueError(), **{f"key{number}": "v" * 1_000 for number in range(50)})
    assert len(long.context) == CONTEXT_MAX and max(map(len, long.context.values())) == VALUE_MAX


def test_what_an_exception_carries_as_values_is_context() -> None:
    with pytest.raises(OSError) as disk:
        Path("/nowhere/at/all").stat()
    assert describe(disk.value).context == {"errno": "ENOENT"}
    with pytest.raises(NameError) as name:
        jsom  # type: ignore[name-defined]  # noqa: B018, F821
    assert describe(name.value).context == {"name": "jsom"}
    with pytest.raises(ImportError) as module:
        importlib.import_module("ccxt_mexc_futures")
    assert describe(module.value).context == {"name": "ccxt_mexc_futures"}
    said_only = describe(raised(ModuleNotFoundError, "No module named 'ccxt-mexc-futures'"))
    assert said_only.context == {}, "what a text says is no context"


def test_what_a_database_says_by_its_code_is_context(tmp_path: Path) -> None:
    connection = open_writer(tmp_path / "x.db", "CREATE TABLE IF NOT EXISTS x (a INTEGER);")
    with pytest.raises(Exception, match="no such table") as caught:
        connection.execute("SELECT * FROM nowhere")
    assert describe(caught.value).context == {"code": "SQLITE_ERROR"}
    connection.close()


def test_what_an_exception_declares_of_itself_is_told() -> None:
    assert describe(raised(ConfigError)).issue == IssueType.CONFIG
    assert describe(raised(ValueError)).issue == ""


def test_an_error_whose_own_text_raises_is_counted_all_the_same() -> None:
    class Bad(Exception):
        def __str__(self) -> str:
            raise RuntimeError("no")

    book = ErrorBook(ManualClock())
    book.note(raised(Bad))
    assert book.rows()[0].message == "its text can't be made: RuntimeError"


def test_of_a_group_of_errors_the_first_is_told() -> None:
    group = ExceptionGroup("several", [ExceptionGroup("inner", [raised(KeyError)]), raised(ValueError)])
    assert describe(group).kind == "KeyError"


def test_no_secret_and_nothing_that_a_terminal_obeys_is_in_a_report() -> None:
    hide("s3cr3t-0123456789")
    text = "\x1b[31mkey s3cr3t-0123456789 at https://u:pw@host/?signature=deadbeef\r\n2026 ERROR forged"
    told = describe(raised(ValueError, text), note="s3cr3t-0123456789")
    shown = repr(told)
    for bad in ("s3cr3t", "deadbeef", "u:pw", "\\x1b", "\\r", "\\n"):
        assert bad not in shown, bad
    huge = describe(raised(ValueError, "a b " * 100_000 + "s3cr3t-0123456789"))
    assert len(huge.message) <= MESSAGE_MAX


@pytest.mark.parametrize("shown", range(1, 18))
def test_a_secret_cut_in_two_by_the_bound_shows_no_half_of_itself(shown: int) -> None:
    long, secret = "L0ng" * 450, "SECRETSECRETSECRET"
    hide(long, secret)
    text = f"{long} {'y ' * ((READ_MAX - len(long) - 1 - shown) // 2)}"  # of which next to nothing is left
    text += "z" * (READ_MAX - shown - len(text)) + secret + " and more"
    told = describe(ValueError(text))
    assert "SEC" not in told.message + told.template
    assert "y y" in told.message


def test_a_flood_of_errors_costs_less_than_a_hundredth_of_writing_them_down() -> None:
    book, error = ErrorBook(ManualClock()), raised(ValueError, "HTTP 504 of https://api.example.com/x?signature=123456")
    book.note(error)
    began = time.process_time()
    for _ in range(10_000):
        book.note(error, task="cycle")
    assert time.process_time() - began < 0.3, "30 us each; some 3 on a quiet machine"
    assert book.rows()[0].in_window == 1000


def test_a_new_kind_is_told_at_once_and_many_new_kinds_not_one_by_one() -> None:
    clock, told = ManualClock(), []
    book = ErrorBook(clock, on_new=lambda: told.append(clock.monotonic()))
    for _ in range(3):
        book.note(raised(KeyError))
    assert len(told) == 1
    for number in range(30):
        book.note(raised(type(f"Kind{number}", (Exception,), {})))
    assert len(told) == 1
    clock.advance(1.0)
    book.note(raised(ValueError))
    assert len(told) == 2
