"""When is a program that has ended started again, and when is one killed? Pure functions; the edge is overseer.py.

A first crash comes back at once, by supervisord alone. From the second on the program is held back 1 s, 2, 4 ... 300 s;
five crashes of its own in five minutes are a quarantine; ten good minutes forget it all. Whom the live account needs
is never held longer than GUARD_HELD_AT_MOST_S, unless in quarantine while its twin is active. Times are monotonic.
"""

from dataclasses import dataclass, replace
from enum import StrEnum

from execution.autonomous.judgement import Verdict
from execution.autonomous.supervisor_door import Exits
from execution.vocabulary.limits import (
    GUARD_HELD_AT_MOST_S,
    QUARANTINE_CRASHES_MAX,
    QUARANTINE_WINDOW_S,
    RESTART_FIRST_BACKOFF_S,
    RESTART_LAST_BACKOFF_S,
)

FORGET_AFTER_S = 600.0
LET_RECOVER_S = 15.0
REAPED_WITHIN_S = 2.0  # supervisord needs a moment to see a death: until then one kill is not two
SIGKILLED = -9
DOWN = frozenset({"EXITED", "BACKOFF", "FATAL"})
STOPPED_BY_A_PERSON = frozenset({"STOPPED", "STOPPING"})


class Action(StrEnum):
    """What the edge carries out."""

    NONE = "none"
    KILL = "kill"  # supervisord sees it die and starts it again
    START = "start"  # supervisord has given it up


@dataclass(frozen=True)
class Seen:
    """What is seen of one program at one moment. `killed`: we killed its last life. `guards`: the live account needs
    it."""

    state: str
    verdict: Verdict
    exits: Exits | None = None
    killed: bool = False
    guards: bool = False
    twin_active: bool = False


@dataclass(frozen=True)
class History:
    """What the policy remembers of one program."""

    counted: Exits | None = None
    last_state: str = ""
    crashes: int = 0  # since the last ten good minutes
    crashed_last: bool = False  # its last end was a crash; after a planned one it is awaited at once
    own: tuple[float, ...] = ()  # when it crashed by itself, newest last
    quarantined: bool = False
    down_since: float | None = None
    bad_at: float | None = None  # when it was last seen other than running
    last_kill_at: float | None = None
    last_start_at: float | None = None


@dataclass(frozen=True)
class Decision:
    """`hold`: stays on the list of those that supervisord leaves down. `free_in_s`: how long it is still held."""

    action: Action
    hold: bool
    free_in_s: float | None
    history: History


def decide(seen: Seen, history: History, now: float) -> Decision:
    """What to do with one program now, and what to remember of it."""
    history = _forget(_note(history, seen, now), seen, now)
    if seen.state in STOPPED_BY_A_PERSON:
        return Decision(Action.NONE, False, None, history)
    if seen.state in DOWN:
        return _decide_for_the_dead(seen, history, now)
    history = replace(history, down_since=None)
    if _to_be_killed(seen, history, now):
        history = replace(history, last_kill_at=now)
        return Decision(Action.KILL, history.crashes > 0, None, history)
    return Decision(Action.NONE, history.crashes > 0, None, history)  # held before it dies: then it stays down


def cleared(history: History) -> History:
    """A person has asked for a start: what was is forgotten."""
    return History(counted=history.counted)


def pause_s(crashes: int, quarantined: bool, guards: bool, twin_active: bool) -> float:
    """How long a program stays down after its crash number `crashes`."""
    if crashes <= 1:
        return 0.0
    pause = min(RESTART_LAST_BACKOFF_S, RESTART_FIRST_BACKOFF_S * 2.0 ** min(crashes - 2, 30))
    if quarantined:
        pause = RESTART_LAST_BACKOFF_S
    if guards and not (quarantined and twin_active):
        pause = min(pause, GUARD_HELD_AT_MOST_S)
    return pause


def _decide_for_the_dead(seen: Seen, history: History, now: float) -> Decision:
    down_since = now if history.down_since is None else history.down_since
    history = replace(history, down_since=down_since)
    pause = pause_s(history.crashes, history.quarantined, seen.guards, seen.twin_active)
    pause = pause if history.crashed_last else 0.0
    left_s = down_since + pause - now
    if left_s > 0:
        return Decision(Action.NONE, True, left_s, history)
    asked = history.last_start_at is not None and now - history.last_start_at < max(pause, RESTART_FIRST_BACKOFF_S)
    if seen.state != "FATAL" or asked:
        return Decision(Action.NONE, False, None, history)  # off the list: supervisord starts it
    return Decision(Action.START, False, None, replace(history, last_start_at=now))


def _to_be_killed(seen: Seen, history: History, now: float) -> bool:
    since_kill_s = float("inf") if history.last_kill_at is None else now - history.last_kill_at
    if seen.verdict.hung:
        return since_kill_s >= REAPED_WITHIN_S
    waited = since_kill_s >= max(LET_RECOVER_S, pause_s(history.crashes, history.quarantined, False, False))
    return seen.verdict.stuck and seen.state == "RUNNING" and waited


def _note(history: History, seen: Seen, now: float) -> History:
    """Count what has ended since we last looked."""
    before, exits = history.counted, seen.exits
    given_up = seen.state == "FATAL" and history.last_state != "FATAL"
    history = replace(history, counted=exits, last_state=seen.state)
    if exits is None:
        crashes = int(given_up)  # without the plug-in supervisord counts for itself, and says only that
    elif before is None or exits.count < before.count:
        crashes = 0  # the first look, or a new supervisord: from here on
    else:
        crashes = (exits.count - before.count) - max(0, exits.planned - before.planned)
    if crashes <= 0:
        ended = exits is not None and before is not None and exits.count > before.count
        return replace(history, crashed_last=history.crashed_last and not ended)
    from_outside = exits is not None and exits.last_status == SIGKILLED and not seen.killed
    own = history.own if from_outside else (*history.own, *[now] * crashes)
    own = tuple(at for at in own if now - at <= QUARANTINE_WINDOW_S)[-QUARANTINE_CRASHES_MAX:]
    return replace(
        history,
        crashes=history.crashes + crashes,
        crashed_last=True,
        own=own,
        quarantined=history.quarantined or len(own) >= QUARANTINE_CRASHES_MAX,
        down_since=now if seen.state in DOWN else None,
        bad_at=now,
    )


def _forget(history: History, seen: Seen, now: float) -> History:
    if seen.state != "RUNNING":
        return replace(history, bad_at=now)
    if history.bad_at is not None and now - history.bad_at >= FORGET_AFTER_S:
        return History(counted=history.counted, last_kill_at=history.last_kill_at)
    return history
