"""A thousand subscribed streams with 100 ms depth: are they on time, and what do they cost? Beside a bare server of the
same library that sends as many messages of the same size and does nothing else.

python -m benchmarks.venue_streams [--streams 1000] [--connections 50] [--seconds 20] [--json]. Late is from the event
time in a message (whole ms) until a client has it in hand; the client runs in this process, and its own share of the
machine is shown, since on two cores it is part of the lateness.
"""

import argparse
import asyncio
import json
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path

import aiohttp
import orjson
import psutil
from rich.console import Console
from rich.table import Table

from benchmarks.spread import Spread
from benchmarks.venue_servers import PERIOD_S, Served, serving

SPEED = 60 / (4 * PERIOD_S)  # four steps a candle: one every 100 ms
MIB = 2**20
GOODBYE = aiohttp.ClientWSTimeout(ws_close=0.1)  # a flood isn't read to its end


def names(count: int) -> list[str]:
    """So many symbols: AUSDT … of letters only, as symbols are."""
    letters = "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
    return [f"{letters[n % 26]}{letters[n // 26 % 26]}X" for n in range(count)]


async def read(session: aiohttp.ClientSession, url: str, until: float, late_ms: list[float]) -> None:
    """Take every message of one connection, and how late it was."""
    async with session.ws_connect(url, max_msg_size=0, timeout=GOODBYE) as socket:
        while (left := until - time.monotonic()) > 0:
            try:
                message = await socket.receive(timeout=left)
            except TimeoutError:
                return
            if message.type is not aiohttp.WSMsgType.TEXT:
                raise RuntimeError(f"{url} ended: {message.type.name} {message.data!r}; a text message would be right")
            late_ms.append(time.time() * 1000 - orjson.loads(message.data)["E"])


async def listened(served: Served, symbols: Sequence[str], connections: int, seconds: float) -> dict[str, float]:
    """What so many connections to all these symbols' depth get, and what that costs."""
    path = "/".join(f"{symbol.lower()}usdt@depth@100ms" for symbol in symbols)
    late_ms: list[float] = []
    async with aiohttp.ClientSession(connector=aiohttp.TCPConnector(limit=0)) as session:
        until = time.monotonic() + seconds
        urls = [f"ws://127.0.0.1:{served.port}/ws/{path}"] * connections
        before, mine, began = served.process.cpu_times(), time.process_time(), time.monotonic()
        await asyncio.gather(*(read(session, url, until, late_ms) for url in urls))
    took, after = time.monotonic() - began, served.process.cpu_times()
    late = Spread.of(late_ms)
    if late is None:
        raise RuntimeError("no message came")
    cpu = after.user + after.system - before.user - before.system
    return {
        "messages/s": len(late_ms) / took,
        "messages/s and stream": len(late_ms) / took / (connections * len(symbols)),
        "late: median ms": late.median,
        "late: p99 ms": late.p99,
        "late: worst ms": late.worst,
        "server: % of a core": 100 * cpu / took,
        "server: memory MiB": served.process.memory_info().rss / MIB,
        "client: % of a core": 100 * (time.process_time() - mine) / took,
    }


async def measure(streams: int, connections: int, seconds: float) -> dict[str, dict[str, float]]:
    """The figures of the venue and of its floor."""
    symbols = names(max(1, streams // connections))
    figures = {}
    with tempfile.TemporaryDirectory(prefix="nae-streams-") as made:
        for name in ("bare", "venue"):
            words = {"symbols": [f"{symbol}/USDT" for symbol in symbols], "speed": SPEED} if name == "venue" else {}
            async with serving(name, Path(made) / name, **words) as served:
                figures[name] = await listened(served, symbols, connections, seconds)
    return figures


def main(arguments: Sequence[str] | None = None) -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.venue_streams", description=__doc__)
    parser.add_argument("--streams", type=int, default=1000)
    parser.add_argument("--connections", type=int, default=50)
    parser.add_argument("--seconds", type=float, default=20.0)
    parser.add_argument("--json", action="store_true", help="print figures for a machine")
    asked = parser.parse_args(arguments)
    load = psutil.getloadavg()[0]
    figures = asyncio.run(measure(asked.streams, asked.connections, asked.seconds))
    if asked.json:
        print(json.dumps(figures | {"load": {"before": load}}))
        return
    table = Table("what", "floor: bare server", "venue", title=f"{asked.streams} streams; load average {load:.1f}")
    for what in figures["venue"]:
        table.add_row(what, *(f"{figures[name][what]:,.1f}" for name in ("bare", "venue")))
    Console(width=110).print(table)


if __name__ == "__main__":
    main()
