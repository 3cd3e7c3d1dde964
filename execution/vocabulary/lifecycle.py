"""States of a process and of a trading account, and the only ways from one to the next."""

from enum import StrEnum


class ProcessState(StrEnum):
    """Where a process is in its life."""

    STARTING = "starting"
    READY = "ready"  # its parts are up, no progress seen yet
    RUNNING = "running"  # has made progress
    STOPPING = "stopping"
    STOPPED = "stopped"
    FAILED = "failed"


class TradingState(StrEnum):
    """What an account may do. Survives every restart."""

    ACTIVE = "active"
    REDUCE_ONLY = "reduce_only"  # exits and cancels only
    PAUSED = "paused"  # no entries until a person resumes; exits go on
    HALTED = "halted"  # only a person re-arms


PROCESS_TRANSITIONS: dict[ProcessState, frozenset[ProcessState]] = {
    ProcessState.STARTING: frozenset({ProcessState.READY, ProcessState.STOPPING, ProcessState.FAILED}),
    ProcessState.READY: frozenset({ProcessState.RUNNING, ProcessState.STOPPING, ProcessState.FAILED}),
    ProcessState.RUNNING: frozenset({ProcessState.STOPPING, ProcessState.FAILED}),
    ProcessState.STOPPING: frozenset({ProcessState.STOPPED, ProcessState.FAILED}),
    ProcessState.STOPPED: frozenset({ProcessState.STARTING}),
    ProcessState.FAILED: frozenset({ProcessState.STARTING}),
}


def advance(state: ProcessState, to: ProcessState) -> ProcessState:
    """`to`, when the table knows the way; ValueError otherwise. Staying where one is is always allowed."""
    if to is state or to in PROCESS_TRANSITIONS[state]:
        return to
    raise ValueError(f"a process can't go from {state} to {to}")


def diagram() -> str:
    """The table of process states as a mermaid diagram, for the documents."""
    ways = [f"    {state} --> {to}" for state, targets in PROCESS_TRANSITIONS.items() for to in sorted(targets)]
    return "\n".join(["stateDiagram-v2", f"    [*] --> {ProcessState.STARTING}", *ways])


def entries_allowed(state: TradingState) -> bool:
    """May this account open new positions? (Exits and cancels are always allowed.)"""
    return state is TradingState.ACTIVE
