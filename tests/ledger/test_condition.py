"""Writable, fast, not full: what a ledger says of its file."""

from pathlib import Path

import pytest

from execution.ledger.condition import CommitTimes, judged
from execution.ledger.store import Ledger
from execution.runtime.clock import ManualClock
from execution.runtime.sqlite import DatabaseError, open_writer
from execution.vocabulary.health import ComponentStatus
from execution.vocabulary.lifecycle import TradingState

PLENTY = 10**12


@pytest.mark.parametrize(
    ("problem", "usual_s", "free", "status", "word"),
    [
        ("", 0.0003, PLENTY, ComponentStatus.HEALTHY, ""),
        ("", 0.4, PLENTY, ComponentStatus.DEGRADED, "slow"),
        ("", 0.0003, 10**8, ComponentStatus.DEGRADED, "nearly full"),
        ("database or disk is full", 0.4, 0, ComponentStatus.FAILED, "disk is full"),
    ],
)
def test_the_worst_is_said_first(problem: str, usual_s: float, free: int, status: ComponentStatus, word: str) -> None:
    found, why = judged(problem, usual_s, free)
    assert found is status and word in why


def test_one_slow_commit_is_no_slow_ledger() -> None:
    times = CommitTimes()
    for seconds in (0.001, 5.0, 0.001):
        times.add(seconds)
    assert (times.usual_s, times.worst_s) == (0.001, 5.0)


def test_a_ledger_that_cannot_be_written_says_so_until_it_can(tmp_path: Path) -> None:
    ledger = Ledger(tmp_path / "ledger.db", "sandbox", ManualClock())
    assert ledger.get_health().metrics["writable"] and ledger.problem == ""
    ledger._connection.execute("PRAGMA busy_timeout=0")
    stranger = open_writer(tmp_path / "ledger.db", "")
    stranger.execute("BEGIN IMMEDIATE")
    with pytest.raises(DatabaseError):
        ledger.set_trading_state(TradingState.PAUSED, "a test", "me")
    assert ledger.get_health().status is ComponentStatus.FAILED and "locked" in ledger.problem
    stranger.close()
    ledger.set_trading_state(TradingState.PAUSED, "a test", "me")
    assert ledger.problem == "" and ledger.get_health().metrics["commit_ms"] >= 0
    ledger.close()
