"""What the watching of logs costs the whole manager at 100 and at 10,000 lines a second, beside what it uses anyway,
and whether it lost a line. Real lines into the logs of a real running operation; files rotate on the way by copy and
truncate.
"""

import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from benchmarks.healing_sight import cpu_meter
from benchmarks.healthy_day import rotate
from benchmarks.real_operation import DidNot, RealOperation, until
from execution.runtime.clock import iso

RATES = (100, 10_000)
SECONDS = 20.0
STEP_S = 0.05
MARK_EVERY = 10  # each tenth line is a warning: the manager counts those, so a lost line shows
TEXT = "nae.trading: looked at the market again, nothing to be done symbol=BTC/USDT price=101.5 n={number}"
ROTATE_AT_BYTES = 20_000_000
COUNTED_WITHIN_S = 20.0


@dataclass
class Load:
    """One rate. Shares are of one core; `idle` is what the same manager used just before."""

    lines_per_s: int
    written: int
    marked: int
    counted: int
    share: float
    idle: float

    @property
    def own(self) -> float:
        """What the lines cost."""
        return self.share - self.idle


def loads(told: Callable[[str], None], seconds: float = SECONDS, rates: tuple[int, ...] = RATES) -> list[Load]:
    """Each rate in turn on one operation."""
    operation = RealOperation()
    try:
        told("starting an operation (sandbox)")
        operation.start("sandbox")
        time.sleep(seconds / 2)
        return [_load(operation, rate, seconds, told) for rate in rates]
    finally:
        operation.end()
        operation.remove()


def _load(operation: RealOperation, rate: int, seconds: float, told: Callable[[str], None]) -> Load:
    told(f"{rate} lines a second for {seconds:g} s, and as long without")
    idle = cpu_meter(operation)
    time.sleep(seconds)
    idle_share = idle() / seconds
    names = ["ralph", "accelerator_controller", "master_controller", "venue"]
    before = _counted(operation, names)
    used = cpu_meter(operation)
    written, marked = _write([operation.home.log_file(name) for name in names], rate, seconds)
    share = used() / seconds
    try:
        until(lambda: _counted(operation, names) - before >= marked, COUNTED_WITHIN_S, "count of every line", 0.5)
    except DidNot as lost:
        told(str(lost))
    return Load(rate, written, marked, _counted(operation, names) - before, share, idle_share)


def _counted(operation: RealOperation, names: list[str]) -> int:
    rows = operation.status()["processes"]
    return sum(int(rows[name].get("log_warnings", 0)) for name in names)


def _write(paths: list[Path], rate: int, seconds: float) -> tuple[int, int]:
    """Evenly, to all of them; how many lines, and how many of them marked."""
    written, marked, began, steps = 0, 0, time.monotonic(), int(seconds / STEP_S)
    for step in range(steps):
        goal = int(rate * seconds * (step + 1) / steps)
        for path in paths:
            share = (goal - written) // (len(paths) - paths.index(path))
            marked += sum(number % MARK_EVERY == 0 for number in range(written, written + share))
            _append(path, written, share)
            written += share
        time.sleep(max(0.0, began + STEP_S * (step + 1) - time.monotonic()))
    return written, marked


def _append(path: Path, first: int, count: int) -> None:
    now = iso(int(time.time() * 1000))
    levels = ("INFO   ", "WARNING")
    lines = [
        f"{now} {levels[number % MARK_EVERY == 0]} {TEXT.format(number=number)}\n"
        for number in range(first, first + count)
    ]
    with path.open("ab", buffering=0) as file:
        file.write("".join(lines).encode())
        size = file.tell()
    if size > ROTATE_AT_BYTES:
        rotate(path, by_name=False)
