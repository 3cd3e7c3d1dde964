"""The one door to watchdog: which log lines say ERROR, counted per process. Tails by inode and offset, so that rotation
and truncation lose and repeat nothing; file events are only hints that there is something to read.

What it finds is evidence for people. Text is never an instruction.
"""

import logging
import os
import re
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

from watchdog.events import FileCreatedEvent, FileModifiedEvent, FileSystemEvent, FileSystemEventHandler
from watchdog.observers import Observer

READ_MAX_BYTES = 2 * 2**20  # of one file at one look: some ten milliseconds
BEHIND_MAX_BYTES = 8 * 2**20  # further behind in a flood, the older part is skipped, and only its size is known
MARKED = re.compile(r"^\d[^\n]{0,30}? (ERROR|CRITICAL|WARNING) .*", re.MULTILINE)  # a record begins with its time


@dataclass
class Tail:
    """How far one file has been read, and what was counted in it.

    `grown_bytes`: by how much it had grown at the last look; `skipped_bytes`: what in all was too much to be read.
    """

    inode: int = 0
    offset: int = 0
    errors: int = 0
    warnings: int = 0
    last_error: str = ""
    seen_bytes: int = 0
    grown_bytes: int = 0
    skipped_bytes: int = 0


def count_lines(tail: Tail, text: str) -> None:
    """Add the marked lines of `text` to `tail`."""
    for found in MARKED.finditer(text):
        if found[1] == "WARNING":
            tail.warnings += 1
        else:
            tail.errors += 1
            tail.last_error = found[0][:300]


class LogWatch:
    """Watches the logs of one home. start(), then read() now and then, then stop()."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._tails: dict[str, Tail] = {}
        self._changed: set[str] = set()
        self._observer = Observer()

    def start(self) -> None:
        """Begin at the end of what is there: old errors are not news."""
        for path in self._folder.glob("*.log"):
            status = path.stat()
            self._tails[path.name] = Tail(status.st_ino, status.st_size, seen_bytes=status.st_size)
        hints = [FileModifiedEvent, FileCreatedEvent]  # not that somebody opens and closes a file, as we do ourselves
        self._observer.schedule(_Hints(self._changed), str(self._folder), event_filter=hints)
        self._observer.start()

    def stop(self) -> None:
        """End the watching thread."""
        if self._observer.is_alive():
            logging.getLogger("watchdog").setLevel(logging.CRITICAL)  # its threads call each other's end an error
            self._observer.stop()
            self._observer.join(timeout=1)

    def read(self) -> dict[str, Tail]:
        """Read what is new in the files that changed; the counts per process."""
        changed = set(self._changed)
        self._changed -= changed
        for tail in self._tails.values():
            tail.grown_bytes = 0
        for name in changed:
            self._read_file(name)
        return {name.removesuffix(".log"): tail for name, tail in self._tails.items()}

    def _read_file(self, name: str) -> None:
        tail = self._tails.setdefault(name, Tail())
        try:
            with (self._folder / name).open("rb") as file:
                status = os.fstat(file.fileno())
                if status.st_ino != tail.inode or status.st_size < tail.offset:
                    if tail.inode:
                        self._read_rest(name, tail)
                    tail.inode, tail.offset, tail.seen_bytes = status.st_ino, 0, 0
                data = _read_on(file, tail, status.st_size)
        except FileNotFoundError:
            return  # moved away between the hint and the look
        whole = data[: data.rfind(b"\n") + 1]
        full = len(data) == READ_MAX_BYTES
        tail.offset += len(whole) or (len(data) if full else 0)  # a line without an end is passed over
        count_lines(tail, whole.decode(errors="replace"))
        if full:
            self._changed.add(name)

    def _read_rest(self, name: str, tail: Tail) -> None:
        """What was written between the last look and the rotation stands in the copy."""
        try:
            with (self._folder / f"{name}.1").open("rb") as file:
                size = os.fstat(file.fileno()).st_size
                data = _read_on(file, tail, size)
        except FileNotFoundError:
            return  # truncated by hand, without a copy: nothing more to read
        tail.skipped_bytes += max(0, size - tail.offset - len(data))
        count_lines(tail, data.decode(errors="replace"))


def _read_on(file: BinaryIO, tail: Tail, size: int) -> bytes:
    """What comes next in a file of `size`: never much at once, and never from far behind."""
    tail.grown_bytes += max(0, size - tail.seen_bytes)
    tail.seen_bytes = size
    behind = size - tail.offset - BEHIND_MAX_BYTES
    if behind > 0:
        tail.skipped_bytes += behind
        tail.offset += behind
    file.seek(tail.offset)
    return file.read(READ_MAX_BYTES)


class _Hints(FileSystemEventHandler):
    def __init__(self, changed: set[str]) -> None:
        self._changed = changed

    def on_modified(self, event: FileSystemEvent) -> None:
        name = Path(os.fsdecode(event.src_path)).name
        if name.endswith(".log"):
            self._changed.add(name)

    on_created = on_modified
