"""Log lines counted once each: through rotation by copy or by name, truncation, and lines that come in pieces."""

import logging
import os
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from execution.autonomous import log_watch
from execution.autonomous.log_watch import LINE_MAX, READ_MAX_BYTES, RECENT_LINES, LogWatch, Tail, count_lines
from execution.runtime.logs import CopyTruncateHandler, LineFormatter
from tests.support import child, eventually, rounds

ERROR = "2026-11-21T08:15:00.123Z ERROR   nae.venue: number {}\n"
WARNING = "2026-11-21T08:15:00.123Z WARNING nae.venue: careful\n"
INFO = "2026-11-21T08:15:00.123Z INFO    nae.venue: an ERROR in the text is none\n"


@pytest.fixture
def watch(tmp_path: Path) -> LogWatch:
    """A watch that hasn't been started: whatever is there is new."""
    return LogWatch(tmp_path)


def append(path: Path, text: str) -> None:
    with path.open("a") as file:
        file.write(text)


def look(watch: LogWatch, name: str = "venue") -> Tail:
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
    append(tmp_path / "venue.log", ERROR.format(1))
    assert look(watch).errors == 1
    (tmp_path / "venue.log").unlink()
    assert look(watch).errors == 1
    append(tmp_path / "venue.log", ERROR.format(2))
    assert look(watch).errors == 2


def test_a_flood_is_read_piece_by_piece_to_its_end(tmp_path: Path, watch: LogWatch) -> None:
    lines = 2 * READ_MAX_BYTES // len(ERROR) + 10
    append(tmp_path / "venue.log", ERROR.format(1) * lines)
    first = look(watch).errors
    assert 0 < first < lines
    for _ in range(3):
        tail = watch.read()["venue"]
    assert (tail.errors, tail.lines, tail.skipped_bytes) == (lines, lines, 0)


def rotate(path: Path, keep: int = 3) -> None:
    """As our own logs do it: by copy and truncation."""
    for number in range(keep - 1, 0, -1):
        older = path.with_name(f"{path.name}.{number}")
        if older.exists():
            older.replace(path.with_name(f"{path.name}.{number + 1}"))
    path.with_name(f"{path.name}.1").write_bytes(path.read_bytes())
    path.write_text("")


@pytest.mark.parametrize("times", [1, 2, 3])
def test_several_rotations_between_two_looks_lose_and_repeat_nothing(
    tmp_path: Path, watch: LogWatch, times: int
) -> None:
    path = tmp_path / "venue.log"
    append(path, "2026-11-21T08:15:00.001Z ERROR   nae.venue: the first\n" * 3)
    assert look(watch).errors == 3
    for number in range(times):
        append(path, ERROR.format(number) * 5)
        rotate(path)
    append(path, ERROR.format("last"))
    tail = look(watch)
    assert (tail.errors, tail.skipped_bytes) == (3 + 5 * times + 1, 0)
    assert look(watch).errors == tail.errors


def test_what_was_rotated_away_altogether_is_said_to_be_lost(tmp_path: Path, watch: LogWatch) -> None:
    path = tmp_path / "venue.log"
    append(path, ERROR.format("first") * (2 * READ_MAX_BYTES // len(ERROR)))
    assert look(watch).skipped_bytes == 0
    for number in range(4):  # one more than are kept
        append(path, f"2026-11-21T08:15:0{number}.000Z ERROR   nae.venue: later\n")
        rotate(path)
    while True:
        before = watch.read()["venue"].lines
        if watch.read()["venue"].lines == before:
            break
    assert watch.read()["venue"].skipped_bytes > READ_MAX_BYTES / 2


def test_a_file_truncated_and_grown_beyond_where_we_were_is_a_new_one(tmp_path: Path, watch: LogWatch) -> None:
    path = tmp_path / "venue.log"
    append(path, ERROR.format("old"))
    assert look(watch).errors == 1
    path.write_text("2026-11-22T00:00:00.000Z ERROR   nae.venue: new\n" * 5)
    assert look(watch).errors == 6


def test_of_a_new_file_what_was_rotated_away_before_the_first_look_counts_too(tmp_path: Path) -> None:
    append(tmp_path / "ralph.log.1", ERROR.format("of an earlier time"))
    append(tmp_path / "ralph.log", ERROR.format("of an earlier time, too"))
    watch = LogWatch(tmp_path)
    watch.start()
    try:
        path = tmp_path / "venue.log"
        append(path, ERROR.format(1) * 3)
        rotate(path)
        append(path, ERROR.format(2))
        assert (look(watch).errors, look(watch, "ralph").errors) == (4, 0)
    finally:
        watch.stop()


def test_what_grew_is_told_once_for_whoever_looks_for_floods(tmp_path: Path, watch: LogWatch) -> None:
    path = tmp_path / "venue.log"
    append(path, ERROR.format(1))
    assert look(watch).grown_bytes == len(ERROR.format(1))
    append(path, ERROR.format(2))
    rotate(path)
    append(path, ERROR.format(3))
    assert look(watch).grown_bytes == 2 * len(ERROR.format(2))
    assert look(watch).grown_bytes == 0


def test_the_newest_lines_are_kept_to_be_shown_each_of_them_short(tmp_path: Path, watch: LogWatch) -> None:
    append(tmp_path / "venue.log", "".join(ERROR.format(number) + INFO for number in range(100)))
    append(tmp_path / "venue.log", ERROR.format("x" * 10_000))
    recent = list(look(watch).recent)
    assert len(recent) == RECENT_LINES and recent[-2].endswith("number 99")
    assert max(map(len, recent)) == LINE_MAX


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
    count_lines(tail, text.encode())
    assert tail.errors <= text.count("\n") + 1 and tail.lines == text.count("\n")


@settings(max_examples=30, suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(st.lists(st.sampled_from(["error", "error", "info", "look"]), max_size=60))
def test_with_our_own_rotation_and_looks_at_any_moment_every_error_is_counted_once(
    tmp_path: Path, steps: list[str]
) -> None:
    for path in tmp_path.iterdir():
        path.unlink()
    log = CopyTruncateHandler(tmp_path / "venue.log", max_bytes=400, keep=3)
    watch, errors, unseen = LogWatch(tmp_path), 0, 0
    for number, step in enumerate(steps):
        unseen = 0 if step == "look" else unseen + 1
        if step == "look" or unseen > 6:  # looked at before the copies have gone
            look(watch)
            unseen = 0
        if step != "look":
            line = ERROR.format(number) if step == "error" else INFO
            errors += step == "error"
            _write(log, line.replace("00.123", f"00.{number:03}"))  # no two lines of one moment
    tail = watch.read().get("venue", Tail())
    assert (tail.errors, tail.skipped_bytes) == (errors, 0)


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


FLOOD = """
import logging, sys, time
from pathlib import Path
from execution.runtime.logs import CopyTruncateHandler
handler = CopyTruncateHandler(Path(sys.argv[1]), max_bytes=1_000_000)
handler.setFormatter(logging.Formatter("2026-11-21T08:15:00.123Z ERROR   nae.venue: %(message)s"))
began = time.monotonic()
for number in range(int(sys.argv[2])):
    handler.emit(logging.LogRecord("nae", logging.ERROR, "", 1, f"number {number} {'x' * 50}", (), None))
    while number % 100 == 0 and time.monotonic() < began + number / 10_000:
        time.sleep(0.001)
"""


def test_of_ten_thousand_lines_a_second_rotated_again_and_again_none_is_lost_or_read_twice(
    tmp_path: Path, started: LogWatch
) -> None:
    lines = 20_000 * rounds()
    with child(FLOOD, str(tmp_path / "venue.log"), str(lines)):
        eventually(lambda: started.read().get("venue", Tail()).errors >= lines, within_s=60, every_s=1.0)
        tail = started.read()["venue"]
    assert (tail.errors, tail.lines, tail.skipped_bytes) == (lines, lines, 0)
    assert tail.last_error.split()[4] == str(lines - 1)


def test_a_line_written_wakes_nobody(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    told: list[str] = []
    monkeypatch.setattr(
        log_watch._Hints, "on_any_event", lambda hints, event: told.append(Path(os.fsdecode(event.src_path)).name)
    )
    append(tmp_path / "ralph.log", ERROR.format(0))
    watch = LogWatch(tmp_path)
    watch.start()
    try:
        for number in range(50):
            append(tmp_path / "ralph.log", ERROR.format(number))
            watch.read()
        append(tmp_path / "new.log", ERROR.format(1))  # a hint, which comes after all that came before
        eventually(lambda: "new.log" in told)
    finally:
        watch.stop()
    assert "ralph.log" not in told


def test_without_file_events_logs_are_read_all_the_same(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refused() -> None:
        raise OSError(24, "inotify instance limit reached")

    monkeypatch.setattr(log_watch, "Observer", refused)
    watch = LogWatch(tmp_path)
    watch.start()
    append(tmp_path / "venue.log", ERROR.format(1))
    assert look(watch).errors == 1
    watch.stop()


def test_the_copy_of_what_is_still_to_be_truncated_is_not_read_as_one_more(tmp_path: Path, watch: LogWatch) -> None:
    path = tmp_path / "venue.log"
    append(path, "2026-11-21T08:15:00.001Z ERROR   nae.venue: the first\n")
    assert look(watch).errors == 1
    append(path, ERROR.format(2))
    rotate(path)
    append(path, "2026-11-21T08:15:02.001Z ERROR   nae.venue: of the second file\n" * 2)
    (tmp_path / "venue.log.1").rename(tmp_path / "venue.log.2")
    (tmp_path / "venue.log.1").write_bytes(path.read_bytes())  # copied, not truncated yet
    assert look(watch).errors == 4
    append(path, ERROR.format(5))
    (tmp_path / "venue.log.1").write_bytes(path.read_bytes())
    path.write_text("")
    append(path, ERROR.format(6))
    tail = look(watch)
    assert (tail.errors, tail.skipped_bytes) == (6, 0)


def test_what_our_own_logs_write_is_what_is_counted(tmp_path: Path, watch: LogWatch) -> None:

    log = CopyTruncateHandler(tmp_path / "venue.log")
    log.setFormatter(LineFormatter())
    for level in (logging.ERROR, logging.CRITICAL, logging.WARNING, logging.INFO):
        log.emit(logging.LogRecord("nae.venue", level, __file__, 1, "said", (), None))
    tail = look(watch)
    assert (tail.errors, tail.warnings) == (2, 1)
