"""By command: kill -9 of supervisord in the middle of orders, again and again, on a whole dual operation.

NAE_ROUNDS=50 pytest tests/operation/test_supervisord_killed.py. The venue's own journal and both sides' books judge.
"""

import os
import random
import time
from functools import partial
from pathlib import Path

import psutil
import pytest

from benchmarks.judge import judge
from benchmarks.live_recovery import JournalTail
from execution.runtime.clock import block
from execution.runtime.home import Home
from tests.operation.conftest import Operation
from tests.operation.tiny import gone
from tests.support import eventually, rounds

pytestmark = [
    pytest.mark.operation,
    pytest.mark.skipif("NAE_ROUNDS" not in os.environ, reason="by command: NAE_ROUNDS=50; a round takes some 8 s"),
]
FAST = """
[venue]
speed = 600
seed = 7
[trading]
time_exit_bars = 3
interval_s = 1
[risk]
orders_per_minute_max = 100000
repeated_orders_max = 100000
losses_in_row_max = 100000
daily_loss_max = 1
weekly_loss_max = 1
drawdown_max = 1
"""


class Supervised:
    """The operation, and what its venue's journal tells of who manages the live account."""

    def __init__(self, operation: Operation) -> None:
        self.operation = operation
        self.home = Home.find(operation.home)
        self.tail = JournalTail(self.home.data / "venue" / "journal.jsonl")
        self.took_ms: list[float] = []
        self.orphaned_ms: list[float] = []

    def supervisord(self) -> psutil.Process:
        return psutil.Process(int(self.home.pid_file.read_text()))

    def epoch(self) -> int:
        return max((entry.epoch or 0 for entry in self.tail.look()), default=0)

    def is_managed_since(self, epoch: int) -> bool:
        return self.epoch() > epoch

    def kill(self) -> None:
        """kill -9; its workers end within two seconds, and the live account is managed again by a newer epoch."""
        supervisord, epoch = self.supervisord(), self.epoch()
        workers = [child.pid for child in supervisord.children() if "agents.manager" not in child.cmdline()]
        supervisord.kill()
        began = time.monotonic()
        assert eventually(partial(gone, *workers), within_s=6) and workers, "no orphan stays"
        self.orphaned_ms.append((time.monotonic() - began) * 1000)
        eventually(partial(self.is_managed_since, epoch), within_s=40)
        heirs = [entry for entry in self.tail.look() if (entry.epoch or 0) > epoch]
        self.took_ms.append(heirs[0].mono - began * 1000)


def quiet(operation: Operation, account: str) -> bool:
    row = operation.account(account)
    waits_for = [row.get(name) for name in ("unknown_orders", "open_orders", "protective_exits")]
    return bool(row.get("reconciled")) and not any(waits_for)


def test_killed_in_the_middle_of_orders_there_is_one_operation_again_one_trader_and_nothing_doubled(
    operation: Operation, tmp_path: Path
) -> None:
    chance = random.Random(7)
    operation.configure(FAST).started("dual")
    supervised = Supervised(operation)
    eventually(lambda: supervised.epoch() > 0, within_s=20)
    for _ in range(rounds()):
        block(chance.uniform(1.0, 4.0))  # a moment of trading
        supervised.kill()
    eventually(lambda: operation.nae("pause", "the rounds are over").code == 0, within_s=60, every_s=0.5)
    for account in ("sandbox", "live"):
        eventually(partial(quiet, operation, account), within_s=40, every_s=0.5)
    assert operation.nae("down").code == 0
    for what, took in {"no orphan": supervised.orphaned_ms, "live managed again": supervised.took_ms}.items():
        print(f"\nsupervisord killed -> {what}, ms: p50 {sorted(took)[len(took) // 2]:.0f}, worst {max(took):.0f}")
    assert not any(judge(supervised.home).violations.values()), judge(supervised.home).violations
