"""Which process is moved to the new build next, whether the new build holds, and when to go back: a pure function of
what is seen now. It asks how things are, not what was done before, so that an upgrade cut off anywhere goes on from
there. Carrying out is done elsewhere (upgrade.py).
"""

from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from enum import StrEnum

from execution.vocabulary.health import HealthStatus
from execution.vocabulary.limits import (
    BUILD_CRASHES_MAX,
    BUILD_CRITICAL_FOR_S,
    BUILD_EXCHANGED_WITHIN_S,
    BUILD_SETTLED_AFTER_S,
    BUILD_TWIN_SETTLED_AFTER_S,
)
from execution.vocabulary.modes import Account
from execution.vocabulary.programs import BY_NAME, MANAGER, MASTER

ACT_AGAIN_AFTER_S = 12.0  # a worker has 5 s to end in order
ASK_AGAIN_AFTER_S = 2.0  # a handover that was refused
DOWN_FOR_S = 2.0  # supervisord or the manager may be about to bring it back
DOWN = frozenset({"failed", "stopped"})
ILL = frozenset({HealthStatus.UNHEALTHY, HealthStatus.CRITICAL})


@dataclass(frozen=True)
class Seen:
    """One process as it is now. `crashes` counts deaths that nobody asked for, from any start; `ready`: a standby that
    could take over at once."""

    name: str
    build: str | None
    state: str
    status: HealthStatus
    pid: int | None
    account: str | None = None
    role: str = ""
    ready: bool = True
    crashes: int = 0
    stopped_by_operator: bool = False


class Kind(StrEnum):
    """What the edge carries out."""

    WAIT = "wait"
    RESTART = "restart"  # ends in order; supervisord brings it back on the current build
    START = "start"
    HANDOVER = "handover"
    DONE = "done"
    FAILED = "failed"


@dataclass(frozen=True)
class Step:
    """What is to be done now, and why, in words."""

    kind: Kind
    name: str = ""
    why: str = ""


@dataclass(frozen=True)
class Course:
    """What is remembered between two looks. Times are monotonic seconds."""

    target: str
    watch_s: float
    going_back: bool = False
    turn: tuple[str, float] | None = None  # whose turn it is, and since when
    acted: dict[str, tuple[Kind, float]] = field(default_factory=dict)
    crash_base: dict[str, int] = field(default_factory=dict)  # crashes before it ran, or was to run, the target
    well: dict[str, tuple[int | None, float]] = field(default_factory=dict)  # the life that is well, and since when
    critical: dict[str, float] = field(default_factory=dict)
    down: dict[str, float] = field(default_factory=dict)
    settled: frozenset[str] = frozenset()
    all_since: float | None = None


def order_of(seen: Iterable[Seen]) -> list[Seen]:
    """Whose turn comes when: the standby, the account it takes over, the other traders, research, the master, the
    market, and the manager last: until it is new, entries stay off."""
    return sorted(seen, key=lambda one: (_rank(one), list(BY_NAME).index(one.name) if one.name in BY_NAME else 0))


def _rank(one: Seen) -> int:
    if one.account == Account.LIVE:
        return 0 if one.role == "standby" else 1
    if one.name in (MASTER, MANAGER):
        return 3 if one.name == MASTER else 5
    program = BY_NAME.get(one.name)
    return 4 if program and program.group == "market" else 2


def next_step(course: Course, seen: list[Seen], now: float) -> tuple[Step, Course]:
    """What to do now, and what to remember. `seen` is empty when nobody could be asked."""
    course = _remember(course, seen, now)
    failure = "" if course.going_back else _failure(course, seen, now)
    if failure:
        return Step(Kind.FAILED, why=failure), course
    one = next((one for one in order_of(seen) if one.name not in course.settled), None)
    if seen and one is None:
        all_since = now if course.all_since is None else course.all_since
        left_s = course.watch_s - (now - all_since)
        step = Step(Kind.WAIT, why=f"all run {course.target}; watching {left_s:.0f} s") if left_s > 0 else _DONE
        return step, replace(course, all_since=all_since)
    turn = course.turn or ("", now)
    name = one.name if one else turn[0]  # blind: whose turn it was
    turn = turn if turn[0] == name else (name, now)
    course = replace(course, turn=turn, all_since=None)
    if now - turn[1] > BUILD_EXCHANGED_WITHIN_S:
        who = name or "the manager"
        return Step(Kind.FAILED, name, f"{who} isn't well on {course.target} after {now - turn[1]:.0f} s"), course
    if one is None:
        return Step(Kind.WAIT, name, "nobody answers for the operation just now"), course
    step = _exchange(course, one, seen, now)
    if step.kind in (Kind.RESTART, Kind.START, Kind.HANDOVER):
        acted = course.acted | {one.name: (step.kind, now)}
        base = {one.name: one.crashes} | course.crash_base  # what it did before stays its own affair
        course = replace(course, acted=acted, crash_base=base)
    return step, course


_DONE = Step(Kind.DONE, why="every process runs it and is well")


def _remember(course: Course, seen: list[Seen], now: float) -> Course:
    """Since when is each what it is? Only whoever is still so keeps its mark."""
    on_target = [one for one in seen if one.build == course.target]
    base = {one.name: one.crashes for one in on_target} | course.crash_base
    well = {}
    for one in on_target:
        if one.state == "running" and one.status not in ILL and (one.role != "standby" or one.ready):
            pid, since = course.well.get(one.name, (None, now))
            well[one.name] = (one.pid, since if pid == one.pid else now)
    settled = {one.name for one in seen if one.stopped_by_operator}
    for one in on_target:
        if one.name in well and now - well[one.name][1] >= _settled_after_s(one):
            settled.add(one.name)
    if not seen:  # nothing new is known
        return course
    critical = _since(course.critical, [one for one in on_target if one.status is HealthStatus.CRITICAL], now)
    down = _since(course.down, [one for one in seen if one.state in DOWN], now)
    # who was well before and has only been restarted meanwhile isn't asked again: the watch judges it
    settled |= {one.name for one in on_target if one.name in course.settled}
    return replace(course, crash_base=base, well=well, critical=critical, down=down, settled=frozenset(settled))


def _since(before: dict[str, float], now_so: list[Seen], now: float) -> dict[str, float]:
    return {one.name: before.get(one.name, now) for one in now_so}


def _settled_after_s(one: Seen) -> float:
    return BUILD_TWIN_SETTLED_AFTER_S if one.account == Account.LIVE else BUILD_SETTLED_AFTER_S


def _failure(course: Course, seen: list[Seen], now: float) -> str:
    for one in seen:
        crashes = one.crashes - course.crash_base.get(one.name, one.crashes)
        if crashes >= BUILD_CRASHES_MAX:
            return f"{one.name} has crashed {crashes} times on {course.target}"
    for name, since in course.critical.items():
        if now - since >= BUILD_CRITICAL_FOR_S:
            return f"{name} has been CRITICAL for {now - since:.0f} s on {course.target}"
    return ""


def _exchange(course: Course, one: Seen, seen: list[Seen], now: float) -> Step:
    """What brings this one to the target."""
    kind, at = course.acted.get(one.name, (Kind.WAIT, float("-inf")))
    if one.build == course.target:
        return Step(Kind.WAIT, one.name, f"{one.name} runs {course.target}; until it is well and stays so")
    if one.state in DOWN:
        patient = now - course.down.get(one.name, now) < DOWN_FOR_S or now - at < ASK_AGAIN_AFTER_S
        return Step(Kind.WAIT if patient else Kind.START, one.name, f"{one.name} isn't running")
    if one.build is None or one.state == "stopping":
        return Step(Kind.WAIT, one.name, f"{one.name} is {one.state}")
    if now - at < (ASK_AGAIN_AFTER_S if kind is Kind.HANDOVER else ACT_AGAIN_AFTER_S):
        return Step(Kind.WAIT, one.name, f"{one.name} is on its way to {course.target}")
    twin = _twin_of(one, seen)
    if one.role == "standby" and twin is not None and twin.state != "running":
        return Step(Kind.WAIT, one.name, f"{one.name} guards the account until {twin.name} does")
    if one.role != "standby" and twin is not None:
        if twin.role == "standby" and twin.ready:  # its turn came first: it is settled
            return Step(Kind.HANDOVER, one.name, f"{one.name} hands over to {twin.name}")
        return Step(Kind.WAIT, one.name, f"{one.name} waits for {twin.name} to be ready")
    return Step(Kind.RESTART, one.name, f"{one.name} restarts on {course.target}")


def _twin_of(one: Seen, seen: list[Seen]) -> Seen | None:
    """The other process of the same account."""
    others = [other for other in seen if other.account == one.account and other.name != one.name]
    return next((other for other in others if one.account and not other.stopped_by_operator), None)
