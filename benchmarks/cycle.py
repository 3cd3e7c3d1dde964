"""How long a trading cycle takes when a bar has closed on each of 50 symbols, every strategy armed on all of them.

    python -m benchmarks.cycle [--symbols 50] [--cycles 40]

The whole trader, its venue in a process of its own, a market of a minute per second. A cycle: positions looked at,
universe, triggers, sizes, the audit trail; where it buys or sells, the orders' way to the venue and back is in it, told
apart from cycles that sent none.
"""

import argparse
import asyncio
import logging
import tempfile
from collections.abc import Sequence
from pathlib import Path

from rich.console import Console
from rich.table import Table

from benchmarks import venue_servers
from benchmarks.spread import Spread
from benchmarks.whole_trader import CLOCK, WholeTrader, client_of
from execution.research.strategies import STRATEGIES
from execution.trading.cycle import CycleResult
from execution.vocabulary.market import Condition

SPEED = 60.0
MONEY = 10_000  # so little that every market is deep enough for it
WITHIN_S = 60.0
WARM_UP = 3


def symbols_of(count: int) -> list[str]:
    """So many markets."""
    return [f"{chr(ord('A') + number // 26)}{chr(ord('A') + number % 26)}/USDT" for number in range(count)]


def arm_everything(trader: WholeTrader) -> int:
    """Every strategy on every symbol, for good; how many conditions are armed."""
    return trader.system.arm(
        [
            Condition(f"{symbol}-{name}", symbol, name, row.defaults(), "range", 1.0, bar_ms, 100_000)
            for symbol, bar_ms in trader.bars.newest().items()
            for name, row in STRATEGIES.items()
        ]
    )


async def measure(folder: Path, symbols: Sequence[str], cycles: int) -> tuple[int, list[CycleResult]]:
    """How many conditions were armed, and the cycles, each after a bar has closed on every symbol."""
    words = {"symbols": list(symbols), "speed": SPEED, "opening_balance": MONEY}
    async with venue_servers.serving("venue", folder / "venue", **words) as served:
        trader = WholeTrader(folder, client_of(served.port), symbols)
        await trader.start(without=("cycle",))
        found: list[CycleResult] = []
        try:
            armed = arm_everything(trader)
            for _ in range(cycles + WARM_UP):
                before = trader.bars.newest()
                async with asyncio.timeout(WITHIN_S):
                    while any(trader.bars.newest()[symbol] <= before[symbol] for symbol in symbols):
                        await CLOCK.sleep(0.02)
                found.append(await trader.system.manager.run_cycle())
                assert not found[-1].error, found[-1].error
        finally:
            await trader.stop()
    return armed, found[WARM_UP:]


def show(symbols: int, armed: int, cycles: Sequence[CycleResult]) -> None:
    """Median, p99 and worst, of all and by whether an order left."""
    title = f"a cycle over {symbols} symbols, {armed} conditions"
    table = Table("cycles", "n", "p50 ms", "p99 ms", "worst ms", "target", title=title)
    quiet = [cycle for cycle in cycles if not cycle.entries + cycle.exits]
    busy = [cycle for cycle in cycles if cycle.entries + cycle.exits]
    for name, some, target in (("all", cycles, "150"), ("without an order", quiet, ""), ("with orders", busy, "")):
        if (spread := Spread.of(cycle.duration_ms for cycle in some)) is not None:
            numbers = (f"{value:.1f}" for value in (spread.median, spread.p99, spread.worst))
            table.add_row(name, str(spread.size), *numbers, target)
    Console(width=120).print(table)
    print(f"entries {sum(cycle.entries for cycle in cycles)}, exits {sum(cycle.exits for cycle in cycles)}")


def main() -> None:
    """Measure and print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--symbols", type=int, default=50)
    parser.add_argument("--cycles", type=int, default=40)
    words = parser.parse_args()
    logging.getLogger("nae").addHandler(logging.NullHandler())
    with tempfile.TemporaryDirectory(prefix="nae-benchmark-") as folder:
        armed, cycles = asyncio.run(measure(Path(folder), symbols_of(words.symbols), words.cycles))
    show(words.symbols, armed, cycles)


if __name__ == "__main__":
    main()
