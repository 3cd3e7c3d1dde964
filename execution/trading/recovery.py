"""Recovery: what every start needs before it may trade (rules, bars, agreement with the venue), and keeps needing.

The same path at every start and all the time after. It says whether the account is reconciled; whoever trades asks. It
decides no trade and never ends by itself: what failed is tried again by its task.
"""

import asyncio
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

from execution.exchange.drift import changes
from execution.runtime.breaker import CircuitBreaker
from execution.runtime.clock import iso
from execution.trading.bars import BARS_KEPT
from execution.trading.dependencies import VENUE_ERRORS
from execution.trading.parts import TradingParts
from execution.vocabulary.health import ComponentHealth, ComponentStatus
from execution.vocabulary.market import SymbolRules
from execution.vocabulary.order_states import OrderState

RECONCILE_PERIOD_S = 5.0
RECONCILE_SOONER_S = 1.0
RULES_PERIOD_S = 60.0
RULES_DOUBTED_EVERY_S = 10.0
CLOCK_JUMP_S = 2.0
CHANGES_NAMED = 20


class Recovery:
    """One account's way to being ready. `record` writes an audit line; `breaker` is the one of the venue's data."""

    def __init__(self, parts: TradingParts, record: Callable[..., None], breaker: CircuitBreaker) -> None:
        self._parts = parts
        self._record = record
        self._breaker = breaker
        self._known = False  # did the last comparison with the venue come to an end?
        self._tried_at = parts.clock.monotonic()
        self._clocks = (parts.clock.now_ms() / 1000, self._tried_at)
        self.rules: dict[str, SymbolRules] = dict(parts.rules or {})
        self._rules_at = self._tried_at if self.rules else None
        self.warm = False
        self.reconciled = False
        self.differences: list[str] = []
        self._doubted_at: float | None = None
        self.wanted = asyncio.Event()
        self.rules_wanted = asyncio.Event()

    async def run(self) -> None:
        """What a fresh start needs, each step once; the comparison every time. Raises what the venue's client does."""
        with self._told():
            await self._run()

    @contextmanager
    def _told(self) -> Iterator[None]:
        """The breaker hears whether the venue answered."""
        try:
            yield
        except VENUE_ERRORS as error:
            self._breaker.record_failure(error)
            raise
        self._breaker.record_success()

    async def _run(self) -> None:
        if not self.rules:
            await self.load_rules()
        self._parts.ledger.set_lot_steps({symbol: row.lot_step for symbol, row in self.rules.items()})
        try:
            await self._warm_up()
        finally:
            await self._compare()

    async def keep_up(self) -> None:
        """The same, unless both sides have only just agreed, or the venue has failed so often that it is left alone for
        some seconds. While an order's end isn't known it is asked all the same: an exit may wait for the answer."""
        due = not self.reconciled or self._parts.clock.monotonic() - self._tried_at >= RECONCILE_SOONER_S
        if due and (self._breaker.can_execute() or self._an_end_is_unknown()):
            await self.run()

    async def load_rules(self) -> None:
        """The venue's rules anew: symbols are halted, listed, and change their steps."""
        known, self.rules = self.rules, await self._parts.gateway.load_rules()
        if found := changes(known, self.rules):
            self._record("venue_rules_changed", count=len(found), changes=found[:CHANGES_NAMED])
        self._rules_at = self._parts.clock.monotonic()

    async def refresh_rules(self) -> None:
        """The same, unless they have only just been loaded."""
        due = self._rules_at is None or self._parts.clock.monotonic() - self._rules_at > RULES_PERIOD_S / 2
        if due and self._breaker.can_execute():
            with self._told():
                await self.load_rules()

    def doubt_rules(self) -> None:
        """The venue has refused what its rules, as we know them, allow: they are loaded anew, but not each time."""
        now = self._parts.clock.monotonic()
        if self._doubted_at is None or now - self._doubted_at > RULES_DOUBTED_EVERY_S:
            self._doubted_at, self._rules_at = now, None
            self.rules_wanted.set()

    async def _warm_up(self) -> None:
        if not self.warm:
            if not self._parts.bars.newest():
                await self._parts.feed.warm(BARS_KEPT)
            self._parts.bars.take_new()  # bars closed before the start inform, they don't trigger
            self.warm = True

    async def _compare(self) -> None:
        self._tried_at, self._known = self._parts.clock.monotonic(), False
        was, agreed = (self.reconciled, self.differences), False  # what can't be compared isn't known to agree
        try:
            found = await self._parts.reconcile()
            self._known, agreed, self.differences = True, found.reconciled, list(found.differences)
        finally:
            self.reconciled = agreed
        if (self.reconciled, self.differences) != was:
            self._record("reconciliation", reconciled=self.reconciled, differences=self.differences)

    async def accept(self, seen: Sequence[str], by: str) -> list[str]:
        """A person has seen these differences and says that they come from outside. Booked only while they are exactly
        what differs; what differs after that. ValueError says why nothing was booked."""
        if self._parts.accept is None:
            raise ValueError("nothing can be booked here")
        await self._compare()
        if self.reconciled:
            return []
        if list(seen) != self.differences:
            raise ValueError(f"something else differs by now: {'; '.join(self.differences)}")
        found = await self._parts.accept()
        self.reconciled, self.differences = found.reconciled, list(found.differences)
        self._record("accepted", differences=list(seen), by=by, left=self.differences)
        return self.differences

    def watch_clocks(self) -> None:
        """A wall clock that was set, or a machine that slept: the venue's time is asked for anew, and nothing is bought
        before both sides have been compared again."""
        now = (self._parts.clock.now_ms() / 1000, self._parts.clock.monotonic())
        jumped_s = (now[0] - self._clocks[0]) - (now[1] - self._clocks[1])
        self._clocks = now
        if abs(jumped_s) > CLOCK_JUMP_S:
            self._record("clock_jumped", seconds=round(jumped_s, 3))
            self._parts.gateway.forget_time()
            self.reconciled = self._known = False
            self.wanted.set()

    def hasten(self) -> None:
        """Ask for a comparison sooner than planned while an order's end isn't known or the venue couldn't be asked."""
        unclear = not self._known or self._an_end_is_unknown()
        if unclear and self._parts.clock.monotonic() - self._tried_at >= RECONCILE_SOONER_S:
            self.wanted.set()

    def _an_end_is_unknown(self) -> bool:
        return any(order.state is OrderState.UNKNOWN for order in self._parts.ledger.unsettled())

    def get_health(self) -> ComponentHealth:
        """Degraded while the ledger isn't known to agree with the venue."""
        last = self._parts.ledger.reconciliation()
        metrics: dict[str, Any] = {"reconciled": self.reconciled, "differences": list(self.differences)}
        return ComponentHealth(
            status=ComponentStatus.HEALTHY if self.reconciled else ComponentStatus.DEGRADED,
            last_activity=iso(last.at_ms) if last.at_ms else None,
            metrics=metrics | {"symbols": len(self.rules), "warm": self.warm},
        )
