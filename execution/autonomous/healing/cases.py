"""A case: one fault in one process, and what was done about it. Its states, one table, no I/O.

Times named `at` are monotonic seconds; those that end in `_ms` are labels for people.
"""

from enum import StrEnum

import msgspec

from execution.autonomous.healing.remedy import Issue


class CaseState(StrEnum):
    """Where a case stands."""

    OPEN = "open"  # seen, nothing is being done at this moment
    APPLYING = "applying"  # a remedy is on its way; kept before it begins
    WATCHING = "watching"  # applied: does the fault stay away?
    REVERTING = "reverting"  # what didn't help is put back; kept before it begins
    WAITING = "waiting_for_approval"  # a person must say yes
    FIXED = "fixed"  # it stayed away, and the process made progress
    GONE = "gone"  # it went away by itself
    ESCALATED = "escalated"  # nothing is left to try: a person must see to it
    REJECTED = "rejected"  # a person said no


class CaseEvent(StrEnum):
    """What moves it."""

    CHOSEN = "chosen"
    ADOPTED = "restarted by supervision"
    OBSTRUCTED = "obstructed"
    NEEDS_APPROVAL = "needs approval"
    APPLIED = "applied"
    NOT_APPLIED = "not applied"
    CUT_OFF = "cut off"
    QUIET = "stayed away"
    AGAIN = "came again"
    USELESS = "useless"
    UNDO = "to be undone"
    REVERTED = "reverted"
    NOT_REVERTED = "not reverted"
    EXHAUSTED = "nothing left"
    WAY_FREE = "a way is free again"
    APPROVED = "approved"
    REJECTED = "rejected"


_S, _E = CaseState, CaseEvent
TRANSITIONS: dict[tuple[CaseState, CaseEvent], CaseState] = {
    (_S.OPEN, _E.CHOSEN): _S.APPLYING,
    (_S.OPEN, _E.ADOPTED): _S.WATCHING,
    (_S.OPEN, _E.QUIET): _S.GONE,
    (_S.OPEN, _E.EXHAUSTED): _S.ESCALATED,
    (_S.OPEN, _E.REJECTED): _S.REJECTED,
    (_S.OPEN, _E.UNDO): _S.REVERTING,
    (_S.APPLYING, _E.OBSTRUCTED): _S.OPEN,
    (_S.APPLYING, _E.NEEDS_APPROVAL): _S.WAITING,
    (_S.APPLYING, _E.APPLIED): _S.WATCHING,
    (_S.APPLYING, _E.NOT_APPLIED): _S.OPEN,
    (_S.APPLYING, _E.CUT_OFF): _S.REVERTING,
    (_S.WATCHING, _E.QUIET): _S.FIXED,
    (_S.WATCHING, _E.USELESS): _S.OPEN,
    (_S.WATCHING, _E.UNDO): _S.REVERTING,
    (_S.REVERTING, _E.REVERTED): _S.OPEN,
    (_S.REVERTING, _E.NOT_REVERTED): _S.ESCALATED,
    (_S.REVERTING, _E.REJECTED): _S.REJECTED,
    (_S.WAITING, _E.APPROVED): _S.OPEN,
    (_S.WAITING, _E.REJECTED): _S.REJECTED,
    (_S.WAITING, _E.UNDO): _S.REVERTING,
    (_S.WAITING, _E.QUIET): _S.GONE,
    (_S.FIXED, _E.AGAIN): _S.OPEN,
    (_S.FIXED, _E.UNDO): _S.REVERTING,
    (_S.GONE, _E.AGAIN): _S.OPEN,
    (_S.GONE, _E.UNDO): _S.REVERTING,
    (_S.ESCALATED, _E.WAY_FREE): _S.OPEN,
    (_S.ESCALATED, _E.APPROVED): _S.OPEN,
    (_S.ESCALATED, _E.REJECTED): _S.REJECTED,
    (_S.ESCALATED, _E.QUIET): _S.GONE,
    (_S.ESCALATED, _E.UNDO): _S.REVERTING,
    (_S.REJECTED, _E.APPROVED): _S.OPEN,
    (_S.REJECTED, _E.UNDO): _S.REVERTING,
}
BUSY = frozenset({CaseState.APPLYING, CaseState.REVERTING})
CLOSED = frozenset({CaseState.FIXED, CaseState.GONE})


class Outcome(StrEnum):
    """What became of an attempt."""

    RUNNING = "running"
    HELPED = "helped"
    USELESS = "useless"
    NOT_APPLIED = "not applied"
    CUT_OFF = "cut off"
    REVERTED = "reverted by a person"
    UNTOLD = "an outage: it says nothing"


class Attempt(msgspec.Struct, frozen=True, kw_only=True):
    """One remedy, tried once. `by_supervision`: a restart that came without us."""

    id: str  # the case's id, a point, its number
    remedy: str
    at: float
    at_ms: int  # when it was chosen
    applied_ms: int = 0
    settled_ms: int = 0  # when it was known whether it helped
    episode: int
    outcome: Outcome = Outcome.RUNNING
    why: str = ""
    seconds: float = 0.0  # from the fault's beginning until it counted as over
    by_supervision: bool = False
    explored: bool = False
    standing: bool = False  # something of it can still be put back
    counted: bool = False  # what became of it is in the record, and learned


class Obstacle(msgspec.Struct, frozen=True):
    """What stood in a remedy's way when it was asked last, and since when something has."""

    why: str
    asked_at: float
    since: float


class Case(msgspec.Struct, frozen=True, kw_only=True):
    """One fault in one process."""

    id: str
    issue: Issue
    state: CaseState = CaseState.OPEN
    opened_ms: int
    at: float  # of its last change of state
    began_at: float  # of this episode's first occurrence
    seen_at: float  # of the last occurrence
    seen: int  # occurrences counted so far
    mark: int  # occurrences that earlier attempts have answered for
    episode: int = 1
    recurrences: int = 0
    attempts: list[Attempt] = []
    obstacles: dict[str, Obstacle] = {}  # by remedy
    told_in: int = 0  # the episode in which a person was told that nothing is left to try
    wants: str = ""  # the remedy that waits for a person's word
    plan: str = ""  # what exactly it would do, as a person was shown it
    approved: str = ""  # the remedy that a person has said yes to, once ...
    approved_at: float = 0.0  # ... and for a while
    undoing: str = ""  # the attempt that a person wants to be put back
    said: str = ""  # why nothing is done now, or what a person should do

    @property
    def key(self) -> tuple[str, str]:
        """One case for each fingerprint and process."""
        return self.issue.fingerprint, self.issue.process

    @property
    def last(self) -> Attempt | None:
        """The newest attempt."""
        return self.attempts[-1] if self.attempts else None

    def tried(self) -> set[str]:
        """The remedies that haven't helped in this episode."""
        done = {Outcome.USELESS, Outcome.NOT_APPLIED, Outcome.CUT_OFF, Outcome.REVERTED}
        return {one.remedy for one in self.attempts if one.episode == self.episode and one.outcome in done}


class Impossible(Exception):
    """There is no way from this state by this event: a bug, or a person's word that makes no sense now."""


def advance(case: Case, event: CaseEvent, now: float, **changes: object) -> Case:
    """The case after `event`. Raises Impossible."""
    to = TRANSITIONS.get((case.state, event))
    if to is None:
        raise Impossible(f"case {case.id} is {case.state}: it can't be {event}")
    return msgspec.structs.replace(case, state=to, at=now, **changes)


def with_last(case: Case, **changes: object) -> Case:
    """The same case, its newest attempt changed."""
    last = msgspec.structs.replace(case.attempts[-1], **changes)
    return msgspec.structs.replace(case, attempts=[*case.attempts[:-1], last])


def waiting(case: Case, now: float, plan: str) -> Case:
    """Its next attempt waits for a person, who sees `plan`."""
    wants, attempts = case.attempts[-1].remedy, case.attempts[:-1]
    return advance(case, CaseEvent.NEEDS_APPROVAL, now, attempts=attempts, wants=wants, plan=plan, approved="")


def put_back_of(case: Case, attempt: Attempt, now: float) -> Case:
    """The case once this attempt has been put back; at a person's word it isn't tried again until they say so."""
    undone: dict[str, object] = {"standing": False}
    if case.undoing:
        undone |= {"outcome": Outcome.REVERTED, "counted": True}
    attempts = [msgspec.structs.replace(one, **undone) if one.id == attempt.id else one for one in case.attempts]
    event = CaseEvent.REJECTED if case.undoing else CaseEvent.REVERTED
    said = f"{attempt.remedy} put back at a person's word: nae heal approve {case.id} tries again" * bool(case.undoing)
    return advance(case, event, now, attempts=attempts, mark=case.seen, undoing="", said=said)


def diagram() -> str:
    """The table as a mermaid diagram, for the documents."""
    ways: dict[tuple[CaseState, CaseState], list[str]] = {}
    for (state, event), to in TRANSITIONS.items():
        ways.setdefault((state, to), []).append(event)
    lines = [f"    {state} --> {to} : {', '.join(events)}" for (state, to), events in ways.items()]
    return "\n".join(["stateDiagram-v2", f"    [*] --> {CaseState.OPEN}", *lines])
