"""Log lines counted once each: through rotation by copy or by name, truncation, and lines that come in pieces."""

import logging
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from execution.autonomous.log_watch import BEHIND_MAX_BYTES, READ_MAX_BYTES, LogWatch, Tail, count_lines
from execution.runtime.logs import CopyTruncateHandler, LineFormatter
from tests.support import eventually

ERROR = "2026-11-21T08:15:00.123Z ERROR   nae.venue: number {}\n"
WARNING = "2026-11-21T08:15:00.123Z WARNING nae.venue: careful\n"
INFO = "2026-11-21T08:15:00.123Z INFO    nae.venue: an ERROR in the text is none\n"


@pytest.fixture
def watch(tmp_path: Path) -> LogWatch:
    """A watch without its thread: the hints are given by the test."""
    return LogWatch(tmp_path)


def append(path: Path, text: str) -> None:
    with path.open("a") as file:
        file.write(text)


def look(watch: LogWatch, name: str = "venue") -> Tail:
    watch._changed.add(f"{name}.log")
    return watch.read()[name]


def test_lines_are_counted_by_level_and_only_once(tmp_path: Path, watch: LogWatch) -> None:
    append(tmp_path / "venue.log", ERROR.format(1) + WARNING + INFO + ERROR.format(2))
    for _ in range(3):
        tail = look(watch)
        assert (tail.errors, tail.warnings) == (2, 1)
    assert tail.last_error.endswith("number 2")


def test_a_line_that_comes_in_pieces_is_counted_when_it_is_whole(tmp_path: Path, watch: LogWatch) -> None:
    text = ERROR.format("é")
    for number, piece in enumerate((text[:10], text[10:50], text[50:]), 1):
        append(tmp_path / "venue.log", piece)
        assert look(watch).errors == (number == 3)


def test_a_traceback_that_quotes_a_line_is_no_line(tmp_path: Path, watch: LogWatch) -> None:
    append(tmp_path / "venue.log", INFO + "  Traceback\n  x = ' ERROR '\n")
    assert look(watch).errors == 0


@pytest.mark.parametrize("way", ["copy", "rename"])
def test_a_rotation_between_two_looks_loses_and_repeats_nothing(tmp_path: Path, watch: LogWatch, way: str) -> None:
    path = tmp_path / "venue.log"
    append(path, ERROR.format(1) + ERROR.format(2))
    assert look(watch).errors == 2
    append(path, ERROR.format(3))  # not seen before the rotation
    if way == "copy":
        (tmp_path / "venue.log.1").write_bytes(path.read_bytes())
        path.write_text("")
    else:
        path.rename(tmp_path / "venue.log.1")
    append(path, ERROR.format(4))
    assert look(watch).errors == 4
    assert look(watch).errors == 4


def test_truncation_by_hand_begins_anew_without_repeating(tmp_path: Path, watch: LogWatch) -> None:
    path = tmp_path / "venue.log"
    append(path, ERROR.format(1) * 3)
    assert look(watch).errors == 3
    path.write_text(ERROR.format(4))
    assert look(watch).errors == 4


def test_a_file_that_went_away_is_nothing(tmp_path: Path, watch: LogWatch) -> None:
    assert look(watch).errors == 0


def test_a_flood_is_read_piece_by_piece_to_its_end(tmp_path: Path, watch: LogWatch) -> None:
    lines = 2 * READ_MAX_BYTES // len(ERROR) + 10
    append(tmp_path / "venue.log", ERROR.format(1) * lines)
    look(watch)
    for _ in range(3):
        tail = watch.read()["venue"]
    assert tail.errors == lines


def test_who_falls_too_far_behind_skips_and_says_how_much(tmp_path: Path, watch: LogWatch) -> None:
    path = tmp_path / "venue.log"
    append(path, ERROR.format(1))
    assert look(watch).errors == 1
    lines = (BEHIND_MAX_BYTES + READ_MAX_BYTES) // len(ERROR.format(2))
    append(path, ERROR.format(2) * lines)
    grown = look(watch).grown_bytes
    assert grown == lines * len(ERROR.format(2))
    while watch._changed:
        tail = watch.read()["venue"]
    assert 0 < tail.skipped_bytes <= READ_MAX_BYTES
    read = (grown - tail.skipped_bytes) // len(ERROR.format(2))
    assert abs(tail.errors - 1 - read) <= 1, "but for a line that was cut in two"
    assert watch.read()["venue"].grown_bytes == 0
    append(path, ERROR.format(3))
    assert look(watch).last_error.endswith("number 3")


def test_ten_thousand_lines_a_second_are_all_read_in_a_small_part_of_the_second(
    tmp_path: Path, watch: LogWatch
) -> None:
    second = (INFO * 9 + ERROR.format(1)) * 1_000
    append(tmp_path / "venue.log", second)
    look(watch)
    began = time.process_time()
    for number in range(1, 6):
        append(tmp_path / "venue.log", second)
        tail = look(watch)
        assert (tail.errors, tail.skipped_bytes) == ((number + 1) * 1_000, 0)
    assert (time.process_time() - began) / 5 < 0.1


def test_a_line_without_an_end_stops_nothing(tmp_path: Path, watch: LogWatch) -> None:
    append(tmp_path / "venue.log", "x" * (READ_MAX_BYTES + 10) + "\n" + ERROR.format(1))
    look(watch)
    assert watch.read()["venue"].errors == 1


@given(st.text(max_size=200))
def test_any_text_can_be_counted(text: str) -> None:
    tail = Tail()
    count_lines(tail, text)
    assert tail.errors <= text.count("\n") + 1


@settings(max_examples=30, suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(st.lists(st.sampled_from(["error", "error", "info", "look"]), max_size=60))
def test_with_our_own_rotation_and_looks_at_any_moment_every_error_is_counted_once(
    tmp_path: Path, steps: list[str]
) -> None:
    for path in tmp_path.iterdir():
        path.unlink()
    log = CopyTruncateHandler(tmp_path / "venue.log", max_bytes=400, keep=2)
    watch, errors, unseen = LogWatch(tmp_path), 0, 0
    for step in steps:
        unseen = 0 if step == "look" else unseen + 1
        if step == "look" or unseen > 3:  # looked at before a second rotation
            look(watch)
            unseen = 0
        if step != "look":
            line = ERROR.format(1) if step == "error" else INFO
            errors += step == "error"
            _write(log, line)
    assert look(watch).errors == errors


def _write(log: CopyTruncateHandler, line: str) -> None:

    log.setFormatter(logging.Formatter("%(message)s"))
    log.emit(logging.LogRecord("nae", logging.INFO, __file__, 1, line.rstrip("\n"), (), None))


@pytest.fixture
def started(tmp_path: Path) -> Iterator[LogWatch]:
    append(tmp_path / "ralph.log", ERROR.format("from before"))
    watch = LogWatch(tmp_path)
    watch.start()
    yield watch
    watch.stop()


def test_the_real_watch_sees_new_lines_in_old_and_new_files_and_old_errors_are_no_news(
    tmp_path: Path, started: LogWatch
) -> None:
    append(tmp_path / "ralph.log", ERROR.format(1))
    append(tmp_path / "venue.log", ERROR.format(2) + WARNING)
    append(tmp_path / "notes.txt", ERROR.format(3))
    eventually(lambda: {name: tail.errors for name, tail in started.read().items()} == {"ralph": 1, "venue": 1})
    assert started.read()["venue"].warnings == 1


def test_what_our_own_logs_write_is_what_is_counted(tmp_path: Path, watch: LogWatch) -> None:

    log = CopyTruncateHandler(tmp_path / "venue.log")
    log.setFormatter(LineFormatter())
    for level in (logging.ERROR, logging.CRITICAL, logging.WARNING, logging.INFO):
        log.emit(logging.LogRecord("nae.venue", level, __file__, 1, "said", (), None))
    tail = look(watch)
    assert (tail.errors, tail.warnings) == (2, 1)
