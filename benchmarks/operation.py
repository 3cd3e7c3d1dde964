"""How long a start takes, when both accounts have traded, and what the whole operation costs while it runs.

python -m benchmarks.operation [--rounds 3] [--watch 60]: each round in a fresh home, with everything already installed.
Measured from outside: the start command's own wall time, `nae status --json`, the kernel's accounts of every process.
"""

import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import psutil
from rich.console import Console
from rich.table import Table

ROOT = Path(__file__).resolve().parents[1]
START = ROOT / "scripts" / "init_continuous_operation.sh"
NAE = ROOT / "scripts" / "nae"
FILLS_WITHIN_S = 120.0
MIB = 2**20


@dataclass
class Round:
    """One start and what followed."""

    ready_s: float = 0.0
    first_fills_s: dict[str, float] = field(default_factory=dict)
    stop_s: float = 0.0
    pss_mib: dict[str, float] = field(default_factory=dict)
    rss_mib: dict[str, float] = field(default_factory=dict)
    cpu_share: dict[str, float] = field(default_factory=dict)


def environment(home: Path) -> dict[str, str]:
    return {**os.environ, "NAE_HOME": str(home)}


def call(home: Path, *words: str | Path) -> str:
    return subprocess.run(
        list(map(str, words)), env=environment(home), capture_output=True, text=True, check=True
    ).stdout


def fills(home: Path) -> dict[str, int]:
    accounts: dict[str, Any] = json.loads(call(home, NAE, "status", "--json"))["accounts"]
    return {name: account.get("fills") or 0 for name, account in accounts.items()}


def family(home: Path) -> dict[str, psutil.Process]:
    """supervisord and its children, by the names they are known by."""
    supervisord = psutil.Process(int((home / "logs" / "continuous_operation.pid").read_text()))
    status = json.loads(call(home, NAE, "status", "--json"))
    named = {row["pid"]: name for name, row in status["processes"].items()}
    children = supervisord.children(recursive=True)
    return {"supervisord": supervisord} | {named.get(child.pid, str(child.pid)): child for child in children}


def cpu_s(process: psutil.Process) -> float:
    times = process.cpu_times()
    return times.user + times.system


def measure(home: Path, watch_s: float) -> Round:
    """One round in `home`."""
    found = Round()
    began = time.monotonic()
    call(home, START, "dual")
    found.ready_s = time.monotonic() - began
    while len(found.first_fills_s) < 2 and time.monotonic() - began < FILLS_WITHIN_S:
        for account, count in fills(home).items():
            if count and account not in found.first_fills_s:
                found.first_fills_s[account] = time.monotonic() - began
        time.sleep(0.5)
    processes = family(home)
    used = {name: cpu_s(process) for name, process in processes.items()}
    watched = time.monotonic()
    time.sleep(watch_s)
    elapsed = time.monotonic() - watched
    for name, process in processes.items():
        found.cpu_share[name] = (cpu_s(process) - used[name]) / elapsed
        memory = process.memory_full_info()
        found.rss_mib[name] = memory.rss / MIB
        found.pss_mib[name] = getattr(memory, "pss", memory.uss) / MIB
    began = time.monotonic()
    call(home, NAE, "down")
    found.stop_s = time.monotonic() - began
    return found


def main() -> None:
    """Run the rounds and print the tables."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--watch", type=float, default=60.0, help="seconds to watch CPU and memory in each round")
    words = parser.parse_args()
    rounds = []
    for number in range(words.rounds):
        with tempfile.TemporaryDirectory(prefix="nae-benchmark-") as folder:
            print(f"round {number + 1} of {words.rounds} ...", file=sys.stderr)
            try:
                rounds.append(measure(Path(folder), words.watch))
            finally:
                subprocess.run([NAE, "down"], env=environment(Path(folder)), check=False, capture_output=True)
    show(rounds)


def show(rounds: list[Round]) -> None:
    """Medians and worst of the rounds, as Markdown tables."""
    console = Console(width=120)
    times = Table("what", "median", "worst", "target", title=f"{len(rounds)} rounds")
    rows: list[tuple[str, list[float], str, str]] = [
        ("command to all running (s)", [one.ready_s for one in rounds], "{:.1f}", "≤ 10"),
        ("fills in both accounts (s)", [max([*one.first_fills_s.values(), 0.0]) for one in rounds], "{:.1f}", "≤ 60"),
        ("nae down (s)", [one.stop_s for one in rounds], "{:.1f}", "≤ 15"),
        ("PSS of the whole (MiB)", [sum(one.pss_mib.values()) for one in rounds], "{:.0f}", "≤ 700"),
        ("RSS of the whole (MiB)", [sum(one.rss_mib.values()) for one in rounds], "{:.0f}", ""),
        ("CPU of the whole (share of one core)", [sum(one.cpu_share.values()) for one in rounds], "{:.1%}", "≤ 15 %"),
    ]
    for name, values, form, target in rows:
        times.add_row(name, form.format(statistics.median(values)), form.format(max(values)), target)
    console.print(times)
    parts = Table("process", "PSS MiB", "RSS MiB", "CPU", title="medians by process")
    for name in rounds[0].pss_mib:
        values = [statistics.median(one[name] for one in column) for column in _columns(rounds)]
        parts.add_row(name, f"{values[0]:.0f}", f"{values[1]:.0f}", f"{values[2]:.1%}")
    console.print(parts)


def _columns(rounds: list[Round]) -> list[list[dict[str, float]]]:
    return [[one.pss_mib for one in rounds], [one.rss_mib for one in rounds], [one.cpu_share for one in rounds]]


if __name__ == "__main__":
    main()
