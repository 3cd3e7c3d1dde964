"""Errors counted once each, by fingerprint: exception type and the place in our own code that raised it."""

import hashlib
import traceback
from collections import deque
from dataclasses import dataclass, field
from pathlib import PurePath

from execution.runtime.clock import Clock
from execution.vocabulary.health import ErrorCount
from execution.vocabulary.limits import ERROR_WINDOW_S

KINDS_MAX = 50
REPORTED_MAX = 20


@dataclass
class _Kind:
    kind: str
    place: str
    message: str
    count: int = 0
    times: deque[float] = field(default_factory=lambda: deque(maxlen=1000))


class ErrorBook:
    """The errors of one process, bounded in memory."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._kinds: dict[str, _Kind] = {}

    def note(self, error: BaseException) -> str:
        """Count one occurrence; its fingerprint."""
        kind, place = type(error).__name__, place_of(error)
        fingerprint = hashlib.sha256(f"{kind}@{place}".encode()).hexdigest()[:12]
        if fingerprint not in self._kinds and len(self._kinds) >= KINDS_MAX:
            oldest = min(self._kinds, key=lambda name: self._kinds[name].times[-1])
            del self._kinds[oldest]
        row = self._kinds.setdefault(fingerprint, _Kind(kind, place, ""))
        row.message = str(error)[:300]
        row.count += 1
        row.times.append(self._clock.monotonic())
        return fingerprint

    def rows(self) -> list[ErrorCount]:
        """All kinds seen, most recent first, at most REPORTED_MAX."""
        now = self._clock.monotonic()
        rows = [
            ErrorCount(name, row.kind, row.place, row.message, row.count, _recent(row.times, now), now - row.times[-1])
            for name, row in self._kinds.items()
        ]
        return sorted(rows, key=lambda row: row.last_age_s)[:REPORTED_MAX]


def _recent(times: deque[float], now: float) -> int:
    return sum(1 for at in times if now - at <= ERROR_WINDOW_S)


def place_of(error: BaseException) -> str:
    """file:function of the innermost frame in our own code, else of the innermost frame."""
    frames = traceback.extract_tb(error.__traceback__)
    ours = [frame for frame in frames if "/execution/" in frame.filename or "/agents/" in frame.filename]
    if not frames:
        return "unknown"
    frame = (ours or frames)[-1]
    return f"{'/'.join(PurePath(frame.filename).parts[-2:])}:{frame.name}"
