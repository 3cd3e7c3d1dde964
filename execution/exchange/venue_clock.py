"""The venue's clock, as well as we know it: its last answer, carried on by our monotonic clock.

Steps of our own wall clock don't move it. After a sleep of the machine it is behind until the next answer: the venue
then refuses our timestamps (-1021), which is safe, and the gateway asks again.
"""

from execution.runtime.clock import Clock


class VenueClock:
    """Milliseconds on the venue's clock. Before the first answer: our own wall clock."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._venue_ms: float | None = None
        self._read_at = 0.0
        self.uncertainty_ms = 0.0

    @property
    def synchronised(self) -> bool:
        """Has the venue told its time yet?"""
        return self._venue_ms is not None

    @property
    def age_s(self) -> float:
        """Seconds since the venue last told its time; infinite before."""
        return self._clock.monotonic() - self._read_at if self.synchronised else float("inf")

    def now_ms(self) -> int:
        """The venue's time now."""
        if self._venue_ms is None:
            return self._clock.now_ms()
        return int(self._venue_ms + (self._clock.monotonic() - self._read_at) * 1000)

    def surely_past(self, venue_ms: int) -> bool:
        """Is the venue's clock past this moment, whatever its answer's delay was? False before the first answer."""
        return self.synchronised and self.now_ms() - self.uncertainty_ms > venue_ms

    def learn(self, venue_ms: int, asked_at: float, answered_at: float) -> None:
        """Take in one answer: the venue said `venue_ms` somewhere between the two monotonic times."""
        self._venue_ms = venue_ms + (answered_at - asked_at) * 500
        self._read_at = answered_at
        self.uncertainty_ms = (answered_at - asked_at) * 500

    def forget(self) -> None:
        """The venue disagrees with us: trust nothing until it has answered again."""
        self._venue_ms = None
