"""The journal's chain: whole through restarts, full disks, kills and rotations; and nothing in it changes unseen."""

import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import orjson
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from execution.runtime.clock import ManualClock
from execution.venue.journal import Journal
from execution.venue.journal_chain import Checked, digest, files, verify

NAME = "journal.jsonl"


def written(path: Path, count: int, max_bytes: int = 1000) -> Checked:
    journal = Journal(path, ManualClock(), max_bytes)
    journal.open()
    for number in range(count):
        journal.write({"number": number})
    journal.close()
    return verify(path)


def rows(path: Path) -> list[dict[str, Any]]:
    return [orjson.loads(line) for file in files(path) for line in file.read_bytes().splitlines()]


def test_each_line_carries_the_hash_of_the_one_before_it_from_file_to_file(tmp_path: Path) -> None:
    assert written(tmp_path / NAME, 15) == Checked(17, 3, 0, 0, [], [])
    last = (tmp_path / f"{NAME}.1").read_bytes().splitlines()[-1]
    assert rows(tmp_path / NAME)[0]["prev"] == "0" * 64
    assert orjson.loads((tmp_path / NAME).read_bytes().splitlines()[0])["prev"] == digest(last)


def test_the_chain_goes_on_when_the_oldest_file_has_gone(tmp_path: Path) -> None:
    for _ in range(3):
        checked = written(tmp_path / NAME, 20)
        assert checked.problems == []
    assert checked.files == 4 and rows(tmp_path / NAME)[0]["prev"] != "0" * 64


@settings(max_examples=60, deadline=None)
@given(place=st.integers(0, 10_000), how=st.sampled_from(["change", "remove", "repeat", "swap"]))
def test_whatever_is_changed_removed_or_put_in_is_found(
    tmp_path_factory: pytest.TempPathFactory, place: int, how: str
) -> None:
    path = tmp_path_factory.mktemp("venue") / NAME
    written(path, 12)
    file = files(path)[place % len(files(path))]
    lines = file.read_bytes().splitlines(keepends=True)
    at = place % (len(lines) - 1) if len(lines) > 1 else 0
    if file == path and at == len(lines) - 1:
        return  # the very last line is nobody's predecessor yet
    if how == "change":
        lines[at] = lines[at].replace(b'"at":', b'"at":1', 1)
    elif how == "remove" and (file != files(path)[0] or at):  # the oldest lines may go: files do
        del lines[at]
    elif how == "repeat":
        lines.insert(at, lines[at])
    elif how == "swap" and len(lines) > at + 1:
        lines[at], lines[at + 1] = lines[at + 1], lines[at]
    if b"".join(lines) == file.read_bytes():
        return
    file.write_bytes(b"".join(lines))
    assert verify(path).problems


def test_a_line_torn_by_a_kill_is_said_by_the_next_and_the_chain_goes_on(tmp_path: Path) -> None:
    path = tmp_path / NAME
    written(path, 2, 10_000)
    whole = path.read_bytes()
    path.write_bytes(whole[:-30])
    assert verify(path) == Checked(4, 1, 0, 0, [f"{path}:4"], []), "the last one may be on its way"
    checked = written(path, 2, 10_000)
    assert (checked.torn, checked.problems) == ([f"{path}:4"], [])
    torn_bytes = len(whole.splitlines()[3]) - 29
    assert rows_that_say(path, "torn") == [torn_bytes]
    path.write_bytes(path.read_bytes().replace(b'"torn":', b'"worn":'))
    assert verify(path).problems[0] == f"{path}:4 is not a whole line, and the next one doesn't say why"


def rows_that_say(path: Path, name: str) -> list[Any]:
    found = []
    for line in path.read_bytes().splitlines():
        if f'"{name}":'.encode() in line:
            found.append(orjson.loads(line)[name])
    return found


def test_a_journal_from_before_the_chain_is_taken_up(tmp_path: Path) -> None:
    path = tmp_path / NAME
    path.write_bytes(b'{"at":1,"mono":1.0,"event":"up"}\n{"at":2,"mono":2.0,"event":"down"}\n')
    assert written(path, 1, 10_000) == Checked(5, 1, 2, 0, [], [])
    path.write_bytes(path.read_bytes().replace(b'"at":2,', b'"at":3,'))
    assert len(verify(path).problems) == 1


@contextmanager
def a_disk(taken: Callable[[int], int]) -> Iterator[None]:
    """Of each write the disk takes so many bytes; it refuses when that is none."""
    write = os.write

    def short(descriptor: int, data: bytes) -> int:
        count = taken(len(data))
        if not count:
            raise OSError(28, "No space left on device")
        return write(descriptor, data[:count])

    os.write = short  # type: ignore[assignment]
    try:
        yield
    finally:
        os.write = write


ACTS = st.one_of(
    st.tuples(st.just("lines"), st.integers(1, 5)),
    st.tuples(st.just("refused"), st.integers(1, 5)),
    st.tuples(st.just("short"), st.integers(1, 600)),
    st.tuples(st.just("killed"), st.integers(0, 400)),
)


@settings(max_examples=150, deadline=None)
@given(acts=st.lists(ACTS, max_size=25), max_bytes=st.sampled_from([600, 1500, 100_000]))
def test_through_full_disks_kills_and_rotations_every_gap_is_said_and_no_line_is_invented(
    tmp_path_factory: pytest.TempPathFactory, acts: list[tuple[str, int]], max_bytes: int
) -> None:
    path = tmp_path_factory.mktemp("venue") / NAME
    clock = ManualClock()
    journal = Journal(path, clock, max_bytes)
    journal.open()
    number = lost = 0
    for act, size in acts:
        before = path.stat().st_size if path.exists() else 0
        count = size if act in ("lines", "refused") else 3
        for _ in range(count):
            journal.note({"number": number})
            number += 1
        if act in ("refused", "short"):
            with a_disk(lambda there, size=size, act=act: 0 if act == "refused" else min(size, there)):  # type: ignore[misc]
                journal.flush()
        else:
            journal.flush()
        if act == "killed":  # in the middle of the last write
            now = path.stat().st_size
            os.truncate(path, now - min(size, now - before) if now > before else now)
            lost = journal.lost
            journal = Journal(path, clock, max_bytes)
            journal.lost = lost
            journal.open()
        assert verify(path).problems == []
    journal.close()
    checked = verify(path)
    assert checked.problems == []
    numbers = [row["number"] for _, row in _told(path) if "number" in row]
    assert numbers == sorted(set(numbers)), "in order, each once"


def _told(path: Path) -> list[tuple[str, dict[str, Any]]]:
    from execution.venue.journal_chain import rows as all_rows

    return [(place, row) for place, _, row in all_rows(path) if row is not None]
