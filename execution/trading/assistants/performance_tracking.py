"""PerformanceTrackingAssistant: what has been traded, what it brought, and what that teaches.

Everything it knows is derived from the ledger and can be rebuilt from it. It decides no trade.
"""

from typing import Any

import msgspec

from execution.ledger.state_store import StateStore
from execution.ledger.store import Ledger
from execution.runtime.clock import Clock, iso
from execution.trading.lessons import Lessons
from execution.vocabulary.health import ComponentHealth, ComponentStatus
from execution.vocabulary.money import ZERO, text
from execution.vocabulary.performance import ClosedTrade

DECIMALS = 8
FILLS_READ_MAX = 5_000  # at a start: more than a day's fills, less than a life's


class Tally(msgspec.Struct, frozen=True):
    """Closed trades added up. Scores are between -1 and 1, recent trades weighing most."""

    trades: int
    wins: int
    net: str
    coins: dict[str, float]
    strategies: dict[str, float]


class PerformanceTrackingAssistant:
    """Follows the ledger; asks it for nothing while nothing was filled."""

    def __init__(self, ledger: Ledger, state_store: StateStore, clock: Clock, lessons: Lessons) -> None:
        self._ledger = ledger
        self._state_store = state_store
        self._clock = clock
        self._lessons = lessons
        self._fills_seen = 0
        self._trades_seen = 0
        self._wins = 0
        self._net = ZERO
        self._updated_ms: int | None = None
        self.reflections = 0

    def update(self) -> list[ClosedTrade]:
        """Catch up with the ledger; the trades closed since the last call. Writes the state file when there were fills.

        Raises OSError when the state file can't be written; the ledger is untouched by that.
        """
        behind = self._ledger.fills_count - self._fills_seen
        if behind == 0:
            return []
        fresh = self._new_trades()
        self._state_store.update_from_fills(
            self._ledger.fills(limit=min(behind, FILLS_READ_MAX)),
            self._ledger.positions(),
            self._ledger.closed_trades(),
        )
        self._fills_seen += behind
        self._updated_ms = self._clock.now_ms()
        return fresh

    def _new_trades(self) -> list[ClosedTrade]:
        trades = self._ledger.closed_trades()
        if len(trades) < self._trades_seen:  # a lot step changed and with it where a trade ends: count anew
            self._forget()
        fresh = trades[self._trades_seen :]
        self._wins += sum(trade.pnl_quote > 0 for trade in fresh)
        self._net += sum((trade.pnl_quote for trade in fresh), ZERO)
        self._trades_seen = len(trades)
        self._lessons.catch_up(trades)
        return fresh

    def _forget(self) -> None:
        self._trades_seen = self._wins = 0
        self._net = ZERO

    def reflect(self) -> dict[str, Any]:
        """Go through all closed trades again from the first; what they teach."""
        self._forget()
        self._lessons.forget_trades()
        self._new_trades()
        self.reflections += 1
        return {"at": iso(self._clock.now_ms()), **msgspec.to_builtins(self.tally())}

    def tally(self) -> Tally:
        """All closed trades so far."""
        coins, strategies = self._lessons.scores()
        return Tally(
            trades=self._trades_seen,
            wins=self._wins,
            net=text(round(self._net, DECIMALS)),
            coins={name: round(score.value, 4) for name, score in coins.items()},
            strategies={name: round(score.value, 4) for name, score in strategies.items()},
        )

    def get_health(self) -> ComponentHealth:
        """Healthy when it is level with the ledger."""
        return ComponentHealth(
            status=ComponentStatus.HEALTHY if self._fills_seen else ComponentStatus.STARTING,
            last_activity=None if self._updated_ms is None else iso(self._updated_ms),
            metrics={"fills": self._fills_seen, "reflections": self.reflections, **msgspec.to_builtins(self.tally())},
        )
