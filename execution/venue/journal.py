"""The venue's journal: one line for every request that places, tests or cancels an order, and for each start and stop.

It is what others judge the venue's clients by; the venue never reads it. A line goes out in one write and is not
synced: what an order became is in the store. A line the disk refuses is lost and counted; no request fails for it.
"""

import os
from pathlib import Path
from typing import Any

import orjson

from execution.runtime.clock import Clock

JOURNAL_NAME = "journal.jsonl"
MAX_BYTES = 50 * 1024 * 1024
KEEP = 3


class Journal:
    """Appends lines. `at` is wall time in whole ms, a label; `mono` is the machine's monotonic clock in ms with
    fractions, one for all processes, which steps of the wall clock don't move."""

    def __init__(self, path: Path, clock: Clock, max_bytes: int = MAX_BYTES) -> None:
        self.path = path
        self.lost = 0
        self._clock = clock
        self._max_bytes = max_bytes
        self._descriptor: int | None = None
        self._size = 0
        self._torn = False

    def open(self) -> None:
        """Go on where the last venue stopped, and say that we are up."""
        self.write({"event": "up", "pid": os.getpid()})

    def close(self) -> None:
        """An orderly stop."""
        self.write({"event": "down", "pid": os.getpid()})
        if self._descriptor is not None:
            os.close(self._descriptor)
            self._descriptor = None

    def write(self, facts: dict[str, Any]) -> None:
        """One line, now."""
        times = {"at": self._clock.now_ms(), "mono": round(self._clock.monotonic() * 1000, 3)}
        line = orjson.dumps(times | facts) + b"\n"
        try:
            descriptor = self._reopened() if self._descriptor is None else self._descriptor
            if self._size + len(line) > self._max_bytes:
                descriptor = self._rotated()
            line = b"\n" + line if self._torn else line
            written = os.write(descriptor, line)
        except OSError:
            self.lost += 1  # a full disk: the line is lost, the request isn't
            return
        self._size += written
        self._torn = written < len(line)
        self.lost += self._torn

    def _reopened(self) -> int:
        """Append to what is there; a half line at its end gets a line end first."""
        self.path.parent.mkdir(parents=True, exist_ok=True)
        self._descriptor = os.open(self.path, os.O_RDWR | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC, 0o600)
        self._size = os.fstat(self._descriptor).st_size
        self._torn = self._size > 0 and os.pread(self._descriptor, 1, self._size - 1) != b"\n"
        return self._descriptor

    def _rotated(self) -> int:
        """journal.jsonl becomes .1, .1 becomes .2 …; the oldest goes."""
        if self._descriptor is not None:
            os.close(self._descriptor)
            self._descriptor = None
        for number in range(KEEP - 1, -1, -1):
            older = numbered(self.path, number)
            if older.exists():
                older.replace(numbered(self.path, number + 1))
        return self._reopened()


def numbered(path: Path, number: int) -> Path:
    """The name of the journal's `number`th predecessor; 0 is the journal itself."""
    return path.with_name(f"{path.name}.{number}") if number else path
