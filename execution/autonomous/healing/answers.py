"""What the healer answers to the words of a command, over the bus or at the command line: one place for both."""

from typing import Any

from execution.autonomous.change_log import ChangeLog
from execution.autonomous.healing.healer import Healer
from execution.autonomous.healing.healing_view import document, learned, rows
from execution.autonomous.healing.persons_word import CannotObey, PersonsWord
from execution.runtime.clock import Clock

LOOKS = ("list", "show", "learn")
ORDERS = ("approve", "reject", "revert", "now")


async def answer(healer: Healer, changes: ChangeLog, clock: Clock, arguments: dict[str, Any]) -> dict[str, Any]:
    """`arguments`: act, one of LOOKS and ORDERS; id; by, who asks; all, for a list. Raises CannotObey."""
    act, wanted, by = (str(arguments.get(key, "")) for key in ("act", "id", "by"))
    person = PersonsWord(healer, changes, clock)
    if act == "list":
        return {"cases": rows(healer.book, bool(arguments.get("all")))}
    if act == "learn":
        return {"learned": learned(healer.known, healer.catalogue.fitting)}
    if act == "show":
        return _shown(healer, person.find(wanted).id)
    if act == "revert":
        done, failed = await person.revert(wanted, by)
        return {"reverted": done, "failed": failed}
    if act in ORDERS:
        word = {"approve": person.approve, "reject": person.reject, "now": person.heal_now}[act]
        return _shown(healer, word(wanted, by).id)
    raise CannotObey(f"healing knows {', '.join((*LOOKS, *ORDERS))}, not {act!r}")


def _shown(healer: Healer, case_id: str) -> dict[str, Any]:
    return {"case": document(healer.book.cases[case_id], healer.undo.all())}
