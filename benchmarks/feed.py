"""Every trade at thousands a second: how old is it when it is acted on, is one lost, what does it cost? Our feed beside
ccxt.pro's own watchTrades and a bare reader that only decodes, one after the other on the same venue.

python -m benchmarks.feed [--rates 1000 5000] [--seconds 15] [--symbols 4] [--json]. Venue and each side are processes
of their own. Old is from the venue's time in a trade (whole ms, taken before it is sent) until whoever listens has it:
with us the range of a burst, which the exits look at, has been told then.
"""

import argparse
import asyncio
import json
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import psutil
from rich.console import Console
from rich.table import Table

from benchmarks.feed_sides import SIDES, symbols_of
from benchmarks.spread import Spread
from benchmarks.venue_servers import serving

MIB = 2**20


async def measured(side: str, port: int, symbols: int, seconds: float) -> dict[str, Any]:
    """One side's figures, by a process of its own."""
    command = (sys.executable, "-m", "benchmarks.feed_sides", side, str(port), str(symbols), str(seconds))
    child = await asyncio.create_subprocess_exec(*command, stdout=asyncio.subprocess.PIPE)
    assert child.stdout is not None
    told = await child.stdout.read()
    if await child.wait():
        raise RuntimeError(f"{side} ended with {child.returncode}; 0 would be right")
    found: dict[str, Any] = json.loads(told)
    return found


async def compared(rates: Sequence[int], symbols: int, seconds: float) -> list[dict[str, Any]]:
    """Every side at every rate; the venue's own share of a core beside it."""
    rows = []
    for rate in rates:
        with tempfile.TemporaryDirectory(prefix="nae-benchmark-") as made:
            words = {"rate": rate, "symbols": symbols_of(symbols)}
            async with serving("flood", Path(made), **words) as served:
                for side in SIDES:
                    before, began = served.process.cpu_times(), time.monotonic()
                    row = await measured(side, served.port, symbols, seconds)
                    after = served.process.cpu_times()
                    used = after.user + after.system - before.user - before.system
                    rows.append({"rate": rate, "side": side, "venue": used / (time.monotonic() - began), **row})
    return rows


def show(rows: Sequence[dict[str, Any]]) -> None:
    """A line for each side and rate."""
    title = f"every trade; {psutil.cpu_count()} cores"
    names = (
        "a second",
        "side",
        "trades",
        "lost",
        "old p50 ms",
        "p99 ms",
        "worst ms",
        "core",
        "venue's core",
        "MiB",
        "+ MiB",
    )
    table = Table(*names, title=title)
    for row in rows:
        old = Spread(*row["old"])
        numbers = [
            f"{old.median:.1f}",
            f"{old.p99:.1f}",
            f"{old.worst:.1f}",
            f"{row['core']:.0%}",
            f"{row['venue']:.0%}",
        ]
        memory = [f"{row['rss'] / MIB:.0f}", f"{row['grown'] / MIB:+.1f}"]
        table.add_row(
            str(row["rate"]),
            row["side"],
            str(old.size),
            "cut off" if row["cut"] else str(row["lost"]),
            *numbers,
            *memory,
        )
    Console(width=130).print(table)


def main() -> None:
    """Measure and print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rates", type=int, nargs="+", default=[1000, 5000])
    parser.add_argument("--seconds", type=float, default=15.0)
    parser.add_argument("--symbols", type=int, default=4)
    parser.add_argument("--json", action="store_true")
    words = parser.parse_args()
    rows = asyncio.run(compared(words.rates, words.symbols, words.seconds))
    if words.json:
        print(json.dumps(rows))
    else:
        show(rows)


if __name__ == "__main__":
    main()
