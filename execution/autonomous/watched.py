"""What the manager knows of one process: from supervisord, the bus and the machine. Times are monotonic."""

from collections import deque
from dataclasses import dataclass, field

from execution.autonomous.judgement import Verdict
from execution.autonomous.resources import AS_SHIPPED, Ceilings, Finding, Patience, Reading, find
from execution.autonomous.restart_policy import History
from execution.autonomous.supervisor_door import ProgramState
from execution.autonomous.vitals import ProcessVitals
from execution.vocabulary.health import HealthStatus
from execution.vocabulary.limits import FACTS_FLOOD_PER_S, HEARTBEAT_PERIOD_S, LOG_FLOOD_BYTES_PER_S
from execution.vocabulary.messages import Heartbeat

IDLE_CPU_S = 0.02
RESTARTS_KEPT = 1000
READINGS_KEPT = 60  # at one every five seconds: five minutes
NOT_STARTED = "Not started"  # supervisord's word for what it hasn't come to yet
QUIET_AFTER_S = 1.5 * HEARTBEAT_PERIOD_S  # a beat is missing: look, so that a second look can tell when it is silent


@dataclass(frozen=True)
class Happening:
    """Something befell a process: `what` is hang or fork bomb (we killed it), or crash. `status`: how it ended."""

    what: str
    process: str
    pid: int
    cause: str
    status: int | None = None


@dataclass
class Watched:
    """One process in the eyes of the manager."""

    program: ProgramState | None = None
    heartbeat: Heartbeat | None = None
    heard_at: float = 0.0
    cpu_s_when_quiet: float | None = None  # at the first look after it fell quiet
    idle: bool = False  # has used no CPU since then
    vitals: ProcessVitals | None = None
    verdict: Verdict = field(default_factory=lambda: Verdict(HealthStatus.DEGRADED, ("not seen yet",)))
    history: History = field(default_factory=History)
    restarts: int = 0
    last_pid: int = 0  # of its last life, also while it is down
    restarted_at: deque[float] = field(default_factory=lambda: deque(maxlen=RESTARTS_KEPT))
    broken: tuple[str, float] | None = None  # kind of fault we know of, and since when
    killed: tuple[int, str] | None = None  # whom of its lives we killed last, and why
    readings: deque[Reading] = field(default_factory=lambda: deque(maxlen=READINGS_KEPT))
    finding: Finding = field(default_factory=Finding)
    facts: int = 0  # heard of it since floods were last looked for
    flood: str = ""  # what it says too much of
    renewed_at: float | None = None  # when it was ended for its leak
    free_in_s: float | None = None  # how long it is still held down
    kept_down: bool = False  # a person stopped it while it was down: supervisord has nothing to stop

    @property
    def role(self) -> str | None:
        """What it says it is to its account: active, standby; None where there's no such thing, or it doesn't run."""
        role = self.heartbeat.facts.get("role") if self.heartbeat and self.pid else None
        return str(role) if role else None

    @property
    def stopped_by_operator(self) -> bool:
        """supervisord starts what a person stopped no more; nor do we."""
        return self.program is not None and self.program.state == "STOPPED" and self.program.explanation != NOT_STARTED

    def read(self, reading: Reading, ceilings: Ceilings, patience: Patience = AS_SHIPPED) -> None:
        """One more reading of this life. What it takes to come up, before its first heartbeat, is no growth."""
        if self.heartbeat is None:
            self.readings.clear()
        self.readings.append(reading)
        self.finding = find(self.readings, ceilings, patience)

    def see_flood(self, log_bytes: int, seconds: float) -> None:
        """Does it say too much? `log_bytes`: what its log grew by in these `seconds`."""
        per_s, heard, self.facts = log_bytes / seconds, self.facts / seconds, 0
        floods = [f"floods its log: {per_s / 1e6:.1f} MB/s"] if per_s > LOG_FLOOD_BYTES_PER_S else []
        floods += [f"floods the bus: {heard:.0f} messages/s taken"] if heard > FACTS_FLOOD_PER_S else []
        self.flood = "; ".join(floods)

    def restarts_in(self, window_s: float, now: float) -> int:
        """How often it came back in the last `window_s`."""
        return sum(now - at <= window_s for at in self.restarted_at)

    @property
    def held(self) -> str:
        """Why it is kept from starting, or ''."""
        if self.free_in_s is None:
            return ""
        what = "crash loop, in quarantine" if self.history.quarantined else "held back"
        return f"{what} after {self.history.crashes} crashes: starts again in {self.free_in_s:.0f} s"

    @property
    def pid(self) -> int:
        """supervisord's word; 0 when it doesn't run."""
        return self.program.pid if self.program else 0

    def hear(self, heartbeat: Heartbeat, now: float) -> None:
        """A heartbeat has come."""
        self.heartbeat, self.heard_at = heartbeat, now
        self.cpu_s_when_quiet, self.idle = None, False

    def forgive(self, now: float) -> None:
        """Its silence counts from now."""
        self.heard_at = now
        self.cpu_s_when_quiet, self.idle = None, False

    def silent_s(self, now: float) -> float:
        """Since its last heartbeat; 0 before the first of this life."""
        return 0.0 if self.heartbeat is None else now - self.heard_at

    def take_vitals(self, vitals: ProcessVitals | None) -> None:
        """A look at it while it is quiet: one alone can't tell a hung process from one that computes."""
        self.vitals = vitals
        if vitals is None:
            self.idle = False
        elif self.cpu_s_when_quiet is None:
            self.cpu_s_when_quiet = vitals.cpu_s
        else:
            self.idle = vitals.cpu_s - self.cpu_s_when_quiet < IDLE_CPU_S
