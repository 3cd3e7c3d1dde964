"""The healer: carries out what the policy of cases decides, one attempt at a time for each process, and remembers it.

Each step is kept before it is taken: whoever is killed in the middle finds, in his next life, what he was about, and
verifies it or puts it back; nothing is repeated blindly. Decides nothing itself (case_policy.py, choice.py).
"""

import asyncio
import logging
from collections.abc import Awaitable, Callable, Mapping, Sequence

import msgspec

from execution.autonomous.healing.boundary import attempted
from execution.autonomous.healing.case_book import Book
from execution.autonomous.healing.case_policy import Kind, Order, Sight, View, decide, obstructed
from execution.autonomous.healing.cases import (
    Attempt,
    Case,
    CaseEvent,
    Outcome,
    advance,
    put_back_of,
    waiting,
    with_last,
)
from execution.autonomous.healing.catalogue import Catalogue
from execution.autonomous.healing.choice import is_live
from execution.autonomous.healing.healing_record import HealingRecord
from execution.autonomous.healing.lost_book import numbered, with_uses
from execution.autonomous.healing.memory import Memory, signature
from execution.autonomous.healing.remedy import LEFT, CannotHeal, Hands, Issue, Planned, Remedy, Undo
from execution.autonomous.healing.undo_store import Standing, UndoStore
from execution.runtime import steps
from execution.runtime.clock import Clock
from execution.runtime.home import Home
from execution.vocabulary.issues import IssueType

log = logging.getLogger("nae.healing")
OBSTACLE_DEADLINE_S = 10.0
REVERT_DEADLINE_S = 60.0
STEPS = ("intent kept", "undo kept", "applied", "result kept", "recorded", "revert kept", "reverted", "settled")

MakeHands = Callable[[Callable[[Undo], None]], Hands]


class Healer:
    """Of one operation. `hands` makes the hands for one attempt, with the keeping of its undo."""

    def __init__(
        self,
        home: Home,
        clock: Clock,
        catalogue: Catalogue,
        *,
        hands: MakeHands,
        record: HealingRecord,
        pace: float = 1.0,
    ) -> None:
        self._clock = clock
        self.catalogue = catalogue
        self._hands = hands
        self.record = record
        self._pace = pace
        self._memory = Memory(home, clock)
        self.undo = UndoStore(home)
        recalled = with_uses(self._memory.book(), record.uses(), clock)
        self.book: Book = numbered(recalled, [*record.attempts(), *self.undo.ids()])
        self.known = self._memory.experience()
        self._kept = signature(self.book)
        self._at_work: dict[str, asyncio.Future[object]] = {}

    async def look(self, issues: Sequence[Issue], sight: Mapping[str, Sight]) -> None:
        """One look at what is wrong now: decide, keep, begin."""
        fitting, now = self.catalogue.fitting, self._clock.monotonic()
        view = View(issues, sight, fitting, self.known, self._clock.now_ms(), self._pace)
        self.book, orders = decide(self.book, view, now)
        if not any(order.kind is Kind.TRY for order in orders):
            self.keep()  # an attempt keeps itself, once nothing is in its way
        for order in orders:
            self._obey(order)

    def _obey(self, order: Order) -> None:
        case = self.book.cases[order.case]
        if order.kind is Kind.TRY:
            self.begin(case.id, self._try(case.id))
        elif order.kind is Kind.PUT_BACK:
            self.begin(case.id, self.put_back(case.id))
        elif order.kind is Kind.RECURRED and case.last is not None:
            self.known = self.known.recurred(case.issue.type, case.issue.fingerprint, case.last.remedy)
            self.record.recurred(case)
        elif order.kind is Kind.ESCALATED:
            self.record.escalated(case)
        else:
            self.settle(case.id)

    def settle(self, name: str) -> None:
        """What became of an attempt is learned and recorded, once."""
        case = self.book.cases[name]
        last = case.last
        if last is None or last.counted or last.outcome is Outcome.RUNNING:
            return
        if last.outcome in (Outcome.HELPED, Outcome.USELESS):
            helped = last.outcome is Outcome.HELPED
            self.learn(case.issue.type, case.issue.fingerprint, last.remedy, helped=helped)
            if helped and not self.record.has("fix", last.id):
                self.record.fixed(case, last)
        elif last.outcome is Outcome.NOT_APPLIED:
            self.record.not_applied(case, last)
        self.set(with_last(case, counted=True, settled_ms=self._clock.now_ms()))

    def learn(self, kind: IssueType, fingerprint: str, remedy: str, *, helped: bool) -> None:
        """One more attempt counted."""
        self.known = self.known.learned(kind, fingerprint, remedy, helped)
        try:
            self._memory.keep_experience(self.known)
        except OSError as error:
            log.error("not remembered", extra={"fields": {"remedy": remedy, "error": error}})

    def forgive(self, fingerprint: str) -> None:
        """At a person's word: nothing is given up for this fault any more."""
        self.known = self.known.hopeful_again(fingerprint)

    def set(self, case: Case) -> None:
        """This case is so now; kept at once."""
        self.book = self.book.with_case(case)
        self.keep()

    def keep(self) -> bool:
        """Keep what must outlive us; did the disk take it?"""
        now = signature(self.book)
        if now == self._kept:
            return True
        try:
            self._memory.keep_book(self.book)
        except OSError as error:  # said, and tried again with the next change
            log.error("cases not kept", extra={"fields": {"error": error}})
            return False
        self._kept = now
        return True

    def begin(self, name: str, work: Awaitable[object]) -> None:
        """Work on a case, beside everything else."""
        task = asyncio.ensure_future(work)
        self._at_work[name] = task
        task.add_done_callback(lambda done: self._done(name, done))

    def _done(self, name: str, task: "asyncio.Future[object]") -> None:
        if self._at_work.get(name) is task:
            del self._at_work[name]
        if not task.cancelled() and (error := task.exception()) is not None:
            log.error("healing failed", exc_info=error, extra={"fields": {"case": name}})

    async def _try(self, name: str) -> None:
        case = self.book.cases[name]
        attempt, remedy = case.attempts[-1], self.catalogue.named(case.attempts[-1].remedy)
        assert remedy is not None, "chosen from the catalogue"
        terms = self.catalogue.terms(remedy.name, case.issue.type)
        hands = self._hands(lambda undo: self._keep_undo(name, attempt, undo))
        why = await self._obstacle(remedy, case.issue, hands)
        if why:
            self.book = self.book.with_case(obstructed(self.book.cases[name], why, self._clock.monotonic()))
            return
        plan = await self._plan(remedy, case.issue, hands) if terms.approval else ""
        case, now = self.book.cases[name], self._clock.monotonic()
        if terms.approval and is_live(case.issue.process) and (case.approved, case.plan) != (remedy.name, plan):
            self.set(waiting(case, now, plan))
            log.warning("waits for a person: nae heal approve %s", name, extra={"fields": {"remedy": remedy.name}})
            return
        self.book = self.book.used(remedy.name, case.issue.process, now).with_case(
            msgspec.structs.replace(case, approved="", wants="")
        )
        if not self.keep() and case.issue.type is not IssueType.DISK:  # only a full disk is helped without a word on it
            self._failed(name, "its intent couldn't be kept: is the disk full?")
            return
        steps.reached("intent kept")
        failure, undo = await attempted(remedy.apply(case.issue, hands), terms.deadline_s)
        if not failure:
            steps.reached("applied")
            failure = await self._kept_or_reverted(name, attempt, remedy, undo or {})
        if failure:
            self._failed(name, failure)
        else:
            self._applied(name, attempt)

    async def _kept_or_reverted(self, name: str, attempt: Attempt, remedy: Remedy, undo: Undo) -> str:
        """What can't be put back later is put back at once: then why, else empty."""
        try:
            if undo and LEFT not in undo:
                self._keep_undo(name, attempt, undo)
        except CannotHeal as reason:
            failure, _ = await attempted(remedy.revert(undo, self.hands()), REVERT_DEADLINE_S)
            return f"{reason}; {failure or 'put back at once'}"
        return ""

    def _applied(self, name: str, attempt: Attempt) -> None:
        case = self.book.cases[name]
        standing = self.undo.has(attempt.id)
        applied = advance(case, CaseEvent.APPLIED, self._clock.monotonic())
        self.set(with_last(applied, standing=standing, applied_ms=self._clock.now_ms()))
        steps.reached("result kept")
        case = self.book.cases[name]
        self.record_applied(case, case.attempts[-1])
        steps.reached("recorded")

    def record_applied(self, case: Case, attempt: Attempt) -> None:
        """Once."""
        remedy = self.catalogue.named(attempt.remedy)
        if not self.record.has("remedy", attempt.id):
            self.record.applied(case, attempt, f"{attempt.remedy}: {remedy.what if remedy else 'of another build'}")

    async def _plan(self, remedy: Remedy, issue: Issue, hands: Hands) -> str:
        if not isinstance(remedy, Planned):
            return remedy.what
        failure, plan = await attempted(remedy.plan(issue, hands), OBSTACLE_DEADLINE_S)
        return plan or failure

    async def _obstacle(self, remedy: Remedy, issue: Issue, hands: Hands) -> str:
        failure, why = await attempted(remedy.obstacle(issue, hands), OBSTACLE_DEADLINE_S)
        return failure or why or ""

    def _failed(self, name: str, why: str) -> None:
        """An attempt that came to nothing; what it had begun is put back."""
        case, now = self.book.cases[name], self._clock.monotonic()
        if self.undo.has(case.attempts[-1].id):
            case = with_last(advance(case, CaseEvent.CUT_OFF, now), outcome=Outcome.CUT_OFF, why=why, standing=True)
            self.set(case)
            self.begin(name, self.put_back(name))
            return
        case = advance(case, CaseEvent.NOT_APPLIED, now, mark=case.seen)
        self.set(with_last(case, outcome=Outcome.NOT_APPLIED, why=why))
        self.settle(name)

    def _keep_undo(self, name: str, attempt: Attempt, undo: Undo) -> None:
        case = self.book.cases[name]
        kept = Standing(
            id=attempt.id,
            remedy=attempt.remedy,
            process=case.issue.process,
            fingerprint=case.issue.fingerprint,
            at_ms=attempt.at_ms,
            undo=undo,
        )
        try:
            self.undo.keep(kept)
        except OSError as error:
            raise CannotHeal(f"what a revert needs couldn't be kept: {error}") from error
        steps.reached("undo kept")

    async def put_back(self, name: str) -> str:
        """Put back what the last attempt of a case changed, or the one that a person means: why not, or empty."""
        case = self.book.cases[name]
        self.keep()
        steps.reached("revert kept")
        attempt = next((one for one in case.attempts if one.id == case.undoing), case.attempts[-1])
        failure = await self.put_back_one(attempt.id, case)
        case, now = self.book.cases[name], self._clock.monotonic()
        if failure:
            said = f"{attempt.remedy} couldn't be put back: {failure}"
            self.set(advance(case, CaseEvent.NOT_REVERTED, now, said=said, told_in=case.episode, undoing=""))
            self.record.escalated(self.book.cases[name])
            return failure
        self.set(put_back_of(case, attempt, now))
        steps.reached("settled")
        self.settle(name)
        return ""

    async def put_back_one(self, attempt: str, case: Case | None) -> str:
        """Why a change couldn't be put back; empty when it is as it was."""
        try:
            standing = self.undo.find(attempt)
        except CannotHeal as damage:
            return str(damage)
        if standing is None:
            return ""  # it has been put back already
        remedy = self.catalogue.named(standing.remedy)
        if remedy is None:
            return f"this build knows no remedy {standing.remedy!r}"
        failure, _ = await attempted(remedy.revert(standing.undo, self.hands()), REVERT_DEADLINE_S)
        if failure:
            return failure
        steps.reached("reverted")
        self.undo.forget(attempt)
        why = next((one.why for one in (case.attempts if case else []) if one.id == attempt and one.why), "asked for")
        self.record.reverted(standing, case, why)
        return ""

    def hands(self) -> Hands:
        """For a revert: there is nothing to keep."""
        return self._hands(lambda undo: None)

    async def rest(self) -> None:
        """Let go of everything; what is cut off is seen to in the next life."""
        tasks = list(self._at_work.values())
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
