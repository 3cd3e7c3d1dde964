"""From a fault of the active live trader to the live account managed again, in a real operation.

Judged by the probes in the venue's journal: the first one that the venue accepted from a newer epoch.

Each round waits until a standby is ready. Times are the machine's monotonic clock on both sides.
"""

import signal
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

from benchmarks.availability import is_probe
from benchmarks.real_operation import LIVE, RealOperation, send, until
from benchmarks.venue_journal import Entry, entries, rows_of
from execution.runtime.bus import NoAnswer, Refused, ask
from execution.runtime.clock import SystemClock

READY_WITHIN_S = 60.0
AGAIN_WITHIN_S = 30.0
HANDOVER_WITHIN_S = 10.0
LOOK_S = 0.02
PACE_S = 3.0  # a takeover and the fallen one's return cost some 71 of the 6,000 weight that a venue allows in a minute
CONFIG = "[venue]\nspeed = 60\nseed = 7\n[trading]\ntime_exit_bars = 5\n[operation]\nhang_after_s = {hang_after_s}\n"
KILLED, HUNG, SUPERVISORD_KILLED = "live trader killed", "live trader hung, as shipped (1 s)", "supervisord killed"
MANAGER = "continuous_operation"
SUPERVISORD = "supervisord"


@dataclass
class Measured:
    """One kind of fault, in milliseconds: to managed again, and how long no probe covered (0 as a rule)."""

    name: str
    again_ms: list[float] = field(default_factory=list)
    unmanaged_ms: list[float] = field(default_factory=list)


class JournalTail:
    """The probes of the live account, read on from where the last look ended."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._offset = 0
        self._rest = b""
        self.probes: list[Entry] = []

    def look(self) -> list[Entry]:
        """All probes so far."""
        with self._path.open("rb") as file:
            file.seek(self._offset)
            data = self._rest + file.read()
            self._offset = file.tell()
        *lines, self._rest = data.split(b"\n")
        found = (entry for entry in entries(rows_of(lines)) if entry.account == "live" and is_probe(entry))
        self.probes += found
        return self.probes


class LiveRounds:
    """Rounds of one kind of fault after the other on one operation."""

    def __init__(self, operation: RealOperation, told: Callable[[str], None]) -> None:
        self._operation = operation
        self._told = told
        self._next_at = 0.0
        self._tail = JournalTail(operation.home.data / "venue" / "journal.jsonl")

    def run(self, name: str, fault: Callable[[], None], rounds: int) -> Measured:
        """`rounds` times: ready, the fault, managed again."""
        measured = Measured(name)
        for number in range(rounds):
            self._told(f"{name}: round {number + 1} of {rounds}")
            until(self.is_ready, READY_WITHIN_S, "standby that is ready", every_s=0.2)
            time.sleep(max(0.0, self._next_at - time.monotonic()))
            self._next_at = time.monotonic() + PACE_S
            last = self._tail.look()[-1]
            began = time.monotonic() * 1000
            fault()
            until(partial(self._has_heir, last), AGAIN_WITHIN_S, "heir", every_s=LOOK_S)
            heir = self._heirs(last)[0]
            before = max(entry.mono for entry in self._tail.probes if entry.epoch == last.epoch)
            measured.again_ms.append(heir.mono - began)
            measured.unmanaged_ms.append(max(0.0, heir.mono - before - 1000))
        return measured

    def _has_heir(self, last: Entry) -> bool:
        return bool(self._heirs(last))

    def _heirs(self, last: Entry) -> list[Entry]:
        return [entry for entry in self._tail.look() if (entry.epoch or 0) > (last.epoch or 0)]

    def is_ready(self) -> bool:
        """Does one manage the account and another wait for it? What the manager holds back is let go first."""
        status = self._operation.status()
        for name in LIVE:
            row = status.get("processes", {}).get(name, {})
            if row.get("held_for_s") or row.get("quarantined"):
                self._ask(MANAGER, "start", name=name)
        live = status.get("live") or {}
        return bool(live.get("standby_ready") and live.get("holder")) and bool(self._tail.look())

    def _ask(self, process: str, verb: str, **arguments: Any) -> bool:
        try:
            ask(self._operation.home.run, process, verb, SystemClock(), **arguments)
        except (NoAnswer, Refused):
            return False  # it isn't ready for that yet: the next look asks again
        return True

    def kill(self) -> None:
        """kill -9 of whoever holds the live account."""
        self._signal(signal.SIGKILL)

    def hang(self) -> None:
        """It stands still, as in an endless wait."""
        self._signal(signal.SIGSTOP)

    def kill_supervisord(self) -> None:
        """kill -9 of supervisord: all its children end too."""
        send(self._operation.members()[SUPERVISORD].pid, signal.SIGKILL)

    def _signal(self, number: int) -> None:
        holder = self._operation.holder()
        assert holder is not None, "nobody holds the live account"
        send(holder, number)

    def hand_over(self) -> None:
        """As an upgrade or a leak asks for it."""

        def asked() -> bool:
            holder = self._operation.status().get("live", {}).get("holder")
            return bool(holder) and self._ask(str(holder), "handover", reason="a benchmark")

        until(asked, HANDOVER_WITHIN_S, "handover")


@contextmanager
def operation_with(hang_after_s: float) -> Iterator[RealOperation]:
    """A dual operation that is managed; gone at the end, files and all."""
    operation = RealOperation(CONFIG.format(hang_after_s=hang_after_s))
    try:
        operation.start()
        yield operation
    finally:
        operation.end()
        operation.remove()


def measure(rounds: int, told: Callable[[str], None]) -> list[Measured]:
    """Crash, handover, hang as shipped and supervisord's death, then hang tuned."""
    found = []
    with operation_with(1.0) as operation:
        live = LiveRounds(operation, told)
        found.append(live.run(KILLED, live.kill, rounds))
        found.append(live.run("live trader asked to hand over", live.hand_over, rounds))
        found.append(live.run(HUNG, live.hang, max(1, rounds // 2)))
        found.append(live.run(SUPERVISORD_KILLED, live.kill_supervisord, max(1, rounds // 2)))
    with operation_with(0.1) as operation:
        live = LiveRounds(operation, told)
        found.append(live.run("live trader hung, tuned (0.1 s)", live.hang, max(1, rounds // 2)))
    return found
