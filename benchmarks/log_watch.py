"""What it costs to watch a log, and whether a line is lost: the manager's log watch in a process of its own, beside a
plain `tail -F | grep -c`, over the same lines of the same file, rotated by copy and truncation as our logs are.

    python -m benchmarks.log_watch [--seconds 20]
"""

import argparse
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from rich.console import Console
from rich.table import Table

QUIET, FLOOD = 100, 10_000  # lines a second
ROTATED_AT = {QUIET: 20 * 2**20, FLOOD: 2 * 2**20}  # as shipped; and every two seconds
WANTED = {QUIET: 0.005, FLOOD: 0.10}  # of a core
SETTLE_S = 2.0
WRITER = """
import logging, sys, time
from pathlib import Path
from execution.runtime.logs import CopyTruncateHandler
path, per_s, seconds, most = Path(sys.argv[1]), int(sys.argv[2]), float(sys.argv[3]), int(sys.argv[4])
handler = CopyTruncateHandler(path, max_bytes=most)
handler.setFormatter(logging.Formatter("2026-11-21T08:15:00.123Z %(levelname)-7s nae.venue: %(message)s"))
began = time.monotonic()
for number in range(round(per_s * seconds)):
    level = logging.ERROR if number % 10 == 0 else logging.INFO
    handler.emit(logging.LogRecord("nae", level, "", 1, f"number {number} with the word error in it", (), None))
    while (ahead := began + number / per_s - time.monotonic()) > 0.002:
        time.sleep(ahead)
"""
WATCHER = """
import sys, threading, time
from pathlib import Path
from execution.autonomous.log_watch import LogWatch
watch, over = LogWatch(Path(sys.argv[1])), threading.Event()
watch.start()
threading.Thread(target=lambda: (sys.stdin.read(), over.set()), daemon=True).start()
print("ready", flush=True)
used = time.process_time()
while not over.wait(1.0):
    watch.read()
used = time.process_time() - used
tail = watch.read()["venue"]
print(tail.lines, tail.errors, tail.skipped_bytes, used, flush=True)
watch.stop()
"""


@dataclass(frozen=True)
class Measured:
    """One rate: what was written, and what each saw for how much of a core."""

    per_s: int
    lines: int
    seen: int
    lost: int
    share: float
    tail_errors: int
    tail_share: float

    def problems(self) -> list[str]:
        """What isn't as it should be."""
        found = [f"{self.lost} of {self.lines} lines lost or read twice"] if self.lost else []
        if self.share > WANTED[self.per_s]:
            found.append(f"{self.share:.2%} of a core, not {WANTED[self.per_s]:.1%}")
        return found


def measure(per_s: int, seconds: float) -> Measured:
    """Both watchers over the same lines."""
    with tempfile.TemporaryDirectory(prefix="nae-log-watch-") as made:
        path = Path(made) / "venue.log"
        path.touch()
        watcher = subprocess.Popen(
            [sys.executable, "-c", WATCHER, made], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )
        assert watcher.stdin is not None and watcher.stdout is not None
        watcher.stdout.readline()
        tail = subprocess.Popen(
            ["tail", "-n", "+1", "-F", str(path)], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL
        )
        grep = subprocess.Popen(["grep", "-c", " ERROR "], stdin=tail.stdout, stdout=subprocess.PIPE, text=True)
        words = [str(path), str(per_s), str(seconds), str(ROTATED_AT[per_s])]
        subprocess.run([sys.executable, "-c", WRITER, *words], check=True)
        watcher_out, _ = _after(watcher, SETTLE_S)
        tail.terminate()
        plain = sum(sum(os.wait4(one.pid, 0)[2][:2]) for one in (tail, grep))
        assert grep.stdout is not None
        lines, errors, skipped, used = watcher_out.split()
    written = round(per_s * seconds)
    lost = abs(written - int(lines)) + abs((written + 9) // 10 - int(errors)) + int(skipped)
    counted = int(grep.stdout.read())
    return Measured(per_s, written, int(lines), lost, float(used) / seconds, counted, plain / seconds)


def _after(watcher: "subprocess.Popen[str]", seconds: float) -> tuple[str, str]:
    """Let it look twice more, then have it end."""
    try:
        watcher.wait(seconds)
    except subprocess.TimeoutExpired:
        return watcher.communicate("")
    raise SystemExit(f"the watcher has ended by itself: {watcher.returncode}")


def main(words: Sequence[str] | None = None) -> int:
    """Print the table; 0 when no line is lost and the cost is as it should be."""
    reader = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    reader.add_argument("--seconds", type=float, default=20.0)
    given = reader.parse_args(words)
    if shutil.which("tail") is None or shutil.which("grep") is None:
        raise SystemExit("tail and grep are needed beside it")
    table = Table(title=f"watching a log for {given.seconds:g} s")
    headings = (
        "lines a second",
        "written",
        "seen",
        "lost or twice",
        "of a core",
        "tail -F | grep: of a core",
        "errors: ours",
    )
    for heading in (*headings, "tail | grep"):
        table.add_column(heading, justify="right")
    wrong = []
    for per_s in (QUIET, FLOOD):
        one = measure(per_s, given.seconds)
        wrong += [f"{per_s} lines a second: {problem}" for problem in one.problems()]
        shares = (f"{one.share:.2%}", f"{one.tail_share:.2%}")
        errors = ((one.lines + 9) // 10, one.tail_errors)
        table.add_row(*map(str, (per_s, one.lines, one.seen, one.lost, *shares, *errors)))
    console = Console(width=160)
    console.print(table)
    for problem in wrong:
        console.print(problem)
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
