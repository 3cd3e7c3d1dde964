"""Starting: on good ground, on bad ground, twice, far away, and again after everything was killed."""

import os
import shutil
import socket
import subprocess
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import psutil
import pytest

from tests.operation.conftest import START, Operation
from tests.support import eventually

pytestmark = pytest.mark.operation
HEAD = "timestamp,open,high,low,close,volume\n"


def candles(path: Path, rows: list[str]) -> Path:
    path.write_text(HEAD + "\n".join(rows) + "\n")
    return path


def wave(count: int = 700) -> list[str]:
    """A minute market that swings by some 2 % within 80 bars."""
    rows = []
    for n in range(count):
        price = 100 + 1.2 * abs((n % 80) - 40) / 20
        after = 100 + 1.2 * abs(((n + 1) % 80) - 40) / 20
        high, low = max(price, after) + 0.05, min(price, after) - 0.05
        rows.append(f"{1_640_995_200_000 + n * 60_000},{price:.2f},{high:.2f},{low:.2f},{after:.2f},1000")
    return rows


def healthy_status(operation: Operation) -> dict[str, Any] | None:
    status = operation.status()
    return status if status["overall_status"] == "HEALTHY" else None


def test_an_unknown_mode_is_named_with_the_known_ones(operation: Operation) -> None:
    done = operation.start("moon")
    assert done.code == 64
    assert "'moon'" in done.err and "sandbox, live, dual" in done.err


@pytest.mark.parametrize(
    ("toml", "told"),
    [
        ("[venue]\nspeeed = 60\n", "unknown key venue.speeed = 60; did you mean venue.speed?"),
        ("[venue]\nspeed = 'fast'\n", "venue.speed = 'fast' has the wrong type; it must be a number"),
        (
            "[risk]\norder_value_max = -5\n",
            "risk.order_value_max = -5 is out of range; it must be a number of more than 0",
        ),
        ("[venue\n", "not valid TOML"),
        ('[live]\nexchange = "binance"\n', "live.exchange = 'binance'"),
    ],
)
def test_a_broken_nae_toml_stops_the_start_naming_key_value_and_what_would_be_right(
    operation: Operation, toml: str, told: str
) -> None:
    done = operation.configure(toml).start()
    assert done.code == 78
    assert told in done.err and "nae.toml" in done.err
    assert not operation.processes()


def test_a_port_in_use_is_named(operation: Operation) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        done = operation.configure(f"[venue]\nport = {port}\n").start()
    assert done.code == 78
    assert f"venue.port = {port}" in done.err


@pytest.mark.parametrize(
    ("spoil", "told"),
    [
        (lambda rows: [*rows[:20], rows[25], *rows[20:]], ("row", "timestamp")),
        (lambda rows: [*rows[:30], rows[29], *rows[30:]], ("row", "timestamp")),
        (lambda rows: [*rows[:40], rows[40].rsplit(",", 1)[0] + ",nan", *rows[41:]], ("row", "volume")),
        (lambda rows: [*rows[:40], rows[40].rsplit(",", 1)[0] + ",-1", *rows[41:]], ("row", "volume")),
    ],
    ids=["unsorted", "duplicate", "nan", "negative"],
)
def test_a_candle_file_that_cannot_be_right_stops_the_start_with_row_and_column(
    operation: Operation, tmp_path: Path, spoil: Callable[[list[str]], list[str]], told: tuple[str, str]
) -> None:
    bad = candles(tmp_path / "BTC_USDT-1m.csv", spoil(wave()))
    operation.environment["NAE_MARKET"] = f"replay:{bad}"
    done = operation.start()
    assert done.code == 78, done.text
    assert all(word in done.err for word in (*told, bad.name)), done.err
    assert not operation.processes()


def test_missing_columns_in_a_candle_file_are_named(operation: Operation, tmp_path: Path) -> None:
    bad = tmp_path / "BTC_USDT-1m.csv"
    bad.write_text("time,price\n1,2\n")
    operation.environment["NAE_MARKET"] = f"replay:{bad}"
    done = operation.start()
    assert done.code == 78
    assert "timestamp" in done.err


def test_two_homes_with_long_paths_and_missing_bars_run_side_by_side(tmp_path: Path) -> None:
    far = tmp_path / ("long" * 40)[: max(1, 150 - len(str(tmp_path)) - 3)] / "h"
    rows = wave()
    file = candles(tmp_path / "BTC_USDT-1m.csv", rows[:300] + rows[305:])
    homes = [Operation(far), Operation(tmp_path / "near")]
    homes[0].environment |= {"NAE_MARKET": f"replay:{file}", "NAE_SPEED": "60"}
    try:
        for home in homes:
            home.home.mkdir(parents=True)
            home.started("sandbox")
        assert len(str(far)) >= 150 or len(str(tmp_path)) > 150
        for home in homes:
            status = eventually(partial(healthy_status, home), within_s=20) or {}
            assert status["mode"] == "sandbox" and "live_optimus" not in status["processes"]
        assert "missing" in homes[0].log("venue")
        pids = [{process.pid for process in home.processes()} for home in homes]
        assert not pids[0] & pids[1]
        assert homes[1].nae("down").code == 0
        assert homes[0].status()["running"]
    finally:
        for home in homes:
            home.nae("down")
            for process in home.processes():
                process.kill()


def test_a_pause_survives_the_death_of_everything(operation: Operation) -> None:
    operation.started("live", "--no-standby")
    assert "live_optimus_standby" not in operation.status()["processes"]
    assert operation.nae("verify").code == 0, "nobody is missed who isn't wanted"
    eventually(lambda: operation.account("live").get("trading_state") == "active", within_s=10)
    assert operation.nae("pause", "storm ahead").code == 0
    operation.kill_everything()
    assert operation.account("live")["trading_state"] == "paused"
    operation.started("live")
    assert operation.account("live")["trading_state"] == "paused"
    assert operation.nae("down").code == 0
    assert operation.nae("resume").code == 0  # nobody holds the account: the tool writes it
    assert operation.account("live")["trading_state"] == "active"


def test_with_supervisord_and_manager_killed_no_worker_outlives_them_and_the_next_start_recovers(
    operation: Operation,
) -> None:
    operation.started("sandbox")
    supervisord = int((operation.home / "logs" / "continuous_operation.pid").read_text())
    manager = operation.pid("continuous_operation")
    psutil.Process(supervisord).kill()
    psutil.Process(manager).kill()
    eventually(lambda: not operation.processes(), within_s=4)
    done = operation.start("sandbox")
    assert done.code == 0, done.text
    assert "stale pid file" in done.err


def test_the_foreground_start_stays_and_ends_in_order(operation: Operation) -> None:
    environment = {**os.environ, "NAE_HOME": str(operation.home)}
    child = subprocess.Popen([START, "sandbox", "--foreground"], env=environment)
    try:
        eventually(lambda: operation.status().get("overall_status") == "HEALTHY", within_s=40, every_s=0.3)
        assert operation.status()["processes"]["venue"]["state"] == "running"
        child.terminate()
        assert child.wait(timeout=15) == 0
        eventually(lambda: not operation.processes(), within_s=3)
    finally:
        if child.poll() is None:
            child.kill()


def _in_mount_namespace(script: str, home: Path) -> subprocess.CompletedProcess[str]:
    if os.geteuid() != 0 or shutil.which("unshare") is None:
        pytest.skip("needs root and unshare for a mount namespace of its own")
    environment = {**os.environ, "NAE_HOME": str(home)}
    command = ["unshare", "-m", "sh", "-c", script]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=90, check=False)
    if "unshare failed" in done.stderr or "mount:" in done.stderr:
        pytest.skip(f"no mount namespace here: {done.stderr.strip()[:100]}")
    return done


def test_a_full_disk_is_said(operation: Operation) -> None:
    script = f"mount -t tmpfs -o size=300k tmpfs {operation.home} && exec {START} sandbox"
    done = _in_mount_namespace(script, operation.home)
    assert done.returncode == 71
    assert "MiB" in done.stderr or "No space left" in done.stderr


def test_a_read_only_logs_folder_is_said(operation: Operation) -> None:
    logs = operation.home / "logs"
    logs.mkdir()
    script = f"mount -t tmpfs -o ro tmpfs {logs} && exec {START} sandbox"
    done = _in_mount_namespace(script, operation.home)
    assert done.returncode == 71
    assert str(logs) in done.stderr and "Read-only" in done.stderr
