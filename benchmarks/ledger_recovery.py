"""How long an account's recovery takes with a long ledger: opened by nobody who followed it, then reconciled.

    python -m benchmarks.ledger_recovery [--fills 50000] [--rounds 5]

The ledger has as many fills as said and twice as many orders; the venue is the embedded one, on a real socket, and the
balances agree. Each round is a process of its own, begun when its imports are done and its connection stands; the wall
clock beside the time of its core, which says what a quiet machine would take.
"""

import argparse
import asyncio
import subprocess
import sys
import tempfile
import time
from decimal import Decimal
from pathlib import Path
from statistics import median

from benchmarks import ledger_opening
from execution.exchange.client import VenueClient
from execution.exchange.credentials import Credentials
from execution.exchange.endpoint import Endpoint, build_client
from execution.exchange.gateway import ExchangeGateway
from execution.exchange.reconciliation import reconcile
from execution.ledger.opening import open_ledger
from execution.ledger.store import Ledger
from execution.runtime.clock import SystemClock
from execution.runtime.settings import RiskConfig, VenueConfig
from execution.venue.server import ApiKey, VenueServer
from execution.vocabulary.modes import TradeMode

KEYS = Credentials("k" * 32, "s" * 32)
CLOCK = SystemClock()
ACCOUNT = ledger_opening.ACCOUNT


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--fills", type=int, default=50_000)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--recover", nargs=2, help=argparse.SUPPRESS)  # port and ledger: what a round is started with
    chosen = parser.parse_args()
    if chosen.recover:
        asyncio.run(_recover(int(chosen.recover[0]), Path(chosen.recover[1])))
        return 0
    with tempfile.TemporaryDirectory() as folder:
        asyncio.run(_measure(Path(folder), chosen.fills, chosen.rounds))
    return 0


async def _measure(folder: Path, fills: int, rounds: int) -> None:
    config = VenueConfig(symbols=ledger_opening.SYMBOLS)
    venue = VenueServer(config, folder / "venue", [ApiKey(ACCOUNT, KEYS.key, KEYS.secret)], CLOCK)
    port = await venue.start(0)
    path = folder / "ledger.db"
    ledger_opening.make(path, fills)
    await _agree(port, path)
    times = []
    for _ in range(rounds):
        words = [sys.executable, "-m", "benchmarks.ledger_recovery", "--recover", str(port), str(path)]
        told = await asyncio.to_thread(subprocess.run, words, check=True, capture_output=True, text=True)
        times.append([float(word) for word in told.stdout.split()])
    await venue.stop()
    print(f"{fills:,} fills, {2 * fills:,} orders; opening, then reconciling, ms (median of {rounds}, and worst)")
    for name, column in zip(
        ("opened", "reconciled", "together", "together, its core"), zip(*times, strict=True), strict=True
    ):
        print(f"  {name:20} {median(column):8.0f} {max(column):8.0f}")


def _reached(port: int, ledger: Ledger) -> tuple[VenueClient, ExchangeGateway]:
    client = build_client(Endpoint("binance", f"http://127.0.0.1:{port}"), KEYS, CLOCK)
    quotes: dict[str, None] = {}
    limits = RiskConfig()
    return client, ExchangeGateway(client, ledger, limits, CLOCK, trade_mode=TradeMode.PAPER, quote=quotes.get)


async def _agree(port: int, path: Path) -> None:
    """Have the ledger's balances be the venue's: its trades are made up."""
    ledger = open_ledger(path, ACCOUNT, CLOCK)
    client, gateway = _reached(port, ledger)
    await gateway.load_rules()
    traded, held = ledger.balances(), await gateway.fetch_balances()
    names = traded.keys() | held.keys()
    there = {name: held[name].total if name in held else Decimal(0) for name in names}
    opening = {name: there[name] - traded.get(name, Decimal(0)) for name in names}
    ledger.open_books(opening, {}, gateway.venue_now_ms())
    assert (await reconcile(gateway, ledger)).reconciled
    await client.close()
    ledger.close()


async def _recover(port: int, path: Path) -> None:
    """One round: wall clock of each part and together, and the core's time."""
    with tempfile.TemporaryDirectory() as folder:
        idle = Ledger(Path(folder) / "ledger.db", ACCOUNT, CLOCK)
        client, warm = _reached(port, idle)  # rules known and a connection standing, as after any start
        rules = await warm.load_rules()
        await warm.fresh_clock()
        core, began = time.process_time(), time.perf_counter()
        ledger = open_ledger(path, ACCOUNT, CLOCK)
        opened = time.perf_counter()
        gateway = ExchangeGateway(
            client, ledger, RiskConfig(), CLOCK, trade_mode=TradeMode.PAPER, quote=dict[str, None]().get
        )
        gateway.know_rules(rules)
        result = await reconcile(gateway, ledger)
        over, used = time.perf_counter(), time.process_time() - core
        assert result.reconciled, result
        await client.close()
        ledger.close()
        idle.close()
    print(*(1000 * value for value in (opened - began, over - opened, over - began, used)))


if __name__ == "__main__":
    sys.exit(main())
