"""Which remedy comes next for a case: by what has helped before, within budgets, pauses and bounds. Pure."""

from collections.abc import Mapping, Sequence
from typing import NamedTuple

from execution.autonomous.healing.case_book import Book
from execution.autonomous.healing.cases import Case
from execution.autonomous.healing.experience import EXPLORED_ONCE_IN, Experience, chosen
from execution.autonomous.healing.remedy import Terms
from execution.vocabulary.issues import IssueType, Severity
from execution.vocabulary.limits import CHANGES_PER_HOUR_MAX
from execution.vocabulary.programs import BY_NAME

ASKED_AGAIN_AFTER_S = 10.0  # an obstacle may have gone
GOES_ON_S = 30.0  # what hasn't occurred for so long may be over: nothing is done about it
PATIENCE_S = 60.0  # with obstacles, before a person is told
TOLD_FROM = {Severity.NOTE: 3, Severity.WARNING: 3, Severity.SERIOUS: 2, Severity.CRITICAL: 1}  # occurrences
SUPERVISED = frozenset({IssueType.CRASH, IssueType.HANG})  # supervision brings it back, long before we look
RESTARTS_TOLD = 4  # in vain, of what supervision has brought back, until a person is told
HOUR_S = 3600.0

Fitting = Mapping[IssueType, Sequence[tuple[str, Terms]]]


class Choice(NamedTuple):
    """Try `remedy`; or, when it is empty, wait; or, when `exhausted`, tell a person. `why` says it."""

    remedy: str = ""
    explored: bool = False
    exhausted: bool = False
    why: str = ""


def is_live(process: str) -> bool:
    """Does it guard the live account?"""
    return process in BY_NAME and BY_NAME[process].account == "live"


def choose(
    case: Case, book: Book, fitting: Fitting, known: Experience, now: float, *, patience_s: float = PATIENCE_S
) -> Choice:
    """What to do about an open case now."""
    ranked = _ranked(case, fitting.get(case.issue.type, ()), known)
    left_out: dict[str, str] = {}
    ready: dict[str, float] = {}
    pending = ""
    for name, (terms, expected) in ranked.items():
        if why := _out(case, book, known, (name, terms), now):
            left_out[name] = why
        elif why := _early(case, name, terms):
            pending = pending or why
        elif why := _cooling(book, case, name, terms, now):
            if not ready:  # it comes first: what is harsher waits with it
                return Choice(why=why)
        else:
            ready[name] = expected
    left_out = {name: left_out[name] for name, _ in fitting.get(case.issue.type, ()) if name in left_out}
    if ready:
        may_explore = not is_live(case.issue.process) and known.times_tried(case.issue.type) >= EXPLORED_ONCE_IN
        return _within_bounds(case, book, ready, may_explore, now)
    if pending or not _is_worth_telling(case):
        return Choice(why=pending or ("seen; " + _what_was_tried(left_out)))
    if any(now - obstacle.since < patience_s for name, obstacle in case.obstacles.items() if name in left_out):
        return Choice(why=_what_was_tried(left_out))
    return Choice(exhausted=True, why=_what_was_tried(left_out))


def _ranked(case: Case, fitting: Sequence[tuple[str, Terms]], known: Experience) -> dict[str, tuple[Terms, float]]:
    rows = {
        name: (terms, known.of_fault(case.issue.type, case.issue.fingerprint, name, place).mean)
        for place, (name, terms) in enumerate(fitting)
    }
    return dict(sorted(rows.items(), key=lambda row: -row[1][1]))


def _within_bounds(case: Case, book: Book, ready: dict[str, float], may_explore: bool, now: float) -> Choice:
    if case.approved in ready:
        return Choice(case.approved)
    if now - case.seen_at > GOES_ON_S:
        return Choice(why="it hasn't occurred for a while: tried when it comes again")
    under_way = sum(1 for _ in book.in_hand())
    if under_way + sum(now - use.at < HOUR_S for use in book.uses) >= CHANGES_PER_HOUR_MAX:
        return Choice(why=f"{CHANGES_PER_HOUR_MAX} changes in this hour already: no more")
    if book.busy_beside(case):
        return Choice(why="something else is being done to it")
    remedy, explored = chosen(ready, f"{case.id}.{len(case.attempts) + 1}", may_explore)
    return Choice(remedy, explored)


def _out(case: Case, book: Book, known: Experience, remedy: tuple[str, Terms], now: float) -> str:
    """Why this remedy is no choice any more; empty when it is."""
    name, terms = remedy
    if name in case.tried():
        return "didn't help"
    if known.given_up(case.issue.fingerprint, name) and case.approved != name:
        return "given up: it never helps against this"
    obstacle = case.obstacles.get(name)
    if obstacle and now - obstacle.asked_at < ASKED_AGAIN_AFTER_S:
        return obstacle.why
    if len(book.uses_of(name, case.issue.process, terms.window_s, now)) >= terms.budget:
        return f"used {terms.budget} times in {terms.window_s:g} s already"
    return ""


def _early(case: Case, name: str, terms: Terms) -> str:
    """How often it must still occur before this is tried."""
    more = terms.after - (case.issue.count - case.mark)
    return "" if more <= 0 or case.approved == name else f"{name} comes after {more} more"


def _cooling(book: Book, case: Case, name: str, terms: Terms, now: float) -> str:
    uses = book.uses_of(name, case.issue.process, terms.window_s, now)
    left_s = terms.cool_down_s - (now - uses[-1]) if uses else 0.0
    return f"{name} was used a moment ago: again in {left_s:.0f} s" if left_s > 0 else ""


def _is_worth_telling(case: Case) -> bool:
    """Once may be chance, unless it is critical."""
    if case.issue.type in SUPERVISED:
        return sum(one.episode == case.episode for one in case.attempts) >= RESTARTS_TOLD
    return case.issue.in_window >= TOLD_FROM[case.issue.severity]


def _what_was_tried(left_out: Mapping[str, str]) -> str:
    return "; ".join(f"{name}: {why}" for name, why in left_out.items()) or "no remedy fits this kind of fault"


def has_way(case: Case, book: Book, fitting: Fitting, known: Experience, now: float) -> bool:
    """Is there a remedy for an escalated case again: an obstacle to be asked again, a budget come back?"""
    return any(
        not _out(case, book, known, (name, terms), now) and name not in case.tried()
        for name, terms in fitting.get(case.issue.type, ())
    )
