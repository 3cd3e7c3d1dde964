"""Cases and what was learned, as plain documents for commands and for the status. Pure."""

from collections.abc import Iterable
from typing import Any

import msgspec

from execution.autonomous.healing.case_book import Book
from execution.autonomous.healing.cases import CLOSED, Attempt, Case, CaseState
from execution.autonomous.healing.choice import Fitting
from execution.autonomous.healing.experience import Experience, Tally
from execution.autonomous.healing.undo_store import Standing

NEXT = {
    CaseState.WAITING: "nae heal approve {id}, or nae heal reject {id}",
    CaseState.ESCALATED: "nae errors show {fingerprint}, mend it, then nae heal approve {id}",
    CaseState.REJECTED: "nae heal approve {id} tries again",
    CaseState.FIXED: "nae heal revert {id} puts it back",
}


def rows(book: Book, everything: bool) -> list[dict[str, Any]]:
    """The cases, newest first; without `everything` only those that aren't over."""
    cases = reversed(list(book.cases.values()))
    return [row(case) for case in cases if everything or case.state not in CLOSED]


def row(case: Case) -> dict[str, Any]:
    """One case in a line."""
    issue = case.issue
    return {
        "id": case.id,
        "state": case.state,
        "process": issue.process,
        "type": issue.type,
        "severity": issue.severity,
        "fingerprint": issue.fingerprint,
        "count": issue.count,
        "episode": case.episode,
        "recurrences": case.recurrences,
        "first_ms": issue.first_ms,
        "last_ms": issue.last_ms,
        "opened_ms": case.opened_ms,
        "said": case.said,
        "next": next_step(case),
        "tried": [_attempt(one) for one in case.attempts],
    }


def next_step(case: Case) -> str:
    """What a person can do now; empty when there is nothing to do."""
    if case.state is CaseState.FIXED and not any(one.standing for one in case.attempts):
        return ""
    return NEXT.get(case.state, "").format(id=case.id, fingerprint=case.issue.fingerprint)


def _attempt(one: Attempt) -> dict[str, Any]:
    return {
        "id": one.id,
        "remedy": one.remedy,
        "outcome": one.outcome,
        "why": one.why,
        "at_ms": one.at_ms,
        "applied_ms": one.applied_ms,
        "settled_ms": one.settled_ms,
        "seconds": one.seconds,
        "by_supervision": one.by_supervision,
        "explored": one.explored,
        "can_be_reverted": one.standing,
    }


def document(case: Case, standing: Iterable[Standing]) -> dict[str, Any]:
    """All that is known of one case."""
    kept = {one.id: one.undo for one in standing}
    return row(case) | {
        "issue": msgspec.to_builtins(case.issue),
        "obstacles": {name: obstacle.why for name, obstacle in case.obstacles.items()},
        "waits_for": case.wants,
        "plan": case.plan if case.wants else "",
        "standing": {one.id: kept[one.id] for one in case.attempts if one.id in kept},
    }


def summary(book: Book) -> dict[str, Any]:
    """For the status: how many cases are in hand, and which a person should see."""
    states = [case.state for case in book.cases.values()]
    waiting = [case.id for case in book.cases.values() if case.state is CaseState.WAITING]
    escalated = [case.id for case in book.cases.values() if case.state is CaseState.ESCALATED]
    in_hand = sum(state not in CLOSED and state is not CaseState.REJECTED for state in states)
    return {"in_hand": in_hand, "waiting_for_approval": waiting, "escalated": escalated}


def alerts(book: Book) -> dict[str, str]:
    """What a person must see to, by subject."""
    return {
        f"healing {case.id}": f"{case.issue.type} in {case.issue.process}: {case.said}; next: nae heal show {case.id}"
        for case in book.cases.values()
        if case.state is CaseState.ESCALATED
    }


def learned(known: Experience, fitting: Fitting) -> list[dict[str, Any]]:
    """Fault by remedy: how often it was tried, and what is believed of it."""
    found = []
    for kind, fits in fitting.items():
        names = [name for name, _ in fits]
        others = [name for name in known.kinds.get(kind, {}) if name not in names]
        for place, name in enumerate([*names, *others]):
            tally = known.kinds.get(kind, {}).get(name, Tally())
            belief = known.of_kind(kind, name, place)
            low, high = belief.interval()
            found.append(
                {
                    "type": str(kind),
                    "remedy": name,
                    "tried": tally.tried,
                    "helped": tally.helped,
                    "recurred": tally.recurred,
                    "expected": round(belief.mean, 3),
                    "low": round(low, 3),
                    "high": round(high, 3),
                    "given_up": known.times_given_up(name, kind),
                }
            )
    return found
