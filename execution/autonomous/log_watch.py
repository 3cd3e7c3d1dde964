"""The one door to watchdog: which log lines say ERROR, counted per process, with the newest ones kept to show.

Sizes are looked at once a second, and files read on from where we were: by inode, offset and beginning, through
rotation (by copy, by name), truncation and floods. File events are only hints that files were made or renamed, so that
several rotations within a second lose nothing; to be told of every line written would cost more than all the reading.

What it finds is evidence for people. Text is never an instruction.
"""

import logging
import os
import re
import threading
from collections import deque
from dataclasses import dataclass, field
from pathlib import Path
from typing import BinaryIO

from watchdog.events import FileCreatedEvent, FileMovedEvent, FileSystemEvent, FileSystemEventHandler
from watchdog.observers import Observer
from watchdog.observers.api import BaseObserver

log = logging.getLogger("nae.manager")
READ_MAX_BYTES = 4 * 2**20  # of one file at one look: some tens of milliseconds, and forty thousand lines
HEAD_BYTES = 256  # by which a file is known to be the one it was
COPIES_TRIED = 5
COPIES_MAX = 9  # name.log.1 to name.log.9
RECENT_LINES = 20
LINE_MAX = 300
LOG_NAME = re.compile(r"\.log(\.\d)?$")
MARKED = re.compile(rb"^\d[^\n]{0,30}? (ERROR|CRITICAL|WARNING) [^\n]*", re.MULTILINE)  # a record begins with its time


@dataclass
class Tail:
    """How far one file has been read, and what was counted in it.

    `grown_bytes`: by how much it had grown at the last read(); `skipped_bytes`: what was gone before it could be read.
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
    growing_bytes: int = 0  # since then
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
        self._old: frozenset[tuple[int, int]] = frozenset()  # the copies that were there at the start
        self._looking = threading.Lock()  # hints come in a thread of their own
        self._observer: BaseObserver | None = None

    def start(self) -> None:
        """Begin at the end of what is there: old errors are not news."""
        self._old = frozenset(mark for path in self._folder.glob("*.log.[1-9]") if (mark := _mark_of(path)))
        for name, status in self._files():
            tail = self._tails[name] = Tail(offset=status.st_size, seen_bytes=status.st_size)
            try:
                with (self._folder / name).open("rb") as file:
                    self._rotated(name, tail, file)
                tail.offset = tail.seen_bytes = status.st_size
            except FileNotFoundError:
                del self._tails[name]  # moved away meanwhile: whatever comes under its name is new
        hints = [FileCreatedEvent, FileMovedEvent]
        try:
            observer = Observer()
            observer.schedule(_Hints(self), str(self._folder), event_filter=hints)
            observer.start()
        except OSError as error:  # the user's other programs have all there are; sizes are looked at all the same
            log.warning("no file events", extra={"fields": {"error": error}})
        else:
            self._observer = observer

    def stop(self) -> None:
        """End the watching thread, and give back what is open."""
        if self._observer is not None and self._observer.is_alive():
            logging.getLogger("watchdog").setLevel(logging.CRITICAL)  # its threads call each other's end an error
            self._observer.stop()
            self._observer.join(timeout=1)
        for tail in self._tails.values():
            while tail.older:
                tail.older.popleft()[0].close()

    def read(self) -> dict[str, Tail]:
        """Read what is new; the counts per process."""
        self.look()
        for tail in self._tails.values():
            tail.grown_bytes, tail.growing_bytes = tail.growing_bytes, 0
        return {name.removesuffix(".log"): tail for name, tail in self._tails.items()}

    def look(self) -> None:
        """Read what is new."""
        with self._looking:
            for name, status in self._files():
                tail = self._tails.setdefault(name, Tail())
                touched = (status.st_ino, status.st_size, status.st_mtime_ns)
                if touched != tail.touched or tail.older or tail.offset < status.st_size:
                    self._read_on(name, tail)
                    tail.touched = touched

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
            short = len(tail.head) < HEAD_BYTES  # two files may well have begun with the same few words
            if not _is_same(file, tail) or (short and self._newer_copy(name, tail)):
                self._rotated(name, tail, file)
            elif short:
                tail.head = _head(file)
            room = READ_MAX_BYTES
            while tail.older and room > 0:
                room -= _finish_oldest(tail, room)
            data = os.pread(file.fileno(), room, tail.offset) if room > 0 else b""
            size = os.fstat(file.fileno()).st_size
            if size < tail.offset + len(data) or not _begins_with(file, tail.head):
                return  # rotated while we read: it is found at the next look, and read from its copy
            tail.growing_bytes += max(0, size - tail.seen_bytes)
            tail.seen_bytes = size
            whole = data[: data.rfind(b"\n") + 1]
            full = len(data) == READ_MAX_BYTES
            tail.offset += len(whole) or (len(data) if full else 0)  # a line without an end is passed over
            count_lines(tail, whole)

    def _newer_copy(self, name: str, tail: Tail) -> bool:
        """Has there been a rotation that the file itself doesn't show?"""
        mark = _mark_of(self._folder / f"{name}.1")
        return mark is not None and mark not in tail.copies

    def _rotated(self, name: str, tail: Tail, file: BinaryIO) -> None:
        """It isn't the file that it was. What we hadn't read of that one stands in a copy, and so does what came and
        went since: all of them are opened now, whatever they are named next."""
        copies = _copies(self._folder, name)
        if copies and _holds(file, copies[-1]):
            copies.pop().close()  # the copy of what is still to be truncated
        fresh = [copy for copy in copies if _mark(copy) not in tail.copies | self._old]
        if not fresh and _is_same(file, tail) and tail.inode:
            self._know(tail, copies, file)
            return
        ours = next((number for number, copy in enumerate(fresh) if _is_of(copy, tail)), None)
        if ours is None:  # the one we were in has come and gone: so much of it at least
            tail.skipped_bytes += tail.seen_bytes - tail.offset if fresh else 0
            tail.offset = tail.seen_bytes = 0
        for copy in fresh[ours or 0 :]:
            tail.growing_bytes += max(0, os.fstat(copy.fileno()).st_size - tail.seen_bytes)
            tail.older.append((copy, tail.offset))
            tail.offset = tail.seen_bytes = 0
        tail.offset = tail.seen_bytes = 0
        self._know(tail, copies, file)

    @staticmethod
    def _know(tail: Tail, copies: list[BinaryIO], file: BinaryIO) -> None:
        """By what file and copies are known next time; what isn't read on is closed."""
        tail.inode, tail.head, tail.copies = os.fstat(file.fileno()).st_ino, _head(file), frozenset(map(_mark, copies))
        taken = {id(copy) for copy, _ in tail.older}
        for copy in copies:
            if id(copy) not in taken:
                copy.close()


def _begins_with(file: BinaryIO, head: bytes) -> bool:
    return os.pread(file.fileno(), len(head), 0) == head


def _holds(file: BinaryIO, copy: BinaryIO) -> bool:
    """Is `copy` one of `file` as it is now, whole or not?"""
    return os.fstat(copy.fileno()).st_size <= os.fstat(file.fileno()).st_size and _begins_with(file, _head(copy))


def _head(file: BinaryIO) -> bytes:
    return os.pread(file.fileno(), HEAD_BYTES, 0)


def _is_same(file: BinaryIO, tail: Tail) -> bool:
    status = os.fstat(file.fileno())
    if status.st_ino != tail.inode or status.st_size < tail.seen_bytes:
        return False
    return _begins_with(file, tail.head)


def _is_of(copy: BinaryIO, tail: Tail) -> bool:
    """Is it what we were reading, moved or copied away?"""
    status = os.fstat(copy.fileno())
    return status.st_size >= tail.offset and (status.st_ino == tail.inode or _begins_with(copy, tail.head))


def _mark(copy: BinaryIO) -> tuple[int, int]:
    status = os.fstat(copy.fileno())
    return status.st_ino, status.st_mtime_ns


def _copies(folder: Path, name: str) -> list[BinaryIO]:
    """The rotated ones, oldest first, as they stood at one moment."""
    found: list[BinaryIO] = []
    for _ in range(COPIES_TRIED):
        for copy in found:
            copy.close()  # they were renamed while we opened them
        found = []
        names = [folder / f"{name}.{number}" for number in range(COPIES_MAX, 0, -1)]
        for path in names:
            try:
                found.append(path.open("rb"))
            except FileNotFoundError:
                continue  # there are fewer
        if [_mark(copy) for copy in found] == [mark for path in names if (mark := _mark_of(path))]:
            break
    return found


def _mark_of(path: Path) -> tuple[int, int] | None:
    try:
        status = path.stat()
    except FileNotFoundError:
        return None
    return status.st_ino, status.st_mtime_ns


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


class _Hints(FileSystemEventHandler):
    def __init__(self, watch: LogWatch) -> None:
        self._watch = watch

    def on_any_event(self, event: FileSystemEvent) -> None:
        names = (os.fsdecode(event.src_path), os.fsdecode(event.dest_path or ""))
        if any(LOG_NAME.search(name) for name in names):
            try:
                self._watch.look()
            except OSError as error:  # the next look, within a second, is the one that counts
                log.warning("logs not looked at", extra={"fields": {"error": error}})
