"""Which fault comes next in a storm, and what a service manager would do meanwhile. Pure: chance and time are given."""

import random
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum

MANAGER = "continuous_operation"
SUPERVISORD, VENUE = "supervisord", "venue"
WORKERS = (
    MANAGER,
    "live_optimus",
    "live_optimus_standby",
    "sandbox_optimus",
    "ralph",
    "accelerator_controller",
    "master_controller",
)
KILL, STOP = "SIGKILL", "SIGSTOP"
DEAD_AFTER_S = 4.0  # nobody supervises and no heir has come: a service would start it
HUNG_AFTER_S = 30.0  # supervisord stopped and nobody has killed it: the WatchdogSec of the service would
PATIENCE_S = 15.0  # a start that has been asked for gets this long


@dataclass(frozen=True)
class Weather:
    """One kind of storm."""

    name: str
    victims: tuple[str, ...]
    signals: tuple[str, ...]
    every_s: float
    managed_share: float  # the target


STORMS = {
    "a": Weather("a", WORKERS, (KILL,), 10.0, 0.999),
    "b": Weather("b", (*WORKERS, SUPERVISORD, VENUE), (KILL, STOP), 2.0, 0.0),
}


def next_fault(chance: random.Random, weather: Weather, stopped: Mapping[str, bool]) -> tuple[str, str] | None:
    """Whom to hit and with what, of those that live (name -> is it stopped already); None when there is nobody.

    Draws the same numbers whoever lives, so that one seed means one sequence of wishes.
    """
    wished: Sequence[str] = chance.sample(weather.victims, len(weather.victims))
    signal = chance.choice(weather.signals)
    for name in wished:
        if name in stopped and not (signal == STOP and stopped[name]):
            return name, signal
    return None


class Need(StrEnum):
    """What a service manager would do now."""

    NOTHING = "nothing"
    START = "start"
    KILL = "kill"


@dataclass
class Guardian:
    """Stands for launchd or systemd: starts what nobody supervises any more, kills a supervisord that stays hung."""

    starts: int = 0
    kills: int = 0
    _dead_since: float | None = None
    _hung_since: float | None = None

    def look(self, supervised: bool, hung: bool, now: float) -> Need:
        """Call it a few times a second."""
        self._hung_since = (self._hung_since or now) if supervised and hung else None
        self._dead_since = None if supervised else (self._dead_since or now)
        if self._hung_since is not None and now - self._hung_since >= HUNG_AFTER_S:
            self.kills += 1
            self._hung_since = None
            return Need.KILL
        if self._dead_since is not None and now - self._dead_since >= DEAD_AFTER_S:
            self.starts += 1
            self._dead_since = now + PATIENCE_S - DEAD_AFTER_S
            return Need.START
        return Need.NOTHING
