"""What is wrong with a process or with the machine as seen from outside: pure, from what the manager knows of them. By
fields and states; the causes that people read are not parsed.
"""

from collections.abc import Iterator

from execution.autonomous.healing.seeing.issue_book import Found
from execution.autonomous.judgement import overdue
from execution.autonomous.vitals import SystemVitals
from execution.autonomous.watched import Happening, Watched
from execution.vocabulary.exit_codes import ExitCode
from execution.vocabulary.health import HealthStatus, TaskProgress
from execution.vocabulary.issues import IssueType
from execution.vocabulary.limits import DISK_LOW_BYTES, MEMORY_LOW_SHARE, TASK_OVERDUE_LEAST_S, TASK_OVERDUE_PERIODS
from execution.vocabulary.programs import MANAGER

CLOCK_STEP_MAX_S = 2.0
_NO_CRASH = frozenset(
    {ExitCode.OK, ExitCode.UNAVAILABLE, ExitCode.BUSY}
)  # ended as it should, and somebody else has it
_NOT_WELL = (HealthStatus.UNHEALTHY, HealthStatus.CRITICAL)


def of_happening(happened: Happening) -> Found | None:
    """Of what was done to a process, or what it did: killed because it hung, gone without a word."""
    status = happened.status
    if happened.what == "crash" and status in _NO_CRASH:
        return None
    kind = IssueType.HANG if happened.what == "hang" else IssueType.CRASH
    if status == ExitCode.OS_ERROR:
        kind = IssueType.DISK
    context = {} if status is None else {"status": str(status)}
    return Found(
        process=happened.process,
        type=kind,
        what="ended without a word" if happened.what == "crash" else happened.what,
        context=context,
        told=happened.cause,
        ends_process=True,
    )


def of_process(name: str, watched: Watched) -> Iterator[Found]:
    """What goes on being wrong with one process."""
    if watched.finding.grows:
        kind = IssueType.MEMORY if watched.finding.grows == "memory" else IssueType.DESCRIPTOR_LEAK
        yield Found(process=name, type=kind, what=f"{watched.finding.grows} grows", told=watched.finding.leak)
    if watched.free_in_s is not None and watched.history.crashes > 1:
        yield Found(process=name, type=IssueType.CRASH, what="crash loop", told=watched.held, ends_process=True)
    if watched.flood:
        yield Found(process=name, type=IssueType.UNKNOWN, what="flood", told=watched.flood)
    beat = watched.heartbeat
    if beat is None or not watched.pid or watched.verdict.status not in _NOT_WELL:
        return
    for task in beat.tasks:
        if overdue(task, beat.uptime_s) and _goes_on_for_long(task):
            told = f"a run of the task {task.name} goes on for {task.running_for_s or 0.0:.0f} s"
            place, context = f"task:{task.name}", {"task": task.name}
            yield Found(process=name, type=IssueType.HANG, what="overdue", place=place, context=context, told=told)


def _goes_on_for_long(task: TaskProgress) -> bool:
    """One run that doesn't end. A task whose runs fail one after the other doesn't hang: its errors tell what it is."""
    limit_s = max(TASK_OVERDUE_PERIODS * task.period_s, TASK_OVERDUE_LEAST_S)
    return task.running_for_s is not None and task.running_for_s > limit_s


def of_machine(vitals: SystemVitals | None) -> Iterator[Found]:
    """What goes on being wrong with the machine; the manager is its process."""
    if vitals is None:
        return
    if vitals.disk_free_bytes < DISK_LOW_BYTES:
        told = f"{vitals.disk_free_bytes // 2**20} MiB free"
        yield Found(process=MANAGER, type=IssueType.DISK, what="disk low", place="machine", told=told)
    if vitals.memory_available_share < MEMORY_LOW_SHARE:
        told = f"{vitals.memory_available_share:.1%} available"
        yield Found(process=MANAGER, type=IssueType.MEMORY, what="memory low", place="machine", told=told)


def of_clock(stepped_s: float) -> Found | None:
    """Of how much further the wall clock went than the monotonic one since the last look."""
    if abs(stepped_s) <= CLOCK_STEP_MAX_S:
        return None
    told = f"the wall clock was set by {stepped_s:+.1f} s, or the machine has slept"
    return Found(process=MANAGER, type=IssueType.CLOCK, what="clock set", place="machine", told=told)
