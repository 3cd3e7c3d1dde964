"""What a healer does first: sees to what a former life of its was about when it ended. What may have been begun is put
back, by what was kept of it; what was applied is watched; what the record lacks is recorded. Nothing is tried again."""

from execution.autonomous.healing.cases import Case, CaseEvent, CaseState, Outcome, advance, with_last
from execution.autonomous.healing.healer import Healer


def resume(healer: Healer, now: float) -> None:
    """Once, before the first look."""
    for case in list(healer.book.cases.values()):
        last = case.last
        if case.state is CaseState.APPLYING and last is not None:
            healer.set(_cut_off(case, now, begun=healer.undo.has(last.id)))
        if case.state is CaseState.WATCHING and last is not None and not last.by_supervision:
            healer.record_applied(case, last)
        if healer.book.cases[case.id].state is CaseState.REVERTING:
            healer.begin(case.id, healer.put_back(case.id))
        healer.settle(case.id)


def _cut_off(case: Case, now: float, *, begun: bool) -> Case:
    if begun:
        after = advance(case, CaseEvent.CUT_OFF, now)
        return with_last(after, outcome=Outcome.CUT_OFF, standing=True, why="we ended in the middle")
    after = advance(case, CaseEvent.NOT_APPLIED, now, mark=case.seen)
    return with_last(after, outcome=Outcome.CUT_OFF, why="we ended before anything lasting was done")
