"""An account on a real exchange is traded from one home of a machine at a time: the next with the same key is refused
and told why. Real exchanges aren't released yet, so the traders here are told that their venue is one."""

import json
import shutil
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from functools import partial
from pathlib import Path

import pytest

from agents.embedded import key_file
from execution.console import kill, liquidate_command
from execution.console.cli import run
from execution.exchange.credentials import load_credentials
from execution.exchange.desk import Desk, open_desk
from execution.exchange.endpoint import Endpoint
from execution.ledger.account_lock import key_lock
from execution.ledger.queries import recent_orders
from execution.runtime.locks import is_held
from execution.vocabulary.exit_codes import ExitCode
from tests.chaos.family import Family, family_in
from tests.chaos.test_kill_command import family_that_holds
from tests.support import ROOT, child, eventually, line_of

NAME = "live_optimus"
ELSEWHERE = """
import sys
import agents.optimus as optimus
from execution.exchange.endpoint import Endpoint
reach = optimus.reach_market
async def elsewhere(*words):
    side = await reach(*words)
    side.endpoint = Endpoint("binance")
    return side
optimus.reach_market = elsewhere
sys.exit(optimus.main(["--live"]))
"""


@pytest.fixture(autouse=True)
def state(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The folder of locks that all homes share, for this test alone."""
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
    return tmp_path / "state" / "nae"


@contextmanager
def trader(family: Family) -> Iterator["subprocess.Popen[bytes]"]:
    with family.output.open("ab") as output:
        process = subprocess.Popen(
            [sys.executable, "-c", ELSEWHERE],
            cwd=ROOT,
            env=family.environment,
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=output,
        )
    try:
        yield process
    finally:
        process.kill()
        process.wait()


def trades(family: Family) -> bool:
    log = family.home.log_file(NAME)
    return log.exists() and "nae.trading: started epoch=" in log.read_text()


def test_two_homes_with_one_key_trade_once_and_the_second_is_told_by_whom(tmp_path: Path, state: Path) -> None:
    with ExitStack() as stack:
        one, two = (stack.enter_context(family_in(tmp_path / name)) for name in ("one", "two"))
        one.start("venue", NAME)
        eventually(lambda: trades(one), within_s=20)
        assert one.stop(NAME) == 0
        assert not state.exists()  # an account of the embedded venue is its home's alone
        one.home.log_file(NAME).unlink()
        key = key_file(two.home, "live")
        key.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy2(key_file(one.home, "live"), key)
        two.start("venue")

        first = stack.enter_context(trader(one))
        eventually(lambda: trades(one), within_s=20)
        second = stack.enter_context(trader(two))
        assert second.wait(20) == ExitCode.BUSY
        told = two.home.refusal(NAME).read_text()
        credentials = load_credentials(key)
        assert f"{NAME} pid {first.pid} of {one.home.root}" in told and credentials.key not in told
        assert not trades(two)

        first.kill()
        third = stack.enter_context(trader(two))
        eventually(lambda: trades(two), within_s=20)
        lock = key_lock(credentials.fingerprint).path
        lock.rename(tmp_path / "taken away")
        assert third.wait(10) == 0
        assert "the account's lock is lost" in two.home.log_file(NAME).read_text()
        assert first.wait() == -signal.SIGKILL


HOLDS_A_KEY = """
import sys
from pathlib import Path
from execution.ledger.account_lock import key_holder, key_lock
from execution.runtime.home import Home
lock = key_lock(sys.stdin.readline().strip())
lock.acquire(key_holder("live_optimus", Home(Path("/elsewhere"))))
print("held", flush=True)
sys.stdin.read()
"""


@pytest.fixture
def elsewhere(monkeypatch: pytest.MonkeyPatch) -> None:
    """The commands are told that their venue is a real exchange."""

    def opened(*words: object) -> Desk:
        desk = open_desk(*words)  # type: ignore[arg-type]
        desk.endpoint = Endpoint("binance")
        return desk

    for module in (kill, liquidate_command):
        monkeypatch.setattr(module, "open_desk", opened)


def test_commands_sell_only_with_the_key_in_hand_and_cancel_all_the_same(
    tmp_path: Path, elsewhere: None, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("NAE_HOME", str(tmp_path / "home"))
    with family_that_holds(tmp_path / "home") as family:
        family.start("venue", NAME)
        stops = eventually(partial(guards, family), within_s=30)
        family.kill(NAME)
        fingerprint = load_credentials(key_file(family.home, "live")).fingerprint
        with child(HOLDS_A_KEY) as process:
            assert process.stdin is not None
            print(fingerprint, file=process.stdin, flush=True)
            assert line_of(process) == "held"
            holder = f"live_optimus pid {process.pid} of /elsewhere"
            assert run(["liquidate", "--execute", "--yes", "--account", "live"]) == ExitCode.BUSY
            assert holder in " ".join(capsys.readouterr().err.split())
            assert run(["kill", "--flatten", "--yes", "--account", "live", "--json"]) == ExitCode.UNAVAILABLE
            (told,) = json.loads(capsys.readouterr().out)
            assert told["halted"] and told["seconds"] <= 5 and told["sold"] == [], told
            assert holder in told["problems"][0], told  # and the market alone may take a stop away
            assert told["stops_left"] and not set(stops) & set(told["cancelled"]), told
        assert run(["kill", "--flatten", "--yes", "--account", "live", "--json"]) == ExitCode.OK
        assert json.loads(capsys.readouterr().out)[0]["sold"]
        assert not is_held(key_lock(fingerprint).path)


def guards(family: Family) -> list[str]:
    report = family.report("live")
    rows = recent_orders(family.home.ledger("live"), 9) if report and report.positions and report.reconciled else []
    return [row.client_order_id for row in rows if row.guards]
