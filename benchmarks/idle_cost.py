"""What it costs to be watched while nothing happens: NAE's supervisord and manager, beside plain supervisord with seven
sleepers."""

import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import psutil

from benchmarks.live_recovery import MANAGER, SUPERVISORD, operation_with
from benchmarks.real_operation import until
from benchmarks.supervisors import Place

MIB = 2**20
SETTLE_S = 20.0
SLEEPERS = 7
CONFIG = """
[supervisord]
nodaemon=true
silent=true
pidfile={folder}/pid
logfile={folder}/log
minfds=512
[program:sleeper]
command=sleep 1000000
numprocs={sleepers}
process_name=sleeper%(process_num)d
"""


@dataclass(frozen=True)
class Cost:
    """Together, over the time watched."""

    name: str
    cpu_share: float
    pss_mib: float


def costs(seconds: float, told: Callable[[str], None]) -> list[Cost]:
    """Both, side by side over the same seconds."""
    with tempfile.TemporaryDirectory(prefix="nae-recovery-") as made, operation_with(1.0) as operation:
        folder = Path(made)
        (folder / "conf").write_text(CONFIG.format(folder=folder, sleepers=SLEEPERS))
        place = Place(folder)
        place.spawn(sys.executable, "-m", "supervisor.supervisord", "-c", str(folder / "conf"))
        try:
            plain = psutil.Process(place.running[0].pid)
            until(lambda: len(plain.children()) == SLEEPERS, 10, "sleepers")
            members = operation.members()
            ours = [psutil.Process(members[name].pid) for name in (SUPERVISORD, MANAGER)]
            told(f"letting {len(members) - 1} processes of an operation settle")
            time.sleep(SETTLE_S)
            told(f"watching the idle for {seconds:g} s")
            groups = {
                f"NAE: supervisord and manager, {len(members) - 2} workers": ours,
                f"supervisord alone, {SLEEPERS} sleepers": [plain],
            }
            return _watch(groups, seconds)
        finally:
            place.stop()


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
