"""What a running operation's healing shows to anybody who looks: its record of changes, the kinds of issues it has
seen, its cases, and who lives. Reads only; every answer is empty while there is nothing.
"""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import psutil

from benchmarks.real_operation import RealOperation
from execution.runtime.bus import NoAnswer, Refused, ask
from execution.runtime.clock import SystemClock
from execution.vocabulary.programs import MANAGER

ACTED = ("restart", "fix", "remedy", "revert", "escalation")  # kinds of the record that a false alarm would leave


def entries(operation: RealOperation) -> list[dict[str, Any]]:
    """The record of changes, oldest first."""
    record = _document(operation.home.change_log)
    return list(record.get("entries") or [])


def acted(operation: RealOperation) -> list[dict[str, Any]]:
    """What of the record is an act upon a fault, whether there was one or not."""
    return [entry for entry in entries(operation) if entry.get("kind") in ACTED]


def issues(operation: RealOperation) -> list[dict[str, Any]]:
    """The kinds of issues seen, as the manager keeps them."""
    document = _document(operation.home.data / "healing" / "issues.json")
    return [dict(row) for row in document.get("rows") or []]


def cases(operation: RealOperation) -> list[dict[str, Any]]:
    """All cases, newest first, by the manager's own word."""
    try:
        told = ask(operation.home.run, MANAGER, "heal", SystemClock(), act="list", all=True)
    except (NoAnswer, Refused):
        return []  # it is being started anew, perhaps
    return list(told["cases"])


def pids(operation: RealOperation) -> dict[str, int]:
    """Who lives."""
    return {name: member.pid for name, member in operation.members().items()}


def cpu_meter(operation: RealOperation, name: str = MANAGER) -> Callable[[], float]:
    """Call it for the seconds of a core that the process has used since now."""
    process = psutil.Process(pids(operation)[name])
    began = _cpu_s(process)
    return lambda: _cpu_s(process) - began


def _cpu_s(process: psutil.Process) -> float:
    times = process.cpu_times()
    return float(times.user + times.system)


def _document(path: Path) -> dict[str, Any]:
    try:
        return dict(json.loads(path.read_text()))
    except FileNotFoundError:
        return {}
