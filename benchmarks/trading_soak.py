"""Hours of market, traded by a whole operation with real processes: no error, every task on time, memory flat, the
ledger equal to the venue to the last digit, and every single trade told from its signal to its profit.

python -m benchmarks.trading_soak [--hours 12] [--speed 60] [--market synthetic] [--mode dual] [--seed 7] [--json]

--market may be given more than once; a recording is replay:FILE. Ends with 0 when nothing was wrong.
"""

import argparse
import json
import sys
import time
from collections import Counter
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn, TimeRemainingColumn

from benchmarks.real_operation import RealOperation
from benchmarks.trades_told import apart, told
from execution.console.status_view import alerts, overdue_tasks
from execution.ledger.audit_check import verify
from execution.ledger.audit_log import recent
from execution.ledger.queries import closed_trades
from execution.vocabulary.modes import Account as AccountName
from execution.vocabulary.money import ZERO, text
from execution.vocabulary.programs import optimus_of

CONFIG = '[venue]\nmarket = "{market}"\nspeed = {speed}\nseed = {seed}\n'
LOOK_EVERY_S = 5.0
SETTLED_WITHIN_S = 180.0
WARM_SHARE = 0.3  # of the time; what a process weighs then is what it should weigh at the end
GROWTH_MAX_MIB = 25
CYCLES = 1_000_000


@dataclass
class Account:
    """What one account did."""

    trades: int
    won: int
    net: str
    fees: str
    orders: int
    cycles: int
    reasons: dict[str, int]


@dataclass
class Soaked:
    """What came of one market."""

    market: str
    hours: float
    seconds: float
    accounts: dict[str, Account] = field(default_factory=dict)
    memory_mib: dict[str, tuple[int, int]] = field(default_factory=dict)  # once warm, and at the end
    problems: list[str] = field(default_factory=list)


@dataclass
class Watch:
    """What was seen while it ran; each problem once."""

    problems: Counter[str] = field(default_factory=Counter)
    memory: list[dict[str, int]] = field(default_factory=list)

    def look(self, status: dict[str, Any]) -> None:
        """Take one status document."""
        if not status.get("running"):
            self.problems["not running"] += 1
        self.problems.update(word.partition(" (last")[0] for word in overdue_tasks(status))
        self.problems.update(f"alert: {name}: {cause}" for name, cause in alerts(status).items())
        for name, row in status.get("processes", {}).items():
            failed = [task["name"] for task in row.get("tasks", []) if task["failures"]]
            self.problems.update(f"{name}: task {task} has failed" for task in failed)
            if row.get("error_count"):
                self.problems[f"{name}: errors"] += 1
            if row.get("restarts"):
                self.problems[f"{name}: started again"] += 1
        memory = {name: row["rss_mib"] for name, row in status.get("processes", {}).items() if row.get("rss_mib")}
        self.memory.append(memory)

    def grown(self) -> dict[str, tuple[int, int]]:
        """How heavy each process was once warm, and at the end: the medians of a few looks."""
        warm, end = self._weights(int(len(self.memory) * WARM_SHARE)), self._weights(len(self.memory) - 5)
        return {name: (warm[name], end[name]) for name in end if name in warm}

    def _weights(self, first: int) -> dict[str, int]:
        some = self.memory[max(0, first) :][:5]
        names = set().union(*some) if some else set[str]()
        return {name: sorted(row.get(name, 0) for row in some)[len(some) // 2] for name in sorted(names)}


def soak(market: str, hours: float, speed: float, mode: str, seed: int, progress: Progress) -> Soaked:
    """One operation in a home of its own, for so many hours of market time."""
    seconds = hours * 3600 / speed
    bar = progress.add_task(f"{market}, {hours:g} h at {speed:g}x", total=seconds)
    operation = RealOperation(CONFIG.format(market=market, speed=speed, seed=seed))
    found, watch = Soaked(market, hours, seconds), Watch()
    try:
        operation.start(mode)
        began = time.monotonic()
        while (passed := time.monotonic() - began) < seconds:
            progress.update(bar, completed=passed)
            watch.look(operation.status())
            time.sleep(min(LOOK_EVERY_S, seconds - passed))
        operation.settle(SETTLED_WITHIN_S)
        watch.look(operation.status())
        operation.stop()
        progress.update(bar, completed=seconds)
        _judge(operation, found, watch)
    finally:
        operation.end()
        operation.remove()
    return found


def _judge(operation: RealOperation, found: Soaked, watch: Watch) -> None:
    home = operation.home
    found.problems += [f"{problem} (seen {count} times)" for problem, count in watch.problems.items()]
    found.memory_mib = watch.grown()
    for name, (warm, end) in found.memory_mib.items():
        if end - warm > GROWTH_MAX_MIB:
            found.problems.append(f"{name}: grew from {warm} to {end} MiB")
    for trail in sorted((home.logs / "audit").glob("*.jsonl")):
        if broken := verify(trail):
            found.problems.append(f"{trail.name}: {broken}")
    for account in ("sandbox", "live"):
        if not home.ledger(account).exists():
            continue
        trades, explained = closed_trades(home.ledger(account)), told(home, account)
        cycles = recent(home.audit_trail(optimus_of(AccountName(account))), CYCLES, "cycle")
        reasons = Counter(str(row["reason"]) for row in cycles if row.get("reason"))
        found.accounts[account] = Account(
            trades=len(trades),
            won=sum(trade.pnl_quote > 0 for trade in trades),
            net=text(round(sum((trade.pnl_quote for trade in trades), ZERO), 8)),
            fees=text(round(sum((trade.fees_quote for trade in trades), ZERO), 8)),
            orders=explained.orders,
            cycles=len(cycles),
            reasons=dict(reasons.most_common()),
        )
        found.problems += explained.gaps + apart(home, account)
        found.problems += [] if trades else [f"{account}: no trade at all"]
        found.problems += [f"{account}: cycles ended with {name}" for name in reasons if name.startswith("exception")]


def show(console: Console, found: Soaked) -> None:
    """For people."""
    console.print(f"{found.market}: {found.hours:g} hours of market in {found.seconds:.0f} s", markup=False)
    for name, account in found.accounts.items():
        told_of = f"{account.trades} trades, {account.won} won, {account.net} net of {account.fees} fees"
        console.print(f"  {name}: {told_of}; {account.orders} orders, {account.cycles} cycles", markup=False)
        console.print(f"    {', '.join(f'{why} {count}' for why, count in account.reasons.items())}", markup=False)
    memory = ", ".join(f"{name} {warm}->{end}" for name, (warm, end) in found.memory_mib.items())
    console.print(f"  MiB once warm and at the end: {memory}", markup=False)
    problems = [f"  {len(found.problems)} problems", *(f"    {problem}" for problem in found.problems[:40])]
    console.print("\n".join(problems), markup=False)


def main(arguments: list[str]) -> int:
    """The command."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--hours", type=float, default=12.0, help="of market time")
    parser.add_argument("--speed", type=float, default=60.0, help="market minutes per real minute")
    parser.add_argument("--market", action="append", help="as in nae.toml; may be given more than once")
    parser.add_argument("--mode", choices=("sandbox", "live", "dual"), default="dual")
    parser.add_argument("--seed", type=int, default=7)
    parser.add_argument("--json", action="store_true", help="one JSON document")
    words = parser.parse_args(arguments)
    results = []
    columns = (BarColumn(), TextColumn("{task.description}"), TimeRemainingColumn())
    with Progress(*columns, console=Console(stderr=True)) as progress:
        for market in words.market or ["synthetic"]:
            results.append(soak(_absolute(market), words.hours, words.speed, words.mode, words.seed, progress))
    if words.json:
        print(json.dumps([asdict(one) for one in results]))
    else:
        for one in results:
            show(Console(soft_wrap=True), one)
    return 1 if any(one.problems for one in results) else 0


def _absolute(market: str) -> str:
    kind, _, name = market.partition(":")
    return f"replay:{Path(name).expanduser().resolve()}" if kind == "replay" else market


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
