"""The last errors of a trading system in the order they came, with times, so that a person can ask "what went wrong".

Counting by kind is the process's ErrorBook; this keeps single ones, bounded, as plain data fit to be saved.
"""

from collections import deque
from typing import Any

from execution.runtime.clock import Clock, iso
from execution.runtime.errors import ErrorBook, place_of

ERRORS_KEPT = 200


class ErrorLog:
    """Single errors, newest last; each also counted in the process's book."""

    def __init__(self, clock: Clock, book: ErrorBook) -> None:
        self._clock = clock
        self._book = book
        self._rows: deque[dict[str, Any]] = deque(maxlen=ERRORS_KEPT)

    def note(self, error: BaseException, **context: str) -> str:
        """Keep and count one error; its fingerprint. `context`: see ErrorBook."""
        now = self._clock.now_ms()
        fingerprint = self._book.note(error, **context)
        row = {"kind": type(error).__name__, "message": str(error)[:300], "place": place_of(error)}
        self._rows.append({"at": iso(now), "at_ms": now, **row, "fingerprint": fingerprint})
        return fingerprint

    def recent(self, hours: float) -> list[dict[str, Any]]:
        """The errors of the last `hours`, newest last."""
        since = self._clock.now_ms() - hours * 3_600_000
        return [dict(row) for row in self._rows if row["at_ms"] >= since]

    def restore(self, rows: list[dict[str, Any]]) -> None:
        """Put what recent() gave before a restart in front. Rows without a time are left out."""
        kept = [row for row in rows if isinstance(row, dict) and isinstance(row.get("at_ms"), int)]
        self._rows = deque([*kept, *self._rows], maxlen=ERRORS_KEPT)

    @property
    def total(self) -> int:
        """How many are kept."""
        return len(self._rows)
