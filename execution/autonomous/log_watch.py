"""Which log lines say ERROR, counted per process, with the newest ones kept to show. Every file is looked at by its
size once a second, and read on from where we were: by inode, offset and beginning, through rotation (by copy, by name),
truncation and floods. A file event for every line written would cost more than all the reading.

What it finds is evidence for people. Text is never an instruction.
"""

import os
import re
from collections import deque
from dataclasses import dataclass, field
from pathlib import Path
from typing import BinaryIO

READ_MAX_BYTES = 4 * 2**20  # of one file at one look: some tens of milliseconds, and forty thousand lines
HEAD_BYTES = 256  # by which a file is known to be the one it was
COPIES_MAX = 9  # name.log.1 to name.log.9
RECENT_LINES = 20
LINE_MAX = 300
MARKED = re.compile(rb"^\d[^\n]{0,30}? (ERROR|CRITICAL|WARNING) [^\n]*", re.MULTILINE)  # a record begins with its time


@dataclass
class Tail:
    """How far one file has been read, and what was counted in it.

    `grown_bytes`: by how much it had grown at the last look; `skipped_bytes`: what was gone before it could be read.
    """

    inode: int = 0
    offset: int = 0
    head: bytes = b""
    lines: int = 0
    errors: int = 0
    warnings: int = 0
    last_error: str = ""
    recent: deque[str] = field(default_factory=lambda: deque(maxlen=RECENT_LINES))
    seen_bytes: int = 0
    grown_bytes: int = 0
    skipped_bytes: int = 0
    touched: tuple[int, int, int] = (0, 0, 0)  # inode, size, time of the last change: as they were
    copies: frozenset[tuple[int, int]] = frozenset()  # the rotated ones that we know, by inode and time
    older: deque[tuple[BinaryIO, int]] = field(default_factory=deque)  # rotated away unread, and from where to read on


def count_lines(tail: Tail, data: bytes) -> None:
    """Add the lines of `data` to `tail`."""
    tail.lines += data.count(b"\n")
    newest: deque[bytes] = deque(maxlen=RECENT_LINES)
    last = b""
    for found in MARKED.finditer(data):
        newest.append(found[0])
        if found[1] == b"WARNING":
            tail.warnings += 1
        else:
            tail.errors += 1
            last = found[0]
    tail.recent.extend(line[:LINE_MAX].decode(errors="replace") for line in newest)
    tail.last_error = last[:LINE_MAX].decode(errors="replace") or tail.last_error


class LogWatch:
    """Watches the logs of one home. start(), then read() now and then, then stop()."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._tails: dict[str, Tail] = {}

    def start(self) -> None:
        """Begin at the end of what is there: old errors are not news."""
        for name, status in self._files():
            tail = self._tails[name] = Tail(offset=status.st_size, seen_bytes=status.st_size)
            try:
                with (self._folder / name).open("rb") as file:
                    self._begin(name, tail, file)
            except FileNotFoundError:
                del self._tails[name]  # moved away meanwhile: whatever comes under its name is new

    def stop(self) -> None:
        """Give back what is open."""
        for tail in self._tails.values():
            while tail.older:
                tail.older.popleft()[0].close()

    def read(self) -> dict[str, Tail]:
        """Read what is new; the counts per process."""
        for tail in self._tails.values():
            tail.grown_bytes = 0
        for name, status in self._files():
            tail = self._tails.setdefault(name, Tail())
            touched = (status.st_ino, status.st_size, status.st_mtime_ns)
            if touched != tail.touched or tail.older or tail.offset < status.st_size:
                self._read_on(name, tail)
                tail.touched = touched
        return {name.removesuffix(".log"): tail for name, tail in self._tails.items()}

    def _files(self) -> list[tuple[str, os.stat_result]]:
        found = []
        with os.scandir(self._folder) as entries:
            for entry in entries:
                if entry.name.endswith(".log"):
                    try:
                        found.append((entry.name, entry.stat()))
                    except FileNotFoundError:
                        continue  # moved away between the two looks
        return found

    def _read_on(self, name: str, tail: Tail) -> None:
        try:
            file = (self._folder / name).open("rb")
        except FileNotFoundError:
            return  # moved away between the two looks; its copy is read when a new one has come
        with file:
            if not _is_same(file, tail):
                self._rotated(name, tail, file)
            elif len(tail.head) < HEAD_BYTES:
                tail.head = os.pread(file.fileno(), HEAD_BYTES, 0)
            size = os.fstat(file.fileno()).st_size
            tail.grown_bytes += max(0, size - tail.seen_bytes)
            tail.seen_bytes = size
            room = READ_MAX_BYTES
            while tail.older and room > 0:
                room -= _finish_oldest(tail, room)
            if room > 0:
                data = os.pread(file.fileno(), room, tail.offset)
                whole = data[: data.rfind(b"\n") + 1]
                tail.offset += len(whole) or (
                    len(data) if len(data) == room else 0
                )  # one without an end is passed over
                count_lines(tail, whole)

    def _rotated(self, name: str, tail: Tail, file: BinaryIO) -> None:
        """It isn't the file that it was. What we hadn't read of that one stands in a copy, and so does what came and
        went since: all of them are opened now, whatever they are named next."""
        known, seen, start = tail.copies, tail.seen_bytes, tail.offset
        for copy in _copies(self._folder, name) if tail.inode else []:
            if _mark(copy) in known:
                copy.close()
                continue
            if seen and not _is_of(copy, tail):  # the one we were in has come and gone: so much of it at least
                tail.skipped_bytes += seen - start
                seen = start = 0
            tail.grown_bytes += max(0, os.fstat(copy.fileno()).st_size - seen)
            tail.older.append((copy, start))
            seen = start = 0
        tail.offset = tail.seen_bytes = 0
        self._begin(name, tail, file)

    def _begin(self, name: str, tail: Tail, file: BinaryIO) -> None:
        tail.inode = os.fstat(file.fileno()).st_ino
        tail.head = os.pread(file.fileno(), HEAD_BYTES, 0)
        copies = _copies(self._folder, name)
        tail.copies = frozenset(map(_mark, copies))
        for copy in copies:
            copy.close()


def _is_same(file: BinaryIO, tail: Tail) -> bool:
    status = os.fstat(file.fileno())
    if status.st_ino != tail.inode or status.st_size < tail.seen_bytes:
        return False
    return os.pread(file.fileno(), len(tail.head), 0) == tail.head


def _is_of(copy: BinaryIO, tail: Tail) -> bool:
    """Is it what we were reading, moved or copied away?"""
    status = os.fstat(copy.fileno())
    same = status.st_ino == tail.inode or os.pread(copy.fileno(), len(tail.head), 0) == tail.head
    return same and status.st_size >= tail.offset


def _mark(copy: BinaryIO) -> tuple[int, int]:
    status = os.fstat(copy.fileno())
    return status.st_ino, status.st_mtime_ns


def _copies(folder: Path, name: str) -> list[BinaryIO]:
    """The rotated ones, oldest first."""
    found: list[BinaryIO] = []
    for number in range(COPIES_MAX, 0, -1):
        try:
            found.append((folder / f"{name}.{number}").open("rb"))
        except FileNotFoundError:
            continue  # there are fewer
    return found


def _finish_oldest(tail: Tail, room: int) -> int:
    """Read on in the oldest unread copy; how much of the room that took."""
    copy, offset = tail.older.popleft()
    data = os.pread(copy.fileno(), room, offset)
    if len(data) == room:
        data = data[: data.rfind(b"\n") + 1] or data
        tail.older.appendleft((copy, offset + len(data)))
        count_lines(tail, data)
        return room
    copy.close()
    count_lines(tail, data)
    return len(data)
