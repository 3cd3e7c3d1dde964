"""Who has stopped turning? Looks at every pulse many times within the limit, and at a process only once it is silent.

Silence alone is no proof: a process that computes, waits for a core or for the disk is given SILENT_AND_BUSY_AFTER_S.
A watch whose own look came late forgives everybody for one limit. It judges; whoever asked does the killing.
"""

from dataclasses import dataclass
from pathlib import Path

from execution.autonomous.vitals import Child, Life
from execution.runtime.clock import Clock
from execution.runtime.pulse import PulseReader
from execution.vocabulary.limits import LOOKS_PER_SILENCE, SILENT_AND_BUSY_AFTER_S

LATE_SHARE = 0.5  # of the limit: a longer gap between two looks of ours is our own lateness
FIRST_LOOK_SHARE = 0.4  # of the limit: from here on we know how much CPU it uses in its silence
IDLE_CPU_SHARE = 0.02  # of a core, in the silence: less is nothing
STOPPED = "stopped by a signal"


@dataclass(frozen=True)
class Silent:
    """A process that has stopped turning, and for how long."""

    name: str
    child: Child
    silent_s: float
    cause: str


@dataclass
class _Watched:
    child: Child
    reader: PulseReader
    seen: tuple[float, float] | None = None  # when its CPU time was first read in this silence, and how much it was


def stopped_turning(silent_s: float, limit_s: float, life: Life, used_share: float | None) -> str:
    """Why a silent process counts as hung, or '' when it doesn't (yet).

    `used_share`: the CPU it used since the first look at its silence, as a share of a core; None: never looked before.
    """
    if silent_s <= limit_s:
        return ""
    if life.status == "stopped":
        return f"{STOPPED}, no pulse for {silent_s:.2f} s"
    if silent_s > SILENT_AND_BUSY_AFTER_S:
        return f"no pulse for {silent_s:.1f} s"
    if life.wants_core or used_share is None or used_share > IDLE_CPU_SHARE:
        return ""
    return f"asleep without a pulse for {silent_s:.2f} s"


class PulseWatch:
    """Watches the children of one supervisord; `look()` is to be called LOOKS_PER_SILENCE times within the limit."""

    def __init__(self, limit_s: float, clock: Clock) -> None:
        self.limit_s = limit_s
        self.period_s = limit_s / LOOKS_PER_SILENCE
        self._clock = clock
        self._watched: dict[str, _Watched] = {}
        self._last_look: float | None = None
        self._fair_since = clock.monotonic()

    def know(self, name: str, pid: int, path: Path) -> None:
        """`pid` is the process that runs as `name` now (0: none)."""
        known = self._watched.get(name)
        if known is not None and known.child.pid == pid:
            return
        if known is not None:
            known.reader.anew()
            del self._watched[name]
        child = Child.known(pid) if pid else None
        if child is not None:
            self._watched[name] = _Watched(child, PulseReader(path))

    def forgive(self) -> None:
        """Everybody's silence counts from now."""
        self._fair_since = self._clock.monotonic()
        for watched in self._watched.values():
            watched.seen = None

    def silence_s(self, name: str) -> float | None:
        """How long since the last pulse of `name`; None when it hasn't had one in this life."""
        watched = self._watched.get(name)
        return self._silence_s(watched) if watched else None

    def _silence_s(self, watched: _Watched) -> float | None:
        pulse = watched.reader.read()
        if pulse is None or pulse.pid != watched.child.pid:
            return None
        return max(0.0, self._clock.monotonic() - max(pulse.at, self._fair_since))

    def look(self) -> list[Silent]:
        """Those that have stopped turning. Nobody, when this very look came late."""
        now = self._clock.monotonic()
        late = self._last_look is not None and now - self._last_look > self.limit_s * LATE_SHARE
        self._last_look = now
        if late:
            self.forgive()
            return []
        found, quiet_s = [], self.limit_s * FIRST_LOOK_SHARE
        for name, watched in self._watched.items():
            silent_s = self._silence_s(watched)
            if silent_s is None or silent_s > quiet_s:
                watched.reader.anew()  # not the file it writes into any more?
                silent_s = self._silence_s(watched)
            if silent_s is None or silent_s <= quiet_s:
                watched.seen = None
                continue
            life = watched.child.life()
            cause = self._judge(watched, silent_s, life) if life else ""
            if cause:
                found.append(Silent(name, watched.child, silent_s, cause))
        return found

    def _judge(self, watched: _Watched, silent_s: float, life: Life) -> str:
        now = self._clock.monotonic()
        if watched.seen is None:
            watched.seen = (now, life.cpu_s)
            return stopped_turning(silent_s, self.limit_s, life, None)
        since, cpu_s = watched.seen
        used = (life.cpu_s - cpu_s) / max(now - since, 1e-6)
        return stopped_turning(silent_s, self.limit_s, life, used)
