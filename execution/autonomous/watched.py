"""What the manager knows of one process: from supervisord, the bus and the machine. Times are monotonic."""

from dataclasses import dataclass, field

from execution.autonomous.judgement import Verdict
from execution.autonomous.restart_policy import History
from execution.autonomous.supervisor_door import ProgramState
from execution.autonomous.vitals import ProcessVitals
from execution.vocabulary.health import HealthStatus
from execution.vocabulary.limits import HEARTBEAT_PERIOD_S
from execution.vocabulary.messages import Heartbeat

IDLE_CPU_S = 0.02
QUIET_AFTER_S = 1.5 * HEARTBEAT_PERIOD_S  # a beat is missing: look, so that a second look can tell when it is silent


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
    broken: tuple[str, float] | None = None  # kind of fault we know of, and since when
    hang: str = ""  # why its present life counts as hung, by its pulse

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
