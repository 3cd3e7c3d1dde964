"""What happens next to every case: `decide(book, view, now) -> (book, orders)`. Pure; carrying out is for the healer.

A fault counts as fixed when it has stayed away for the remedy's time and its process has made progress since. A remedy
after which it comes again is useless: put back, and the next one is tried; when none is left a person is told.
"""

from collections.abc import Mapping, Sequence
from enum import StrEnum
from typing import NamedTuple

import msgspec

from execution.autonomous.healing.case_book import Book
from execution.autonomous.healing.cases import (
    Attempt,
    Case,
    CaseEvent,
    CaseState,
    Obstacle,
    Outcome,
    advance,
    with_last,
)
from execution.autonomous.healing.choice import PATIENCE_S, RESTARTS_TOLD, SUPERVISED, Choice, Fitting, choose, has_way
from execution.autonomous.healing.experience import Experience
from execution.autonomous.healing.outage import WAITING, WORDS, is_outage, shared
from execution.autonomous.healing.remedy import Issue, Terms
from execution.vocabulary.issues import IssueType, Severity
from execution.vocabulary.limits import FAULT_GONE_AFTER_S

BY_ITSELF = "it went away by itself"
RESTART = "restart"  # the remedy that supervision applies by itself
RESTART_COUNTS_FOR_S = 10.0  # a fault told so long after a restart is the one that led to it
ORDERS_MAX = 3  # at one look: each is written down, and others want to be looked at, too
ATTEMPTS_KEPT = 20  # of each case
APPROVAL_HOLDS_S = 900.0  # what stood in the way may go; after this a person is asked again
BROUGHT_BACK = SUPERVISED | {IssueType.MEMORY, IssueType.DESCRIPTOR_LEAK}  # by supervision, or its caretaker
OUTAGE_TOLD_AFTER_S = 300.0
NO_PROGRESS_AFTER_S = 300.0  # beyond its quiet time a remedy without progress has had its chance


class Sight(NamedTuple):
    """What is known of a process now. `well_since`: since when it has made progress without a break; `finished`: when
    each task last finished a run; `restarted_at`: when supervision last brought it back."""

    well_since: float | None = None
    finished: Mapping[str, float] = {}
    restarted_at: float | None = None


class View(NamedTuple):
    """All that decisions rest on."""

    issues: Sequence[Issue]
    sight: Mapping[str, Sight]
    fitting: Fitting
    known: Experience
    now_ms: int
    pace: float = 1.0  # times the waiting for a fault to stay away


class Kind(StrEnum):
    """What the healer has to do."""

    TRY = "try"
    PUT_BACK = "put back"
    FIXED = "fixed"
    USELESS = "useless"
    RECURRED = "recurred"
    ESCALATED = "escalated"


class Order(NamedTuple):
    """One thing to do, or to record, about a case."""

    kind: Kind
    case: str


def decide(book: Book, view: View, now: float) -> tuple[Book, list[Order]]:
    """The book after this look, and what is to be done."""
    orders: list[Order] = []
    book = _hear(book, view, now, orders)
    for name in list(book.cases):
        case = book.cases[name]
        if len(orders) >= ORDERS_MAX:
            break
        if case.state is CaseState.OPEN:
            book = _open(book, case, view, now, orders)
        elif case.state is CaseState.WATCHING:
            book = book.with_case(_watched(case, view, now, orders))
        elif case.state is CaseState.ESCALATED:
            book = _escalated(book, case, view, now)
        elif case.state is CaseState.WAITING and _is_gone(case, view, now):
            book = book.with_case(_gone(case, now))
    return book, orders


def _hear(book: Book, view: View, now: float, orders: list[Order]) -> Book:
    """Take in what has occurred since the last look."""
    ids = book.keys()
    for issue in view.issues:
        name = ids.get((issue.fingerprint, issue.process))
        if name is None:
            if issue.in_window and issue.severity is not Severity.NOTE:
                book = book.opened(issue, now, view.now_ms)
            continue
        case = book.cases[name]
        if issue.count == case.seen and issue.in_window == case.issue.in_window:
            continue
        grown = issue.count > case.seen
        case = msgspec.structs.replace(case, issue=issue, seen=issue.count, mark=min(case.mark, issue.count))
        if grown:
            case = _again(msgspec.structs.replace(case, seen_at=now), view, now, orders)
        book = book.with_case(case)
        if len(orders) >= ORDERS_MAX:
            break  # the rest is told again at the next look
    return book


def _again(case: Case, view: View, now: float, orders: list[Order]) -> Case:
    """It has occurred once more."""
    if case.state is CaseState.WATCHING:
        terms = _terms(case, view)
        return _useless(case, view, "it came again", now, orders) if now - case.at > terms.settle_s else case
    if case.state not in (CaseState.FIXED, CaseState.GONE):
        return case
    healed_by = case.last if case.state is CaseState.FIXED else None
    came_back = healed_by is not None and now - case.at <= _terms(case, view).window_s
    if came_back:
        orders.append(Order(Kind.RECURRED, case.id))
    return advance(
        case,
        CaseEvent.AGAIN,
        now,
        episode=case.episode + 1,
        recurrences=case.recurrences + came_back,
        began_at=now,
        obstacles={},
        said="",
        approved="",
        wants="",
    )


def _open(book: Book, case: Case, view: View, now: float, orders: list[Order]) -> Book:
    sight = view.sight.get(case.issue.process, Sight())
    if _restarted_for(case, sight, view):
        return book.with_case(_adopted(case, sight, view, now))
    if case.approved and now - case.approved_at > APPROVAL_HOLDS_S:
        case = msgspec.structs.replace(case, approved="", wants="")
    if not case.approved and _is_gone(case, view, now):
        return book.with_case(_gone(case, now))
    waits = _in_outage(case, view, now)
    if waits:  # what occurs in it counts for nothing
        case = msgspec.structs.replace(case, mark=case.seen)
    choice = waits or choose(case, book, view.fitting, view.known, now, patience_s=PATIENCE_S * view.pace)
    if choice.remedy:
        orders.append(Order(Kind.TRY, case.id))
        return book.with_case(_begun(case, choice.remedy, choice.explored, view, now))
    if not choice.exhausted:
        return book.with_case(msgspec.structs.replace(case, said=choice.why))
    if case.told_in != case.episode:
        orders.append(Order(Kind.ESCALATED, case.id))
    left = {"said": choice.why, "told_in": case.episode, "approved": "", "wants": ""}
    return book.with_case(advance(case, CaseEvent.EXHAUSTED, now, **left))


def _in_outage(case: Case, view: View, now: float) -> Choice | None:
    """What to do while it is the network that is away: wait, and tell a person when it takes long."""
    if case.issue.type not in WAITING or not is_outage(view.issues, view.now_ms):
        return None
    return Choice(exhausted=now - case.began_at > OUTAGE_TOLD_AFTER_S * view.pace, why=WORDS)


def _is_gone(case: Case, view: View, now: float) -> bool:
    """Has it stayed away long enough without anything being done?"""
    sight = view.sight.get(case.issue.process, Sight())
    away_s = now - max(case.seen_at, case.at if case.attempts else case.seen_at)
    return sight.well_since is not None and away_s >= FAULT_GONE_AFTER_S * view.pace


def _gone(case: Case, now: float) -> Case:
    return advance(case, CaseEvent.QUIET, now, said=BY_ITSELF, mark=case.seen, approved="", wants="")


def _begun(case: Case, remedy: str, explored: bool, view: View, now: float) -> Case:
    attempt = _attempt(case, remedy, now, view.now_ms, explored=explored)
    return advance(case, CaseEvent.CHOSEN, now, attempts=[*_recent(case.attempts), attempt], said="")


def _attempt(case: Case, remedy: str, now: float, now_ms: int, *, explored: bool = False, ours: bool = True) -> Attempt:
    return Attempt(
        id=f"{case.id}.{int(case.attempts[-1].id.rpartition('.')[2]) + 1 if case.attempts else 1}",
        remedy=remedy,
        at=now,
        at_ms=now_ms,
        episode=case.episode,
        explored=explored,
        by_supervision=not ours,
        applied_ms=0 if ours else now_ms,
    )


def _recent(attempts: list[Attempt]) -> list[Attempt]:
    """The newest ones, and whatever still stands."""
    return [one for number, one in enumerate(attempts, 1) if one.standing or len(attempts) - number < ATTEMPTS_KEPT]


def _restarted_for(case: Case, sight: Sight, view: View) -> bool:
    """Has supervision restarted the process because of this, or while nothing else was tried?"""
    if sight.restarted_at is None:
        return False
    if case.issue.type not in BROUGHT_BACK:
        return False
    if case.issue.type in SUPERVISED:
        if sum(one.episode == case.episode for one in case.attempts) >= RESTARTS_TOLD:
            return False
    elif RESTART in case.tried():
        return False
    last = case.last
    if last is None or last.episode != case.episode:
        return sight.restarted_at > case.began_at - RESTART_COUNTS_FOR_S
    return sight.restarted_at > (last.at if last.by_supervision else case.at)  # what we renew ourselves is no other's


def _adopted(case: Case, sight: Sight, view: View, now: float) -> Case:
    attempt = _attempt(case, RESTART, now, view.now_ms, ours=False)
    return advance(case, CaseEvent.ADOPTED, now, attempts=[*_recent(case.attempts), attempt], said="")


def _watched(case: Case, view: View, now: float, orders: list[Order]) -> Case:
    terms, sight = _terms(case, view), view.sight.get(case.issue.process, Sight())
    quiet_since = max(case.at, case.seen_at)
    if now - quiet_since < terms.quiet_for_s:
        return case
    if _progressed(case, sight, quiet_since):
        if shared(case.issue, view.issues):
            return _useless(case, view, "it ended in other processes at the same time", now, orders)
        orders.append(Order(Kind.FIXED, case.id))
        healed = with_last(case, outcome=Outcome.HELPED, seconds=round(quiet_since - case.began_at, 1))
        return advance(healed, CaseEvent.QUIET, now, said="", mark=case.seen)
    if now - quiet_since > terms.quiet_for_s + NO_PROGRESS_AFTER_S * view.pace:
        return _useless(case, view, "its process makes no progress", now, orders)
    return case


def _progressed(case: Case, sight: Sight, since: float) -> bool:
    """Has the process done again what the fault hindered, and nothing worse meanwhile?"""
    if sight.well_since is None:
        return False
    task = case.issue.context.get("task", "")
    if task in sight.finished:
        return sight.finished[task] > since
    return any(at > since for at in sight.finished.values())


def _useless(case: Case, view: View, why: str, now: float, orders: list[Order]) -> Case:
    """The last remedy didn't help: it is put back, if there is something to put back and its terms don't keep it."""
    orders.append(Order(Kind.USELESS, case.id))
    last = case.last
    assert last is not None, "watched without an attempt"
    untold = shared(case.issue, view.issues)
    case = with_last(case, outcome=Outcome.UNTOLD if untold else Outcome.USELESS, why=why)
    if last.standing and _terms(case, view).reverted_when_useless:
        orders.append(Order(Kind.PUT_BACK, case.id))
        return advance(case, CaseEvent.UNDO, now, mark=case.seen)
    return advance(case, CaseEvent.USELESS, now, mark=case.seen)


def _escalated(book: Book, case: Case, view: View, now: float) -> Book:
    if now - case.at >= FAULT_GONE_AFTER_S * view.pace and _is_gone(case, view, now):
        return book.with_case(_gone(case, now))
    if _in_outage(case, view, now):
        return book.with_case(msgspec.structs.replace(case, mark=case.seen))
    if case.seen_at > case.at and has_way(case, book, view.fitting, view.known, now):
        return book.with_case(advance(case, CaseEvent.WAY_FREE, now))
    return book


def obstructed(case: Case, why: str, now: float) -> Case:
    """Its remedy can't be tried now."""
    attempt = case.attempts[-1]
    former = case.obstacles.get(attempt.remedy)
    obstacle = Obstacle(why, now, former.since if former else now)
    kept = {**case.obstacles, attempt.remedy: obstacle}
    return advance(case, CaseEvent.OBSTRUCTED, now, attempts=case.attempts[:-1], obstacles=kept, said=why)


def _terms(case: Case, view: View) -> Terms:
    last = case.last
    rows = dict(view.fitting.get(case.issue.type, ()))
    unlisted = Terms(quiet_for_s=Terms().quiet_for_s * view.pace)  # of a restart by supervision, say
    return rows.get(last.remedy, unlisted) if last else unlisted
