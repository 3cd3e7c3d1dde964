"""The process `continuous_operation`: judges, heals and tunes the others. Knows processes, not trading."""

import asyncio
import logging
import os
import sys
from typing import Any

from agents.healing import ManagerHealing
from agents.process import Context, in_background, run_process
from execution.autonomous.caretaker import Caretaker
from execution.autonomous.commands import CannotBeDone, OperatorCommands
from execution.autonomous.disk_reserve import DiskReserve
from execution.autonomous.healing.seeing.witness import Witness
from execution.autonomous.log_watch import LogWatch, Tail
from execution.autonomous.overseer import Overseer
from execution.autonomous.supervisor_door import SupervisorDoor
from execution.autonomous.supervisor_link import hear_news
from execution.autonomous.tuner import Tuner
from execution.autonomous.vitals import sample_system
from execution.autonomous.watcher import SupervisordWatch, outlive
from execution.ledger.account_lock import holder_of
from execution.runtime import guard
from execution.runtime.bus import NoAnswer, Refused, ask_async
from execution.runtime.clock import SystemClock
from execution.runtime.home import Home
from execution.runtime.tasks import Task
from execution.vocabulary.exit_codes import ExitCode
from execution.vocabulary.health import ComponentHealth, ComponentStatus, HealthStatus
from execution.vocabulary.limits import JUDGE_PERIOD_S, VITALS_PERIOD_S
from execution.vocabulary.messages import Fact, OperationHealth
from execution.vocabulary.modes import Account, OperationMode
from execution.vocabulary.programs import BY_NAME, MANAGER, programs_of

log = logging.getLogger("nae.manager")
PERSONS_VERBS = ("start", "stop", "restart")
WATCH_PERIOD_S = 1.0
LOOK_PERIOD_S = 1.0
OUTLIVES_BY_S = 5.0  # the manager alone outlives supervisord: to end what it left, and take its place


class ManagerAgent:
    """Wires the overseer to the bus, to supervisord and to the logs."""

    def __init__(self, context: Context) -> None:
        self._context = context
        mode = OperationMode(os.environ.get("NAE_MODE", OperationMode.DUAL))
        names = [program.name for program in programs_of(mode, context.config.operation.standby)]
        door = SupervisorDoor(context.home.socket("supervisor.sock"))
        hang_after_s = context.config.operation.hang_after_s
        self._watch = SupervisordWatch(context.home, door, context.clock)
        self._overseer = Overseer(mode, names, context.home, door, context.clock, hang_after_s=hang_after_s)
        self._logs = LogWatch(context.home.logs)
        self._commands = OperatorCommands(self._overseer, context.home.run)
        self._stopped_again = False
        most = context.config.operation.memory_max_mib
        self._caretaker = Caretaker(self._overseer, most, self._ask_to_hand_over, context.clock)
        self._witness = Witness(self._overseer, context.home, context.clock)
        self._healing = ManagerHealing(context, self._overseer, self._witness.issues, self._ask_to_hand_over)
        self._news = asyncio.Event()
        self._ear: asyncio.DatagramTransport | None = None
        self._tails: dict[str, Tail] = {}
        self._looked_at = context.clock.monotonic()
        self._reserve = DiskReserve(context.home.data)
        self._tuner = Tuner(self._overseer, context.home, context.clock, self._take_up)
        self._next_report = context.clock.monotonic()

    async def start(self) -> None:
        self._logs.start()
        self._ear = await hear_news(self._context.home.socket("manager.news"), self._news.set)
        in_background(self._context, self._sense(), "sense")

    async def _sense(self) -> None:
        """Pulses and heartbeats at one go: to wake up for each of them would cost more than to read them."""
        overseer, bus = self._overseer, self._context.bus
        ear = bus.ear(overseer.watched)
        try:
            while True:
                bus.hear(ear, self._hear)
                overseer.look_at_pulses()
                await self._context.clock.sleep(overseer.pulses.period_s)
        finally:
            ear.close()

    def _hear(self, fact: Fact) -> None:
        self._overseer.hear(fact)
        self._witness.hear(fact)

    def tasks(self) -> list[Task]:
        return [
            Task("judge", JUDGE_PERIOD_S, self._judge, wake=self._news),
            Task("watch_supervisord", WATCH_PERIOD_S, self._watch_supervisord),
            Task("vitals", VITALS_PERIOD_S, self._vitals),
            Task("look_around", LOOK_PERIOD_S, self._look_around),
            Task("tune", VITALS_PERIOD_S, self._tune),
            self._healing.task(),
        ]

    async def _watch_supervisord(self) -> None:
        await self._watch.look(suspected=bool(self._overseer.link.problem))

    async def _judge(self) -> None:
        await self._overseer.tick()
        self._witness.look()
        overseer = self._overseer
        if not (self._stopped_again or overseer.link.problem):
            self._stopped_again = True
            await self._commands.stop_again()
        statuses: dict[str, str] = {name: row.verdict.status for name, row in overseer.watched.items()}
        causes = {name: list(row.verdict.causes) for name, row in overseer.watched.items() if row.verdict.causes}
        if overseer.link.problem:
            statuses["supervisord"] = HealthStatus.CRITICAL
            causes["supervisord"] = [overseer.link.problem]
        for subject, cause in self._healing.alerts().items():
            statuses[subject], causes[subject] = HealthStatus.UNHEALTHY, [cause]
        await self._context.bus.publish(
            OperationHealth(
                process=MANAGER,
                sent_ms=self._context.clock.now_ms(),
                mode=overseer.mode,
                overall=overseer.overall(),
                processes=statuses,
                causes=causes,
                builds_differ=len(overseer.builds()) > 1,
            )
        )

    async def _vitals(self) -> None:
        self._reserve.look()
        self._overseer.machine = sample_system(self._context.home.data)
        await self._caretaker.look()

    async def _look_around(self) -> None:
        self._caretaker.count()
        self._tails = self._logs.read()
        now = self._context.clock.monotonic()
        seconds, self._looked_at = max(now - self._looked_at, LOOK_PERIOD_S / 2), now
        for name, watched in self._overseer.watched.items():
            watched.see_flood(self._tails.get(name, Tail()).grown_bytes, seconds)
        await self._witness.keep(self._tails)

    async def _tune(self) -> None:
        await self._tuner.look()
        now = self._context.clock.monotonic()
        if now >= self._next_report:
            self._next_report = now + self._tuner.interval_s
            self._report()

    async def _take_up(self, process: str) -> None:
        """Have a process read its settings again; one that can't be asked reads them when it starts."""
        try:
            await ask_async(self._context.home.run, process, "settings", self._context.clock)
        except (NoAnswer, Refused) as refusal:
            log.info("settings not taken up", extra={"fields": {"process": process, "why": refusal}})

    def _report(self) -> None:
        status = self._overseer.status()
        rows = status["processes"].items()
        fields = {"overall": status["overall_status"], "errors_per_minute": status["error_rate"]}
        log.info("health", extra={"fields": fields | {name: row["status"] for name, row in rows}})

    def components(self) -> dict[str, ComponentHealth]:
        return {"overseer": ComponentHealth(ComponentStatus.HEALTHY)}

    def facts(self) -> dict[str, Any]:
        return {"mode": self._overseer.mode, "overall": self._overseer.overall()}

    async def command(self, verb: str, arguments: dict[str, Any]) -> dict[str, Any]:
        if verb == "record":  # of the commands that change the operation itself: one writer of the record of changes
            what, cause = str(arguments.get("what", "")), str(arguments.get("cause", ""))
            return {"id": self._overseer.changes.add("upgrade", MANAGER, what, cause)}
        if verb == "handover":
            return await self._hand_over(str(arguments.get("reason", "")))
        if verb == "heal":
            return await self._healing.command(arguments)
        if verb in PERSONS_VERBS:
            return await self._obey(verb, str(arguments.get("name", "")))
        if verb != "status":
            raise Refused(f"continuous_operation knows status, handover, heal, {', '.join(PERSONS_VERBS)}, not {verb}")
        record = self._overseer.changes.read()
        status = self._overseer.status()
        for name, row in status["processes"].items():
            tail = self._tails.get(name, Tail())
            row |= {"log_errors": tail.errors, "log_warnings": tail.warnings}
        return status | {
            "enhancements_applied": record["totals"].get("adjustment", 0),
            "healing": self._healing.status(),
            "learning_active": bool(status["processes"].get("ralph", {}).get("facts", {}).get("learning_active")),
        }

    async def _obey(self, verb: str, name: str) -> dict[str, Any]:
        acts = {"start": self._commands.start, "stop": self._commands.stop, "restart": self._commands.restart}
        try:
            await acts[verb](name)
        except CannotBeDone as problem:
            raise Refused(str(problem)) from problem
        self._news.set()
        return {"name": name, "done": verb}

    async def _hand_over(self, reason: str) -> dict[str, Any]:
        holder = holder_of(self._context.home, Account.LIVE)  # by the lock itself: heartbeats tell it a moment later
        if not any(BY_NAME[name].account == Account.LIVE for name in self._overseer.watched):
            raise Refused(f"this operation ({self._overseer.mode}) has no live account: there is nothing to hand over")
        if not holder:
            raise Refused("nobody holds the live account at this moment: there is nothing to hand over")
        try:
            return await ask_async(self._context.home.run, holder, "handover", self._context.clock, reason=reason)
        except NoAnswer as silence:
            raise Refused(str(silence)) from silence

    async def _ask_to_hand_over(self, name: str, cause: str) -> bool:
        try:
            await ask_async(self._context.home.run, name, "handover", self._context.clock, reason=cause)
        except (NoAnswer, Refused) as refusal:
            log.info("no handover: it is ended in good order instead", extra={"fields": {"why": refusal}})
            return False
        return True

    async def stop(self) -> None:
        await self._healing.stop()
        self._logs.stop()
        if self._ear is not None:
            self._ear.close()
            self._context.home.socket("manager.news").unlink(missing_ok=True)


def main() -> ExitCode:
    """Be the manager; and when supervisord has died, see to what it leaves, or take its place."""
    code = run_process(MANAGER, ManagerAgent, orphan_deadline_s=OUTLIVES_BY_S)
    if guard.parent_died.is_set():
        outlive(Home.find(), told_to_stop=code is ExitCode.OK, clock=SystemClock())
    return code


if __name__ == "__main__":
    sys.exit(main())
