"""From a world that fails to a smaller one that still does: fewer faults, so that a person can read its trace.

Greedy: each fault is taken out in turn, requests that went wrong by halves; what the failure doesn't need stays out.
"""

from collections.abc import Callable
from copy import deepcopy
from dataclasses import dataclass
from functools import partial

from execution.exchange.gateway import ExchangeGateway
from tests.simulation.weather import Fate, Weather
from tests.simulation.world import Judged, SimWorld

LISTS = ("deaths", "holds", "steals", "sleeps", "wall_steps", "people")
CALM = {
    "lag_ms": 0,
    "archives_ms": 0,
    "events_lost": 0.0,
    "events_twice": 0.0,
    "events_late": 0.0,
    "lines_cut": 0.0,
    "disk_errors": 0.0,
    "wrong_ms": 0,
    "slow_s": 0.005,
    "guarded": False,
    "twin": False,
    "fee_in": "received",
}
SOONER_TIMES = 6  # halvings of the time in which it goes wrong
Change = Callable[[Weather], bool]  # False: it changes nothing


@dataclass
class Shrunk:
    """The smallest failing world found, of how many that were tried."""

    judged: Judged
    weather: Weather
    faults_before: int
    tried: int

    @property
    def faults(self) -> int:
        return faults_of(self.weather)


def faults_of(weather: Weather) -> int:
    """How much goes wrong in it: requests, and everything else that isn't calm."""
    listed: int = sum(len(getattr(weather, name)) for name in LISTS)
    uncalm = sum(bool(getattr(weather, name) != calm) for name, calm in CALM.items())
    return listed + uncalm + len(weather.may_fail or ())


class Shrinking:
    """One failing seed's."""

    def __init__(self, seed: int, gateway: type[ExchangeGateway] = ExchangeGateway) -> None:
        self._seed, self._gateway = seed, gateway
        self.tried = 0
        self.best = SimWorld(seed, gateway).weather

    def run(self, fates: dict[Fate, float] | None = None) -> Shrunk | None:
        """None: the seed doesn't fail. `fates`: other chances for requests than the seed's."""
        self.best.fates = fates or self.best.fates
        self._world, self.judged = self._lived(self.best)
        if not self.judged.findings:
            return None
        self._wanted = _kind(self.judged)
        self.best.may_fail = frozenset(self._world.network.failed)
        before = faults_of(self.best)
        self._end_sooner()
        while self._smaller():
            self._end_sooner()
        return Shrunk(self.judged, self.best, before, self.tried)

    def _end_sooner(self) -> None:
        """Up to a moment everything stays as it was; so the search for the earliest is a sure one."""
        least = 0.0
        for _ in range(SOONER_TIMES):
            middle = round((least + self.best.seconds) / 2, 2)
            if not self._try(partial(_end_at, middle)):
                least = middle
        self._forget_the_rest()

    def _forget_the_rest(self) -> None:
        """Requests after the end are sound anyway, deaths and the like don't come."""
        weather = self.best
        assert weather.may_fail is not None
        weather.may_fail &= frozenset(self._world.network.failed)

    def _smaller(self) -> bool:
        """One round over all that may be left out; was anything?"""
        found = [self._try(change) for change in _without_one(self.best)]
        return any([*found, self._fewer_requests()])

    def _fewer_requests(self) -> bool:
        """By halves, quarters and so on, down to each alone."""
        assert self.best.may_fail is not None
        found, size = False, max(1, len(self.best.may_fail) // 2)
        while True:
            left = sorted(self.best.may_fail)
            for start in range(0, len(left), size):
                out = frozenset(left[start : start + size])
                found |= self._try(partial(_leave_out, out))
            if size == 1:
                return found
            size //= 2

    def _try(self, change: Change) -> bool:
        """Keep the change when the world still fails in the same way."""
        smaller = deepcopy(self.best)
        if not change(smaller):
            return False
        world, judged = self._lived(smaller)
        if _kind(judged) != self._wanted:
            return False
        self.best, self.judged, self._world = smaller, judged, world
        return True

    def _lived(self, weather: Weather) -> tuple[SimWorld, Judged]:
        self.tried += 1
        world = SimWorld(self._seed, self._gateway, weather=deepcopy(weather))
        return world, world.run()


def _kind(judged: Judged) -> str:
    """What sort of failure it is: the first word of its first finding."""
    return judged.findings[0].partition(":")[0] if judged.findings else ""


def _leave_out(out: frozenset[int], weather: Weather) -> bool:
    assert weather.may_fail is not None
    changed, weather.may_fail = bool(weather.may_fail & out), weather.may_fail - out
    return changed


def _without_one(weather: Weather) -> list[Change]:
    """Every change that takes one thing out, the largest first."""
    listed = [partial(_remove, name, fault) for name in LISTS for fault in getattr(weather, name)]
    calmed = [partial(_calm, name, calm) for name, calm in CALM.items()]
    return [*listed, *calmed]


def _remove(name: str, fault: object, weather: Weather) -> bool:
    left = [each for each in getattr(weather, name) if each != fault]
    changed = len(left) < len(getattr(weather, name))
    setattr(weather, name, left)
    return changed


def _calm(name: str, calm: object, weather: Weather) -> bool:
    changed = bool(getattr(weather, name) != calm)
    setattr(weather, name, calm)
    return changed


def _end_at(seconds: float, weather: Weather) -> bool:
    weather.seconds = seconds
    return True
