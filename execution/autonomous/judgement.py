"""Is this process well? One pure table over what was sampled: first row that holds decides, worst rows first.

Progress is judged, not pulse. No CRITICAL without a named cause. Acting on the verdict is done elsewhere.
"""

from collections.abc import Callable
from dataclasses import dataclass
from math import inf

from execution.vocabulary.health import ComponentStatus, HealthStatus, TaskProgress
from execution.vocabulary.lifecycle import ProcessState
from execution.vocabulary.limits import (
    DISK_LOW_BYTES,
    ERROR_WINDOW_S,
    ERRORS_UNHEALTHY_PER_MINUTE,
    FIRST_HEARTBEAT_WITHIN_S,
    MEMORY_LOW_SHARE,
    SILENT_AFTER_S,
    SILENT_AND_BUSY_AFTER_S,
    TASK_OVERDUE_LEAST_S,
    TASK_OVERDUE_PERIODS,
)
from execution.vocabulary.messages import Heartbeat

ALIVE = frozenset({"STARTING", "RUNNING"})
STOPPED_BY_THE_OPERATOR = "stopped by the operator"


@dataclass(frozen=True)
class Sample:
    """All that is known of one process at one moment.

    `program_state` is supervisord's word, `silent_s` the time since its last heartbeat (None: never heard in this
    life), `idle` whether it used no CPU at all in that time, `os_status` psutil's word for the process, `held` why it
    is kept from starting again, `leak` what of it grows towards its ceiling, `spins` whether it uses a whole core,
    `flood` what it says too much of, `fair_s` how long there has been a judge who was in time.
    """

    program_state: str
    pid: int
    up_s: float
    heartbeat: Heartbeat | None
    silent_s: float | None
    os_status: str = "sleeping"
    idle: bool = False
    held: str = ""
    quarantined: bool = False
    leak: str = ""
    spins: bool = False
    flood: str = ""
    fair_s: float = inf


@dataclass(frozen=True)
class Verdict:
    """The judgement over one process, with its causes. `hung`: only a kill helps. `stuck`: a task without which there's
    no trading makes no progress, or any does and it spins; the process still beats."""

    status: HealthStatus
    causes: tuple[str, ...] = ()
    hung: bool = False
    stuck: bool = False


def overdue(task: TaskProgress, up_s: float, fair_s: float = inf) -> bool:
    """Has this task gone too long without a finished run? `fair_s`: how long there has been a judge who was in time;
    before that all may have slept, and whoever has just woken says so before its first task has run."""
    limit = max(TASK_OVERDUE_PERIODS * task.period_s, TASK_OVERDUE_LEAST_S)
    age = task.last_finished_age_s
    return min(up_s if age is None else age, fair_s) > limit


def judge(sample: Sample, builds_differ: bool = False) -> Verdict:
    """The verdict over one process."""
    for row in _TABLE:
        verdict = row(sample)
        if verdict is not None:
            return verdict
    if builds_differ:
        return Verdict(HealthStatus.DEGRADED, ("builds differ",))
    return Verdict(HealthStatus.HEALTHY)


def _dead(sample: Sample) -> Verdict | None:
    if sample.program_state in ALIVE:
        return None
    if sample.program_state == "STOPPED":
        return Verdict(HealthStatus.DEGRADED, (STOPPED_BY_THE_OPERATOR,))
    if sample.program_state == "STOPPING":  # only who was asked for is; its own deadline ends it
        return Verdict(HealthStatus.DEGRADED, ("told to stop",))
    return Verdict(HealthStatus.CRITICAL, (sample.held or f"not running: {sample.program_state.lower()}",))


def _stopped(sample: Sample) -> Verdict | None:
    if sample.os_status != "stopped" or (sample.silent_s or 0.0) <= SILENT_AFTER_S:
        return None
    return Verdict(HealthStatus.CRITICAL, (f"stopped by a signal, silent for {sample.silent_s:.1f} s",), hung=True)


def _never_heard(sample: Sample) -> Verdict | None:
    if sample.silent_s is not None:
        return None
    if sample.up_s > FIRST_HEARTBEAT_WITHIN_S:
        return Verdict(HealthStatus.CRITICAL, (f"no heartbeat in its first {sample.up_s:.0f} s",), hung=True)
    return Verdict(HealthStatus.DEGRADED, ("starting",))


def _hung(sample: Sample) -> Verdict | None:
    silent_s = sample.silent_s or 0.0
    limit = SILENT_AFTER_S if sample.idle else SILENT_AND_BUSY_AFTER_S  # a starved process isn't a hung one
    if silent_s > limit:
        return Verdict(HealthStatus.CRITICAL, (f"hung: silent for {silent_s:.1f} s",), hung=True)
    return None


def _not_running_yet(sample: Sample) -> Verdict | None:
    beat = sample.heartbeat
    if beat is None or beat.state is ProcessState.RUNNING:
        return None
    return Verdict(HealthStatus.DEGRADED, (str(beat.state),))


def _spins(sample: Sample) -> Verdict | None:
    beat = sample.heartbeat
    if not sample.spins or beat is None or not any(overdue(task, beat.uptime_s, sample.fair_s) for task in beat.tasks):
        return None
    return Verdict(HealthStatus.CRITICAL, ("spins: a whole core used, and a task overdue",), stuck=True)


def _leaking(sample: Sample) -> Verdict | None:
    return Verdict(HealthStatus.UNHEALTHY, (sample.leak,)) if sample.leak else None


def _overdue(sample: Sample) -> Verdict | None:
    beat = sample.heartbeat
    late = [task for task in beat.tasks if overdue(task, beat.uptime_s, sample.fair_s)] if beat else []
    if not late:
        return None
    causes = tuple(f"task {task.name} is overdue" for task in late)
    stuck = any(task.critical for task in late)
    return Verdict(HealthStatus.CRITICAL if stuck else HealthStatus.UNHEALTHY, causes, stuck=stuck)


def _erring(sample: Sample) -> Verdict | None:
    errors = sample.heartbeat.errors if sample.heartbeat else []
    recent = sum(error.in_window for error in errors)
    if not recent:
        return None
    per_minute = recent / (ERROR_WINDOW_S / 60)
    over = per_minute > ERRORS_UNHEALTHY_PER_MINUTE
    causes = tuple(f"{error.kind} at {error.place}: {error.in_window}x" for error in errors if error.in_window)
    return Verdict(HealthStatus.UNHEALTHY if over else HealthStatus.DEGRADED, causes[:5])


def _components(sample: Sample) -> Verdict | None:
    parts = sample.heartbeat.components if sample.heartbeat else {}
    failed = tuple(f"{name} has failed" for name, part in parts.items() if part.status is ComponentStatus.FAILED)
    if failed:
        return Verdict(HealthStatus.UNHEALTHY, failed)
    weak = (ComponentStatus.DEGRADED, ComponentStatus.STOPPED)
    causes = tuple(f"{name} is {part.status}" for name, part in parts.items() if part.status in weak)
    return Verdict(HealthStatus.DEGRADED, causes) if causes else None


def _flooding(sample: Sample) -> Verdict | None:
    return Verdict(HealthStatus.DEGRADED, (sample.flood,)) if sample.flood else None


def _quarantined(sample: Sample) -> Verdict | None:
    return Verdict(HealthStatus.DEGRADED, ("back, but in quarantine for its crashes",)) if sample.quarantined else None


def _slow(sample: Sample) -> Verdict | None:
    if (sample.silent_s or 0.0) <= SILENT_AFTER_S:
        return None
    return Verdict(HealthStatus.DEGRADED, (f"slow: silent for {sample.silent_s:.1f} s",))


_TABLE: tuple[Callable[[Sample], Verdict | None], ...] = (
    _dead,
    _stopped,
    _never_heard,
    _hung,
    _not_running_yet,
    _spins,
    _overdue,
    _leaking,
    _erring,
    _components,
    _flooding,
    _quarantined,
    _slow,  # last: a slow process is no better than its last heartbeat said
)


def judge_machine(disk_free_bytes: int, memory_available_share: float) -> Verdict:
    """The verdict over the machine itself."""
    causes = []
    if disk_free_bytes < DISK_LOW_BYTES:
        causes.append(f"disk low: {disk_free_bytes // 2**20} MiB free")
    if memory_available_share < MEMORY_LOW_SHARE:
        causes.append(f"memory low: {memory_available_share:.1%} available")
    return Verdict(HealthStatus.DEGRADED, tuple(causes)) if causes else Verdict(HealthStatus.HEALTHY)
