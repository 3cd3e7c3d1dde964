"""The live pair under a real supervisord and manager: what befalls the active one gives its twin the account
at once, and the fallen returns as the standby. How fast is measured by benchmarks/live_recovery.py."""

import json
import signal
import subprocess
import sys
from collections.abc import Iterator
from itertools import pairwise

import pytest

from execution.autonomous.supervisor_door import SupervisorDoor
from execution.ledger.account_lock import holder_of
from execution.runtime.home import Home
from execution.runtime.sqlite import read_all
from tests.operation.conftest import ROOT, Operation, _cared_for
from tests.support import eventually, rounds

pytestmark = pytest.mark.operation
OTHER = {"live_optimus": "live_optimus_standby", "live_optimus_standby": "live_optimus"}


@pytest.fixture(scope="module")
def live(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Operation]:
    """A live operation on the embedded venue, shared by the tests of this module."""
    operation = Operation(tmp_path_factory.mktemp("live"))
    for ready in _cared_for(operation):
        yield ready.started("live")


def holder(live: Operation) -> str:
    return eventually(lambda: holder_of(Home(live.home), "live"), within_s=10)


def pair(live: Operation) -> tuple[str, str]:
    """(the active one, its standby), once the second could take over at once."""
    eventually(lambda: live.status()["live"]["standby_ready"], within_s=30, every_s=0.2)
    active = holder(live)
    return active, OTHER[active]


def role(live: Operation, name: str) -> str | None:
    found: str | None = live.status()["processes"][name].get("role")
    return found


def test_killed_its_twin_has_the_account_and_the_fallen_returns_as_the_standby(live: Operation) -> None:
    for _ in range(rounds(1)):
        active, standby = pair(live)
        live.kill(active)
        eventually(lambda s=standby: holder(live) == s, within_s=5, every_s=0.005)  # type: ignore[misc]
        assert pair(live) == (standby, active)
        eventually(lambda s=standby: role(live, s) == "active", within_s=5)  # type: ignore[misc]


def test_stopped_by_a_signal_it_is_killed_and_its_twin_has_the_account(live: Operation) -> None:
    active, standby = pair(live)
    live.kill(active, signal.SIGSTOP)
    eventually(lambda: holder(live) == standby, within_s=10, every_s=0.01)
    assert pair(live) == (standby, active)


def test_a_handover_by_command_moves_the_account_and_nobody_counts_a_crash(live: Operation) -> None:
    active, standby = pair(live)
    before = crashes(live, active)
    done = live.nae("handover", "a test")
    assert done.code == 0, done.text
    assert pair(live) == (standby, active)
    assert crashes(live, active) == before


def crashes(live: Operation, name: str) -> int:
    """Deaths that nobody planned, by supervisord's own word."""
    exits = SupervisorDoor(Home(live.home).socket("supervisor.sock")).plug_in().exits.get(name)
    return exits.count - exits.planned if exits else 0


def test_a_pause_reaches_whoever_holds_the_account(live: Operation) -> None:
    pair(live)
    assert live.nae("pause", "a test", "--account", "live").code == 0
    eventually(lambda: live.account("live")["trading_state"] == "paused", within_s=5)
    assert live.nae("resume", "--account", "live").code == 0


def test_after_all_that_one_trader_at_a_time_has_traded_and_both_sides_agree(live: Operation) -> None:
    pair(live)
    assert live.nae("pause", "the end", "--account", "live").code == 0
    eventually(lambda: live.account("live")["unknown_orders"] == 0 and live.account("live")["reconciled"], within_s=20)
    assert live.nae("down").code == 0
    query = "SELECT client_id FROM orders WHERE account = 'live' ORDER BY id"
    epochs = [
        int(row["client_id"].split("-")[0], 36) for row in read_all(live.home / "data" / "venue" / "venue.db", query)
    ]
    assert all(earlier <= later for earlier, later in pairwise(epochs))
    judged = subprocess.run(
        [sys.executable, "-m", "benchmarks.judge", str(live.home), "--json"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    assert judged.returncode == 0, judged.stdout + judged.stderr
    assert json.loads(judged.stdout)["clean"]
