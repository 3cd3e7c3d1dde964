"""A day of healthy logs, written at speed into the logs of a running operation: the word "error" in many harmless
lines, old ERROR records with their old times, rotated files, files that are copied and truncated. Seeded; writes,
judges nothing.
"""

import os
import random
import shutil
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

from execution.runtime.clock import iso

DAY_S = 86_400
LINES_PER_S = 4.0  # of all processes together: what a quiet operation says, generously
OLD_BY_MS = 26 * 3600 * 1000
STRANGER = "rotated_by_name"  # a log of nobody's, moved away and begun anew as other rotations do
HARMLESS = (
    "INFO    nae.trading: health errors=0 error_rate=0.0 last_error=none",
    "INFO    nae.trading: cycle done seconds=0.012 errors=0 triggers=1",
    "INFO    nae.exchange: the error budget is untouched used=0 of=100",
    "INFO    nae.exchange: reconnected, no error followed attempts=1",
    "INFO    nae.learning: paired difference standard_error=0.0012 t=0.4",
    "INFO    nae.research: tracking error of the replica is small value=0.003",
    "INFO    nae.process: state state=running build=0123456789ab pid=4711",
    "INFO    nae.trading: dropped why=target_below_cost symbol=ETH/USDT",
    "INFO    nae.exchange: error code table loaded codes=57 kind=ERROR",
    "INFO    nae.trading: 'Error' is a word in a note of a person's, and CRITICAL too",
    "DEBUG   nae.bus: heard garbage=0 error=None",
)
OLD_RECORDS = (
    "ERROR   nae.tasks: task failed task=cycle error='KeyError: BTC/USDT'",
    "CRITICAL nae: ended by an error that nobody caught",
    "ERROR   nae.exchange: ModuleNotFoundError: No module named 'ccxt'",
)
TRACE = (
    "  Traceback (most recent call last):",
    '    File "execution/trading/manager.py", line 12, in run_cycle',
    "  ConnectionResetError: [Errno 104] Connection reset by peer",
)


@dataclass
class Written:
    """What was written."""

    lines: int = 0
    bytes: int = 0
    old_errors: int = 0
    rotated: int = 0
    by_process: dict[str, int] = field(default_factory=dict)


def lines_of(process: str, seed: int, count: int, began_ms: int, span_s: float = DAY_S) -> Iterator[tuple[str, bool]]:
    """`count` lines of one process over `span_s`, each with whether it is the record of an old error."""
    drawn = random.Random(f"{seed}/{process}")
    for number in range(count):
        at_ms = began_ms + int(number * span_s * 1000 / count)
        is_old = drawn.random() < 0.0005
        if is_old:
            yield f"{iso(at_ms - OLD_BY_MS)} {drawn.choice(OLD_RECORDS)}", True
            yield from ((line, False) for line in TRACE)
        else:
            yield f"{iso(at_ms)} {drawn.choice(HARMLESS)} n={drawn.randrange(10**6)}", False


def write_day(
    logs: Path, processes: list[str], seed: int, span_s: float, within_s: float, rotations: int = 3
) -> Written:
    """The lines of `span_s`, spread evenly over `within_s`; each file is rotated `rotations` times on the way."""
    names = [*processes, STRANGER]
    each = int(span_s * LINES_PER_S / len(names))
    began_ms = int((time.time() - span_s) * 1000)
    sources = {name: lines_of(name, seed, each, began_ms, span_s) for name in names}
    done, steps, began = Written(), max(10, int(within_s * 10)), time.monotonic()
    turns = {int(steps * (turn + 1) / (rotations + 1)) for turn in range(rotations)}
    for step in range(steps):
        for name, source in sources.items():
            share = each * (step + 1) // steps - each * step // steps
            _append(logs / f"{name}.log", name, source, share, done)
            if step in turns:
                rotate(logs / f"{name}.log", by_name=name == STRANGER)
                done.rotated += 1
        time.sleep(max(0.0, began + within_s * (step + 1) / steps - time.monotonic()))
    return done


def _append(path: Path, name: str, source: Iterator[tuple[str, bool]], share: int, done: Written) -> None:
    taken = [line for line, _ in zip(source, range(share), strict=False)]
    data = "".join(f"{line}\n" for line, _ in taken).encode()
    with path.open("ab", buffering=0) as file:
        file.write(data)
    done.lines += len(taken)
    done.bytes += len(data)
    done.old_errors += sum(is_old for _, is_old in taken)
    done.by_process[name] = done.by_process.get(name, 0) + len(taken)


def rotate(path: Path, by_name: bool) -> None:
    """As a log is rotated: copied and truncated in place, or moved away and begun anew."""
    older = path.with_name(f"{path.name}.1")
    if by_name:
        path.replace(older)
        path.touch()
        return
    shutil.copyfile(path, older)
    os.truncate(path, 0)
