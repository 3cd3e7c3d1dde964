"""A toy fault and toy remedies on real files, and a scene with a healer of its own clock."""

import asyncio
from collections.abc import Callable
from pathlib import Path
from typing import Any

import msgspec

from execution.autonomous.change_log import ChangeLog
from execution.autonomous.healing.case_policy import Sight
from execution.autonomous.healing.cases import Case, CaseState
from execution.autonomous.healing.catalogue import Catalogue
from execution.autonomous.healing.healer import Healer
from execution.autonomous.healing.healing_record import HealingRecord
from execution.autonomous.healing.next_life import resume
from execution.autonomous.healing.persons_word import PersonsWord
from execution.autonomous.healing.remedy import CannotHeal, Hands, Issue, Terms, Undo
from execution.runtime.clock import ManualClock
from execution.runtime.files import write_atomically
from execution.runtime.home import Home
from execution.vocabulary.issues import IssueType, Severity

TERMS = Terms(after=1, budget=3, window_s=3600, cool_down_s=0, quiet_for_s=60, settle_s=3)
PROCESS = "ralph"


class Switch:
    """Writes its own name into a file, and puts back what stood there. Heals nothing by itself."""

    def __init__(self, name: str, kinds: dict[IssueType, Terms] | None = None) -> None:
        self.name = name
        self.what = f"writes {name}"
        self.fits = kinds or {IssueType.KEY: TERMS}
        self.obstacle_said = ""
        self.refuses = ""
        self.applied = 0

    async def obstacle(self, issue: Issue, hands: Hands) -> str:
        return self.obstacle_said

    async def apply(self, issue: Issue, hands: Hands) -> Undo:
        if self.refuses:
            raise CannotHeal(self.refuses)
        path = file_of(hands.home, issue.process)
        undo: Undo = {"process": issue.process, "before": path.read_text() if path.exists() else None}
        hands.keep(undo)
        self.applied += 1
        write_atomically(path, self.name)
        return undo

    async def revert(self, undo: Undo, hands: Hands) -> None:
        path = file_of(hands.home, undo["process"])
        if undo["before"] is None:
            path.unlink(missing_ok=True)
        else:
            write_atomically(path, undo["before"])


class Nudge(Switch):
    """Changes nothing that lasts."""

    async def apply(self, issue: Issue, hands: Hands) -> Undo:
        if self.refuses:
            raise CannotHeal(self.refuses)
        self.applied += 1
        return {}

    async def revert(self, undo: Undo, hands: Hands) -> None:
        raise AssertionError("there is nothing to put back")


def file_of(home: Home, process: str) -> Path:
    return home.data / f"{process}.setting"


class ToyHands:
    """Nobody to ask; files only."""

    def __init__(self, home: Home, kept: Callable[[Undo], None]) -> None:
        self.home = home
        self.clock = ManualClock()
        self.pace = 1.0
        self._kept = kept

    async def ask(self, process: str, verb: str, **arguments: Any) -> dict[str, Any]:
        raise CannotHeal("nobody is there")

    async def renew(self, process: str, cause: str) -> None:
        raise CannotHeal("nobody is there")

    def is_exposed(self, account: str) -> bool:
        return True

    def twin_of_sandbox(self) -> str:
        return ""

    def keep(self, undo: Undo) -> None:
        self._kept(undo)


def issue(**changes: Any) -> Issue:
    plain = Issue(
        fingerprint="f1", type=IssueType.KEY, severity=Severity.SERIOUS, process=PROCESS, exception="KeyError"
    )
    return msgspec.structs.replace(plain, **changes)


class Scene:
    """One home, one healer on a clock that stands still, faults that occur when the test says so."""

    def __init__(self, root: Path, *remedies: Switch, clock: ManualClock | None = None) -> None:
        self.home = Home.find(root)
        self.home.prepare()
        self.clock = clock or ManualClock()
        self.remedies = remedies
        self.issues: dict[tuple[str, str], Issue] = {}
        self.sight: dict[str, Sight] = {}
        self.audit: list[str] = []
        self.changes = ChangeLog(self.home.change_log, self.clock)
        self.healer = self.new_healer()

    def new_healer(self) -> Healer:
        record = HealingRecord(self.changes, lambda kind, *words, **fields: self.audit.append(kind))
        catalogue = Catalogue(self.remedies)
        return Healer(self.home, self.clock, catalogue, hands=lambda kept: ToyHands(self.home, kept), record=record)

    @property
    def person(self) -> PersonsWord:
        return PersonsWord(self.healer, self.changes, self.clock)

    def occurs(self, times: int = 1, **what: Any) -> None:
        """The fault occurs, and is told."""
        new = issue(**what)
        key = (new.fingerprint, new.process)
        count = self.issues[key].count if key in self.issues else 0
        self.issues[key] = msgspec.structs.replace(new, count=count + times, in_window=count + times)

    def look(self, seconds: float = 1.0, times: int = 1, sight: Sight | None = None) -> None:
        """Time passes, every process getting on unless `sight` says otherwise; the healer looks, and finishes what it
        begins."""
        for _ in range(times):
            self.clock.advance(seconds)
            now = self.clock.monotonic()
            for process in {one.process for one in self.issues.values()} | {PROCESS}:
                known = self.sight.get(process, Sight())
                self.sight[process] = sight or known._replace(well_since=0.0, finished={"work": now})
            asyncio.run(self._look())

    async def _look(self) -> None:
        await self.healer.look(list(self.issues.values()), self.sight)
        await self._calm()

    def resume(self) -> None:
        """As after a start, until nothing is under way."""

        async def resumed() -> None:
            resume(self.healer, self.clock.monotonic())
            await self._calm()

        asyncio.run(resumed())

    async def _calm(self) -> None:
        while work := list(self.healer._at_work.values()):
            await asyncio.gather(*work)

    def revert(self, wanted: str) -> list[str]:
        done, failed = asyncio.run(self.person.revert(wanted, "me"))
        assert not failed, failed
        return done

    @property
    def case(self) -> Case:
        (case,) = self.healer.book.cases.values()
        return case

    def state(self) -> CaseState:
        return self.case.state

    def kinds(self) -> list[str]:
        return [entry["kind"] for entry in self.changes.read()["entries"]]

    def setting(self, process: str = PROCESS) -> str | None:
        path = file_of(self.home, process)
        return path.read_text() if path.exists() else None
