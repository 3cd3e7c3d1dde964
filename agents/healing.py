"""The manager's healing: wires the healer to the processes, the books of the accounts, the record and the audit trail,
and answers for it. The healer's files have one writer: it waits until no command holds them."""

import logging
import os
from collections.abc import Awaitable, Callable
from typing import Any

from agents.process import Context
from execution.autonomous.healing.catalogue import Catalogue
from execution.autonomous.healing.hands import OperationHands
from execution.autonomous.healing.healer import Healer
from execution.autonomous.healing.healing_record import HealingRecord
from execution.autonomous.healing.healing_view import alerts, document, learned, rows, summary
from execution.autonomous.healing.memory import LOCK
from execution.autonomous.healing.persons_word import CannotObey, PersonsWord
from execution.autonomous.healing.progress import Progress
from execution.autonomous.healing.remedy import Hands, Issue, Undo, folder_of
from execution.autonomous.overseer import Overseer
from execution.console.drain import exposure_of
from execution.ledger.audit_log import AuditLogger, config_hash
from execution.runtime.bus import Refused
from execution.runtime.locks import FileLock
from execution.runtime.sqlite import DatabaseError
from execution.runtime.tasks import Task
from execution.vocabulary.exit_codes import BusyError, ConfigError
from execution.vocabulary.limits import HEAL_PERIOD_S
from execution.vocabulary.programs import MANAGER

log = logging.getLogger("nae.healing")
PACE = "NAE_HEALING_PACE"  # times every waiting of healing's: proofs hurry it
SLOWEST, FASTEST = 1.0, 0.01
WORDS = ("list", "show", "learn", "approve", "reject", "revert", "now")


class ManagerHealing:
    """Of one manager. `issues` tells what is wrong now; `hand_over` asks a holder to give its account to its twin."""

    def __init__(
        self,
        context: Context,
        overseer: Overseer,
        issues: Callable[[], list[Issue]],
        hand_over: Callable[[str, str], Awaitable[bool]],
    ) -> None:
        self._context = context
        self._overseer = overseer
        self._issues = issues
        self._hand_over = hand_over
        self._progress = Progress()
        self._lock = FileLock(folder_of(context.home) / LOCK)
        self._pace = pace_of(os.environ.get(PACE, ""))
        self._audit = AuditLogger(
            context.home.audit_trail(MANAGER), context.clock, MANAGER, config=config_hash(context.config)
        )
        self._healer: Healer | None = None

    def task(self) -> Task:
        """What is to be run with the manager's other work."""
        return Task("heal", HEAL_PERIOD_S, self._heal)

    async def _heal(self) -> None:
        healer = self._healer or self._take_up()
        if healer is None:
            return
        sight = self._progress.look(self._overseer.watched, self._context.clock.monotonic())
        await healer.look(self._issues(), sight)

    def _take_up(self) -> Healer | None:
        try:
            self._lock.acquire(f"{MANAGER} pid {os.getpid()}")
        except BusyError as busy:  # a command, or our dying predecessor: a moment
            log.info("healing waits", extra={"fields": {"for": busy}})
            return None
        context = self._context
        record = HealingRecord(self._overseer.changes, self._audit.record)
        made = Healer(context.home, context.clock, Catalogue(), hands=self._hands, record=record, pace=self._pace)
        made.resume()
        self._healer = made
        return made

    def _hands(self, kept: Callable[[Undo], None]) -> Hands:
        return OperationHands(
            self._context.home,
            self._context.clock,
            self._overseer,
            hand_over=self._hand_over,
            exposed=self._exposed,
            kept=kept,
            pace=self._pace,
        )

    def _exposed(self, account: str) -> bool:
        try:
            return not exposure_of(self._context.home, account).flat
        except (DatabaseError, OSError) as error:
            log.warning("not known whether it is exposed: yes", extra={"fields": {"account": account, "error": error}})
            return True

    def status(self) -> dict[str, Any]:
        """For the status document."""
        return summary(self._healer.book) if self._healer else {}

    def alerts(self) -> dict[str, str]:
        """What a person must see to, by subject."""
        return alerts(self._healer.book) if self._healer else {}

    async def command(self, arguments: dict[str, Any]) -> dict[str, Any]:
        """`act` is one of WORDS. Raises Refused."""
        act, wanted, by = (str(arguments.get(key, "")) for key in ("act", "id", "by"))
        healer = self._healer
        if act not in WORDS:
            raise Refused(f"heal knows {', '.join(WORDS)}, not {act!r}")
        if healer is None:
            raise Refused("healing hasn't begun yet; try again in a moment")
        if act == "list":
            return {"cases": rows(healer.book, bool(arguments.get("all")))}
        if act == "learn":
            return {"learned": learned(healer.known, healer.catalogue.fitting)}
        if act == "show":
            if wanted not in healer.book.cases:
                raise Refused(f"there is no case {wanted!r}; nae heal list --all shows them")
            return {"case": document(healer.book.cases[wanted], healer.undo.all())}
        return await self._obey(healer, act, wanted, by or "a person")

    async def _obey(self, healer: Healer, act: str, wanted: str, by: str) -> dict[str, Any]:
        person = PersonsWord(healer, self._overseer.changes, self._context.clock)
        try:
            if act == "revert":
                return {"reverted": await person.revert(wanted, by)}
            case = {"approve": person.approve, "reject": person.reject, "now": person.heal_now}[act](wanted, by)
        except CannotObey as problem:
            raise Refused(str(problem)) from problem
        await self._heal()
        return {"case": document(healer.book.cases.get(case.id, case), healer.undo.all())}

    async def stop(self) -> None:
        """Let go; what is under way is seen to in the next life."""
        if self._healer is not None:
            await self._healer.rest()
        self._audit.close()
        self._lock.release()


def pace_of(text: str) -> float:
    """1 as shipped. Raises ConfigError for what is no such number."""
    try:
        pace = float(text or SLOWEST)
    except ValueError:
        pace = 0.0
    if not FASTEST <= pace <= SLOWEST:
        raise ConfigError(f"{PACE} = {text!r}: a number from {FASTEST} to {SLOWEST:g} would be right")
    return pace
