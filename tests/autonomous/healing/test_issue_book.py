"""What was seen is counted once, over the lives of a process and of the manager, bounded and kept."""

import asyncio
import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from execution.autonomous.healing.seeing.issue_book import (
    EVIDENCE_MAX,
    ROWS_MAX,
    WRITE_EVERY_S,
    Found,
    IssueBook,
    file_of,
)
from execution.runtime.clock import ManualClock
from execution.runtime.errors import ErrorBook, describe
from execution.runtime.home import Home
from execution.vocabulary.health import LastWord
from execution.vocabulary.issues import IssueType, Severity
from execution.vocabulary.lifecycle import ProcessState
from execution.vocabulary.limits import ERROR_WINDOW_S
from execution.vocabulary.messages import Heartbeat


def raised(kind: type[Exception], text: str = "x") -> Exception:
    try:
        raise kind(text)
    except kind as error:
        return error


class Worker:
    """A process that errs, and says so."""

    def __init__(self, clock: ManualClock, name: str = "ralph", pid: int = 1) -> None:
        self.clock, self.name, self.pid = clock, name, pid
        self.errors = ErrorBook(clock)

    def beat(self) -> Heartbeat:
        return Heartbeat(
            process=self.name,
            sent_ms=0,
            pid=self.pid,
            build="b",
            state=ProcessState.RUNNING,
            sequence=1,
            uptime_s=1.0,
            errors=self.errors.rows(),
        )

    def restart(self) -> None:
        self.pid += 1
        self.errors = ErrorBook(self.clock)


@pytest.fixture
def clock() -> ManualClock:
    return ManualClock()


@pytest.fixture
def book(tmp_path: Path, clock: ManualClock) -> IssueBook:
    return IssueBook(Home(tmp_path), clock)


def keep(book: IssueBook, clock: ManualClock) -> None:
    clock.advance(WRITE_EVERY_S)
    asyncio.run(book.keep())


def test_an_error_is_an_issue_with_its_kind_place_and_times(book: IssueBook, clock: ManualClock) -> None:
    worker = Worker(clock)
    worker.errors.note(raised(KeyError), task="study", symbol="BTC/USDT")
    began = clock.now_ms()
    clock.advance(2)
    for _ in range(3):  # a heartbeat repeats what the one before has said
        book.hear(worker.beat())
    (issue,) = book.issues()
    assert (issue.type, issue.count, issue.in_window, issue.exception) == (IssueType.KEY, 1, 1, "KeyError")
    assert (issue.first_ms, issue.last_ms) == (began, began), "as the worker saw it"
    assert issue.context == {"task": "study", "symbol": "BTC/USDT"} and issue.cause and issue.frames


def test_counts_go_on_over_the_lives_of_a_process(book: IssueBook, clock: ManualClock) -> None:
    worker = Worker(clock)
    for _ in range(3):
        worker.errors.note(raised(KeyError))
    book.hear(worker.beat())
    worker.restart()
    worker.errors.note(raised(KeyError))
    book.hear(worker.beat())
    (issue,) = book.issues()
    assert (issue.count, issue.in_window) == (4, 4)


def test_counts_go_on_over_the_lives_of_the_manager(book: IssueBook, clock: ManualClock, tmp_path: Path) -> None:
    worker = Worker(clock)
    for _ in range(3):
        worker.errors.note(raised(KeyError))
    book.hear(worker.beat())
    keep(book, clock)
    again = IssueBook(Home(tmp_path), clock)
    again.hear(worker.beat())
    assert [issue.count for issue in again.issues()] == [3]
    worker.errors.note(raised(KeyError))
    again.hear(worker.beat())
    assert [issue.count for issue in again.issues()] == [4]


def test_the_same_fault_in_two_processes_is_two_rows_of_one_fingerprint(book: IssueBook, clock: ManualClock) -> None:
    for name in ("live_optimus", "sandbox_optimus"):
        worker = Worker(clock, name)
        worker.errors.note(raised(KeyError))
        book.hear(worker.beat())
    first, second = book.issues()
    assert first.fingerprint == second.fingerprint and first.process != second.process


def test_what_stayed_away_leaves_the_window_and_coming_again_is_counted(
    book: IssueBook, clock: ManualClock, tmp_path: Path
) -> None:
    worker = Worker(clock)
    worker.errors.note(raised(KeyError))
    book.hear(worker.beat())
    clock.advance(ERROR_WINDOW_S + 1)
    (issue,) = book.issues()
    assert (issue.count, issue.in_window, issue.severity) == (1, 0, Severity.NOTE)
    worker.errors.note(raised(KeyError))
    book.hear(worker.beat())
    keep(book, clock)
    (row,) = json.loads(file_of(Home(tmp_path)).read_text())["rows"]
    assert (row["count"], row["recurrences"]) == (2, 1)


def test_a_last_word_is_an_issue_of_its_own_kind(book: IssueBook, clock: ManualClock) -> None:
    error = describe(raised(ModuleNotFoundError))
    for _ in range(3):
        book.read_last_word(
            LastWord(process="ralph", pid=7, build="b", at_ms=clock.now_ms(), phase="import", error=error)
        )
    (issue,) = book.issues()
    assert (issue.type, issue.severity, issue.context["phase"]) == (IssueType.IMPORT, Severity.CRITICAL, "import")


def test_what_is_seen_from_outside_is_an_issue_without_an_exception(book: IssueBook, clock: ManualClock) -> None:
    for told in ("no pulse for 1.1 s", "no pulse for 1.3 s"):
        book.find(Found(process="ralph", type=IssueType.HANG, what="hang", told=told, ends_process=True))
    (issue,) = book.issues()
    assert (issue.type, issue.count, issue.exception, issue.template) == (IssueType.HANG, 2, "", "hang")


def test_it_is_bounded_and_what_came_longest_ago_goes_first(book: IssueBook, clock: ManualClock) -> None:
    for number in range(ROWS_MAX + 5):
        book.find(Found(process="ralph", type=IssueType.UNKNOWN, what=f"kind {number}"))
        clock.advance(0.001)
    told = {issue.template for issue in book.issues()}
    assert len(told) == ROWS_MAX and "kind 4" not in told and "kind 5" in told


def test_it_is_written_once_in_a_while_and_only_when_something_has_changed(
    book: IssueBook, clock: ManualClock, tmp_path: Path
) -> None:
    path = file_of(Home(tmp_path))
    asyncio.run(book.keep())
    assert not path.exists(), "nothing to say"
    book.find(Found(process="ralph", type=IssueType.HANG, what="hang"))
    asyncio.run(book.keep())
    first = path.stat().st_ino
    book.find(Found(process="ralph", type=IssueType.HANG, what="hang"))
    asyncio.run(book.keep())
    assert path.stat().st_ino == first, "too soon"
    keep(book, clock)
    second = path.stat().st_ino
    assert second != first
    keep(book, clock)
    assert path.stat().st_ino == second, "nothing new"


@pytest.mark.parametrize("content", [b"", b"{", b"\xff", b'{"rows": [{"type": "telepathy"}]}', b"[]"])
def test_a_damaged_file_is_set_aside_and_said(
    tmp_path: Path, clock: ManualClock, content: bytes, caplog: pytest.LogCaptureFixture
) -> None:
    path = file_of(Home(tmp_path))
    path.parent.mkdir(parents=True)
    path.write_bytes(content)
    assert IssueBook(Home(tmp_path), clock).issues() == []
    assert path.with_name("issues.json.broken").read_bytes() == content
    assert "set aside" in caplog.text


def test_a_disk_that_refuses_costs_the_memory_and_no_more(book: IssueBook, clock: ManualClock, tmp_path: Path) -> None:
    (tmp_path / "data").write_text("in the way of the folder")
    book.find(Found(process="ralph", type=IssueType.HANG, what="hang"))
    keep(book, clock)
    (tmp_path / "data").unlink()
    keep(book, clock)
    assert file_of(Home(tmp_path)).exists(), "tried again"


def test_the_lines_that_show_it_are_those_that_name_it(book: IssueBook, clock: ManualClock, tmp_path: Path) -> None:
    worker = Worker(clock)
    fingerprint = worker.errors.note(raised(KeyError))
    book.hear(worker.beat())
    lines = [f"line {number} fingerprint={fingerprint}" for number in range(9)]
    book.show({"ralph": ["another", *lines, "another"], "venue": ["not of this process"]})
    book.show({"ralph": ["later, when nothing new was counted"]})
    keep(book, clock)
    (row,) = json.loads(file_of(Home(tmp_path)).read_text())["rows"]
    assert row["evidence"] == lines[-EVIDENCE_MAX:]


STEPS = st.lists(st.sampled_from(["err", "err", "other", "beat", "restart", "manager", "wait"]), max_size=40)


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(STEPS)
def test_whatever_happens_counts_never_fall_and_none_is_counted_twice(tmp_path: Path, steps: list[str]) -> None:
    clock, made, highest = ManualClock(), 0, 0
    file_of(Home(tmp_path)).unlink(missing_ok=True)
    book, worker = IssueBook(Home(tmp_path), clock), Worker(clock)
    for step in [*steps, "beat"]:
        clock.advance(1)
        if step in ("err", "other"):
            worker.errors.note(raised(KeyError if step == "err" else ValueError))
            made += 1
        elif step == "beat":
            book.hear(worker.beat())
        elif step == "restart":
            book.hear(worker.beat())  # nothing is lost in between
            worker.restart()
        elif step == "manager":
            keep(book, clock)
            book = IssueBook(Home(tmp_path), clock)
        total = sum(issue.count for issue in book.issues())
        assert highest <= total <= made
        highest = total
    assert highest == made


def test_to_hear_of_nothing_new_costs_next_to_nothing(book: IssueBook, clock: ManualClock) -> None:
    worker = Worker(clock)
    for number in range(20):
        worker.errors.note(raised(type(f"Kind{number}", (Exception,), {})))
    beat: Any = worker.beat()
    book.hear(beat)
    before = book.issues()
    keep(book, clock)
    for _ in range(1000):
        book.hear(beat)
    assert not book._unwritten and all(len(times) == 1 for times in book._times.values())
    assert [issue.count for issue in book.issues()] == [issue.count for issue in before]
