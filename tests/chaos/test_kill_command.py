"""`nae kill` with everything else dead, with a trader that hangs, with one that lives, with a venue that answers 504:
halted within five seconds, nothing open, nothing sold twice."""

import asyncio
import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from benchmarks.books import disagreements
from execution.console.cli import run
from execution.console.venue_control import ask_control
from execution.exchange.classify import VenueError
from execution.exchange.desk import open_desk
from execution.exchange.embedded_access import key_file, port_file
from execution.ledger.queries import account_report, recent_orders
from execution.ledger.story import tell
from execution.research.exit_terms import NOTHING_ASKED
from execution.research.strategies import STRATEGIES
from execution.runtime.clock import SystemClock
from execution.runtime.config import load
from execution.runtime.home import Home
from execution.vocabulary.exit_codes import ExitCode
from execution.vocabulary.lifecycle import TradingState
from tests.chaos.family import CONFIG, Family, family_in
from tests.support import eventually, is_running

Kill = Callable[..., tuple[int, list[dict[str, Any]]]]
WITHIN_S = 5.0
PATIENT = "time_exit_bars = 500\nstop_loss = 0.05\nprofit_target = 0.05\ntrailing_distance = 0\nexit_regimes = []"
PATIENT_ONES = [name for name, row in STRATEGIES.items() if row.own == NOTHING_ASKED]  # the account's exits are theirs
DRILLS = CONFIG.replace("[venue]\n", "[venue]\ndrills = true\n").replace("time_exit_bars = 3", PATIENT)
TRADERS = ("sandbox_optimus", "live_optimus")
ACCOUNTS = ("sandbox", "live")


@pytest.fixture
def kill(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Kill:
    monkeypatch.setenv("NAE_HOME", str(tmp_path / "home"))

    def command(*words: str) -> tuple[int, list[dict[str, Any]]]:
        code = run(["kill", *words, "--json"])
        return code, json.loads(capsys.readouterr().out)

    return command


@contextmanager
def family_that_holds(root: Path) -> Iterator[Family]:
    """Traders that keep what they have bought: no price a test may meet sells it or takes its stop away."""
    with family_in(root, config=DRILLS, strategies=PATIENT_ONES) as family:
        yield family


def holding(family: Family) -> bool:
    """Both hold something, and a stop stands at the venue for it."""
    reports = [family.report(account) for account in ACCOUNTS]
    held = all(report and report.positions and report.reconciled for report in reports)
    return held and all(any(row.guards for row in recent_orders(family.home.ledger(name), 9)) for name in ACCOUNTS)


def begin(family: Family) -> None:
    family.start("venue", *TRADERS)
    eventually(partial(holding, family), within_s=60)


def open_at_venue(home: Home, account: str, order: dict[str, str] | None = None) -> list[str]:
    """The client order ids that stand at the venue; `order` is sent first, past our books."""

    async def look() -> list[str]:
        desk = open_desk(home, account, load(home.config_file), SystemClock())
        try:
            if order is not None:
                quotes = await desk.look(["BTC/USDT"])
                order["price"] = str(int(quotes["BTC/USDT"].bid * 3 / 4))
                await desk.client.call("privatePostOrder", order)
            return [name for _, name in await desk.reader.fetch_open_orders()]
        finally:
            await desk.close()

    return asyncio.run(look())


async def take_stops_away(home: Home) -> set[str]:
    desk = open_desk(home, "live", load(home.config_file), SystemClock())
    try:
        standing = await desk.reader.fetch_open_orders()
        for symbol, name in standing:
            await desk.client.call("privateDeleteOrder", {"symbol": symbol, "origClientOrderId": name})
        return {name for _, name in standing}
    finally:
        await desk.close()


def guarded_anew(home: Home, gone: set[str]) -> bool:
    """A stop stands again, in the books and at the venue (which is asked last: asking is dear)."""
    guards = {row.client_order_id for row in recent_orders(home.ledger("live"), 99) if row.guards} - gone
    return bool(guards) and bool(guards & set(open_at_venue(home, "live")))


def judged(home: Home) -> list[str]:
    return [row.text for row in disagreements(home) if "stranger" not in row.text]


def test_with_every_trader_dead_it_halts_cancels_and_sells_all(tmp_path: Path, kill: Kill) -> None:
    with family_that_holds(tmp_path / "home") as family:
        begin(family)
        family.kill(*TRADERS)
        stranger = {"symbol": "BTCUSDT", "side": "BUY", "type": "LIMIT", "timeInForce": "GTC", "quantity": "0.01"}
        stranger["newClientOrderId"] = "stranger-1"
        assert "stranger-1" in open_at_venue(family.home, "live", stranger)
        code, told = kill("a test")
        assert code == ExitCode.OK and all(row["seconds"] <= WITHIN_S and row["halted"] for row in told)
        assert "stranger-1" in told[1]["cancelled"]
        for row in told:
            assert open_at_venue(family.home, row["account"]) == row["stops_left"] != []
        code, told = kill("a test", "--flatten")
        assert code == ExitCode.OK and all(row["sold"] for row in told)
        for account in ACCOUNTS:
            report = account_report(family.home.ledger(account))
            assert report.trading_state is TradingState.HALTED and not report.positions and not report.unknown_orders
            assert open_at_venue(family.home, account) == []
        sold = tell(family.home, "live", told[1]["sold"][0]).chapters[-1]
        assert sold.decision is not None and sold.decision["exit"]["why"] == "a test"
        assert judged(family.home) == []


def test_what_is_held_without_a_stop_is_named_with_what_to_type(
    tmp_path: Path, kill: Kill, capsys: pytest.CaptureFixture[str]
) -> None:
    with family_that_holds(tmp_path / "home") as family:
        begin(family)
        family.kill("live_optimus")
        gone = asyncio.run(take_stops_away(family.home))  # by hand, and nobody there to hear of it
        code, told = kill("a test")
        held = account_report(family.home.ledger("live")).positions
        assert code == ExitCode.OK and told[1]["without_stop"].keys() == held.keys() != set(), told
        assert told[0]["by"] == "sandbox_optimus" and told[0]["without_stop"] == {}
        assert run(["kill", "again", "--account", "live"]) == ExitCode.OK
        said = " ".join(capsys.readouterr().err.split())
        for symbol, amount in told[1]["without_stop"].items():
            assert f"{symbol}: {amount} is held without a stop" in said
        assert "nae kill --flatten --account live sells" in said
        family.start("live_optimus")  # halted, it opens nothing; and what is held gets its stop
        eventually(partial(guarded_anew, family.home, gone), within_s=60)


def test_a_trader_that_hangs_is_ended_and_a_venue_that_answers_504_doubles_nothing(tmp_path: Path, kill: Kill) -> None:
    with family_that_holds(tmp_path / "home") as family:
        begin(family)
        family.hold("live_optimus")
        family.kill("sandbox_optimus")
        hung = family.process("live_optimus").pid
        rules = [
            {"fault": "execute_504", "on": "POST /api/v3/order", "times": 2},
            {"fault": "refuse_504", "on": "DELETE /api/v3/order", "times": 2},
            {"fault": "execute_504", "on": "DELETE /api/v3/order", "times": 2},
        ]
        ask_control(family.home.data / "venue", "POST", "/faults", rules)
        code, told = kill("a test", "--flatten")
        assert code == ExitCode.OK, told
        assert told[1]["ended"] == [hung] and not is_running(hung)
        for account in ACCOUNTS:
            report = account_report(family.home.ledger(account))
            assert report.trading_state is TradingState.HALTED and not report.positions and report.reconciled
            assert open_at_venue(family.home, account) == []
        assert judged(family.home) == []


def test_a_trader_that_lives_halts_and_sells_by_itself(tmp_path: Path, kill: Kill) -> None:
    with family_that_holds(tmp_path / "home") as family:
        begin(family)
        code, told = kill("a test", "--flatten")
        assert code == ExitCode.OK and [row["by"] for row in told] == list(TRADERS)
        assert all(row["ended"] == [] for row in told)
        for account in ACCOUNTS:
            report = family.report(account)
            assert report.trading_state is TradingState.HALTED and not report.positions
            assert eventually(partial(family.is_quiet, account)) and open_at_venue(family.home, account) == []
        for name in TRADERS:
            assert family.stop(name) == 0
        assert judged(family.home) == []


def test_with_the_venue_dead_too_the_halt_is_durable_and_the_rest_is_named(tmp_path: Path, kill: Kill) -> None:
    with family_that_holds(tmp_path / "home") as family:
        begin(family)
        family.kill("venue", *TRADERS)
        code, told = kill("a test", "--flatten", "--within", "1s")
        assert code == ExitCode.UNAVAILABLE
        for row in told:
            assert row["halted"] and "doesn't tell" in row["problems"][0]
            assert account_report(family.home.ledger(row["account"])).trading_state is TradingState.HALTED
        family.start("venue", "sandbox_optimus")
        eventually(lambda: getattr(family.report("sandbox"), "reconciled", False), within_s=40)
        assert family.report("sandbox").trading_state is TradingState.HALTED, "over every restart"


def test_a_ledger_damaged_in_trading_is_built_again_and_all_is_sold(tmp_path: Path, kill: Kill) -> None:
    with family_that_holds(tmp_path / "home") as family:
        begin(family)
        eventually(lambda: list((family.home.account("live") / "backups").glob("*.db")))
        family.kill(*TRADERS)
        path = family.home.ledger("live")
        with path.open("r+b") as file:
            file.write(b"\0" * 4096)
        code, (told,) = kill("a test", "--account", "live", "--flatten")
        assert code == ExitCode.OK and told["halted"] and told["sold"], told
        report = account_report(path)
        assert report.trading_state is TradingState.HALTED and not report.positions and report.reconciled
        assert open_at_venue(family.home, "live") == []


def test_a_damaged_ledger_stops_nobody_from_cancelling(tmp_path: Path, kill: Kill) -> None:
    with family_that_holds(tmp_path / "home") as family:
        family.start("venue")
        eventually(lambda: port_file(family.home).exists() and key_file(family.home, "live").exists())
        stranger = {"symbol": "BTCUSDT", "side": "BUY", "type": "LIMIT", "timeInForce": "GTC", "quantity": "0.01"}
        eventually(lambda: stands(family.home, stranger | {"newClientOrderId": "stranger-1"}))
        family.home.ledger("live").write_bytes(b"no ledger any more" * 1000)
        code, (told,) = kill("a test", "--account", "live", "--flatten")
        assert code == ExitCode.UNAVAILABLE and told["cancelled"] == ["stranger-1"] and not told["halted"]
        assert "the halt couldn't be written" in told["problems"][0] and told["seconds"] <= WITHIN_S
        assert open_at_venue(family.home, "live") == []


def stands(home: Home, order: dict[str, str]) -> bool:
    """Is it there? The venue may still be starting."""
    try:
        return order["newClientOrderId"] in open_at_venue(home, "live", order)
    except (VenueError, KeyError):
        return False


def test_without_an_account_it_says_which_home_it_looked_at(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("NAE_HOME", str(tmp_path))
    assert run(["kill"]) == ExitCode.CONFIG
    assert str(tmp_path) in capsys.readouterr().err
    assert run(["kill", "--account", "moon"]) == ExitCode.USAGE


def test_real_money_is_asked_for_unless_yes_is_said(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("NAE_HOME", str(tmp_path))
    (tmp_path / "nae.toml").write_text("[live]\nreal_money = true\n")
    ledger = Home.find().ledger("live")
    ledger.parent.mkdir(parents=True)
    ledger.touch()
    assert run(["kill", "--flatten"]) == ExitCode.USAGE
    assert "nae kill --yes" in capsys.readouterr().err
