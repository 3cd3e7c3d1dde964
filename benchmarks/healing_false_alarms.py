"""A day of healthy logs at speed, in the logs of a real running operation: nobody is restarted, nothing is fixed, no
case is opened, and in the end all is HEALTHY. Measured besides: what of a core the manager used.
"""

import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from benchmarks.healing_sight import acted, cases, cpu_meter, issues, pids
from benchmarks.healthy_day import DAY_S, Written, write_day
from benchmarks.real_operation import RealOperation, until
from execution.vocabulary.programs import BY_NAME

CALM_WITHIN_S = 30.0
SEEN_FOR_S = 8.0  # after the last line: long enough for any look at the logs and any judgement


@dataclass
class Quiet:
    """What came of it. `wrong` says each thing that a false alarm has done; empty is what is asked for."""

    hours: float
    seconds: float
    written: Written
    cpu_share: float
    cpu_share_idle: float
    overall: str
    wrong: list[str] = field(default_factory=list)


def false_alarms(
    hours: float, within_s: float, mode: str, seed: int, told: Callable[[str], None], idle_s: float = 10.0
) -> Quiet:
    """Start an operation, write the logs of `hours` into it in `within_s`, and look at what it has done."""
    operation = RealOperation()
    try:
        told(f"starting an operation ({mode})")
        operation.start(mode)
        until(lambda: operation.status()["overall_status"] == "HEALTHY", CALM_WITHIN_S, "HEALTHY at first")
        idle = _share(cpu_meter(operation), idle_s)
        before, known, lived = acted(operation), _open(cases(operation)), pids(operation)
        seen = {row["fingerprint"] for row in issues(operation)}
        told(f"writing the logs of {hours:g} h within {within_s:g} s")
        used, began = cpu_meter(operation), time.monotonic()
        processes = [name for name in lived if name in BY_NAME]
        written = write_day(operation.home.logs, processes, seed, hours / 24 * DAY_S, within_s)
        seconds = time.monotonic() - began
        share = used() / seconds
        told("looking at what it has done")
        time.sleep(SEEN_FOR_S)
        quiet = Quiet(hours, seconds, written, share, idle, operation.status()["overall_status"])
        quiet.wrong += [f"not healthy in the end: {_causes(operation)}"] if quiet.overall != "HEALTHY" else []
        quiet.wrong += [f"a new pid: {name}" for name, pid in pids(operation).items() if lived.get(name) != pid]
        quiet.wrong += [_said(entry) for entry in acted(operation) if entry not in before]
        quiet.wrong += [f"a case: {case}" for case in _open(cases(operation)) if case not in known]
        quiet.wrong += [f"an issue: {row}" for row in issues(operation) if row["fingerprint"] not in seen]
        return quiet
    finally:
        operation.end()
        operation.remove()


def _open(found: list[dict[str, Any]]) -> list[str]:
    return [f"{case.get('id')} {case.get('type')} {case.get('process')}" for case in found]


def _said(entry: dict[str, Any]) -> str:
    return f"in the record: {entry['kind']} of {entry['process']}: {entry['what']} ({entry['cause']})"


def _causes(operation: RealOperation) -> str:
    rows = operation.status()["processes"].items()
    return "; ".join(f"{name}: {', '.join(row['causes'])}" for name, row in rows if row["causes"])


def _share(used: Callable[[], float], seconds: float) -> float:
    time.sleep(seconds)
    return used() / seconds
