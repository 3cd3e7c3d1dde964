"""What the manager knows of every process, how it judges them, and what it does about it, one tick at a time.

Knows processes, never trading. Judgement and policy are pure (judgement.py, restart_policy.py); this is the edge.
"""

import functools
import logging
from collections import deque
from dataclasses import replace
from typing import Any

from execution.autonomous.change_log import ChangeLog
from execution.autonomous.crash_memory import CrashMemory
from execution.autonomous.judgement import Sample, Verdict, judge, judge_machine
from execution.autonomous.pulse_watch import STOPPED, PulseWatch
from execution.autonomous.resources import Finding
from execution.autonomous.restart_policy import DOWN, Action, Seen, decide
from execution.autonomous.status_document import live_row, plug_in_row, process_row
from execution.autonomous.supervisor_door import Exits, ProgramState, SupervisorDoor
from execution.autonomous.supervisor_link import SupervisorLink
from execution.autonomous.vitals import SystemVitals, sample_process, system_resources
from execution.autonomous.watched import QUIET_AFTER_S, Happening, Watched
from execution.runtime.clock import Clock
from execution.runtime.home import Home
from execution.vocabulary.health import HealthStatus, worst
from execution.vocabulary.limits import ERROR_WINDOW_S, JUDGE_LATE_AFTER_S, JUDGE_PERIOD_S, RPC_TIMEOUT_S
from execution.vocabulary.messages import Fact, Heartbeat
from execution.vocabulary.programs import BY_NAME, MANAGER

NEVER_ENDED = Exits(0, 0, 0)
HAPPENINGS_KEPT = 200
CRASHED = Exits(1, 0, 1)  # for want of the plug-in's word
log = logging.getLogger("nae.manager")


class Overseer:
    """Hears, judges, acts."""

    def __init__(
        self, mode: str, names: list[str], home: Home, door: SupervisorDoor, clock: Clock, *, hang_after_s: float = 1.0
    ) -> None:
        self.mode = mode
        self.watched = {name: Watched() for name in names}
        self.machine: SystemVitals | None = None
        self.asleep_killed = 0  # for their silence, though nobody had stopped them: starved perhaps
        self.happened: deque[Happening] = deque(maxlen=HAPPENINGS_KEPT)  # for whoever keeps account of faults
        self.link = SupervisorLink(door)
        self._held: list[str] = []
        self._pulse_at = functools.cache(home.pulse)
        self.changes = ChangeLog(home.change_log, clock)
        self._clock = clock
        self.pulses = PulseWatch(hang_after_s, clock)
        self._memory = CrashMemory(home.run, clock)
        self._memory.recall(self.watched)
        self._last_tick: float | None = None
        self._fair_since = clock.monotonic()  # nobody is blamed for what we weren't awake to hear

    def hear(self, fact: Fact) -> None:
        """Take in what the bus brings."""
        watched = self.watched.get(fact.process)
        if watched is None:
            return
        watched.facts += 1
        if isinstance(fact, Heartbeat):
            watched.hear(fact, self._clock.monotonic())

    def look_at_pulses(self) -> None:
        """Kill at once who has stopped turning. Called many times within the limit, so it asks nobody anything."""
        for silent in self.pulses.look():
            watched = self.watched[silent.name]
            pid = silent.child.pid
            if (watched.killed and watched.killed[0] == pid) or not silent.child.kill():
                continue  # killed already, or gone by itself: supervisord is about to say so
            self.asleep_killed += not silent.cause.startswith(STOPPED)
            self.killed(watched, silent.name, pid, silent.cause)

    def killed(self, watched: Watched, name: str, pid: int, cause: str, what: str = "hang") -> None:
        """Somebody was killed by us: remember whom, and why."""
        watched.killed = (pid, cause)
        self.happened.append(Happening(what, name, pid, cause))
        watched.broken = ("hang", self._clock.monotonic())
        fields = {"action": Action.KILL, "process": name, "pid": pid, "cause": cause}
        log.warning("acting", extra={"fields": fields})

    async def tick(self) -> None:
        """Sample, judge, act. A tick that came or took too long (sleep, SIGCONT, load) judges nobody for silence."""
        began = self._clock.monotonic()
        late = self._last_tick is not None and began - self._last_tick > JUDGE_PERIOD_S + JUDGE_LATE_AFTER_S
        programs = await self.link.look()
        late = late or self._clock.monotonic() - began > RPC_TIMEOUT_S + JUDGE_LATE_AFTER_S
        if late:
            self._forgive()
        for program in programs:
            if program.name in self.watched:
                self._see(self.watched[program.name], program)
        if not self.link.problem:
            self._judge_all()
            if not late:
                await self._act()
                self._memory.keep(self.watched)
            await self.link.hold_back(self._held)
        self._last_tick = self._clock.monotonic()

    def _forgive(self) -> None:
        """We weren't there to listen: everybody's silence is counted from now."""
        now = self._clock.monotonic()
        log.warning("my own tick came late: nobody is judged for one period")
        self._fair_since = now
        self.pulses.forgive()
        for watched in self.watched.values():
            watched.forgive(now)

    def _see(self, watched: Watched, program: ProgramState) -> None:
        if watched.kept_down and program.state in DOWN:
            program = replace(program, state="STOPPED", explanation="")
        watched.kept_down = watched.kept_down and program.state == "STOPPED"  # unless somebody else has started it
        watched.program = program
        if program.name != MANAGER:  # our own silence is for others to see
            self.pulses.know(program.name, program.pid, self._pulse_at(program.name))
        if program.pid not in (0, watched.last_pid):
            if watched.last_pid:
                self._restarted(watched, program)
            watched.last_pid = program.pid
            watched.readings.clear()
            watched.finding = Finding()
        if watched.heartbeat and watched.heartbeat.pid != program.pid:
            watched.heartbeat = None  # that was its former life
        if watched.silent_s(self._clock.monotonic()) > QUIET_AFTER_S and program.pid:
            watched.take_vitals(sample_process(program.pid))

    def _restarted(self, watched: Watched, program: ProgramState) -> None:
        watched.restarts += 1
        watched.restarted_at.append(self._clock.monotonic())
        killed = watched.killed and watched.killed[0] == watched.last_pid
        status = self.link.plug_in.exits.get(program.name, CRASHED).last_status
        if not killed:
            self.happened.append(Happening("crash", program.name, watched.last_pid, f"it ended with {status}", status))
        cause = watched.killed[1] if watched.killed and killed else "; ".join(watched.verdict.causes) or "it exited"
        if watched.broken is None:
            if status == 0:
                cause = "it ended in good order, as it was told"  # nothing was broken, so nothing is mended
            else:
                watched.broken = ("crash", self._clock.monotonic())
        self.record("restart", program.name, f"new pid {program.pid}", cause)

    def _judge_all(self) -> None:
        builds = self.builds()
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
            up_s=min(watched.program.since_s, now - self._fair_since),  # supervisord's clock is the wall's
            heartbeat=watched.heartbeat,
            silent_s=watched.silent_s(now) if watched.heartbeat else None,
            os_status=vitals.status if vitals and vitals.pid == watched.program.pid else "sleeping",
            idle=watched.idle and not turning,
            held=watched.held,
            quarantined=watched.history.quarantined,
            leak=watched.finding.leak,
            spins=watched.finding.spins,
            flood=watched.flood,
            fair_s=now - self._fair_since,
        )
        return judge(sample, builds_differ)

    def _see_recovery(self, name: str, watched: Watched) -> None:
        if watched.broken and watched.verdict.status in (HealthStatus.HEALTHY, HealthStatus.DEGRADED):
            beat = watched.heartbeat
            if beat is not None and beat.state == "running":
                kind, since = watched.broken
                took = round(self._clock.monotonic() - since, 1)
                watched.broken = None
                self.record("fix", name, "restarted, makes progress again", kind, type=kind, seconds=took)

    async def _act(self) -> None:
        """Kill, start, and draw up the list of those who stay down when they end."""
        now, held = self._clock.monotonic(), []
        for name, watched in self.watched.items():
            if watched.program is None or name == MANAGER:
                continue
            decision = decide(self._seen(name, watched, watched.program), watched.history, now)
            if decision.history.crashes > watched.history.crashes:
                watched.broken, watched.killed = watched.broken or ("crash", now), None
            watched.history, watched.free_in_s = decision.history, decision.free_in_s
            if decision.hold or watched.kept_down:
                held.append(name)
            await self._carry_out(decision.action, watched.program, watched)
        self._held = held

    def _seen(self, name: str, watched: Watched, program: ProgramState) -> Seen:
        twin = BY_NAME[name].twin
        other = self.watched.get(twin) if twin else None
        return Seen(
            state=program.state,
            verdict=watched.verdict,
            exits=self.link.plug_in.exits.get(name, NEVER_ENDED) if self.link.plug_in.working else None,
            killed=watched.killed is not None,
            guards=BY_NAME[name].guards,
            twin_active=other is not None
            and other.role == "active"
            and other.verdict.status is not HealthStatus.CRITICAL,
        )

    async def _carry_out(self, action: Action, program: ProgramState, watched: Watched) -> None:
        cause = "; ".join(watched.verdict.causes)
        if action is Action.KILL and await self.link.signal(program, "KILL"):
            self.killed(watched, program.name, program.pid, cause)
        elif action is Action.START:
            log.warning("acting", extra={"fields": {"action": action, "process": program.name, "cause": cause}})
            if await self.link.start(program):
                watched.broken = ("crash_loop", self._clock.monotonic())

    def record(self, kind: str, process: str, what: str, cause: str, **details: Any) -> None:
        """Into the change log."""
        try:
            self.changes.add(kind, process, what, cause, **details)
        except OSError as error:  # a full disk must not stop the judge: it is said, the record lacks this entry
            log.error("change not recorded", extra={"fields": {"what": what, "error": error}})

    def find(self, name: str) -> tuple[Watched, ProgramState]:
        """The process `name` as supervisord knows it. Raises KeyError when it isn't one of ours, or isn't seen yet."""
        watched = self.watched[name]
        if watched.program is None:
            raise KeyError(name)
        return watched, watched.program

    def errors_per_minute(self) -> float:
        """Errors of all processes in the window, per minute."""
        beats = [row.heartbeat for row in self.watched.values() if row.heartbeat]
        return sum(error.in_window for beat in beats for error in beat.errors) / (ERROR_WINDOW_S / 60)

    def overall(self) -> HealthStatus:
        """The worst of all processes and of the machine."""
        statuses = [row.verdict.status for row in self.watched.values()]
        if self.link.problem:
            statuses.append(HealthStatus.CRITICAL)
        if self.machine:
            statuses.append(judge_machine(self.machine.disk_free_bytes, self.machine.memory_available_share).status)
        return worst(statuses)

    def builds(self) -> dict[str, list[str]]:
        """Which build each process says it is."""
        builds: dict[str, list[str]] = {}
        for name, row in self.watched.items():
            if row.heartbeat:
                builds.setdefault(row.heartbeat.build, []).append(name)
        return builds

    def status(self) -> dict[str, Any]:
        """get_status(), in the words that DESIGN promises."""
        now, problem = self._clock.monotonic(), self.link.problem
        return {
            "running": True,
            "mode": self.mode,
            "overall_status": self.overall(),
            "note": f"supervisord doesn't answer: {problem}" if problem else "",
            "error_rate": round(self.errors_per_minute(), 3),
            "processes": {name: process_row(name, row, now) for name, row in self.watched.items()},
            "system_resources": system_resources(self.machine) if self.machine else {},
            "plug_in": plug_in_row(self.link.plug_in),
            "live": live_row(self.watched),
            "builds": self.builds(),
        }
