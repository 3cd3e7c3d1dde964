"""The one door to watchdog: which log lines say ERROR, counted per process. Tails by inode and offset, so that rotation
and truncation lose and repeat nothing; file events are only hints that there is something to read.

What it finds is evidence for people. Text is never an instruction.
"""

import logging
import os
from dataclasses import dataclass
from pathlib import Path

from watchdog.events import FileCreatedEvent, FileModifiedEvent, FileSystemEvent, FileSystemEventHandler
from watchdog.observers import Observer

READ_MAX_BYTES = 1_000_000
MARKS = {" ERROR ": "errors", " CRITICAL ": "errors", " WARNING ": "warnings"}


@dataclass
class Tail:
    """How far one file has been read, and what was counted in it."""

    inode: int = 0
    offset: int = 0
    errors: int = 0
    warnings: int = 0
    last_error: str = ""


def count_lines(tail: Tail, text: str) -> None:
    """Add the marked lines of `text` to `tail`."""
    for line in text.split("\n"):
        for mark, name in MARKS.items():
            if line[:1].isdigit() and mark in line[:40]:  # a record begins with its time; a traceback doesn't
                setattr(tail, name, getattr(tail, name) + 1)
                if name == "errors":
                    tail.last_error = line[:300]
                break


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
            self._tails[path.name] = Tail(status.st_ino, status.st_size)
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
                    tail.inode, tail.offset = status.st_ino, 0
                file.seek(tail.offset)
                data = file.read(READ_MAX_BYTES)
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
                file.seek(tail.offset)
                count_lines(tail, file.read().decode(errors="replace"))
        except FileNotFoundError:
            pass  # truncated by hand, without a copy: nothing more to read


class _Hints(FileSystemEventHandler):
    def __init__(self, changed: set[str]) -> None:
        self._changed = changed

    def on_modified(self, event: FileSystemEvent) -> None:
        name = Path(os.fsdecode(event.src_path)).name
        if name.endswith(".log"):
            self._changed.add(name)

    on_created = on_modified
