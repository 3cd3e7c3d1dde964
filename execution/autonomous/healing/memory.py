"""What the healer keeps over its own death: its cases, and what it has learned. Times in the file are monotonic; those
of another boot are moved, as if no time had passed: budgets are never let off by a reboot."""

from typing import Any

import msgspec

from execution.autonomous.healing.case_book import Book
from execution.autonomous.healing.experience import Experience
from execution.autonomous.healing.kept_file import KeptFile
from execution.autonomous.healing.remedy import folder_of
from execution.runtime.clock import Clock
from execution.runtime.home import Home

CASES, LEARNED, LOCK = "cases.json", "learned.json", "healer.lock"
STEP_S = 60.0  # the wall clock is set now and then; after a reboot the two clocks differ by far more


class _KeptBook(msgspec.Struct, kw_only=True):
    monotonic_s: float = 0.0
    wall_ms: int = 0
    book: Book = msgspec.field(default_factory=Book)


class Memory:
    """Of one home. One writer: whoever holds `healer.lock`."""

    def __init__(self, home: Home, clock: Clock) -> None:
        self._clock = clock
        self._cases = KeptFile(folder_of(home) / CASES, _KeptBook)
        self._learned = KeptFile(folder_of(home) / LEARNED, Experience)

    def book(self) -> Book:
        """The cases as they were kept last. Raises OSError."""
        kept = self._cases.read()
        passed_s = self._clock.monotonic() - kept.monotonic_s
        wall_s = (self._clock.now_ms() - kept.wall_ms) / 1000
        same_boot = passed_s >= 0 and abs(wall_s - passed_s) <= STEP_S
        return kept.book if same_boot else kept.book.moved(passed_s)

    def keep_book(self, book: Book) -> None:
        """Raises OSError."""
        now = self._clock.monotonic(), self._clock.now_ms()
        self._cases.write(_KeptBook(monotonic_s=now[0], wall_ms=now[1], book=book))

    def experience(self) -> Experience:
        """What has been learned. Raises OSError."""
        return self._learned.read()

    def keep_experience(self, experience: Experience) -> None:
        """Raises OSError."""
        self._learned.write(experience)


def signature(book: Book) -> Any:
    """What must be kept at once when it has changed; that a fault was seen again can wait."""
    return [(case.id, case.state, case.episode, case.attempts, case.approved) for case in book.cases.values()]
