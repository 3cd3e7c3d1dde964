"""What a remedy may use of the operation, over processes that a test has started by hand."""

import asyncio
from typing import Any

from execution.autonomous.healing.hands import ordered
from execution.autonomous.healing.remedy import CannotHeal, Issue, Undo
from execution.runtime.clock import SystemClock
from execution.vocabulary.issues import IssueType, Severity
from tests.chaos.family import Family
from tests.support import eventually_async

BACK_WITHIN_S = 20.0


def issue_of(kind: IssueType, process: str, **more: Any) -> Issue:
    """An issue as detection would tell it."""
    return Issue(fingerprint="f" * 12, type=kind, severity=Severity.SERIOUS, process=process, **more)


class FamilyHands:
    """`renewed` and `kept` remember what was done. `exposed`: the accounts that hold something."""

    pace = 1.0

    def __init__(self, family: Family) -> None:
        self.home = family.home
        self.clock = SystemClock()
        self.renewed: list[str] = []
        self.kept: list[Undo] = []
        self.exposed: set[str] = set()
        self._family = family

    async def ask(self, process: str, verb: str, **arguments: Any) -> dict[str, Any]:
        return await ordered(self.home, self.clock, process, verb, **arguments)

    async def renew(self, process: str, cause: str) -> None:
        await asyncio.to_thread(self._family.stop, process)
        self._family.start(process)
        self.renewed.append(process)
        await eventually_async(lambda: self._is_back(process), BACK_WITHIN_S, every_s=0.1)

    async def _is_back(self, process: str) -> bool:
        try:
            return bool(await self.ask(process, "settings"))
        except CannotHeal:
            return False

    def is_exposed(self, account: str) -> bool:
        return account in self.exposed

    def twin_of_sandbox(self) -> str:
        return "sandbox_optimus"

    def keep(self, undo: Undo) -> None:
        self.kept.append(dict(undo))
