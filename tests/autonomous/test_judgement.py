"""The judgement: the design's table of levels, row by row, and what must hold for every sample."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from execution.autonomous.judgement import ALIVE, Sample, Verdict, judge, judge_machine, overdue
from execution.vocabulary.health import ComponentHealth, ComponentStatus, ErrorCount, HealthStatus, TaskProgress
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

HEALTHY, DEGRADED, UNHEALTHY, CRITICAL = HealthStatus
MANY_ERRORS = int(ERRORS_UNHEALTHY_PER_MINUTE * ERROR_WINDOW_S / 60)


def beat(**changes: Any) -> Heartbeat:
    fields: dict[str, Any] = {
        "process": "live_optimus",
        "sent_ms": 0,
        "pid": 7,
        "build": "abc",
        "state": ProcessState.RUNNING,
        "sequence": 1,
        "uptime_s": 100.0,
    }
    return Heartbeat(**fields | changes)


def sample(**changes: Any) -> Sample:
    fields: dict[str, Any] = {
        "program_state": "RUNNING",
        "pid": 7,
        "up_s": 100.0,
        "heartbeat": beat(),
        "silent_s": 0.1,
    }
    return Sample(**fields | changes)


def task(age_s: float | None, period_s: float = 1.0, critical: bool = False) -> TaskProgress:
    return TaskProgress("cycle", period_s, 5, 0, age_s, None, critical)


def errors(in_window: int) -> list[ErrorCount]:
    return [ErrorCount("f", "KeyError", "a.py:b", "text", in_window + 5, in_window, 1.0)]


def part(status: str) -> dict[str, ComponentHealth]:
    return {"feed": ComponentHealth(ComponentStatus(status))}


LATE_S = TASK_OVERDUE_LEAST_S + 1
SILENT_S = SILENT_AFTER_S + 0.1
TABLE = [
    ("all well", sample(), HEALTHY, "", False),
    ("dead", sample(program_state="EXITED", pid=0), CRITICAL, "not running: exited", False),
    ("given up", sample(program_state="FATAL", pid=0), CRITICAL, "not running: fatal", False),
    ("in back-off", sample(program_state="BACKOFF", pid=0), CRITICAL, "not running: backoff", False),
    ("stopped by a signal", sample(os_status="stopped", silent_s=SILENT_S), CRITICAL, "stopped by a signal", True),
    ("stopped a moment ago", sample(os_status="stopped", silent_s=SILENT_AFTER_S), HEALTHY, "", False),
    ("hung and idle", sample(silent_s=SILENT_S, idle=True), CRITICAL, "hung: silent for 2.6 s", True),
    ("silent but computing", sample(silent_s=SILENT_S), DEGRADED, "slow: silent for 2.6 s", False),
    (
        "computing for too long",
        sample(silent_s=SILENT_AND_BUSY_AFTER_S + 0.1),
        CRITICAL,
        "hung: silent for 10.1 s",
        True,
    ),
    ("fresh", sample(heartbeat=None, silent_s=None, up_s=5.0), DEGRADED, "starting", False),
    (
        "never heard",
        sample(heartbeat=None, silent_s=None, up_s=FIRST_HEARTBEAT_WITHIN_S + 1),
        CRITICAL,
        "no heartbeat in its first 21 s",
        True,
    ),
    ("starting", sample(heartbeat=beat(state=ProcessState.STARTING)), DEGRADED, "starting", False),
    ("ready without progress", sample(heartbeat=beat(state=ProcessState.READY)), DEGRADED, "ready", False),
    ("stopping", sample(heartbeat=beat(state=ProcessState.STOPPING)), DEGRADED, "stopping", False),
    ("told to stop", sample(program_state="STOPPING"), DEGRADED, "told to stop", False),
    ("a task overdue", sample(heartbeat=beat(tasks=[task(LATE_S)])), UNHEALTHY, "task cycle is overdue", False),
    (
        "a trading task overdue",
        sample(heartbeat=beat(tasks=[task(LATE_S, critical=True)])),
        CRITICAL,
        "task cycle is overdue",
        False,
    ),
    ("a task on time", sample(heartbeat=beat(tasks=[task(TASK_OVERDUE_LEAST_S)])), HEALTHY, "", False),
    ("some errors", sample(heartbeat=beat(errors=errors(1))), DEGRADED, "KeyError at a.py:b: 1x", False),
    ("errors at the limit", sample(heartbeat=beat(errors=errors(MANY_ERRORS))), DEGRADED, "150x", False),
    ("too many errors", sample(heartbeat=beat(errors=errors(MANY_ERRORS + 1))), UNHEALTHY, "151x", False),
    ("old errors", sample(heartbeat=beat(errors=errors(0))), HEALTHY, "", False),
    ("a part failed", sample(heartbeat=beat(components=part("failed"))), UNHEALTHY, "feed has failed", False),
    ("a part weak", sample(heartbeat=beat(components=part("degraded"))), DEGRADED, "feed is degraded", False),
    ("a part stopped", sample(heartbeat=beat(components=part("stopped"))), DEGRADED, "feed is stopped", False),
    ("a part starting", sample(heartbeat=beat(components=part("starting"))), HEALTHY, "", False),
    ("a core used, all on time", sample(spins=True, heartbeat=beat(tasks=[task(1.0)])), HEALTHY, "", False),
    (
        "a core used, a task overdue",
        sample(spins=True, heartbeat=beat(tasks=[task(LATE_S)])),
        CRITICAL,
        "spins: a whole core used",
        False,
    ),
    ("a leak", sample(leak="memory leak: ceiling in 40 min"), UNHEALTHY, "memory leak: ceiling in 40 min", False),
    ("a leak and errors", sample(leak="memory leak", heartbeat=beat(errors=errors(1))), UNHEALTHY, "leak", False),
    ("back from quarantine", sample(quarantined=True), DEGRADED, "back, but in quarantine for its crashes", False),
    (
        "held in quarantine",
        sample(program_state="EXITED", pid=0, quarantined=True, held="crash loop, in quarantine after 5 crashes"),
        CRITICAL,
        "crash loop, in quarantine",
        False,
    ),
    ("a flood", sample(flood="floods its log: 1.2 MB/s"), DEGRADED, "floods its log: 1.2 MB/s", False),
    ("a flood and an error", sample(flood="floods", heartbeat=beat(errors=errors(1))), DEGRADED, "KeyError", False),
    (
        "slow and overdue",
        sample(heartbeat=beat(tasks=[task(LATE_S)]), silent_s=2.0),
        UNHEALTHY,
        "overdue",
        False,
    ),
]


@pytest.mark.parametrize(("name", "seen", "status", "cause", "hung"), TABLE, ids=[row[0] for row in TABLE])
def test_the_table(name: str, seen: Sample, status: HealthStatus, cause: str, hung: bool) -> None:
    verdict = judge(seen)
    assert (verdict.status, verdict.hung) == (status, hung)
    assert cause in "; ".join(verdict.causes)


def test_differing_builds_degrade_what_is_otherwise_healthy_and_hide_nothing_worse() -> None:
    assert judge(sample(), builds_differ=True) == Verdict(DEGRADED, ("builds differ",))
    assert judge(sample(program_state="FATAL"), builds_differ=True).status is CRITICAL


AGES = st.floats(0, 1000)
SAMPLES = st.builds(
    Sample,
    program_state=st.sampled_from(["STOPPED", "STARTING", "RUNNING", "BACKOFF", "STOPPING", "EXITED", "FATAL"]),
    pid=st.integers(0, 10),
    up_s=AGES,
    heartbeat=st.none()
    | st.builds(
        beat,
        state=st.sampled_from(ProcessState),
        uptime_s=AGES,
        tasks=st.lists(st.builds(task, st.none() | AGES, st.floats(0.1, 100), st.booleans()), max_size=2),
        errors=st.just([]) | st.builds(errors, st.integers(0, 300)),
        components=st.just({}) | st.builds(part, st.sampled_from(ComponentStatus)),
    ),
    silent_s=st.none() | st.floats(0, 30),
    os_status=st.sampled_from(["sleeping", "running", "stopped", "zombie"]),
    idle=st.booleans(),
    spins=st.booleans(),
    fair_s=AGES,
)


@given(SAMPLES, st.booleans())
def test_nothing_but_healthy_comes_without_a_cause_and_healthy_has_none(seen: Sample, differ: bool) -> None:
    verdict = judge(seen, differ)
    assert bool(verdict.causes) is (verdict.status is not HEALTHY)
    assert all(cause.strip() for cause in verdict.causes)


@given(SAMPLES)
def test_only_a_silent_living_process_is_called_hung(seen: Sample) -> None:
    verdict = judge(seen)
    if verdict.hung:
        assert seen.program_state in ALIVE
        assert verdict.status is CRITICAL
        silent = seen.up_s > FIRST_HEARTBEAT_WITHIN_S if seen.silent_s is None else seen.silent_s > SILENT_AFTER_S
        assert silent


@given(SAMPLES)
def test_whoever_is_called_stuck_is_critical_for_a_cause_and_lives(seen: Sample) -> None:
    verdict = judge(seen)
    if verdict.stuck:
        assert verdict.status is CRITICAL and verdict.causes and seen.program_state in ALIVE
        assert min(seen.fair_s, seen.heartbeat.uptime_s if seen.heartbeat else 0.0) > 0


@given(SAMPLES)
def test_healthy_means_alive_heard_and_running(seen: Sample) -> None:
    if judge(seen).status is HEALTHY:
        assert seen.program_state in ALIVE
        assert seen.silent_s is not None
        assert seen.silent_s <= SILENT_AFTER_S
        assert seen.heartbeat is None or seen.heartbeat.state is ProcessState.RUNNING


@given(SAMPLES, st.floats(0, 30))
def test_a_longer_silence_never_makes_a_verdict_better(seen: Sample, longer_s: float) -> None:
    if seen.silent_s is not None:
        later = Sample(**vars(seen) | {"silent_s": seen.silent_s + longer_s})
        order = list(HealthStatus)
        assert order.index(judge(later).status) >= order.index(judge(seen).status)


@given(st.floats(0.01, 1000), st.floats(0, 10_000), st.none() | st.floats(0, 10_000))
def test_a_task_is_overdue_only_after_both_limits(period_s: float, up_s: float, age_s: float | None) -> None:
    late = overdue(task(age_s, period_s), up_s)
    waited_s = up_s if age_s is None else age_s
    assert late is (waited_s > TASK_OVERDUE_LEAST_S and waited_s > TASK_OVERDUE_PERIODS * period_s)


@pytest.mark.parametrize(
    ("disk", "memory", "status", "said"),
    [
        (DISK_LOW_BYTES, MEMORY_LOW_SHARE, HEALTHY, ""),
        (DISK_LOW_BYTES - 1, 0.5, DEGRADED, "disk low: 499 MiB free"),
        (DISK_LOW_BYTES, MEMORY_LOW_SHARE - 0.01, DEGRADED, "memory low: 4.0% available"),
        (0, 0.0, DEGRADED, "disk low: 0 MiB free; memory low: 0.0% available"),
    ],
)
def test_the_machine_is_judged_too(disk: int, memory: float, status: HealthStatus, said: str) -> None:
    verdict = judge_machine(disk, memory)
    assert (verdict.status, "; ".join(verdict.causes)) == (status, said)
