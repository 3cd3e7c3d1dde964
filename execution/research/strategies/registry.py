"""What a strategy is: one step function and the parameters it takes. No strategy's own rule lives here."""

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass

from execution.research.bars import Vector
from execution.research.regime import Regime

Step = Callable[[Vector, Vector, Vector], float]


@dataclass(frozen=True)
class Param:
    """One number a strategy takes. A `window` is a whole number of bars."""

    name: str
    default: float
    low: float
    high: float
    window: bool = False


@dataclass(frozen=True)
class OwnExits:
    """What a strategy asks of its exits; None is as the account has it. It may only ask for less: an earlier end, a
    nearer stop, a smaller target (net of cost)."""

    target: float | None = None
    stop: float | None = None
    bars: int | None = None


@dataclass(frozen=True)
class Strategy:
    """`step(state, bar, params) -> score`: above 0 is "enter long now", 0 is nothing; `state` is changed in place.

    `enter_in`: the regimes that it enters in; never a crash.
    """

    name: str
    step: Step
    state_size: int
    params: tuple[Param, ...]
    enter_in: frozenset[Regime] = frozenset(Regime) - {Regime.CRASH}
    own: OwnExits = OwnExits()

    @property
    def warmup_bars(self) -> int:
        """Bars that decide everything, for every allowed parameter: a fresh state fed these decides as an old one."""
        return 2 + int(max((param.high for param in self.params if param.window), default=0))

    def warmup_of(self, params: Mapping[str, float]) -> int:
        """The same for these parameters."""
        return 2 + int(max((params[param.name] for param in self.params if param.window), default=0))

    def fresh_state(self) -> list[float]:
        """An empty memory, as the traders keep it."""
        return [0.0] * self.state_size

    def defaults(self) -> dict[str, float]:
        """The parameters a strategy starts with."""
        return {param.name: float(param.default) for param in self.params}

    def vector(self, params: Mapping[str, float] | None = None) -> list[float]:
        """Parameters in the order `step` reads them. ValueError names the first missing, unknown or unfit one."""
        given = self.defaults() if params is None else params
        unknown = sorted(set(given) - {param.name for param in self.params})
        if unknown:
            known = ", ".join(param.name for param in self.params)
            raise ValueError(f"strategy {self.name} has no parameter {unknown[0]!r}; it takes {known}")
        return [self._checked(param, given) for param in self.params]

    def _checked(self, param: Param, given: Mapping[str, float]) -> float:
        if param.name not in given:
            raise ValueError(f"strategy {self.name} needs parameter {param.name!r} ({param.low:g} to {param.high:g})")
        value = float(given[param.name])
        if not (math.isfinite(value) and param.low <= value <= param.high):
            raise ValueError(
                f"strategy {self.name}, {param.name} = {value!r}: must be between {param.low:g} and {param.high:g}"
            )
        if param.window and value != int(value):
            raise ValueError(f"strategy {self.name}, {param.name} = {value!r}: must be a whole number of bars")
        return value
