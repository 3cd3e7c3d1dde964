"""How well a process, a component and a task are doing."""

from enum import StrEnum
from typing import Any

import msgspec


class HealthStatus(StrEnum):
    """The judgement over a process or over the whole operation, best first."""

    HEALTHY = "HEALTHY"
    DEGRADED = "DEGRADED"
    UNHEALTHY = "UNHEALTHY"
    CRITICAL = "CRITICAL"


SEVERITY = {status: rank for rank, status in enumerate(HealthStatus)}


def worst(statuses: list[HealthStatus]) -> HealthStatus:
    """The most severe of `statuses`; HEALTHY when there are none."""
    return max(statuses, key=SEVERITY.__getitem__, default=HealthStatus.HEALTHY)


class ComponentStatus(StrEnum):
    """What a component's get_health() may say of itself."""

    HEALTHY = "healthy"
    DEGRADED = "degraded"
    FAILED = "failed"
    STARTING = "starting"
    STOPPED = "stopped"


class ComponentHealth(msgspec.Struct, frozen=True):
    """The answer of every get_health(). `last_activity` is a UTC label, or None before the first activity."""

    status: ComponentStatus
    last_activity: str | None = None
    error_count: int = 0
    metrics: dict[str, Any] = {}


class TaskProgress(msgspec.Struct, frozen=True):
    """How one periodic task of a process is getting on. Ages are seconds at the time of the heartbeat."""

    name: str
    period_s: float
    runs: int
    failures: int
    last_finished_age_s: float | None
    running_for_s: float | None = None
    critical: bool = False


class ErrorCount(msgspec.Struct, frozen=True):
    """One kind of error: exception type, place and template; counted once per occurrence. Ages in seconds.

    The message is evidence for people. What acts goes by the rest: it comes from our own code and from the type system,
    never from a text. `issue` is an IssueType's value, as text so that builds may differ.
    """

    fingerprint: str  # the same in every process
    kind: str  # the exception type's name
    place: str  # module:function of our own code
    message: str  # of the last one, without secrets
    count: int
    in_window: int
    last_age_s: float
    template: str = ""  # the message without numbers, ids, quoted names, paths and secrets
    frames: list[str] = []  # module:function:line of the innermost ones, outermost first
    bases: list[str] = []  # names of the types that the exception's type descends from, nearest first
    context: dict[str, str] = {}  # task, symbol, strategy, operation, code, errno, name: given by our code
    first_age_s: float = 0.0
    issue: str = ""  # what the exception itself says it is; empty when it says nothing


class LastWord(msgspec.Struct, frozen=True, kw_only=True):
    """What a process that ended by an error left behind for the manager."""

    process: str
    pid: int
    build: str
    at_ms: int
    phase: str  # import, start, run
    error: ErrorCount
