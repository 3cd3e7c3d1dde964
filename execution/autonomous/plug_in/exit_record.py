"""What a program's exits mean for its next start, as pure functions: who has ended how often, whom the manager holds
back, and who is started now. Times are monotonic seconds.

The pauses themselves are the manager's (restart_policy.py). Here stands what holds without it: a limit on exits.
"""

from collections.abc import Iterable
from dataclasses import dataclass, replace

from execution.vocabulary.limits import EXITS_MAX, EXITS_WINDOW_S, HOLD_FORGOTTEN_AFTER_S


@dataclass(frozen=True)
class ExitLimit:
    """No start after this many exits in the window that precedes it."""

    exits_max: int = EXITS_MAX
    window_s: float = EXITS_WINDOW_S


@dataclass(frozen=True)
class ExitRecord:
    """How often a program has ended, how often of that by plan (status 0, or told to stop), and how the last time.

    `recent`: when it ended without having been told to, newest last, no more of them than the limit looks at.
    """

    count: int = 0
    planned: int = 0
    last_status: int = 0  # an exit code, or minus the signal
    recent: tuple[float, ...] = ()


@dataclass(frozen=True)
class HoldList:
    """Whom the manager holds back. It says the whole list again and again; once it falls silent the list is void."""

    names: frozenset[str] = frozenset()
    said_at: float | None = None

    def fresh(self, now: float) -> bool:
        """Does the manager still stand behind it?"""
        return self.said_at is not None and now - self.said_at < HOLD_FORGOTTEN_AFTER_S

    def holds(self, name: str, now: float) -> bool:
        """Is this program to stay down?"""
        return name in self.names and self.fresh(now)


def said(names: Iterable[str], manager: str, now: float) -> HoldList:
    """The list as the manager says it; itself it can't hold, or nobody would let it go."""
    return HoldList(frozenset(names) - {manager}, now)


def ended(record: ExitRecord, status: int, asked: bool, now: float, limit: ExitLimit) -> ExitRecord:
    """The record after one more exit. `asked`: it had been told to stop, so nothing starts it by itself."""
    recent = record.recent if asked else (*record.recent, now)[-limit.exits_max :]
    planned = record.planned + (asked or status == 0)
    return replace(record, count=record.count + 1, planned=planned, last_status=status, recent=recent)


def over_limit(record: ExitRecord, now: float, limit: ExitLimit) -> bool:
    """Has it ended too often lately to be started without the manager's word?"""
    return sum(now - at < limit.window_s for at in record.recent) >= limit.exits_max


def due(held: bool, let_go: bool, record: ExitRecord, now: float, limit: ExitLimit) -> bool:
    """Is a program that is down, and that nobody stopped, to be started now?

    `let_go`: the manager has just said its list, and this one isn't on it: it has judged what happened.
    """
    return not held and (let_go or not over_limit(record, now, limit))
