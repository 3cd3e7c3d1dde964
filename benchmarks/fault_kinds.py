"""One worker under everybody who brings programs back, and three things that can happen to it: it is killed, it stands
still, or its supervisor is killed and then the worker too. How long until its successor's first act, or that none came.

Each supervisor is the topmost process here: nothing above it brings it back, as nothing is above NAE's own. What NAE
makes of the same is measured on its live trader, in live_recovery.
"""

import os
import select
import signal
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from benchmarks.crash_recovery import Contender, contenders
from benchmarks.payload import Payload
from benchmarks.real_operation import send
from benchmarks.supervisors import NAE, SUPERVISORS, Supervisor

KILLED, STOPPED, ORPHANED = "killed", "stands still", "its supervisor killed, then itself"
KINDS = (KILLED, STOPPED, ORPHANED)
GIVEN_UP_S = 10.0
LIVES_S = 1.2  # some rest when a program lived for less than a second


@dataclass(frozen=True)
class Outage:
    """Until the successor's first act; None: none came in the time given."""

    supervisor: str
    kind: str
    back_ms: float | None


def outages(
    payload: Payload,
    folder: Path,
    find: Callable[[str], str | None],
    told: Callable[[str], None],
    kinds: Sequence[str] = KINDS,
    given_up_s: float = GIVEN_UP_S,
) -> list[Outage]:
    """Every supervisor that is installed with every one of `kinds`, each on a fresh start."""
    found = []
    peers = [one for one in SUPERVISORS if one.name != NAE]
    for kind in kinds:
        entrants, _ = contenders(peers, payload, folder / kind.split()[0], find)
        for entrant in entrants:
            supervisor = entrant.supervisor
            if supervisor is not None and (supervisor.pid is not None or kind != ORPHANED):
                told(f"a worker under {entrant.name}: {kind}")
                found.append(Outage(entrant.name, kind, _outage(entrant, supervisor, kind, given_up_s)))
    return found


def _outage(entrant: Contender, supervisor: Supervisor, kind: str, given_up_s: float) -> float | None:
    workers: list[int] = []  # whoever was seen: nobody else ends them when their supervisor was killed
    try:
        entrant.start()
        workers.append(entrant.pid)
        time.sleep(LIVES_S)
        if kind == ORPHANED and supervisor.pid is not None:
            os.kill(supervisor.pid(entrant.place), signal.SIGKILL)
            time.sleep(LIVES_S)
        began = time.perf_counter()
        send(entrant.pid, signal.SIGSTOP if kind == STOPPED else signal.SIGKILL)
        ready, _, _ = select.select([entrant.pipe], [], [], given_up_s)
        back_ms = (time.perf_counter() - began) * 1000
        if ready:
            workers.append(int(os.read(entrant.pipe, 64).split()[-1]))
        if kind == STOPPED:
            send(entrant.pid, signal.SIGKILL)  # it wouldn't hear its supervisor's end
        return back_ms if ready else None
    finally:
        entrant.stop()
        for pid in workers:
            send(pid, signal.SIGKILL)
