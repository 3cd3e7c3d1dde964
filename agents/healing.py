"""The manager's healing: wires the healer to the processes, the books of the accounts, the record and the audit trail,
and answers for it. The healer's files have one writer: it waits until no command holds them."""

import asyncio
import logging
import os
from collections.abc import Awaitable, Callable
from typing import Any

from agents.process import Context
from execution.autonomous.healing.answers import ORDERS, answer
from execution.autonomous.healing.catalogue import Catalogue
from execution.autonomous.healing.hands import OperationHands
from execution.autonomous.healing.healer import Healer
from execution.autonomous.healing.healing_record import HealingRecord
from execution.autonomous.healing.healing_view import alerts, summary
from execution.autonomous.healing.memory import LOCK
from execution.autonomous.healing.next_life import resume
from execution.autonomous.healing.persons_word import CannotObey
from execution.autonomous.healing.progress import Progress, Renewals
from execution.autonomous.healing.remedy import Hands, Issue, Undo, folder_of
from execution.autonomous.overseer import Overseer
from execution.console.drain import exposure_of
from execution.ledger.account_lock import holder_of
from execution.ledger.audit_log import AuditLogger, config_hash
from execution.runtime.bus import Refused
from execution.runtime.locks import FileLock
from execution.runtime.sqlite import DatabaseError
from execution.runtime.tasks import Task
from execution.vocabulary.exit_codes import BusyError, ConfigError
from execution.vocabulary.limits import HEAL_PERIOD_S
from execution.vocabulary.programs import BY_NAME, MANAGER

log = logging.getLogger("nae.healing")
PACE = "NAE_HEALING_PACE"  # times every waiting of healing's: proofs hurry it
TOLD_AFTER_S = 1.0  # of a revert
SLOWEST, FASTEST = 1.0, 0.01


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
        self._renewals = Renewals()
        self._progress = Progress(self._renewals)
        self._lock = FileLock(folder_of(context.home) / LOCK)
        self._pace = pace_of(os.environ.get(PACE, ""))
        self._audit = AuditLogger(
            context.home.audit_trail(MANAGER), context.clock, MANAGER, config=config_hash(context.config)
        )
        self._healer: Healer | None = None
        self._reverts: dict[str, asyncio.Task[dict[str, Any]]] = {}

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
        made = Healer(
            context.home, context.clock, Catalogue(pace=self._pace), hands=self._hands, record=record, pace=self._pace
        )
        resume(made, context.clock.monotonic())
        self._healer = made
        return made

    def _hands(self, kept: Callable[[Undo], None]) -> Hands:
        return OperationHands(
            self._context.home,
            self._context.clock,
            self._overseer,
            hand_over=self._hand_over,
            holds=self._holds,
            exposed=self._exposed,
            kept=kept,
            renewals=self._renewals,
            pace=self._pace,
        )

    def _holds(self, process: str) -> bool:
        account = BY_NAME[process].account  # by the lock: heartbeats tell it a moment later
        return account is not None and holder_of(self._context.home, account) == process

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
        """See answers.py. Raises Refused."""
        healer, changes, clock = self._healer, self._overseer.changes, self._context.clock
        if healer is None:
            raise Refused("healing hasn't begun yet; try again in a moment")
        try:
            if arguments.get("act") == "revert":
                return await self._reverted(healer, arguments)
            told = await answer(healer, changes, clock, arguments)
            if arguments.get("act") in ORDERS and "case" in told:
                await self._heal()  # what was said is done now, and shown
                told = await answer(healer, changes, clock, {"act": "show", "id": told["case"]["id"]})
        except CannotObey as problem:
            raise Refused(str(problem)) from problem
        return told

    async def _reverted(self, healer: Healer, arguments: dict[str, Any]) -> dict[str, Any]:
        """What was put back, or that it is still being done: whoever asks again hears more. A revert may take as long
        as a process needs to come up, and others want their answers meanwhile."""
        wanted = str(arguments.get("id", ""))
        work = self._reverts.get(wanted)
        if work is None:
            work = asyncio.create_task(answer(healer, self._overseer.changes, self._context.clock, arguments))
            self._reverts[wanted] = work
        await asyncio.wait({work}, timeout=TOLD_AFTER_S)
        if not work.done():
            return {"pending": True}
        del self._reverts[wanted]
        return work.result()

    async def stop(self) -> None:
        """Let go; what is under way is seen to in the next life."""
        if self._healer is not None:
            await self._healer.rest()
        for work in self._reverts.values():
            work.cancel()
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
