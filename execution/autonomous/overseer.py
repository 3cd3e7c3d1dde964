"""What the manager knows of every process, how it judges them, and what it does about it, one tick at a time.

Knows processes, never trading. Judgement and policy are pure (judgement.py, restart_policy.py); this is the edge.
"""

import asyncio
import logging
from typing import Any

from execution.autonomous.change_log import ChangeLog
from execution.autonomous.judgement import Sample, Verdict, judge, judge_machine, overdue
from execution.autonomous.pulse_watch import PulseWatch
from execution.autonomous.restart_policy import Action, decide
from execution.autonomous.status_document import process_row
from execution.autonomous.supervisor_door import (
    ProgramState,
    SupervisorDoor,
    SupervisorRefused,
    SupervisorUnavailable,
)
from execution.autonomous.vitals import SystemVitals, sample_process, system_resources
from execution.autonomous.watched import QUIET_AFTER_S, Watched
from execution.runtime.clock import Clock
from execution.runtime.home import Home
from execution.vocabulary.health import HealthStatus, worst
from execution.vocabulary.limits import (
    ERROR_WINDOW_S,
    JUDGE_LATE_AFTER_S,
    JUDGE_PERIOD_S,
    RPC_TIMEOUT_S,
)
from execution.vocabulary.messages import Fact, Heartbeat
from execution.vocabulary.programs import MANAGER

log = logging.getLogger("nae.manager")


class Overseer:
    """Hears, judges, acts."""

    def __init__(
        self, mode: str, names: list[str], home: Home, door: SupervisorDoor, clock: Clock, *, hang_after_s: float = 1.0
    ) -> None:
        self.mode = mode
        self.watched = {name: Watched() for name in names}
        self.machine: SystemVitals | None = None
        self._door = door
        self._home = home
        self.changes = ChangeLog(home.change_log, clock)
        self._clock = clock
        self.pulses = PulseWatch(hang_after_s, clock)
        self._last_tick: float | None = None
        self.supervisord_problem = ""
        self._fair_since = clock.monotonic()  # nobody is blamed for what we weren't awake to hear

    def hear(self, fact: Fact) -> None:
        """Take in what the bus brings."""
        if isinstance(fact, Heartbeat) and fact.process in self.watched:
            self.watched[fact.process].hear(fact, self._clock.monotonic())

    def look_at_pulses(self) -> None:
        """Kill at once who has stopped turning. Called many times within the limit, so it asks nobody anything."""
        for silent in self.pulses.look():
            watched = self.watched[silent.name]
            if watched.hang or not silent.child.kill():
                continue  # killed already, or gone by itself: supervisord is about to say so
            watched.hang = silent.cause
            watched.broken = ("hang", self._clock.monotonic())
            fields = {"action": Action.KILL, "process": silent.name, "pid": silent.child.pid, "cause": silent.cause}
            log.warning("acting", extra={"fields": fields})

    async def tick(self) -> None:
        """Sample, judge, act. A tick that came or took too long (sleep, SIGCONT, load) judges nobody for silence."""
        began = self._clock.monotonic()
        late = self._last_tick is not None and began - self._last_tick > JUDGE_PERIOD_S + JUDGE_LATE_AFTER_S
        programs = await self._ask_supervisord()
        late = late or self._clock.monotonic() - began > RPC_TIMEOUT_S + JUDGE_LATE_AFTER_S
        if late:
            self._forgive()
        for program in programs:
            if program.name in self.watched:
                self._see(self.watched[program.name], program)
        if not self.supervisord_problem:
            self._judge_all()
            if not late:
                await self._act()
        self._last_tick = self._clock.monotonic()

    async def _ask_supervisord(self) -> list[ProgramState]:
        """Every program's state; none when supervisord doesn't answer, which is itself something to say."""
        try:
            programs = await asyncio.to_thread(self._door.programs)
        except (SupervisorUnavailable, SupervisorRefused) as error:
            if not self.supervisord_problem:
                log.warning("supervisord doesn't answer", extra={"fields": {"error": error}})
            self.supervisord_problem = str(error)
            return []
        if self.supervisord_problem:
            log.info("supervisord answers again")
        self.supervisord_problem = ""
        return programs

    def _forgive(self) -> None:
        """We weren't there to listen: everybody's silence is counted from now."""
        now = self._clock.monotonic()
        log.warning("my own tick came late: nobody is judged for one period")
        self._fair_since = now
        self.pulses.forgive()
        for watched in self.watched.values():
            watched.forgive(now)

    def _see(self, watched: Watched, program: ProgramState) -> None:
        before, watched.program = watched.program, program
        if program.name != MANAGER:  # our own silence is for others to see
            self.pulses.know(program.name, program.pid, self._home.pulse(program.name))
        if before and program.pid and before.pid and program.pid != before.pid:
            self._restarted(watched, program)
        if watched.heartbeat and watched.heartbeat.pid != program.pid:
            watched.heartbeat = None  # that was its former life
        if watched.silent_s(self._clock.monotonic()) > QUIET_AFTER_S and program.pid:
            watched.take_vitals(sample_process(program.pid))

    def _restarted(self, watched: Watched, program: ProgramState) -> None:
        watched.restarts += 1
        cause = watched.hang or "; ".join(watched.verdict.causes) or "it exited"
        watched.hang = ""
        if watched.broken is None:
            watched.broken = ("crash", self._clock.monotonic())
        self._record("restart", program.name, f"new pid {program.pid}", cause)

    def _judge_all(self) -> None:
        builds = {row.heartbeat.build for row in self.watched.values() if row.heartbeat}
        for name, watched in self.watched.items():
            before = watched.verdict
            watched.verdict = self.judge_one(watched, len(builds) > 1)
            if watched.verdict.status is not before.status:
                level = logging.WARNING if watched.verdict.status is HealthStatus.CRITICAL else logging.INFO
                fields = {"process": name, "status": watched.verdict.status, "causes": watched.verdict.causes}
                log.log(level, "judged", extra={"fields": fields})
            self._see_recovery(name, watched)

    def judge_one(self, watched: Watched, builds_differ: bool) -> Verdict:
        """The verdict over one process, from what is known now."""
        if watched.program is None:
            return Verdict(HealthStatus.DEGRADED, ("not seen yet",))
        now, vitals = self._clock.monotonic(), watched.vitals
        pulse_s = self.pulses.silence_s(watched.program.name)
        turning = pulse_s is not None and pulse_s < self.pulses.limit_s  # then a lost heartbeat proves nothing
        sample = Sample(
            program_state=watched.program.state,
            pid=watched.program.pid,
            up_s=min(watched.program.since_s, now - self._fair_since),
            heartbeat=watched.heartbeat,
            silent_s=watched.silent_s(now) if watched.heartbeat else None,
            os_status=vitals.status if vitals and vitals.pid == watched.program.pid else "sleeping",
            idle=watched.idle and not turning,
        )
        return judge(sample, builds_differ)

    def _see_recovery(self, name: str, watched: Watched) -> None:
        if watched.broken and watched.verdict.status in (HealthStatus.HEALTHY, HealthStatus.DEGRADED):
            beat = watched.heartbeat
            if beat is not None and beat.state == "running":
                kind, since = watched.broken
                took = round(self._clock.monotonic() - since, 1)
                watched.broken = None
                self._record("fix", name, "restarted, makes progress again", kind, type=kind, seconds=took)

    async def _act(self) -> None:
        now = self._clock.monotonic()
        for name, watched in self.watched.items():
            if watched.program is None or name == MANAGER:
                continue
            beat = watched.heartbeat
            stuck = beat is not None and any(task.critical and overdue(task, beat.uptime_s) for task in beat.tasks)
            action, watched.history = decide(watched.program.state, watched.verdict, stuck, watched.history, now)
            if action is not Action.NONE:
                await self._carry_out(action, watched.program, watched)

    async def _carry_out(self, action: Action, program: ProgramState, watched: Watched) -> None:
        cause = "; ".join(watched.verdict.causes)
        log.warning("acting", extra={"fields": {"action": action, "process": program.name, "cause": cause}})
        try:
            if action is Action.KILL:
                await asyncio.to_thread(self._door.signal, program, "KILL")
            else:
                await asyncio.to_thread(self._door.start, program)
        except (SupervisorUnavailable, SupervisorRefused) as error:
            log.warning("supervisord didn't do it", extra={"fields": {"action": action, "error": error}})
            return
        watched.broken = ("hang" if action is Action.KILL else "crash_loop", self._clock.monotonic())

    def _record(self, kind: str, process: str, what: str, cause: str, **details: Any) -> None:
        try:
            self.changes.add(kind, process, what, cause, **details)
        except OSError as error:  # a full disk must not stop the judge: it is said, the record lacks this entry
            log.error("change not recorded", extra={"fields": {"what": what, "error": error}})

    def errors_per_minute(self) -> float:
        """Errors of all processes in the window, per minute."""
        beats = [row.heartbeat for row in self.watched.values() if row.heartbeat]
        return sum(error.in_window for beat in beats for error in beat.errors) / (ERROR_WINDOW_S / 60)

    def overall(self) -> HealthStatus:
        """The worst of all processes and of the machine."""
        statuses = [row.verdict.status for row in self.watched.values()]
        if self.supervisord_problem:
            statuses.append(HealthStatus.CRITICAL)
        if self.machine:
            statuses.append(judge_machine(self.machine.disk_free_bytes, self.machine.memory_available_share).status)
        return worst(statuses)

    def status(self) -> dict[str, Any]:
        """get_status(), in the words that DESIGN promises."""
        return {
            "running": True,
            "mode": self.mode,
            "overall_status": self.overall(),
            "note": f"supervisord doesn't answer: {self.supervisord_problem}" if self.supervisord_problem else "",
            "error_rate": round(self.errors_per_minute(), 3),
            "processes": {name: process_row(name, row) for name, row in self.watched.items()},
            "system_resources": system_resources(self.machine) if self.machine else {},
        }
