"""Asking a venue less for a while, after it has complained of too many questions: what can wait comes less often.

Only comparisons while nothing is open, rules and conversions; never an order, a cancel, or a question that an exit or
an order of unknown end waits for. Kept nowhere: a restart asks as usual.
"""

from typing import TYPE_CHECKING

from execution.runtime.clock import Clock
from execution.trading.recovery import RECONCILE_PERIOD_S, RULES_PERIOD_S
from execution.vocabulary.health import ComponentStatus

if TYPE_CHECKING:
    from execution.trading.system import TradingSystem

EASED_PERIODS_S = {"reconcile": 20.0, "rules": 600.0, "convert": 600.0}
WOKEN_SHARE = 0.9  # a call so much sooner than planned was asked for: it has a reason


class Easing:
    """How often what can wait is asked. Without ease(): as planned."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._until = clock.monotonic()
        self._let_through: dict[str, float] = {}
        self._called: dict[str, float] = {}
        self.saved = 0

    @property
    def left_s(self) -> float:
        """How long it lasts yet; 0 when all is asked as planned."""
        return max(0.0, self._until - self._clock.monotonic())

    def ease(self, for_s: float) -> None:
        """From now on, for so long; a longer time that holds already goes on."""
        self._until = max(self._until, self._clock.monotonic() + for_s)

    def end(self) -> None:
        """Ask as planned again."""
        self._until = self._clock.monotonic()

    def due(self, what: str, period_s: float) -> bool:
        """May a task that is run every `period_s` ask now? Always, unless eased."""
        now, called = self._clock.monotonic(), self._called.get(what)
        self._called[what] = now
        woken = called is not None and now - called < period_s * WOKEN_SHARE
        last = self._let_through.get(what)
        if not self.left_s or woken or last is None or now - last >= EASED_PERIODS_S[what]:
            self._let_through[what] = now
            return True
        self.saved += 1
        return False


async def reconcile(system: "TradingSystem") -> None:
    """Compare with the venue, unless that can wait."""
    if system.easing.due("reconcile", RECONCILE_PERIOD_S) or not is_calm(system):
        await system.recovery.keep_up()


async def refresh_rules(system: "TradingSystem") -> None:
    """Load the venue's rules, unless that can wait."""
    if system.easing.due("rules", RULES_PERIOD_S):
        await system.recovery.refresh_rules()


def is_calm(system: "TradingSystem") -> bool:
    """Does nothing wait for a comparison? Reconciled, no order on its way, and the account's own events are heard."""
    stream = system.parts.user_stream
    heard = stream is not None and stream.get_health().status is ComponentStatus.HEALTHY
    under_way = any(not order.guards for order in system.parts.ledger.unsettled())
    return system.recovery.reconciled and heard and not under_way
