"""What a trader depends on, each with a circuit breaker: the venue's orders, its data, the account's event stream, the
conditions from research, the ledger, the knowledge file. One that is open is told in every heartbeat, and kept over a
restart.

Only what may be repeated is held back here, and entries. An exit never asks.
"""

import logging
import shutil
from collections.abc import Callable, Mapping
from typing import Any

from execution.exchange.classify import BadReply, VenueError
from execution.ledger.store import Ledger
from execution.runtime.breaker import BreakerState, CircuitBreaker
from execution.runtime.clock import Clock
from execution.runtime.sqlite import DatabaseError
from execution.trading.ports import Stream
from execution.vocabulary.health import ComponentHealth, ComponentStatus
from execution.vocabulary.limits import DISK_ENTRIES_OFF_BYTES
from execution.vocabulary.reasons import NoTradeReason

log = logging.getLogger("nae.trading")

CONDITIONS_SILENT_S = 10.0  # research says its conditions once a second
VENUE_ERRORS = (VenueError, BadReply, ConnectionError, TimeoutError)


class Dependencies:
    """The breakers of one account. `record` writes an audit line."""

    def __init__(self, ledger: Ledger, clock: Clock, record: Callable[..., None]) -> None:
        self._ledger = ledger
        self._clock = clock
        self._record = record
        self.venue_orders = self._breaker("venue_orders", 3, 5.0, 300.0)
        self.venue_data = self._breaker("venue_data", 5, 2.0, 15.0)
        self.user_stream = self._breaker("user_stream", 3, 5.0, 60.0)
        self.conditions = self._breaker("conditions", 3, 30.0, 300.0)
        self.ledger = self._breaker("ledger", 1, 1.0, 30.0)
        self.knowledge = self._breaker("knowledge", 3, 30.0, 900.0)
        self._conditions_at: float | None = None
        self._stream_errors = 0
        self._market_silent = False
        self._disk_free = 0
        self.least_free_bytes = DISK_ENTRIES_OFF_BYTES
        self._room = True

    def _breaker(self, name: str, failures_max: int, reset_s: float, longest_s: float) -> CircuitBreaker:
        def changed(state: BreakerState, why: str) -> None:
            self._record("breaker", name=name, state=state.value, why=why)

        return CircuitBreaker(failures_max, reset_s, longest_s, self._clock, changed)

    def all(self) -> dict[str, CircuitBreaker]:
        """By name."""
        return {name: row for name, row in vars(self).items() if isinstance(row, CircuitBreaker)}

    def entries_off(self) -> str:
        """Why no position may be opened for the sake of what we depend on, or ''."""
        if self._ledger.problem or not self._room or not self.ledger.would_execute:
            return NoTradeReason.LEDGER_FAILING
        return "" if self.venue_orders.would_execute else NoTradeReason.BREAKER_OPEN

    def numbers(self) -> dict[str, Any]:
        """What entries_off is judged by; nothing while all is well."""
        found: dict[str, Any] = {name: row.facts() for name, row in self._weak().items()}
        if self._ledger.problem or not self._room:
            found["ledger"] = {"problem": self._ledger.problem, "disk_free_bytes": self._disk_free}
        return {"failing": found} if found else {}

    def _weak(self) -> dict[str, CircuitBreaker]:
        return {name: row for name, row in self.all().items() if row.state is not BreakerState.CLOSED}

    # what is looked at once a second

    def watch_ledger(self, state: Callable[[], dict[str, Any]]) -> None:
        """A ledger that refused to be written is tried again with the trader's own state, in growing intervals, until
        it takes it: until then nothing is bought."""
        self._disk_free = shutil.disk_usage(self._ledger.path.parent).free
        self._room = self._disk_free >= self.least_free_bytes
        problem = self._ledger.problem
        if not problem:
            self.ledger.record_success()
            return
        if self.ledger.state is BreakerState.CLOSED:
            self.ledger.record_failure(problem)
        elif self.ledger.can_execute():
            try:
                self._ledger.save_runtime_state(state())
            except DatabaseError as error:
                self.ledger.record_failure(error)
            else:
                self.ledger.record_success()

    def watch_stream(self, stream: Stream | None) -> None:
        """Count what went wrong with the account's event stream since the last look; it works once it is connected."""
        if stream is None:
            return
        health = stream.get_health()
        if health.status is ComponentStatus.HEALTHY:
            self.user_stream.record_success()
        elif health.error_count > self._stream_errors:
            self.user_stream.record_failure("not connected; fills are polled")
        self._stream_errors = health.error_count

    def watch_market(self, silent_for_s: float, silent_max_s: float) -> bool:
        """Is the market heard again after a silence? Then what couldn't be asked of the venue is tried at once."""
        silent, was = silent_for_s > silent_max_s, self._market_silent
        self._market_silent = silent
        if was and not silent:
            self.venue_data.try_soon()
            self.venue_orders.try_soon()
        return was and not silent

    def conditions_heard(self, sound: bool, why: str = "") -> None:
        """Research has told its conditions, or something that can't be understood."""
        self._conditions_at = self._clock.monotonic()
        if sound:
            self.conditions.record_success()
        else:
            self.conditions.record_failure(why)

    def watch_conditions(self) -> None:
        """Research that has been heard and then falls silent fails once for every ten seconds of that."""
        now = self._clock.monotonic()
        if self._conditions_at is not None and now - self._conditions_at > CONDITIONS_SILENT_S:
            self._conditions_at = now
            self.conditions.record_failure(f"nothing heard for {CONDITIONS_SILENT_S:g} s; the last ones hold")

    # over restarts, and for people

    def to_state(self) -> dict[str, Any]:
        """Those that aren't closed."""
        return {name: saved for name, row in self.all().items() if (saved := row.to_state())}

    def restore(self, state: Mapping[str, Any]) -> None:
        """Put back what to_state() gave. msgspec.ValidationError when it is something else."""
        for name, row in self.all().items():
            if isinstance(saved := state.get(name), dict):
                row.restore(saved)

    def get_health(self) -> ComponentHealth:
        """Degraded while one of them is open or half-open. `metrics`: the state of each, and why."""
        rows = self.all()
        weak = {name: row.facts() for name, row in self._weak().items()}
        return ComponentHealth(
            status=ComponentStatus.DEGRADED if weak else ComponentStatus.HEALTHY,
            last_activity=max((str(row["failed_at"]) for row in weak.values() if row["failed_at"]), default=None),
            error_count=sum(row["failures"] for row in weak.values()),
            metrics={name: row.state.value for name, row in rows.items()} | ({"failing": weak} if weak else {}),
        )
