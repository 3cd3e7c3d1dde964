"""What the venue lets us ask, shared by all clients of one process: its own count of our weight, and its bans.

Never delays anything: a banned request fails at once, and the periodic work asks `spare` before it starts.
"""

from execution.runtime.clock import Clock

WEIGHT_PER_MINUTE = 6_000
SPARE_SHARE = 0.7  # the rest is for cancels, exits and entries
BAN_WITHOUT_WORD_S = 60.0


class RateBudget:
    """One account's standing with the venue."""

    def __init__(self, clock: Clock) -> None:
        self.clock = clock
        self.used_weight = 0
        self.bans = 0
        self._quiet_until = 0.0

    def be_quiet(self, told_s: float | None) -> None:
        """The venue has had enough: ask nothing for as long as it says."""
        self.bans += 1
        wait = BAN_WITHOUT_WORD_S if told_s is None else told_s
        self._quiet_until = max(self._quiet_until, self.clock.monotonic() + wait)

    def quiet_for_s(self) -> float:
        """How long to stay silent yet; 0 when free to ask."""
        return max(0.0, self._quiet_until - self.clock.monotonic())

    @property
    def spare(self) -> bool:
        """May periodic reading go on, or is what is left for orders only?"""
        return self.used_weight < WEIGHT_PER_MINUTE * SPARE_SHARE and not self.quiet_for_s()
