"""What the venue lets us ask, shared by all clients of one process: its own count of our weight, and its bans.

Never delays anything: a banned request fails at once, and the periodic work asks `spare` before it starts.
"""

from execution.runtime.clock import Clock

WEIGHT_PER_MINUTE = 6_000
SPARE_SHARE = 0.6  # the rest of a minute is for recovery, cancels, exits and entries
BAN_WITHOUT_WORD_S = 60.0
MINUTE_MS = 60_000


class RateBudget:
    """One account's standing with the venue. Minutes are the venue's own: `now_ms` is by its clock."""

    def __init__(self, clock: Clock) -> None:
        self.clock = clock
        self.bans = 0
        self._heard = 0
        self._minute = -1
        self._quiet_until = 0.0

    def hear(self, weight: int, now_ms: int) -> None:
        """What the venue has counted so far this minute, of all who ask from here. Answers may come out of order."""
        minute = now_ms // MINUTE_MS
        self._heard = weight if minute != self._minute else max(weight, self._heard)
        self._minute = minute

    def used_weight(self, now_ms: int) -> int:
        """Of this minute, as last heard: nothing, while nobody has asked in it."""
        return self._heard if now_ms // MINUTE_MS == self._minute else 0

    def be_quiet(self, told_s: float | None) -> None:
        """The venue has had enough: ask nothing for as long as it says."""
        self.bans += 1
        wait = BAN_WITHOUT_WORD_S if told_s is None else told_s
        self._quiet_until = max(self._quiet_until, self.clock.monotonic() + wait)

    def quiet_for_s(self) -> float:
        """How long to stay silent yet; 0 when free to ask."""
        return max(0.0, self._quiet_until - self.clock.monotonic())

    def spare(self, now_ms: int) -> bool:
        """May what can wait be asked, or is what is left of the minute for recovery and orders only?"""
        return self.used_weight(now_ms) < WEIGHT_PER_MINUTE * SPARE_SHARE and not self.quiet_for_s()
