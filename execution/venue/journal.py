"""The venue's journal: every request that places, tests or cancels an order, every order and every trade, each start
and each stop, in files that only ever grow. It is what others judge the venue and its clients by.

Each line carries the hash of the one before it (journal_chain.py). A line goes out after the commit that holds what it
tells and before any reply, and is not synced: what an order became is in the store, from which a start adds what a kill
has kept out. Lines the disk refuses are lost, counted and said; no request fails for it.
"""

import os
from collections.abc import Callable, Iterable
from pathlib import Path

import orjson

from execution.runtime.clock import Clock
from execution.runtime.files import sync_folder
from execution.venue.journal_chain import KEEP, End, beginning, decoded, digest, end_of_chain, numbered
from execution.venue.journal_lines import Facts

JOURNAL_NAME = "journal.jsonl"
BEGINS = "journal_begins"  # where the store remembers it
MAX_BYTES = 50 * 1024 * 1024


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
        self._end = End()
        self._unended = False  # the file's last byte isn't the end of a line
        self._noted: list[Facts] = []
        self._unsaid = 0  # lines lost of which no line tells yet

    def open(self, missing: Callable[[], Iterable[Facts]] = lambda: ()) -> None:
        """Go on where the last venue stopped, add what is `missing`, and say that we are up."""
        try:
            self._reopened()
            found = missing()
        except OSError:
            found = ()
        for facts in found:
            self.note(facts | {"recovered": True})
        self.write({"event": "up", "pid": os.getpid()})

    def known_by(self, before: str) -> str:
        """What to remember of this journal beside it, so that one begun anew is seen: the first lines' hashes, those
        remembered `before` among them. What is remembered outlasts a loss of power, and so does its line."""
        try:
            begins = beginning(self.path)
            if begins is None or begins in before.split() or self._descriptor is None:
                return before
            os.fsync(self._descriptor)
            sync_folder(self.path.parent)
        except OSError:
            return before
        return f"{before} {begins}".strip()

    def close(self) -> None:
        """An orderly stop."""
        self.write({"event": "down", "pid": os.getpid()})
        if self._descriptor is not None:
            os.close(self._descriptor)
            self._descriptor = None

    def write(self, facts: Facts) -> None:
        """One line, now, behind those that wait."""
        self.note(facts)
        self.flush()

    def note(self, facts: Facts) -> None:
        """A line that `flush` will write."""
        times = {"at": self._clock.now_ms(), "mono": round(self._clock.monotonic() * 1000, 3)}
        self._noted.append(times | facts)

    def flush(self) -> None:
        """Every line that waits, in one write."""
        noted, self._noted = self._noted, []
        if not noted:
            return
        try:
            descriptor = self._reopened() if self._descriptor is None else self._descriptor
            data, last = self._chained(noted)
            if self._size and self._size + len(data) > self._max_bytes:
                descriptor = self._rotated()
                data, last = self._chained(noted)
            written = os.write(descriptor, data)
        except OSError:
            self._lose(len(noted))  # a full disk: the lines are lost, the requests aren't
            return
        self._size += written
        if written == len(data):
            self._end, self._unended, self._unsaid = End(last), False, 0
        else:
            self._tear(data[:written], len(noted))

    def _chained(self, noted: list[Facts]) -> tuple[bytes, str]:
        """The lines as bytes, the first with what is to be said of those before it; and the last one's hash."""
        end, last = self._end, self._end.digest
        said = ({"torn": end.torn_bytes} if end.torn_bytes else {}) | ({"lost": self._unsaid} if self._unsaid else {})
        lines = [b""] if self._unended else []
        for facts in noted:
            line = orjson.dumps(facts | said | {"prev": last})
            last, said = digest(line), {}
            lines.append(line)
        return b"\n".join([*lines, b""]), last

    def _lose(self, count: int) -> None:
        self.lost += count
        self._unsaid += count

    def _tear(self, written: bytes, count: int) -> None:
        """The disk filled up on the way: what is whole stays, if only its end is missing too; the rest is lost."""
        *lines, rest = written.split(b"\n")
        self._unended = bool(rest)
        if decoded(rest) is not None:
            lines, rest = [*lines, rest], b""
        whole = [line for line in lines if line]
        last = digest(whole[-1]) if whole else self._end.digest
        self._end = End(last, len(rest) + (0 if whole else self._end.torn_bytes))
        self._lose(count - len(whole))

    def _reopened(self) -> int:
        """Append to what is there; a half line at its end gets a line end first."""
        self.path.parent.mkdir(parents=True, exist_ok=True)
        self._descriptor = os.open(self.path, os.O_RDWR | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC, 0o600)
        self._size = os.fstat(self._descriptor).st_size
        self._end = end_of_chain(self.path)
        self._unended = self._size > 0 and os.pread(self._descriptor, 1, self._size - 1) != b"\n"
        return self._descriptor

    def _rotated(self) -> int:
        """journal.jsonl becomes .1, .1 becomes .2 …; the oldest goes. The chain goes on in the new file."""
        if self._descriptor is not None:
            os.close(self._descriptor)
            self._descriptor = None
        for number in range(KEEP - 1, -1, -1):
            older = numbered(self.path, number)
            if older.exists():
                older.replace(numbered(self.path, number + 1))
        return self._reopened()
