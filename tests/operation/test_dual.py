"""One dual operation on the default market: it starts, trades, reconciles, survives, obeys. In the order written."""

import json
import signal
import subprocess
import sys
import time
from functools import partial

import pytest

from execution.ledger.account_lock import holder_of
from execution.runtime.home import Home
from execution.vocabulary.limits import TASK_OVERDUE_LEAST_S
from tests.operation.conftest import ROOT, Operation
from tests.support import eventually

pytestmark = pytest.mark.operation
WORKERS = [
    "venue",
    "sandbox_optimus",
    "live_optimus",
    "live_optimus_standby",
    "ralph",
    "accelerator_controller",
    "master_controller",
]


def has_traded(operation: Operation, account: str, more_than: int = 0) -> bool:
    return bool(operation.account(account)["fills"] > more_than)


def is_reconciled(operation: Operation, account: str) -> bool:
    return operation.account(account)["reconciled"] is True


def test_every_process_is_running_and_the_whole_is_healthy(dual: Operation) -> None:
    status = eventually(lambda: (s := dual.status())["overall_status"] == "HEALTHY" and s, within_s=20)
    assert status["running"] and status["mode"] == "dual"
    assert set(status["processes"]) == {*WORKERS, "continuous_operation"}
    assert all(row["state"] == "running" and row["error_count"] == 0 for row in status["processes"].values())


def test_each_process_writes_a_log_of_its_own(dual: Operation) -> None:
    for name in [*WORKERS, "continuous_operation"]:
        assert "state=running" in dual.log(name), name


def test_both_accounts_trade_within_a_minute_and_agree_with_the_venue_to_the_last_digit(dual: Operation) -> None:
    for account in ("sandbox", "live"):
        eventually(partial(has_traded, dual, account), within_s=75, every_s=0.5)
        eventually(partial(is_reconciled, dual, account), within_s=20, every_s=0.3)
        assert dual.account(account)["unknown_orders"] == 0


def test_another_python_process_sees_the_same_operation(dual: Operation) -> None:
    code = (
        "import json; from execution.autonomous.continuous_operation import ContinuousOperationManager as M;"
        "from execution.autonomous.self_healing import SelfHealingSystem as S;"
        "print(json.dumps([M().get_status(), S().get_fix_summary()]))"
    )
    done = dual.run(sys.executable, "-c", code)
    status, fixes = json.loads(done.out)
    promised = {
        "running",
        "mode",
        "overall_status",
        "enhancements_applied",
        "error_rate",
        "learning_active",
        "processes",
        "system_resources",
    }
    assert promised <= set(status) and status["running"]
    assert {"status", "state", "pid", "uptime_seconds", "error_count"} <= set(status["processes"]["ralph"])
    assert set(fixes) == {"total_fixed", "by_type", "recent_fixes"}


def test_a_second_start_in_the_same_home_names_the_holder(dual: Operation) -> None:
    done = dual.start()
    assert done.code == 75
    assert "already running (pid" in done.err
    assert dual.status()["running"]


def test_a_second_trader_by_hand_is_refused_while_optimus_holds_the_account(dual: Operation) -> None:
    done = dual.run(sys.executable, ROOT / "scripts" / "main_loop.py", "--once")
    assert done.code == 75
    assert "sandbox_optimus" in done.text


def test_every_loop_turns(dual: Operation) -> None:
    done = dual.run(sys.executable, ROOT / "scripts" / "verify_infinite_loop.py")
    assert done.code == 0, done.text
    shown = dual.run(sys.executable, ROOT / "scripts" / "check_status.py")
    assert shown.code == 0 and len(shown.out.splitlines()) <= 24, "a screenful"
    for kept in ("plug-in works", "live held by live_optimus", "standby ready"):
        assert kept in done.out and kept in shown.out


@pytest.mark.parametrize("name", WORKERS)
def test_a_killed_worker_is_back_and_works_on(dual: Operation, name: str) -> None:
    killed = dual.kill(name)
    eventually(lambda: dual.running(name, but_not=killed), within_s=30, every_s=0.2)


def test_after_all_those_kills_trading_goes_on_from_the_ledgers_and_nothing_was_doubled(dual: Operation) -> None:
    before = {account: dual.account(account)["fills"] for account in ("sandbox", "live")}
    for account in ("sandbox", "live"):
        eventually(partial(has_traded, dual, account, before[account]), within_s=90, every_s=0.5)
        eventually(partial(is_reconciled, dual, account), within_s=30, every_s=0.3)


def test_a_killed_manager_is_back_and_no_worker_was_touched(dual: Operation) -> None:
    workers = {name: dual.pid(name) for name in WORKERS}
    killed = dual.kill("continuous_operation")
    eventually(lambda: dual.running("continuous_operation", but_not=killed), within_s=30, every_s=0.2)
    eventually(lambda: all(dual.running(name, but_not=0) for name in WORKERS), within_s=10)
    assert {name: dual.pid(name) for name in WORKERS} == workers


def test_a_stopped_worker_is_seen_as_hung_killed_and_replaced(dual: Operation) -> None:
    stopped = dual.kill("ralph", signal.SIGSTOP)
    eventually(lambda: dual.running("ralph", but_not=stopped), within_s=30, every_s=0.2)
    record = json.loads((dual.home / "logs" / "change_log.json").read_text())
    assert eventually(
        lambda: "hang" in json.loads((dual.home / "logs" / "change_log.json").read_text())["fixed_by_type"], within_s=10
    ), record


def test_when_all_sleep_longer_than_any_limit_and_wake_the_manager_first_nobody_is_killed(dual: Operation) -> None:
    before = {name: dual.pid(name) for name in [*WORKERS, "continuous_operation"]}
    asleep = sorted(dual.processes(), key=lambda process: process.pid != before["continuous_operation"])
    for process in asleep:
        process.suspend()
    began = time.monotonic()
    eventually(lambda: time.monotonic() - began > TASK_OVERDUE_LEAST_S + 1, within_s=30, every_s=0.5)
    for process in asleep:
        process.resume()
    eventually(lambda: "my own tick came late" in dual.log("continuous_operation"), every_s=0.2)
    eventually(lambda: dual.nae("verify").code == 0, within_s=20, every_s=0.5)
    assert {name: dual.pid(name) for name in before} == before


def test_a_pause_stops_entries_and_exits_go_on_until_resumed(dual: Operation) -> None:
    assert dual.nae("pause", "a test").code == 0
    eventually(lambda: dual.account("live")["trading_state"] == "paused", within_s=5)
    eventually(
        lambda: _last_cycle(dual, holder_of(Home(dual.home), "live"))["reason"] == "trading_paused",
        within_s=15,
        every_s=0.3,
    )
    assert dual.nae("resume").code == 0
    eventually(lambda: dual.account("live")["trading_state"] == "active", within_s=5)


def _last_cycle(operation: Operation, process: str) -> dict[str, str]:
    lines = (operation.home / "logs" / "audit" / f"{process}.jsonl").read_text().splitlines()
    cycles = [line for line in map(json.loads, lines[-50:]) if line.get("kind") == "cycle"]
    last: dict[str, str] = cycles[-1]
    return last


def test_no_secret_is_in_any_environment_argument_or_log(dual: Operation) -> None:
    secrets = [
        json.loads((dual.home / "data" / account / "venue_key.json").read_text())["secret"]
        for account in ("sandbox", "live")
    ]
    said = "".join(" ".join(p.cmdline()) + str(p.environ()) for p in dual.processes())
    said += "".join(path.read_text(errors="replace") for path in (dual.home / "logs").rglob("*.*") if path.is_file())
    assert not any(secret in said for secret in secrets)


def test_kill_by_the_pid_file_leaves_no_process_socket_or_held_lock(dual: Operation) -> None:
    pid = (dual.home / "logs" / "continuous_operation.pid").read_text().strip()
    subprocess.run(["kill", pid], check=True)
    eventually(lambda: not dual.processes(), within_s=15)
    run = dual.home / "data" / "run"
    assert not [path for path in run.iterdir() if path.is_socket()]
    assert not (dual.home / "logs" / "continuous_operation.pid").exists()
    assert not dual.status()["running"]
    logs = "".join(path.read_text() for path in (dual.home / "logs").glob("*.log"))
    assert "ended by an error" not in logs and "stray error" not in logs
    assert not list(run.glob("*.refusal"))
