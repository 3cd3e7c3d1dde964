"""What it costs to be watched while nothing happens: NAE's supervisord and manager with their workers, beside other
supervisors with seven sleepers, all over the same seconds."""

import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import psutil

from benchmarks.live_recovery import MANAGER, SUPERVISORD, operation_with
from benchmarks.payload import Payload
from benchmarks.supervisors import NAE, SUPERVISORS, Place, Supervisor

MIB = 2**20
SETTLE_S = 20.0
SLEEPERS = 7
SLEEPER = "#!/bin/sh\nexec sleep 1000000\n"


@dataclass(frozen=True)
class Cost:
    """Together, over the time watched."""

    name: str
    cpu_share: float
    pss_mib: float


def costs(seconds: float, find: Callable[[str], str | None], told: Callable[[str], None]) -> list[Cost]:
    """Everybody who is installed and whose process can be told, side by side."""
    with (
        tempfile.TemporaryDirectory(prefix="nae-recovery-") as made,
        operation_with(1.0) as operation,
        asleep(Path(made), find, told) as others,
    ):
        members = operation.members()
        ours = [psutil.Process(members[name].pid) for name in (SUPERVISORD, MANAGER)]
        told("letting all of them settle")
        time.sleep(SETTLE_S)
        told(f"watching the idle for {seconds:g} s")
        return _watch({f"NAE: supervisord and manager, {len(members) - 2} workers": ours, **others}, seconds)


@contextmanager
def asleep(
    folder: Path, find: Callable[[str], str | None], told: Callable[[str], None]
) -> Iterator[dict[str, list[psutil.Process]]]:
    """The other supervisors with their sleepers, and the processes that each is made of."""
    program = folder / "sleeper"
    program.write_text(SLEEPER)
    program.chmod(0o755)
    asked = [one for one in SUPERVISORS if one.name != NAE and one.pid and (not one.program or find(one.program))]
    places = [
        (one, Place(folder / str(number), Payload("sleeper", program), find, SLEEPERS))
        for number, one in enumerate(asked)
    ]
    try:
        for one, place in places:
            told(f"starting {one.name}")
            place.folder.mkdir()
            one.start(place)
        yield {f"{one.name}, {SLEEPERS} sleepers": _made_of(one, place) for one, place in places}
    finally:
        for one, place in places:
            one.end(place)
            place.stop()


def _made_of(supervisor: Supervisor, place: Place) -> list[psutil.Process]:
    assert supervisor.pid is not None, "asked only who has one"
    return [psutil.Process(pid) for pid in {supervisor.pid(place), *(child.pid for child in place.running)}]


def _watch(groups: dict[str, list[psutil.Process]], seconds: float) -> list[Cost]:
    used = {name: sum(map(_cpu_s, processes)) for name, processes in groups.items()}
    began = time.monotonic()
    time.sleep(seconds)
    elapsed = time.monotonic() - began
    found = []
    for name, processes in groups.items():
        share = (sum(map(_cpu_s, processes)) - used[name]) / elapsed
        memory = [process.memory_full_info() for process in processes]
        found.append(Cost(name, share, sum(getattr(one, "pss", one.uss) for one in memory) / MIB))
    return found


def _cpu_s(process: psutil.Process) -> float:
    times = process.cpu_times()
    return float(times.user + times.system)
