"""A venue's clock that can be wrong: wall time with an offset that a fault sets. Durations stay true."""

from execution.runtime.clock import Clock
from execution.venue.fault_kinds import Fault
from execution.venue.faults import Faults


class ShiftedClock:
    """A clock as the faulty venue reads it."""

    def __init__(self, clock: Clock, faults: Faults) -> None:
        self._clock = clock
        self._faults = faults

    def now_ms(self) -> int:
        """Wall time, off by what the fault says."""
        offset = self._faults.standing(Fault.CLOCK_OFFSET)
        return self._clock.now_ms() + (int(offset.amount * 1000) if offset else 0)

    def monotonic(self) -> float:
        """As it is."""
        return self._clock.monotonic()

    async def sleep(self, seconds: float) -> None:
        """As it is."""
        await self._clock.sleep(seconds)
