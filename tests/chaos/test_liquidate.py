"""`nae liquidate` on the real venue, killed at each step of its saga: what is between two sales is found and sold once.

The full count of steps: NAE_ROUNDS=20.
"""

import json
import os
import signal
import subprocess
import sys
from collections.abc import Callable
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from benchmarks.books import disagreements
from execution.console.cli import run
from execution.console.venue_control import ask_control
from execution.exchange.embedded_access import key_file, port_file
from execution.ledger.account_lock import account_lock
from execution.ledger.queries import account_report, recent_fills, recent_orders
from execution.ledger.store import Ledger
from execution.runtime.clock import SystemClock
from execution.trading.liquidation_plan import FIRST, SECOND
from execution.vocabulary.exit_codes import ExitCode
from execution.vocabulary.lifecycle import TradingState
from execution.vocabulary.orders import OrderRow
from tests.chaos.family import Family, family_in
from tests.support import ROOT, eventually, rounds

COINS = ("SOL", "ETH", "XRP", "ADA", "DOT", "LTC", "LINK", "AVAX", "ATOM", "UNI", "BCH", "NEAR")
MARKETS = ", ".join(f'"{coin}/BTC"' for coin in COINS)
CONFIG = f"""
[venue]
drills = true
speed = {{speed}}
seed = {{seed}}
port = {{port}}
symbols = ["BTC/USDT", {MARKETS}]
[trading]
quote = "USDT"
"""
HELD = 40  # of each coin: more than the first level of the book takes
KILLED_AT = """
import os, signal, sys
from execution.runtime import steps
wanted, left = sys.argv[1], int(sys.argv[2])
def reached(step):
    global left
    left -= step == wanted
    if left == 0:
        os.kill(os.getpid(), signal.SIGKILL)
steps.listen(reached)
from execution.console.cli import run
sys.exit(run(["liquidate", sys.argv[3], "--execute", "--account", "live"]))
"""
POINTS = [  # (step, the how many-th time); the first ones in every run
    ("fills_recorded", 1),
    ("leaving", 2),
    ("reply_read", 2),
    ("fills durable", 1),
    ("intent_durable", 1),
    ("intent durable", 2),
    ("intent written", 2),
    ("reply_read", 1),
    ("leaving", 1),
    ("fills written", 2),
    ("fills_recorded", 2),
    ("epoch durable", 1),
]
LOTS = Decimal("0.00002")  # of BTC: what a sale may leave as dust
Liquidate = Callable[..., tuple[int, Any]]


@pytest.fixture
def liquidate(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Liquidate:
    monkeypatch.setenv("NAE_HOME", str(tmp_path / "home"))

    def command(*words: str) -> tuple[int, Any]:
        code = run(["liquidate", *words, "--account", "live", "--json"])
        out = capsys.readouterr().out
        return code, json.loads(out) if out else None

    return command


def begin(family: Family, coins: tuple[str, ...]) -> None:
    """The venue runs, the account has a few hundred dollars of each coin, its books are begun."""
    family.start("venue")
    eventually(lambda: port_file(family.home).exists() and key_file(family.home, "live").exists())
    eventually((family.home.data / "venue" / "control.json").exists)
    rules = [{"fault": "balance", "on": f"live/{coin}", "value": str(HELD)} for coin in coins]
    ask_control(family.home.data / "venue", "POST", "/faults", rules)
    Ledger(family.home.ledger("live"), "live", SystemClock()).close()


def orders_of(family: Family, coin: str) -> tuple[list[OrderRow], list[OrderRow]]:
    """The first and second sales of a coin that came to something."""
    rows = [row for row in recent_orders(family.home.ledger("live"), 500) if row.filled]
    firsts = [row for row in rows if row.symbol == f"{coin}/BTC" and row.reason.startswith(FIRST)]
    names = {row.client_order_id for row in firsts}
    return firsts, [row for row in rows if row.reason.startswith(SECOND) and row.correlation_id in names]


def brought(family: Family, coin: str) -> tuple[Decimal, Decimal]:
    """The BTC that a coin brought, and the BTC that was sold of it."""
    firsts, seconds = orders_of(family, coin)
    names = {row.client_order_id for row in firsts}
    fills = [row for row in recent_fills(family.home.ledger("live"), 1000) if row.client_order_id in names]
    got = sum((fill.quantity * fill.price - fill.fee for fill in fills), Decimal(0))
    return got, sum((row.filled for row in seconds), Decimal(0))


def test_dry_it_only_tells_the_way_and_executed_it_leaves_the_quote_currency_alone(
    tmp_path: Path, liquidate: Liquidate
) -> None:
    with family_in(tmp_path / "home", config=CONFIG) as family:
        begin(family, ("SOL", "ETH"))
        code, told = liquidate()
        assert code == ExitCode.OK and told["executed"] is False
        ways = {row["currency"]: [step["symbol"] for step in row["steps"]] for row in told["plan"]["routes"]}
        assert ways == {"BTC": ["BTC/USDT"], "ETH": ["ETH/BTC", "BTC/USDT"], "SOL": ["SOL/BTC", "BTC/USDT"]}
        assert recent_orders(family.home.ledger("live"), 9) == []

        lock = account_lock(family.home, "live")
        lock.acquire("live_optimus pid 1")
        assert liquidate("--execute")[0] == ExitCode.BUSY
        lock.release()

        code, told = liquidate("--execute")
        assert code == ExitCode.OK and told["ok"] and len(told["end"]["sold"]) >= 5
        report = account_report(family.home.ledger("live"))
        least = Decimal("0.0005")
        assert all(amount < least for name, amount in report.balances.items() if name != "USDT"), report.balances
        assert report.trading_state is TradingState.PAUSED and not report.positions
        assert liquidate("--execute")[1]["end"]["sold"] == [], "once is all"
        assert disagreements(family.home) == []


def test_killed_at_each_step_the_next_one_ends_it_and_nothing_is_sold_twice(
    tmp_path: Path, liquidate: Liquidate
) -> None:
    points = POINTS[: rounds()]
    with family_in(tmp_path / "home", config=CONFIG) as family:
        begin(family, COINS[: len(points)])
        for (step, count), coin in zip(points, COINS, strict=False):
            killed = subprocess.run(
                [sys.executable, "-c", KILLED_AT, step, str(count), coin],
                cwd=ROOT,
                env=os.environ | {"NAE_HOME": str(family.home.root)},
                capture_output=True,
                check=False,
            )
            assert killed.returncode == -signal.SIGKILL, (step, count, killed.stdout, killed.stderr)
            code, told = liquidate(coin, "--execute")
            assert code == ExitCode.OK and told["ok"], (step, count, told)
            firsts, seconds = orders_of(family, coin)
            assert HELD - 1 < sum(row.filled for row in firsts) <= HELD, (step, count)
            got, given = brought(family, coin)
            assert Decimal(0) <= got - given < LOTS * (len(seconds) + 1), (step, count, got, given)
        assert disagreements(family.home) == []
