"""How long the event loop stands still while the rules of 3,500 markets are loaded: plain ccxt's load_markets, ours.

    python -m benchmarks.market_reload [--markets 3500] [--rounds 5]

The answer is made up, entry by entry of the shape that Binance's has, and served by a process of its own; as there, who
asks for it without `permissionSets` gets it so. Both load it in turn in this process. A stall is the longest time for
which the loop let nobody else run. Ours ends where the trader has its rules: dust steps in the ledger, and what has
changed since the last time.
"""

import argparse
import asyncio
import json
import sys
import tempfile
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from decimal import Decimal
from pathlib import Path
from statistics import median
from typing import NamedTuple

from aiohttp import web
from rich.console import Console
from rich.table import Table

from benchmarks import order_path
from execution.exchange.drift import changes
from execution.exchange.endpoint import Endpoint, build_client
from execution.exchange.gateway import ExchangeGateway
from execution.ledger.store import Ledger
from execution.runtime.clock import SystemClock
from execution.venue.symbols import Symbol, exchange_info
from execution.vocabulary.modes import TradeMode

GROUPS = [["SPOT", "MARGIN", *(f"TRD_GRP_{number:03}" for number in range(4, 40))]]  # what makes the real one so long
ACCOUNT = {"commissionRates": {"taker": "0.00100000"}, "balances": []}
START_WITHIN_S = 60
CLOCK = SystemClock()


class Loaded(NamedTuple):
    """One load: how long it took in all, and the longest stall, ms; how many markets it found."""

    took_ms: float
    stall_ms: float
    markets: int


def listing(markets: int, groups: list[list[str]]) -> str:
    """An exchangeInfo of so many markets."""
    rows = [exchange_info(Symbol(f"A{number}", "USDT", 2, 5)) | {"permissionSets": groups} for number in range(markets)]
    limits: dict[str, list[object]] = {"rateLimits": [], "exchangeFilters": []}
    head = {"timezone": "UTC", "serverTime": CLOCK.now_ms(), **limits}
    return json.dumps(head | {"symbols": rows, "sors": []}, separators=(",", ":"))


async def serve(markets: int) -> None:
    """Until it is killed."""
    whole, brief = listing(markets, GROUPS), listing(markets, [])

    async def answer(request: web.Request) -> web.Response:
        name = request.path.rpartition("/")[2]
        listed = whole if request.query.get("showPermissionSets", "true") == "true" else brief
        told = {"exchangeInfo": listed, "account": json.dumps(ACCOUNT)}
        text = told.get(name) or json.dumps({"serverTime": CLOCK.now_ms()})
        return web.Response(text=text, content_type="application/json")

    application = web.Application()
    application.router.add_get("/{path:.*}", answer)
    runner = web.AppRunner(application, access_log=None)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    print(runner.addresses[0][1], len(whole), flush=True)
    await asyncio.Event().wait()


@asynccontextmanager
async def serving(markets: int) -> AsyncIterator[tuple[int, int]]:
    """The server's port, and how many bytes its answer has."""
    command = (sys.executable, "-m", "benchmarks.market_reload", "--serve", "--markets", str(markets))
    child = await asyncio.create_subprocess_exec(*command, stdout=asyncio.subprocess.PIPE)
    try:
        assert child.stdout is not None
        port, size = map(int, (await asyncio.wait_for(child.stdout.readline(), START_WITHIN_S)).split())
        yield port, size
    finally:
        child.kill()
        await child.wait()


async def watched(load: Callable[[], Awaitable[int]]) -> Loaded:
    """Load, with somebody beside who wants to run all the time."""
    longest = 0.0

    async def wants_to_run() -> None:
        nonlocal longest
        before = time.perf_counter()
        while True:
            await asyncio.sleep(0)
            now = time.perf_counter()
            longest, before = max(longest, now - before), now

    watching = asyncio.ensure_future(wants_to_run())
    await asyncio.sleep(0)
    began = time.perf_counter()
    markets = await load()
    took = time.perf_counter() - began
    await asyncio.sleep(0)
    watching.cancel()
    return Loaded(1000 * took, 1000 * longest, markets)


async def measure(folder: Path, markets: int, rounds: int) -> tuple[int, list[Loaded], list[Loaded]]:
    """The answer's size; plain ccxt's loads and ours, in turn."""
    async with serving(markets) as (port, size):
        plain = order_path.plain_ccxt(port)
        client = build_client(Endpoint("binance", f"http://127.0.0.1:{port}"), order_path.KEYS, CLOCK)
        ledger = Ledger(folder / "ledger.db", "sandbox", CLOCK)
        gateway = ExchangeGateway(
            client, ledger, order_path.LIMITS, CLOCK, trade_mode=TradeMode.PAPER, quote=dict[str, None]().get
        )

        async def theirs() -> int:
            return len(await plain.load_markets(True))

        async def ours() -> int:
            known = gateway.rules
            changes(known, await gateway.load_rules())
            return len(gateway.rules)

        await gateway.fresh_clock()
        found: tuple[list[Loaded], list[Loaded]] = ([], [])
        try:
            for _ in range(rounds):
                found[0].append(await watched(theirs))
                found[1].append(await watched(ours))
        finally:
            await plain.close()
            await client.close()
            ledger.close()
    return size, *found


def main() -> None:
    """Measure and print the table; the first load of each is beside the later ones."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--markets", type=int, default=3500)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--serve", action="store_true", help=argparse.SUPPRESS)
    words = parser.parse_args()
    if words.serve:
        asyncio.run(serve(words.markets))
        return
    with tempfile.TemporaryDirectory(prefix="nae-benchmark-") as folder:
        size, theirs, ours = asyncio.run(measure(Path(folder), words.markets, words.rounds))
    title = f"{words.markets:,} markets, {size / Decimal(10**6):.1f} MB"
    table = Table("what", "median stall ms", "worst", "median load ms", "target", title=title)
    for name, loads, target in (("plain ccxt", theirs, "the peer"), ("ours", ours, "stall <= 10")):
        stalls = [load.stall_ms for load in loads]
        took = median(load.took_ms for load in loads)
        table.add_row(name, f"{median(stalls):.1f}", f"{max(stalls):.1f}", f"{took:.0f}", target)
    Console(width=120).print(table)


if __name__ == "__main__":
    main()
