"""Holds the armed conditions: which strategy may open a position on which symbol, and for how many more bars.

Level, not edge: a new set replaces the one before. It neither judges prices nor sends orders.
"""

import math
from collections.abc import Iterable
from typing import Any

import msgspec

from execution.research.strategies import STRATEGIES
from execution.runtime.clock import Clock, iso
from execution.vocabulary.health import ComponentHealth, ComponentStatus
from execution.vocabulary.market import Condition

CONDITIONS_MAX = 1_000


def refusal(condition: Condition) -> str | None:
    """Why a condition can't be armed, or None."""
    strategy = STRATEGIES.get(condition.strategy)
    if strategy is None:
        return f"unknown strategy {condition.strategy!r}; known: {', '.join(STRATEGIES)}"
    if condition.ttl_bars <= 0:
        return f"time to live of {condition.ttl_bars} bars"
    if not math.isfinite(condition.score):
        return "the score isn't finite"
    try:
        strategy.vector(condition.params)
    except ValueError as error:
        return str(error)
    return None


class Sniper:
    """The conditions in force, by symbol."""

    def __init__(self, step_ms: int, clock: Clock) -> None:
        self._step_ms = step_ms
        self._clock = clock
        self._armed: dict[str, tuple[Condition, ...]] = {}
        self._armed_at_ms: int | None = None
        self.sets_received = 0
        self.refused = 0
        self.last_refusal = ""

    def arm(self, conditions: Iterable[Condition]) -> int:
        """Put a new set in force instead of the old; how many of it were accepted. The others are counted and named."""
        accepted: dict[str, list[Condition]] = {}
        for number, condition in enumerate(conditions):
            problem = refusal(condition) if number < CONDITIONS_MAX else f"more than {CONDITIONS_MAX} conditions"
            if problem is None:
                accepted.setdefault(condition.symbol, []).append(condition)
            else:
                self.refused += 1
                self.last_refusal = f"{condition.id}: {problem}"
        self._armed = {symbol: tuple(rows) for symbol, rows in accepted.items()}
        self._armed_at_ms = self._clock.now_ms()
        self.sets_received += 1
        return self.held

    @property
    def held(self) -> int:
        """How many conditions are held, whatever their age."""
        return sum(len(rows) for rows in self._armed.values())

    def active(self, symbol: str, bar_ms: int) -> tuple[Condition, ...]:
        """The conditions that may act on the bar that opened at `bar_ms`: a bar after the one they were made on, within
        their time to live. Counted in bars, so that any speed gives the same answer."""
        return tuple(
            row
            for row in self._armed.get(symbol, ())
            if 0 < (bar_ms - row.created_bar_ms) // self._step_ms <= row.ttl_bars
        )

    def to_state(self) -> list[dict[str, Any]]:
        """What must be kept over a restart, as plain values."""
        return [msgspec.to_builtins(row) for rows in self._armed.values() for row in rows]

    def restore(self, state: list[dict[str, Any]]) -> int:
        """Arm what to_state() gave. Raises msgspec.ValidationError when it is something else."""
        return self.arm(msgspec.convert(state, list[Condition]))

    def get_health(self) -> ComponentHealth:
        """Starting until the first set has arrived."""
        return ComponentHealth(
            status=ComponentStatus.HEALTHY if self.sets_received else ComponentStatus.STARTING,
            last_activity=None if self._armed_at_ms is None else iso(self._armed_at_ms),
            error_count=self.refused,
            metrics={"held": self.held, "sets_received": self.sets_received, "last_refusal": self.last_refusal},
        )
