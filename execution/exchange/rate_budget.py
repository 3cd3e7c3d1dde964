"""What the venue lets us ask: its own count of our weight, its bans, and who goes first when a minute runs short.

One budget per process; with a file, one for all processes of the machine, over every restart: the venue counts by
address, not by process. Delays nothing: a banned request fails at once, and whoever begins work asks `may` first.
"""

from enum import IntEnum
from pathlib import Path

from execution.exchange.budget_file import BudgetFile
from execution.runtime.clock import Clock

WEIGHT_PER_MINUTE = 6_000
BAN_WITHOUT_WORD_S = 60.0
MINUTE_MS = 60_000


class Priority(IntEnum):
    """What a request is for; the lower goes first."""

    CANCEL = 0
    EXIT = 1  # protective ones, too
    ENTRY = 2
    DATA = 3


SHARES = {Priority.CANCEL: 1.0, Priority.EXIT: 1.0, Priority.ENTRY: 0.9, Priority.DATA: 0.6}  # of a minute's weight
SPARE_SHARE = SHARES[Priority.DATA]


class RateBudget:
    """An address's standing with the venue. Minutes are the venue's own: `now_ms` is by its clock. `file` is where all
    processes of the machine meet; without one, or with one that can't be used, this process counts for itself."""

    def __init__(self, clock: Clock, file: Path | None = None) -> None:
        self.clock = clock
        self.bans = 0
        self._heard = 0
        self._minute = -1
        self._quiet_until = 0.0
        self._shared = BudgetFile(file) if file is not None else None

    def hear(self, weight: int, now_ms: int) -> None:
        """What the venue has counted so far this minute, of all who ask from here. Answers may come out of order."""
        minute = now_ms // MINUTE_MS
        self._heard = weight if minute != self._minute else max(weight, self._heard)
        self._minute = minute
        if self._shared is not None:
            self._shared.hear(minute, weight)

    def used_weight(self, now_ms: int) -> int:
        """Of this minute, as anybody here heard last: nothing, while nobody has asked in it."""
        minute = now_ms // MINUTE_MS
        own = self._heard if minute == self._minute else 0
        return own if self._shared is None else max(own, self._shared.heard(minute))

    def be_quiet(self, told_s: float | None) -> None:
        """The venue has had enough: ask nothing for as long as it says."""
        self.bans += 1
        wait = BAN_WITHOUT_WORD_S if told_s is None else told_s
        self._quiet_until = max(self._quiet_until, self.clock.monotonic() + wait)
        if self._shared is not None:
            self._shared.be_quiet(self.clock.now_ms(), wait)

    def quiet_for_s(self) -> float:
        """How long to stay silent yet; 0 when free to ask."""
        own = max(0.0, self._quiet_until - self.clock.monotonic())
        return own if self._shared is None else max(own, self._shared.quiet_for_s(self.clock.now_ms()))

    def may(self, priority: Priority, now_ms: int) -> bool:
        """May this be asked now, or is what is left of the minute for what goes first?"""
        return self.used_weight(now_ms) < WEIGHT_PER_MINUTE * SHARES[priority] and not self.quiet_for_s()

    def spare(self, now_ms: int) -> bool:
        """May what can wait be asked, or is what is left of the minute for recovery and orders only?"""
        return self.may(Priority.DATA, now_ms)
