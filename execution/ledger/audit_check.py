"""Is an audit trail whole? Every line must carry its own hash and that of the line before it, from file to file, as far
as the trail is known to have come. Reads only, also a trail that is being written.

A line torn by a kill at the very end is said and is no fault. What was cut off at the end is known by the head, a small
file beside the trail in which its writer notes how far it has come.
"""

import hashlib
import os
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any, BinaryIO

import msgspec

KEEP = 5  # full files kept beside the current one
_TORN = "not a whole line, and nothing says why"
_LOOKS = 100  # a trail may change its files while they are being opened


class Checked(msgspec.Struct, frozen=True):
    """What a check found. `problem` names the first broken line; `torn` the last one, when it isn't whole (yet)."""

    lines: int
    first: int
    last: int
    problem: str | None = None
    torn: str | None = None


def rotated(path: Path, number: int) -> Path:
    """The file after `number` rotations; 0 is the current one."""
    return path if number == 0 else path.with_name(f"{path.name}.{number}")


def files(path: Path) -> list[Path]:
    """The files of a trail that exist, oldest first."""
    return [file for number in range(KEEP, -1, -1) if (file := rotated(path, number)).exists()]


def head_file(path: Path) -> Path:
    """Where the writer of a trail notes how far it has come: `number hash`."""
    return path.with_name(f"{path.name}.head")


def read_head(path: Path) -> tuple[int, str]:
    """How far the trail has come once; (0, '') when nobody noted it. ValueError when the note can't be read."""
    words: list[str] = []
    for _ in range(_LOOKS):  # it may be written just now: what reads the same twice is whole
        before, words = words, _words(head_file(path))
        if words == before:
            break
    if not words:
        return 0, ""
    if len(words) != 2 or not words[0].isdecimal():
        raise ValueError(f"{head_file(path)} can't be read: it must hold a number and a hash")
    return int(words[0]), words[1]


def _words(path: Path) -> list[str]:
    try:
        return path.read_text().split()
    except FileNotFoundError:
        return []


def decoded(line: bytes) -> dict[str, Any] | None:
    """A whole line's entry; None for anything else."""
    if not line.endswith(b"}\n"):
        return None
    try:
        entry = msgspec.json.decode(line, type=dict[str, Any])
    except (msgspec.DecodeError, UnicodeDecodeError):
        return None
    return entry if isinstance(entry.get("seq"), int) and "hash" in entry else None


def verify(path: Path) -> str | None:
    """What is wrong with the trail, naming the first bad line; None when every line follows from the one before."""
    return check(path).problem


def check(path: Path) -> Checked:
    """Go through all files of a trail. Raises OSError when one can't be read."""
    try:
        head = read_head(path)  # before the lines: the writer may be further meanwhile, never less far
    except (ValueError, UnicodeDecodeError) as error:
        return Checked(0, 0, 0, str(error))
    walk = _Walk(head)
    with ExitStack() as opened:
        for file, lines in _opened(path, opened):
            for number, line in enumerate(lines, 1):
                problem = walk.take(line, f"{file}:{number}")
                if problem:
                    return walk.found(problem)
    return walk.found(walk.ending(path))


def _opened(path: Path, opened: ExitStack) -> list[tuple[Path, BinaryIO]]:
    """The files of one moment, oldest first: rotating renames them, and none must be read twice or left out."""
    for _ in range(_LOOKS):
        with ExitStack() as trying:
            try:
                found: list[tuple[Path, BinaryIO]] = [
                    (file, trying.enter_context(file.open("rb"))) for file in files(path)
                ]
                same = [file.stat().st_ino for file in files(path)]
            except FileNotFoundError:
                continue  # renamed in between: look again
            if same == [os.fstat(lines.fileno()).st_ino for _, lines in found]:
                opened.push(trying.pop_all())
                return found
    raise OSError(f"{path} changes its files faster than they can be opened")


def _binary(opened: ExitStack, file: Path) -> BinaryIO:
    return opened.enter_context(file.open("rb"))


class _Walk:
    """How far a check has come."""

    def __init__(self, head: tuple[int, str]) -> None:
        self._head, self._head_hash = head
        self._previous: str | None = None
        self._torn_at = ""
        self._unended = b""
        self._lines = self._first = self._last = 0

    def take(self, line: bytes, place: str) -> str | None:
        """The next line; what is wrong with it."""
        entry = decoded(line)
        if entry is None:
            self._torn_at, self._unended = self._torn_at or place, b"" if line.endswith(b"\n") else line
            return None
        if self._torn_at and entry.get("kind") != "torn_line":
            return f"{self._torn_at}: {_TORN}"
        self._torn_at, self._unended = "", b""
        problem = _problem(line, entry, self._previous) or self._against_head(entry)
        if problem:
            return f"{place}: {problem}"
        self._previous, self._last = entry["hash"], entry["seq"]
        self._first = self._first or entry["seq"]
        self._lines += 1
        return None

    def _against_head(self, entry: dict[str, Any]) -> str | None:
        if entry.get("kind") == "cut_short":
            return f"lines up to {entry.get('had')} had been written before this one, and were gone"
        if entry["seq"] == self._head and entry["hash"] != self._head_hash:
            return f"line {entry['seq']} isn't the one that was written: the trail was made anew from there"
        return None

    def ending(self, path: Path) -> str | None:
        """What is wrong with the end."""
        whole_but_its_end = decoded(self._unended[:-1] + b"\n") is not None
        if self._torn_at and (not self._unended or whole_but_its_end):
            return f"{self._torn_at}: {_TORN}"
        if self._last < self._head:
            place = self._torn_at or f"{path}: its end"
            return f"{place}: line {self._head} had been written, and line {self._last} is the last there is"
        return None

    def found(self, problem: str | None) -> Checked:
        torn = self._torn_at if self._unended and problem is None else None
        return Checked(self._lines, self._first, self._last, problem, torn or None)


def _problem(line: bytes, entry: dict[str, Any], previous: str | None) -> str | None:
    body, _, _ = line.rpartition(b',"hash":"')
    if hashlib.sha256(body + b"}").hexdigest() != entry.get("hash"):
        return f"line {entry.get('seq')} was changed: its hash doesn't fit"
    if previous is not None and entry.get("prev") != previous:
        return f"line {entry.get('seq')} doesn't follow the line before it: something was removed or put in"
    return None


def entries(path: Path, needle: bytes = b"") -> Iterator[dict[str, Any]]:
    """The whole lines of a trail that contain `needle`, oldest first; broken ones are passed over."""
    with ExitStack() as opened:
        for _, lines in _opened(path, opened):
            for line in lines:
                if needle in line and (entry := decoded(line)) is not None:
                    yield entry
