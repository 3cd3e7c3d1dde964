"""The Sniper holds what is armed: conditions (which strategy may open a position on which symbol, for how many more
bars), and shots, the entries that a closed bar has decided and that wait for the price.

Level, not edge: a new set of conditions replaces the one before. It says which tick satisfies a shot; it sizes nothing
and sends nothing.
"""

import math
from collections.abc import Callable, Iterable
from typing import Any

import msgspec

from execution.research.strategies import STRATEGIES
from execution.runtime.clock import Clock, iso
from execution.trading.shots import Shot, obstacle, over
from execution.vocabulary.health import ComponentHealth, ComponentStatus
from execution.vocabulary.market import Condition, Quote

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
    """The conditions in force and the shots armed, by symbol; at most one shot for each."""

    def __init__(self, step_ms: int, clock: Clock) -> None:
        self._step_ms = step_ms
        self._clock = clock
        self._armed: dict[str, tuple[Condition, ...]] = {}
        self._armed_at_ms: int | None = None
        self.sets_received = 0
        self.refused = 0
        self.last_refusal = ""
        self.shots: dict[str, Shot] = {}
        self.shots_armed = 0
        self.shots_dropped = 0
        self.last_drop = ""

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

    def of_others(self, symbols: Iterable[str]) -> list[Condition]:
        """What is held for symbols that aren't among these."""
        named = set(symbols)
        return [row for symbol, rows in self._armed.items() if symbol not in named for row in rows]

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

    def aim(self, shot: Shot) -> None:
        """Arm a shot, in place of an older one on its symbol."""
        self.shots[shot.symbol] = shot
        self.shots_armed += 1

    def satisfied_by(self, quote: Quote) -> bool:
        """Does this quote satisfy the shot on its symbol?"""
        shot = self.shots.get(quote.symbol)
        return shot is not None and not obstacle(shot, quote, self._clock.monotonic())

    def shot(self, symbol: str, newest_ms: int) -> Shot | None:
        """The shot on a symbol, unless its time is over."""
        shot = self.shots.get(symbol)
        return None if shot is None or over(shot, newest_ms) else shot

    def spend(self, symbol: str) -> Shot | None:
        """Take a shot: it is armed no more."""
        return self.shots.pop(symbol, None)

    def fallen_shots(self, newest_ms: Callable[[str], int]) -> list[Shot]:
        """Take the shots whose time is over."""
        fallen = [shot for symbol, shot in self.shots.items() if over(shot, newest_ms(symbol))]
        for shot in fallen:
            del self.shots[shot.symbol]
        return fallen

    def dropped(self, shot: Shot, why: str) -> None:
        """Note a shot that came to nothing."""
        self.shots_dropped += 1
        self.last_drop = f"{shot.symbol} {shot.name}: {why}"

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
            metrics={
                "held": self.held,
                "sets_received": self.sets_received,
                "last_refusal": self.last_refusal,
                "shots": len(self.shots),
                "shots_armed": self.shots_armed,
                "shots_dropped": self.shots_dropped,
                "last_drop": self.last_drop,
            },
        )
