"""Sees to what processes use: reads it every few seconds, renews who leaks before the ceiling is met; counts them every
second, and ends a fork bomb with all its children. What the readings mean is decided in resources.py; a process that is
renewed ends in good order.
"""

import logging
from collections.abc import Awaitable, Callable
from dataclasses import dataclass

from execution.autonomous.family import Family
from execution.autonomous.overseer import Overseer
from execution.autonomous.resources import AS_SHIPPED, Ceilings, Patience, Reading
from execution.autonomous.vitals import Child, group_sizes, sample_process
from execution.autonomous.watched import Watched
from execution.runtime.clock import Clock
from execution.vocabulary.limits import LEAK_RESTART_EVERY_S, MEMBERS_MAX
from execution.vocabulary.programs import MANAGER

log = logging.getLogger("nae.manager")
MIB = 2**20
KIN_PERIOD_S = 30.0  # at least so often: others may end while a bomb grows
JUDGED_AFTER_S = 60.0  # a new life has come up by then
HELPED_SHARE = 0.8  # of what the former life used, of memory or descriptors
HEAVY = {"ralph": 2}  # times what others may use: it holds candles and compiled kernels


@dataclass(frozen=True)
class Renewed:
    """Who was ended for its leak: its pid then, its last reading, and when."""

    pid: int
    reading: Reading
    at: float


class Caretaker:
    """One operation's processes and what they use. `hand_over` asks the holder of an account to give it to its twin."""

    def __init__(
        self,
        overseer: Overseer,
        memory_max_mib: int,
        hand_over: Callable[[str, str], Awaitable[bool]],
        clock: Clock,
        patience: Patience = AS_SHIPPED,
    ) -> None:
        self._overseer = overseer
        self._memory_max_mib = memory_max_mib
        self._hand_over = hand_over
        self._clock = clock
        self._patience = patience
        self._fewest: int | None = None  # processes on the machine, since kin were counted last
        self._kin_due = 0.0
        self._on_trial: dict[str, Renewed] = {}

    def count(self) -> None:
        """End who has become too many: by its group, and where there are many more than there were by its kin too."""
        now, sizes = self._clock.monotonic(), group_sizes()
        there_are = sizes.total()
        fewest = there_are if self._fewest is None else self._fewest
        many_more = there_are - fewest > MEMBERS_MAX or now >= self._kin_due
        self._fewest = there_are if many_more else min(fewest, there_are)
        self._kin_due = now + KIN_PERIOD_S if many_more else self._kin_due
        for name, watched in self._overseer.watched.items():
            pid = watched.pid
            if not pid or name == MANAGER or (sizes[pid] <= MEMBERS_MAX and not many_more):
                continue
            kin = Family(pid)
            members = max(sizes[pid], len(kin.living()))
            if members > MEMBERS_MAX:
                self._end(name, watched, kin, members)

    def _end(self, name: str, watched: Watched, kin: Family, members: int) -> None:
        child = Child.known(watched.pid)
        if child is None or (watched.killed and watched.killed[0] == watched.pid):
            return
        if child.stop_group():
            kin.look()  # those who have left its group, the youngest too
            child.kill_group()
            kin.kill()
            cause = f"fork bomb: it has become {members} processes"
            self._overseer.killed(watched, name, watched.pid, cause, "fork bomb")

    async def look(self) -> None:
        """Read everybody; act on who must not go on so."""
        for name, watched in self._overseer.watched.items():
            pid = watched.pid
            watched.vitals = vitals = sample_process(pid) if pid else None
            child = Child.known(pid) if vitals else None
            if vitals is None or child is None:
                continue
            now = self._clock.monotonic()
            reading = Reading(now, vitals.rss_bytes, vitals.descriptors, vitals.cpu_s)
            most = self._memory_max_mib * MIB * HEAVY.get(name, 1)
            watched.read(reading, Ceilings(most, child.descriptors_max()), self._patience)
            self._judge(name, reading, pid)
            if watched.finding.act:
                await self._renew(name, watched, now)

    async def _renew(self, name: str, watched: Watched, now: float) -> None:
        if watched.program is None or watched.program.state != "RUNNING":
            return
        if watched.renewed_at is not None and now - watched.renewed_at < LEAK_RESTART_EVERY_S:
            return
        watched.renewed_at = now
        cause, program = watched.finding.leak, watched.program
        if watched.role == "active" and await self._hand_over(name, cause):
            what = "its account handed over, before it meets its ceiling"
        elif await self._overseer.link.signal(program, "TERM"):
            what = "ended in good order, to be started anew before it meets its ceiling"
        else:
            return
        log.warning("renewed", extra={"fields": {"process": name, "what": what, "cause": cause}})
        reading = watched.readings[-1]
        evidence = {
            "metric": "rss_bytes",
            "metric_before": reading.rss_bytes,
            "descriptors_before": reading.descriptors,
        }
        self._overseer.record("adjustment", name, what, cause, **evidence)
        self._on_trial[name] = Renewed(watched.last_pid, reading, now)

    def _judge(self, name: str, reading: Reading, pid: int) -> None:
        """Did a new life help? Once it has lasted a while: what it uses then, against what the former one had come
        to. A restart can't be taken back; one that didn't help isn't repeated before its time, and says so."""
        before = self._on_trial.get(name)
        if before is None or pid == before.pid or reading.at - before.at < JUDGED_AFTER_S:
            return
        del self._on_trial[name]
        helped = reading.rss_bytes < HELPED_SHARE * before.reading.rss_bytes or (
            (reading.descriptors or 0) < HELPED_SHARE * (before.reading.descriptors or 0)
        )
        metric = {"metric": "rss_bytes", "metric_before": before.reading.rss_bytes, "metric_after": reading.rss_bytes}
        metric |= {"descriptors_before": before.reading.descriptors, "descriptors_after": reading.descriptors}
        verdict = "kept" if helped else "didn't help"
        self._overseer.record("verdict", name, f"new life: {verdict}", "ahead of a leak", verdict=verdict, **metric)
