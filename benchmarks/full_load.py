"""A whole operation beside programs that take every core: nobody may be taken for hung; the live account is managed.

python -m benchmarks.full_load [--minutes 60] [--hogs 4] [--hang-after 1.0] [--json]

Ends with 0 when no process was killed or restarted. The judge looks at the venue's journal, as after a storm.
"""

import argparse
import json
import os
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass

import psutil
from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn, TimeRemainingColumn

from benchmarks.judge import judge
from benchmarks.real_operation import RealOperation
from execution.autonomous.change_log import ChangeLog
from execution.runtime.clock import SystemClock

CONFIG = "[venue]\nspeed = 60\nseed = 7\n[trading]\ntime_exit_bars = 5\n[operation]\nhang_after_s = {hang_after_s}\n"
HOG = "while True: pass"


@dataclass(frozen=True)
class Endured:
    """What came of it. `restarts`: (process, cause) of each that was not left alone."""

    minutes: float
    hogs: int
    hang_after_s: float
    load: float
    managed_share: float
    violations: int
    restarts: list[tuple[str, str]]


@contextmanager
def hogs(count: int) -> Iterator[list[subprocess.Popen[bytes]]]:
    """Programs that only compute, as urgent as everybody else."""
    running = [subprocess.Popen([sys.executable, "-c", HOG]) for _ in range(count)]
    try:
        yield running
    finally:
        for hog in running:
            hog.kill()
            hog.wait()


def endure(minutes: float, count: int, hang_after_s: float, progress: Progress) -> Endured:
    """One operation, in a home of its own, for so long."""
    operation = RealOperation(CONFIG.format(hang_after_s=hang_after_s))
    bar = progress.add_task(f"{count} hogs on {os.cpu_count()} cores", total=minutes * 60)
    try:
        operation.start()
        began = time.monotonic()
        with hogs(count):
            while (passed := time.monotonic() - began) < minutes * 60:
                progress.update(bar, completed=passed)
                time.sleep(0.5)
            load, until_ms = psutil.getloadavg()[0], SystemClock().now_ms()
        record = ChangeLog(operation.home.change_log, SystemClock()).read()
        restarts = [(one["process"], one["cause"]) for one in record["entries"] if one["kind"] == "restart"]
        operation.settle(120.0)
        operation.stop()
        verdict = judge(operation.home, to_ms=until_ms)
    finally:
        operation.end()
        operation.remove()
    violations = sum(map(len, verdict.violations.values()))
    return Endured(minutes, count, hang_after_s, load, verdict.managed_share, violations, restarts)


def main(arguments: list[str]) -> int:
    """The command."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--minutes", type=float, default=60.0)
    parser.add_argument("--hogs", type=int, default=2 * (os.cpu_count() or 1), help="twice as many as cores")
    parser.add_argument("--hang-after", type=float, default=1.0, help="seconds, as in [operation] hang_after_s")
    parser.add_argument("--json", action="store_true", help="one JSON document")
    words = parser.parse_args(arguments)
    columns = (BarColumn(), TextColumn("{task.description}"), TimeRemainingColumn())
    with Progress(*columns, console=Console(stderr=True)) as progress:
        endured = endure(words.minutes, words.hogs, words.hang_after, progress)
    if words.json:
        print(json.dumps(asdict(endured)))
    else:
        print(f"{endured.minutes:g} minutes, {endured.hogs} hogs, load {endured.load:.1f}")
        print(f"hung after {endured.hang_after_s:g} s: {len(endured.restarts)} restarts")
        print(f"live account: managed {endured.managed_share:.3%}, {endured.violations} orders doubled or forgotten")
        for process, cause in endured.restarts:
            print(f"  {process}: {cause}")
    return 1 if endured.restarts or endured.violations else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
