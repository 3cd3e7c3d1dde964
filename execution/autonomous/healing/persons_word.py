"""What a person may say about healing: approve, reject, revert, heal this now. One writer carries it out: the manager,
or a command while the operation doesn't run.

An approval is for one case and one attempt. A rejection, and a revert, stand until the case is approved again.
"""

import logging
from typing import Any

import msgspec

from execution.autonomous.change_log import ChangeLog
from execution.autonomous.healing.adjustment_book import AdjustmentBook, put_back
from execution.autonomous.healing.cases import BUSY, Case, CaseEvent, CaseState, Impossible, advance
from execution.autonomous.healing.healer import Healer
from execution.autonomous.healing.remedy import CannotHeal
from execution.runtime.clock import Clock
from execution.vocabulary.programs import MANAGER

log = logging.getLogger("nae.healing")
GOES_ON_S = 60.0
AS_GOOD_AS = 1_000  # occurrences that a person's word is worth
ALL = "all"


class CannotObey(Exception):
    """It makes no sense now; the message says why, and what would."""


class PersonsWord:
    """Of one healer."""

    def __init__(self, healer: Healer, changes: ChangeLog, clock: Clock) -> None:
        self._healer = healer
        self._changes = changes
        self._clock = clock

    def approve(self, case_id: str, by: str) -> Case:
        """Try what waits; or, of what was rejected or given up, begin again."""
        case = self.find(case_id)
        now = self._clock.monotonic()
        if case.state is CaseState.WAITING:
            wants = {"approved": case.wants, "approved_at": now, "said": "approved", "mark": case.seen - AS_GOOD_AS}
            return self._said("approve", self._advance(case, CaseEvent.APPROVED, now, **wants), by)
        at_once = self._goes_on(case)
        said = "approved: tried again" if at_once else "approved: healed when it comes again"
        mark = case.seen - AS_GOOD_AS * at_once
        fresh = {"episode": case.episode + 1, "obstacles": {}, "said": said, "mark": mark, "began_at": now}
        self._healer.forgive(case.issue.fingerprint)
        return self._said("approve", self._advance(case, CaseEvent.APPROVED, now, **fresh), by)

    def reject(self, case_id: str, by: str) -> Case:
        """Nothing is done about it any more, until it is approved."""
        case = self.find(case_id)
        said = f"rejected by {by}: nae heal approve {case.id} undoes that"
        case = self._advance(case, CaseEvent.REJECTED, self._clock.monotonic(), said=said, wants="", approved="")
        return self._said("reject", case, by)

    def heal_now(self, case_id: str, by: str) -> Case:
        """Try the next remedy without waiting for more occurrences; budgets and pauses hold."""
        case = self.find(case_id)
        if not self._goes_on(case):
            raise CannotObey(
                f"case {case.id} hasn't occurred in the last {GOES_ON_S:g} s: it is healed when it comes again"
            )
        if case.state is CaseState.ESCALATED:
            case = self._advance(case, CaseEvent.WAY_FREE, self._clock.monotonic())
        elif case.state is not CaseState.OPEN:
            raise CannotObey(f"case {case.id} is {case.state}: {_next_step(case)}")
        return self._said("heal now", msgspec.structs.replace(case, mark=case.seen - AS_GOOD_AS), by)

    def _goes_on(self, case: Case) -> bool:
        """Has it occurred a moment ago? What is over isn't healed at anybody's word."""
        return self._clock.monotonic() - case.seen_at <= GOES_ON_S

    async def revert(self, wanted: str, by: str) -> tuple[list[str], list[str]]:
        """Put back the change `wanted` (an attempt, an adjustment, an entry of the change log), a case's changes, or
        all: what was, and what couldn't be, with why. One that can't be put back keeps no other from it."""
        adjustments = self._adjustments(wanted)
        standing = [] if adjustments and wanted != ALL else self._standing(wanted)
        done: list[str] = []
        failed: list[str] = []
        for name in reversed(standing):
            failure = await self._put_back(name)
            failed += [f"{name}: {failure}"] if failure else []
            done += [] if failure else [name]
        for name in self._adjustments(wanted):
            try:
                done.append(f"{name}: {await put_back(name, self._healer.hands())}")
                self._changes.add("revert", MANAGER, f"{name} put back", "asked for", adjustment=name)
            except (CannotHeal, OSError) as problem:
                failed.append(f"{name}: {problem}")
        self._healer.record.person("revert", wanted, by)
        return done, failed

    async def _put_back(self, attempt: str) -> str:
        """Why it couldn't be; empty when it was."""
        case = self._healer.book.cases.get(attempt.partition(".")[0])
        if case is None or all(one.id != attempt for one in case.attempts):
            return await self._healer.put_back_one(attempt, case)  # long over; what it changed still stands
        if case.state in BUSY:
            return f"case {case.id} is {case.state} at this moment; ask again in a moment"
        now = self._clock.monotonic()
        self._healer.set(self._advance(case, CaseEvent.UNDO, now, said="", undoing=attempt, wants="", approved=""))
        return await self._healer.put_back(case.id)

    def _adjustments(self, wanted: str) -> list[str]:
        """The ids of the adjustments that are meant."""
        there = [one.id for one in AdjustmentBook(self._healer.hands().home, self._clock).all()]
        return (
            there if wanted == ALL else [one for one in there if one == self._entry(wanted).get("adjustment", wanted)]
        )

    def _standing(self, wanted: str) -> list[str]:
        """The attempts that are meant, the oldest first."""
        there = sorted(self._healer.undo.ids(), key=_age)
        attempt = self._attempt_of(wanted)
        found = [one for one in there if wanted == ALL or one == attempt or one.partition(".")[0] == attempt]
        if not found and wanted != ALL:
            raise CannotObey(f"nothing of {wanted!r} stands that could be put back; there stand: {_listed(there)}")
        return found

    def _attempt_of(self, wanted: str) -> str:
        """Of an entry of the change log, the attempt that it tells of."""
        return str(self._entry(wanted).get("heal", wanted))

    def _entry(self, wanted: str) -> dict[str, Any]:
        entries: list[dict[str, Any]] = self._changes.read()["entries"]
        return next((one for one in entries if one.get("id") == wanted), {})

    def find(self, case_id: str) -> Case:
        """The case of this name. Raises CannotObey."""
        case = self._healer.book.cases.get(case_id)
        if case is None:
            known = ", ".join(list(self._healer.book.cases)[-10:])
            told = f"the newest are {known}" if known else "there are none yet: nae heal list --all"
            raise CannotObey(f"there is no case {case_id!r}; {told}")
        return case

    def _advance(self, case: Case, event: CaseEvent, now: float, **changes: object) -> Case:
        try:
            return advance(case, event, now, **changes)
        except Impossible as problem:
            raise CannotObey(f"{problem}; {_next_step(case)}") from problem

    def _said(self, word: str, case: Case, by: str) -> Case:
        self._healer.set(case)
        if not self._healer.keep():
            raise CannotObey("it couldn't be kept: is the disk full? logs/continuous_operation.log says more")
        self._healer.record.person(word, case.id, by)
        return case


def _age(attempt: str) -> tuple[int, ...]:
    return tuple(int(part) if part.isdecimal() else 0 for part in attempt.removeprefix("h").split("."))


def _listed(names: list[str]) -> str:
    return ", ".join(names) or "none"


def _next_step(case: Case) -> str:
    if case.state is CaseState.FIXED and not any(one.standing for one in case.attempts):
        return "there is nothing to do"
    steps = {
        CaseState.OPEN: f"nae heal reject {case.id} leaves it alone",
        CaseState.FIXED: f"nae heal revert {case.id} puts back what was done",
        CaseState.GONE: "there is nothing to do",
        CaseState.REJECTED: f"nae heal approve {case.id} begins again",
        CaseState.WATCHING: "it is decided within its quiet time; nae heal show tells more",
    }
    return steps.get(case.state, f"nae heal show {case.id} tells more")
