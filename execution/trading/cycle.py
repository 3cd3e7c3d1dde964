"""What one cycle saw and did: filled in stage by stage, and told as one line of the audit trail.

It holds facts and shapes them for people and machines; it decides nothing.
"""

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any

import msgspec

from execution.trading.assistants.data_analysis import Universe
from execution.trading.assistants.order_execution import Executed
from execution.trading.assistants.signal_generation import Signals
from execution.vocabulary.money import ZERO, text
from execution.vocabulary.orders import OrderRequest
from execution.vocabulary.reasons import exception_reason

DECIMALS = 8
NAMED_MAX = 12  # symbols left out are named up to this many, then only counted by reason


class CycleResult(msgspec.Struct, frozen=True):
    """A cycle in numbers. `reason` says why nothing was bought or sold; None when something was."""

    number: int
    correlation_id: str
    reason: str | None
    fresh: int
    universe: int
    triggers: int
    proposals: int
    approved: int
    entries: int
    exits: int
    fills: int
    equity: Decimal
    duration_ms: float
    error: str = ""


@dataclass
class CycleRecord:
    """One cycle while it runs."""

    number: int
    correlation_id: str
    reason: str = ""
    fresh: list[str] = field(default_factory=list)
    universe: list[str] = field(default_factory=list)
    excluded: dict[str, str] = field(default_factory=dict)
    armed: int = 0
    triggers: list[dict[str, Any]] = field(default_factory=list)
    proposals: list[dict[str, Any]] = field(default_factory=list)
    dropped: dict[str, str] = field(default_factory=dict)
    approved: int = 0
    refused: dict[str, str] = field(default_factory=dict)
    shots: list[dict[str, Any]] = field(default_factory=list)
    orders: list[dict[str, Any]] = field(default_factory=list)
    exits: list[dict[str, Any]] = field(default_factory=list)
    closed: list[dict[str, Any]] = field(default_factory=list)
    positions: int = 0
    equity: Decimal = ZERO
    duration_ms: float = 0.0
    errors: list[str] = field(default_factory=list)
    numbers: dict[str, dict[str, Any]] = field(default_factory=dict)

    def failed(self, error: BaseException) -> None:
        """A stage raised. The first error is the cycle's reason."""
        if not self.errors:
            self.reason = exception_reason(error)
        self.errors.append(f"{type(error).__name__}: {error}"[:300])

    def stay_out(self, reason: str, numbers: Mapping[str, Any] | None = None) -> None:
        """Why nothing is bought, and by what numbers. What raised before stays the reason."""
        if not self.errors:
            self.reason = reason
        if numbers:
            self.numbers["entries_off"] = dict(numbers)

    def take_universe(self, universe: Universe) -> None:
        """Note what may be traded now. What the others were judged by is told with a new bar: that is a decision."""
        self.universe, self.excluded = sorted(universe.listings), universe.excluded
        if self.fresh and universe.numbers:
            self.numbers["excluded"] = universe.numbers

    def take_attempt(self, approved: int, refused: dict[str, str], numbers: Mapping[str, dict[str, Any]]) -> None:
        """Note what risk made of the proposals."""
        self.approved, self.refused = approved, refused
        refused_by = {name: row for name, row in numbers.items() if name in refused}
        if refused_by:
            self.numbers["refused"] = refused_by

    def take_signals(self, signals: Signals) -> None:
        """Note what the strategies said and what the rules made of it."""
        self.armed = signals.armed
        self.triggers = [
            {
                "condition": row.condition.id,
                "symbol": row.condition.symbol,
                "strategy": row.condition.strategy,
                "bar_ms": row.bar_ms,
                "strength": round(row.strength, 6),
                "score": round(row.condition.score, 6),
            }
            for row in signals.triggers
        ]
        self.proposals = [
            {
                "condition": row.condition.id,
                "symbol": row.symbol,
                "cost": round(row.cost, 6),
                "rank": round(row.rank, 6),
            }
            for row in signals.proposals
        ]
        self.dropped |= signals.dropped
        if signals.numbers:
            self.numbers.setdefault("dropped", {}).update(signals.numbers)

    @property
    def sent(self) -> int:
        """Orders that left us, entries and exits."""
        return sum(bool(line.get("order")) for line in (*self.orders, *self.exits))

    @property
    def because(self) -> str | None:
        """Why nothing was bought or sold; None when something was and nothing went wrong."""
        return str(self.reason) if self.errors or not self.sent else None

    def result(self) -> CycleResult:
        """In numbers."""
        return CycleResult(
            number=self.number,
            correlation_id=self.correlation_id,
            reason=self.because,
            fresh=len(self.fresh),
            universe=len(self.universe),
            triggers=len(self.triggers),
            proposals=len(self.proposals),
            approved=self.approved,
            entries=sum(bool(line.get("order")) for line in self.orders),
            exits=sum(bool(line.get("order")) for line in self.exits),
            fills=sum(line.get("fills", 0) for line in (*self.orders, *self.exits)),
            equity=self.equity,
            duration_ms=self.duration_ms,
            error=self.errors[0] if self.errors else "",
        )

    def fields(self) -> dict[str, Any]:
        """The audit line: every stage's number always, lists only where there is something to list."""
        numbers: dict[str, Any] = {
            "cycle": self.number,
            "reason": self.because,
            "universe": len(self.universe),
            "new_bars": len(self.fresh),
            "armed": self.armed,
            "triggers": len(self.triggers),
            "proposals": len(self.proposals),
            "approved": self.approved,
            "orders": sum(bool(line.get("order")) for line in self.orders),
            "exits": sum(bool(line.get("order")) for line in self.exits),
            "positions": self.positions,
            "equity": text(round(self.equity, DECIMALS)),
            "duration_ms": self.duration_ms,
        }
        details = {
            "excluded": _brief(self.excluded),
            "triggered": self.triggers,
            "proposed": self.proposals,
            "dropped": self.dropped,
            "refused": self.refused,
            "shots": self.shots,
            "entry_orders": self.orders,
            "exit_orders": self.exits,
            "closed": self.closed,
            "errors": self.errors,
            "numbers": self.numbers,
        }
        return numbers | {name: value for name, value in details.items() if value}


def order_line(executed: Executed) -> dict[str, Any]:
    """One order for the audit trail."""
    request: OrderRequest = executed.request
    return {
        "symbol": request.symbol,
        "side": request.side.value,
        "quantity": text(request.quantity),
        "reference_price": text(request.reference_price),
        "strategy": request.strategy,
        "reason": request.reason,
        "signal_bar_ms": request.signal_bar_ms,
        "order": executed.outcome.client_order_id if executed.outcome and executed.sent else None,
        "outcome": executed.word,
        "fills": len(executed.fills),
        "filled": text(sum((fill.quantity for fill in executed.fills), ZERO)),
    }


def _brief(excluded: dict[str, str]) -> dict[str, Any]:
    return excluded if len(excluded) <= NAMED_MAX else dict(Counter(excluded.values()))
