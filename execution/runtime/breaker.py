"""A circuit breaker: a dependency that keeps failing is left alone for a while, then tried once, and used again when
that worked. Each try that fails doubles the while. The decisions are pure; the class holds the state and a clock.

It makes no calls and never sleeps: whoever uses a dependency asks before and tells after. Exits are never asked about.
"""

from collections.abc import Callable
from enum import StrEnum
from typing import Any

import msgspec

from execution.runtime.clock import Clock, SystemClock, iso

FAILURES_MAX = 3  # in a row, and the circuit opens
RESET_TIMEOUT_S = 60.0
RESET_LONGEST_S = 900.0


class BreakerState(StrEnum):
    """Closed: used. Open: left alone. Half-open: one try is under way."""

    CLOSED = "closed"
    HALF_OPEN = "half_open"
    OPEN = "open"


class Patience(msgspec.Struct, frozen=True):
    """How many failures in a row open a circuit, and how long it then stays so: at first, and at most."""

    failures_max: int = FAILURES_MAX
    reset_s: float = RESET_TIMEOUT_S
    longest_s: float = RESET_LONGEST_S

    def wait_s(self, opened: int) -> float:
        """How long the circuit stays open the `opened`th time in a row."""
        return min(self.longest_s, self.reset_s * float(2 ** min(opened - 1, 32)))


class Circuit(msgspec.Struct, frozen=True):
    """`failures` and `opened` are in a row. `until`: open, when a try is due; half-open, when one that told nothing is
    given up."""

    state: BreakerState = BreakerState.CLOSED
    failures: int = 0
    opened: int = 0
    until: float = 0.0


def after_failure(circuit: Circuit, now: float, patience: Patience) -> Circuit:
    """What a failure makes of a circuit. One that is open already is opened no longer by it."""
    failures = circuit.failures + 1
    if circuit.state is BreakerState.OPEN:
        return msgspec.structs.replace(circuit, failures=failures)
    if circuit.state is BreakerState.CLOSED and failures < patience.failures_max:
        return msgspec.structs.replace(circuit, failures=failures)
    opened = circuit.opened + 1
    return Circuit(BreakerState.OPEN, failures, opened, now + patience.wait_s(opened))


def after_success(circuit: Circuit) -> Circuit:
    """It works: whatever was, begins anew."""
    return circuit if circuit == CLOSED else CLOSED


def asked(circuit: Circuit, now: float, patience: Patience) -> tuple[Circuit, bool]:
    """May it be used now? A yes to an open circuit, whose time is over, is the one try."""
    if circuit.state is BreakerState.CLOSED:
        return circuit, True
    if now < circuit.until:
        return circuit, False
    tried = msgspec.structs.replace(circuit, state=BreakerState.HALF_OPEN, until=now + patience.reset_s)
    return tried, True


class _Saved(msgspec.Struct, frozen=True):
    """A circuit over a restart. `until_ms` is by the wall clock, the only one that goes on."""

    state: BreakerState
    failures: int
    opened: int
    until_ms: int


CLOSED = Circuit()


class CircuitBreaker:
    """The breaker of one dependency. `reset_timeout` and `longest` are seconds; `changed` hears of each new state."""

    def __init__(
        self,
        failure_threshold: int = FAILURES_MAX,
        reset_timeout: float = RESET_TIMEOUT_S,
        longest: float = RESET_LONGEST_S,
        clock: Clock | None = None,
        changed: Callable[[BreakerState, str], object] = lambda state, why: None,
    ) -> None:
        self._patience = Patience(failure_threshold, reset_timeout, max(longest, reset_timeout))
        self._clock = clock or SystemClock()
        self._changed = changed
        self._circuit = CLOSED
        self._failed_ms: int | None = None
        self._until_ms = 0
        self.last_failure = ""

    @property
    def state(self) -> BreakerState:
        """Closed, open or half-open."""
        return self._circuit.state

    def record_failure(self, why: object = "") -> None:
        """It failed once more."""
        self.last_failure = str(why)[:200]
        self._failed_ms = self._clock.now_ms()
        self._become(after_failure(self._circuit, self._clock.monotonic(), self._patience))

    def record_success(self) -> None:
        """It worked."""
        self._become(after_success(self._circuit))

    def can_execute(self) -> bool:
        """May it be used now? The yes that makes it half-open is given once: tell what came of it."""
        circuit, yes = asked(self._circuit, self._clock.monotonic(), self._patience)
        self._become(circuit)
        return yes

    @property
    def would_execute(self) -> bool:
        """The same, asked by somebody who only looks."""
        return asked(self._circuit, self._clock.monotonic(), self._patience)[1]

    def try_soon(self) -> None:
        """There is news: what is open is due for its try at once."""
        if self._circuit.state is BreakerState.OPEN:
            self._circuit = msgspec.structs.replace(self._circuit, until=self._clock.monotonic())

    def _become(self, circuit: Circuit) -> None:
        was, self._circuit = self._circuit.state, circuit
        if circuit.state is BreakerState.OPEN and was is not BreakerState.OPEN:
            self._until_ms = self._clock.now_ms() + round((circuit.until - self._clock.monotonic()) * 1000)
        if circuit.state is not was:
            self._changed(circuit.state, self.last_failure)

    def facts(self) -> dict[str, Any]:
        """For people: state, failures in a row, when the next try is due, what failed last."""
        wait_s = max(0.0, self._circuit.until - self._clock.monotonic())
        return {
            "state": self.state.value,
            "failures": self._circuit.failures,
            "retry_in_s": round(wait_s, 1) if self.state is BreakerState.OPEN else 0.0,
            "last_failure": self.last_failure,
            "failed_at": None if self._failed_ms is None else iso(self._failed_ms),
        }

    def to_state(self) -> dict[str, Any]:
        """What must be kept over a restart; nothing while it is closed, and the same while nothing happens."""
        if self.state is BreakerState.CLOSED:
            return {}
        saved = _Saved(self.state, self._circuit.failures, self._circuit.opened, self._until_ms)
        return {**msgspec.to_builtins(saved), "last_failure": self.last_failure}

    def restore(self, saved: dict[str, Any]) -> None:
        """Put back what to_state() gave: a try that a restart cut off is due at once, and no clock that was set makes
        the wait longer than it was. msgspec.ValidationError when it is something else."""
        if not saved:
            return
        found = msgspec.convert(saved, _Saved)
        opened = max(1, found.opened)
        left_s = (found.until_ms - self._clock.now_ms()) / 1000 if found.state is BreakerState.OPEN else 0.0
        wait_s = min(max(0.0, left_s), self._patience.wait_s(opened))
        self.last_failure = str(saved.get("last_failure", ""))[:200]
        self._become(Circuit(BreakerState.OPEN, max(1, found.failures), opened, self._clock.monotonic() + wait_s))
