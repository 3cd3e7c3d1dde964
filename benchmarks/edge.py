"""Does the trader earn what research can find, and not bleed where there is nothing to find? Real research and the real
trader on the real venue, over seeds: on markets with a planted edge, and on walks without memory.

python -m benchmarks.edge [--seeds 20] [--minutes 240] [--speed 1500] [--kinds edge random] [--json]

All results are net of fees, spread and slippage. `stated` is what the trader itself said that its trading would cost:
the round-trip cost in each entry's decision. Exit code 1 when an edge isn't earned, or when more than the stated cost
is lost without one (by more than luck: two standard errors over the seeds).
"""

import argparse
import asyncio
import json
import logging
import math
import statistics
import sys
import tempfile
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from decimal import Decimal
from pathlib import Path

from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn, TimeRemainingColumn
from rich.table import Table

from benchmarks.trading_run import Outcome, trading
from execution.runtime.home import Home
from execution.runtime.settings import Config, RiskConfig, VenueConfig
from execution.vocabulary.money import ZERO

COOLDOWN_BARS = 5  # people count it in real minutes; here it goes with the market
PLANTED = "edge"
HEADINGS = ("market", "seeds", "earned", "trades", "won", "net", "± 2 errors", "net of bought", "stated cost")


@dataclass
class Seed:
    """One run."""

    seed: int
    trades: int
    won: int
    bought: float
    net: float
    stated: float


@dataclass
class Kind:
    """All runs on one kind of market. Money in the quote currency."""

    name: str
    runs: list[Seed] = field(default_factory=list)

    @property
    def net(self) -> float:
        """All that was earned or lost."""
        return sum(run.net for run in self.runs)

    @property
    def stated(self) -> float:
        """What the trader said that it would cost."""
        return sum(run.stated for run in self.runs)

    @property
    def error(self) -> float:
        """The standard error of `net`."""
        count = len(self.runs)
        return statistics.stdev(run.net for run in self.runs) * math.sqrt(count) if count > 1 else 0.0

    def problem(self) -> str:
        """What is wrong with it, if anything is."""
        if self.name == PLANTED:
            return "" if self.net > 2 * self.error else f"{self.name}: {self.net:.2f} net, not clearly above nothing"
        lost = -self.net - self.stated
        return "" if lost <= 2 * self.error else f"{self.name}: lost {-self.net:.2f}, stated {self.stated:.2f}"


def stated_cost(outcome: Outcome) -> Decimal:
    """What the decisions to enter said that the round trips would cost."""
    rows = [row for row in outcome.decisions if row["side"] == "buy"]
    return sum((_value(row) * Decimal(str(row["weighed"]["round_trip_cost"])) for row in rows), ZERO)


def _value(row: dict[str, dict[str, str]]) -> Decimal:
    return Decimal(str(row["quantity"])) * Decimal(row["weighed"]["ask"])


async def run(
    kind: str, seed: int, minutes: int, speed: float, symbols: tuple[str, ...], folder: Path, *, at_least: int = 0
) -> Outcome:
    """One seed of one kind of market; beyond its minutes, up to four times as long, until `at_least` so many trades."""
    risk = RiskConfig(orders_per_minute_max=10_000, cooldown_s=COOLDOWN_BARS * 60 / speed)
    venue = VenueConfig(market=f"synthetic:{kind}", speed=speed, seed=seed, symbols=symbols)
    async with trading(Home(folder), Config(venue=venue, risk=risk)) as running:
        await running.pass_minutes(minutes)
        while len(running.ledger.closed_trades()) < at_least and running.minutes < 4 * minutes:
            await running.pass_minutes(running.minutes + 10)
        return await running.finish()


def measured(outcome: Outcome, seed: int) -> Seed:
    """In numbers. AssertionError when its money isn't counted the same both ways."""
    money = outcome.money
    assert money.by_fills == money.by_balances, f"{money.by_fills} by fills, {money.by_balances} by balances"
    assert money.differences == [] and not outcome.errors, (money.differences, outcome.errors)
    return Seed(
        seed=seed,
        trades=len(outcome.trades),
        won=outcome.won,
        bought=float(outcome.bought),
        net=float(money.by_fills),
        stated=float(stated_cost(outcome)),
    )


def show(console: Console, kinds: Sequence[Kind], minutes: int) -> None:
    """For people."""
    table = Table(title=f"{minutes} market minutes per seed; money net of all costs")
    for heading in (
        "market",
        "seeds",
        "earned",
        "trades",
        "won",
        "net",
        "± 2 errors",
        "of what was bought",
        "stated cost",
    ):
        table.add_column(heading, justify="right")
    for kind in kinds:
        bought, trades = sum(run.bought for run in kind.runs), sum(run.trades for run in kind.runs)
        table.add_row(
            kind.name,
            str(len(kind.runs)),
            str(sum(run.net > 0 for run in kind.runs)),
            str(trades),
            f"{sum(run.won for run in kind.runs) / trades:.0%}" if trades else "-",
            f"{kind.net:.2f}",
            f"{2 * kind.error:.2f}",
            f"{kind.net / bought:.3%}" if bought else "-",
            f"{kind.stated / bought:.3%}" if bought else "-",
        )
    console.print(table)


def main(arguments: Sequence[str]) -> int:
    """The command."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seeds", type=int, default=20)
    parser.add_argument("--minutes", type=int, default=240, help="of market time, for each seed")
    parser.add_argument("--speed", type=float, default=1500.0)
    parser.add_argument("--kinds", nargs="+", default=[PLANTED, "random"])
    parser.add_argument("--symbols", nargs="+", default=["BTC/USDT", "ETH/USDT", "SOL/USDT"])
    parser.add_argument("--json", action="store_true", help="one JSON document")
    words = parser.parse_args(arguments)
    logging.getLogger("nae").addHandler(logging.NullHandler())  # what went wrong is counted and shown
    kinds = [Kind(name) for name in words.kinds]
    columns = (BarColumn(), TextColumn("{task.description}"), TimeRemainingColumn())
    with Progress(*columns, console=Console(stderr=True)) as progress:
        for kind in kinds:
            for seed in progress.track(range(1, words.seeds + 1), description=kind.name):
                with tempfile.TemporaryDirectory(prefix="nae-edge-") as folder:
                    going = run(kind.name, seed, words.minutes, words.speed, tuple(words.symbols), Path(folder))
                    kind.runs.append(measured(asyncio.run(going), seed))
    problems = [problem for kind in kinds if (problem := kind.problem())]
    if words.json:
        print(json.dumps({"kinds": [asdict(kind) for kind in kinds], "problems": problems}))
    else:
        show(Console(), kinds, words.minutes)
        print(*problems, sep="\n", end="\n" if problems else "")
    return 1 if problems else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
