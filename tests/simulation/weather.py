"""What a seed makes of a world: how bad the line is, when processes die, are held or lose their lock, what people do.

Drawn once, before anything happens, so that a world can be told in a few lines.
"""

import random
from dataclasses import dataclass, field
from enum import StrEnum

from execution.runtime.steps import STEPS


class Fate(StrEnum):
    """What becomes of one request."""

    SOUND = "sound"
    LOST = "lost"  # the line is cut before the venue has it
    REFUSED = "refused"  # no connection
    HELD = "held"  # arrives after its sender has stopped waiting, perhaps after its window
    STALLED = "stalled"  # the venue has it, and looks at it late
    CUT = "executed, cut"
    SILENT = "executed, silent"
    LATE = "executed, answered late"
    ANSWERED_504 = "executed, 504"
    LATER = "504, executed later"
    SWALLOWED = "not executed, 504"
    UNCLEAR = "executed, unclear code"
    GARBLED = "executed, garbled"
    BANNED = "banned"
    TURNED_DOWN = "turned down"  # an order that the venue doesn't want: nothing happened


HARMLESS = {Fate.SOUND: 1.0}
ENTRY_POINTS = tuple(step for step in STEPS if not step.startswith(("cash_flows", "trading_state", "runtime_state")))


@dataclass
class Death:
    """One death to come. Of a process at a moment, at a tick of the loop, or at the n-th time a step is reached."""

    at_s: float
    step: str = ""
    ticks: int = 0
    away_s: float = 0.0


@dataclass
class Weather:
    """One world's."""

    seconds: float
    fates: dict[Fate, float]
    lag_ms: int
    slow_s: float
    events_lost: float
    events_twice: float
    events_late: float
    lines_cut: float
    deaths: list[Death] = field(default_factory=list)
    holds: list[tuple[float, float]] = field(default_factory=list)
    steals: list[float] = field(default_factory=list)
    sleeps: list[tuple[float, float]] = field(default_factory=list)
    wall_steps: list[tuple[float, int]] = field(default_factory=list)
    people: list[tuple[float, str]] = field(default_factory=list)
    disk_errors: float = 0.0
    twin: bool = False
    guarded: bool = False
    wrong_ms: int = 0
    fee_in: str = "received"
    archives_ms: int = 0
    may_fail: frozenset[int] | None = None  # requests, by number; None: any

    def told(self) -> str:
        """In a line."""
        parts = [f"{fate}: {share:.2f}" for fate, share in self.fates.items() if fate is not Fate.SOUND]
        dying = [
            f"{death.at_s:.1f} s {death.step or (f'{death.ticks} ticks on' if death.ticks else '')}"
            for death in self.deaths
        ]
        return (
            f"{self.seconds:.0f} s, lag {self.lag_ms} ms, archived after {self.archives_ms} ms, fees in {self.fee_in}, "
            f"twin {self.twin}, stops {self.guarded}, [{', '.join(parts)}], deaths {dying}, held {self.holds}, "
            f"lock lost {self.steals}, people {self.people}"
            + (f", requests that may go wrong {sorted(self.may_fail)}" if self.may_fail is not None else "")
        )


def weather_of(chance: random.Random, seconds: float) -> Weather:
    """One world's weather."""

    def times(most: int) -> list[float]:
        return sorted(round(chance.uniform(1.0, seconds), 3) for _ in range(chance.randrange(most + 1)))

    bad = chance.choice((0.0, 0.1, 0.3, 0.5))
    kinds = chance.sample([fate for fate in Fate if fate is not Fate.SOUND], chance.randrange(1, 6))
    fates = {Fate.SOUND: 1.0 - bad} | {kind: bad / len(kinds) for kind in kinds}
    deaths = [Death(at_s, away_s=chance.choice((0.002, 0.1, 1.0, 4.0, 9.0))) for at_s in times(4)]
    for death in deaths:
        draw = chance.random()
        if draw < 0.5:
            death.step = chance.choice(ENTRY_POINTS)
        elif draw < 0.8:
            death.ticks = chance.randrange(1, 60)
    return Weather(
        seconds=seconds,
        fates=fates,
        lag_ms=chance.choice((0, 0, 300, 1000)),
        slow_s=chance.choice((0.005, 0.02, 0.3)),
        events_lost=chance.choice((0.0, 0.1, 0.5, 1.0)),
        events_twice=chance.choice((0.0, 0.2)),
        events_late=chance.choice((0.0, 0.3)),
        lines_cut=chance.choice((0.0, 0.02)),
        deaths=deaths,
        holds=[(at_s, chance.choice((0.5, 3.0, 7.0, 20.0))) for at_s in times(1)],
        steals=times(1) if chance.random() < 0.3 else [],
        sleeps=[(at_s, chance.choice((2.0, 30.0, 1800.0))) for at_s in times(1)] if chance.random() < 0.2 else [],
        wall_steps=[(at_s, chance.choice((-3_600_000, -3000, 900, 3_600_000))) for at_s in times(1)],
        people=[(at_s, chance.choice(("pays_in", "pays_out", "trades", "rests"))) for at_s in times(1)]
        if chance.random() < 0.3
        else [],
        disk_errors=chance.choice((0.0, 0.0, 0.0, 0.02)),
        twin=chance.random() < 0.5,
        guarded=chance.random() < 0.6,
        wrong_ms=chance.choice((0, 0, -4500, 900, 30_000)),
        fee_in=chance.choice(("received", "received", "quote", "bnb")),
        archives_ms=chance.choice((0, 0, 500, 3000)),
    )
