"""All cases of an operation and what was used when: the healer's whole memory of what it is doing. Pure."""

from collections.abc import Iterator

import msgspec

from execution.autonomous.healing.cases import CLOSED, Case, CaseState
from execution.autonomous.healing.remedy import Issue
from execution.vocabulary.limits import HEALING_CASES_MAX
from execution.vocabulary.programs import BY_NAME

FORMAT = 1
USES_KEPT_FOR_S = 86_400.0


class Use(msgspec.Struct, frozen=True):
    """A remedy was used on a process."""

    remedy: str
    process: str
    at: float


class Book(msgspec.Struct, frozen=True, kw_only=True):
    """`cases` by id, oldest first."""

    format: int = FORMAT
    cases: dict[str, Case] = {}
    uses: list[Use] = []
    next: int = 1

    def of(self, issue: Issue) -> Case | None:
        """The case of this fault in this process."""
        key = issue.fingerprint, issue.process
        return next((case for case in self.cases.values() if case.key == key), None)

    def keys(self) -> dict[tuple[str, str], str]:
        """The id of each case by its fault and process."""
        return {case.key: case.id for case in self.cases.values()}

    def with_case(self, case: Case) -> "Book":
        """With this case as it is now."""
        return msgspec.structs.replace(self, cases={**self.cases, case.id: case})

    def opened(self, issue: Issue, now: float, now_ms: int) -> "Book":
        """With a new case for `issue`; where there are too many, the oldest that are over go, and when none is over
        there is no room for another."""
        case = Case(
            id=f"h{self.next}",
            issue=issue,
            opened_ms=now_ms,
            at=now,
            began_at=now,
            seen_at=now,
            seen=issue.count,
            mark=issue.count - max(1, issue.in_window),
        )
        too_many = len(self.cases) + 1 - HEALING_CASES_MAX
        over = [one.id for one in self.cases.values() if one.state in CLOSED or one.state is CaseState.REJECTED]
        gone = set(over[: max(0, too_many)])
        if len(gone) < too_many:
            return self
        cases = {name: one for name, one in self.cases.items() if name not in gone}
        return msgspec.structs.replace(self, cases={**cases, case.id: case}, next=self.next + 1)

    def used(self, remedy: str, process: str, now: float) -> "Book":
        """With one more use counted."""
        kept = [use for use in self.uses if now - use.at < USES_KEPT_FOR_S]
        return msgspec.structs.replace(self, uses=[*kept, Use(remedy, process, now)])

    def uses_of(self, remedy: str, process: str, window_s: float, now: float) -> list[float]:
        """When it was used on this process in the window."""
        there = [use for use in self.uses if use.remedy == remedy and use.process == process]
        return [use.at for use in there if now - use.at < window_s]

    def busy_beside(self, case: Case) -> bool:
        """Is something being done to its process, or to its account, on another's behalf?"""
        mine = where(case.issue.process)
        return any(one.id != case.id and where(one.issue.process) == mine for one in self.in_hand())

    def in_hand(self) -> Iterator[Case]:
        """The cases with something under way."""
        return (one for one in self.cases.values() if one.state in (CaseState.APPLYING, CaseState.REVERTING))

    def moved(self, by_s: float) -> "Book":
        """With all times moved: those of another boot mean nothing on this one's clock."""
        cases = {
            name: msgspec.structs.replace(
                case,
                at=case.at + by_s,
                began_at=case.began_at + by_s,
                approved_at=case.approved_at + by_s,
                seen_at=case.seen_at + by_s,
                attempts=[msgspec.structs.replace(one, at=one.at + by_s) for one in case.attempts],
                obstacles={},
            )
            for name, case in self.cases.items()
        }
        uses = [Use(use.remedy, use.process, use.at + by_s) for use in self.uses]
        return msgspec.structs.replace(self, cases=cases, uses=uses)


def where(process: str) -> str:
    """What is touched one at a time: a process, or an account with both its traders."""
    program = BY_NAME.get(process)
    return (program.account if program else None) or process
