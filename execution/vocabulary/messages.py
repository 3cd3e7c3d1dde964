"""Everything that may ride the bus: frozen, versioned, checked at the door. Orders and fills never do.

Facts are level, not edge: each repeats the whole current state, so a lost one costs one period.
"""

from typing import Any

import msgspec

from execution.vocabulary.health import ComponentHealth, ErrorCount, TaskProgress
from execution.vocabulary.lifecycle import ProcessState
from execution.vocabulary.market import Condition

VERSION = 1


class Message(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True, tag_field="kind"):
    """What every message carries. `sent_ms` is the sender's wall clock."""

    process: str
    sent_ms: int
    version: int = VERSION


class Heartbeat(Message, frozen=True, tag="heartbeat"):
    """A process says how it is, with the progress of each of its tasks."""

    pid: int
    build: str
    state: ProcessState
    sequence: int
    uptime_s: float
    tasks: list[TaskProgress] = []
    components: dict[str, ComponentHealth] = {}
    errors: list[ErrorCount] = []
    facts: dict[str, Any] = {}
    garbage: int = 0


class Conditions(Message, frozen=True, tag="conditions"):
    """Ralph's armed entries. The newest set replaces the one before: for the symbols `studied` so far; for all of them
    when none is named."""

    conditions: list[Condition]
    studied: list[str] = []


class Performance(Message, frozen=True, tag="performance"):
    """The accelerator's comparison of sandbox and live."""

    comparison: dict[str, Any]


class OperationHealth(Message, frozen=True, tag="operation_health"):
    """The manager's judgement of the whole: status per process, with causes."""

    mode: str
    overall: str
    processes: dict[str, str]
    causes: dict[str, list[str]] = {}
    builds_differ: bool = False


class Command(Message, frozen=True, tag="command"):
    """Do something, once, before the deadline (wall clock, ms). The id makes a repetition harmless."""

    id: str
    verb: str
    deadline_ms: int
    arguments: dict[str, Any] = {}


class Reply(Message, frozen=True, tag="reply"):
    """The one final answer to a command."""

    id: str
    ok: bool
    result: dict[str, Any] = {}
    error: str = ""


Fact = Heartbeat | Conditions | Performance | OperationHealth
AnyMessage = Heartbeat | Conditions | Performance | OperationHealth | Command | Reply
