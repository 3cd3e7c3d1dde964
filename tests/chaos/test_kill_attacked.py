"""`nae kill` where something is lost or in somebody's hands: a stop whose fate nobody knows, a ledger that is gone, a
ledger that can't be read, a liquidation under way, a venue that comes back late."""

import asyncio
import os
import shutil
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from execution.console.venue_control import ask_control
from execution.exchange.desk import open_desk
from execution.ledger.account_lock import account_lock, holder_of
from execution.ledger.queries import account_report, recent_orders
from execution.ledger.store import Ledger
from execution.runtime.clock import SystemClock
from execution.runtime.config import load
from execution.runtime.home import Home
from execution.vocabulary.exit_codes import ExitCode
from execution.vocabulary.lifecycle import TradingState
from execution.vocabulary.order_states import OrderState
from execution.vocabulary.orders import OrderRequest, OrderRow, Purpose, Side
from tests.chaos.family import Family
from tests.chaos.test_kill_command import TRADERS, Kill, begin, family_that_holds, kill, open_at_venue
from tests.support import ROOT, eventually

__all__ = ["kill"]


def stop_of(home: Home, account: str) -> OrderRow:
    return next(row for row in recent_orders(home.ledger(account), 50) if row.guards)


def lose_the_answer_to_a_stop(family: Family, account: str) -> str:
    """As a trader that is killed: its stop is at the venue, and its answer was never read. The order's id."""
    home, clock = family.home, SystemClock()
    lock, ledger = account_lock(home, account), Ledger(home.ledger(account), account, clock)
    lock.acquire("a test")
    desk = open_desk(home, account, load(home.config_file), clock)

    async def replace() -> str:
        gateway = desk.gateway(ledger, lock)
        await gateway.load_rules()
        stop = stop_of(home, account)
        assert (await gateway.cancel(stop.client_order_id)).settled
        rule = {"fault": "execute_504", "on": "POST /api/v3/order", "times": 1}
        ask_control(home.data / "venue", "POST", "/faults", [rule])
        outcome = await gateway.place(request_of(stop))
        assert outcome.state is OrderState.UNKNOWN and outcome.client_order_id, outcome
        await desk.close()
        return outcome.client_order_id

    try:
        return asyncio.run(replace())
    finally:
        ledger.close()
        lock.release()


def request_of(stop: OrderRow) -> OrderRequest:
    return OrderRequest(
        symbol=stop.symbol,
        side=Side.SELL,
        type=stop.type,
        quantity=stop.remaining,
        reference_price=stop.reference_price,
        purpose=Purpose.EXIT,
        strategy=stop.strategy,
        reason=stop.reason,
        signal_bar_ms=stop.signal_bar_ms,
        limit_price=stop.limit_price,
    )


def test_a_stop_whose_answer_was_lost_stays_where_it_protects(tmp_path: Path, kill: Kill) -> None:
    with family_that_holds(tmp_path / "home") as family:
        begin(family)
        family.kill(*TRADERS)
        stop = lose_the_answer_to_a_stop(family, "live")
        assert stop in open_at_venue(family.home, "live")
        code, (told,) = kill("a test", "--account", "live")
        assert stop in open_at_venue(family.home, "live") and stop in told["stops_left"], (code, told)


@pytest.mark.parametrize("words", [(), ("--flatten",)])
def test_an_account_whose_ledger_is_gone_is_halted_all_the_same(
    tmp_path: Path, kill: Kill, words: tuple[str, ...]
) -> None:
    with family_that_holds(tmp_path / "home") as family:
        begin(family)
        family.kill(*TRADERS)
        for path in family.home.account("live").glob("ledger.db*"):
            path.unlink()
        code, told = kill("a test", *words)
        assert [row["account"] for row in told] == ["sandbox", "live"], told
        assert code == ExitCode.OK, told
        assert account_report(family.home.ledger("live")).trading_state is TradingState.HALTED
        assert bool(open_at_venue(family.home, "live")) is not bool(words)


def test_where_no_ledger_can_be_read_the_stops_are_known_by_the_venue(tmp_path: Path, kill: Kill) -> None:
    with family_that_holds(tmp_path / "home") as family:
        begin(family)
        family.kill(*TRADERS)
        stops = open_at_venue(family.home, "live")
        folder = family.home.account("live")
        for path in (*folder.glob("ledger.*"), *folder.glob("backups/*")):
            path.write_bytes(b"no ledger any more")
        stranger = {"symbol": "BTCUSDT", "side": "BUY", "type": "LIMIT", "timeInForce": "GTC", "quantity": "0.01"}
        open_at_venue(family.home, "live", stranger | {"newClientOrderId": "stranger-1"})
        code, (told,) = kill("a test", "--account", "live")
        assert code == ExitCode.UNAVAILABLE and told["cancelled"] == ["stranger-1"], told
        assert sorted(open_at_venue(family.home, "live")) == sorted(stops) == sorted(told["stops_left"])


def test_a_venue_that_comes_back_while_selling_gives_the_stops_up_and_everything_is_sold(
    tmp_path: Path, kill: Kill
) -> None:
    with family_that_holds(tmp_path / "home") as family:
        begin(family)
        family.kill(*TRADERS)
        rule = {"fault": "refuse_504", "on": "DELETE /api/v3/order", "for_s": 6}
        ask_control(family.home.data / "venue", "POST", "/faults", [rule])
        code, (told,) = kill("a test", "--account", "live", "--flatten")
        assert code == ExitCode.OK and told["sold"] and not told["left"], told
        assert open_at_venue(family.home, "live") == []


def test_a_liquidation_under_way_is_ended_and_the_account_halted(tmp_path: Path, kill: Kill) -> None:
    with family_that_holds(tmp_path / "home") as family:
        begin(family)
        family.kill("venue", *TRADERS)
        words = [sys.executable, "-m", "execution.console.cli", "liquidate", "--execute", "--account", "live"]
        with subprocess.Popen(words, cwd=ROOT, env=family.environment) as selling:
            try:
                eventually(lambda: holder_of(family.home, "live") == "nae_liquidate")
                _, (told,) = kill("a test", "--account", "live")
                assert told["halted"] and told["ended"] == [selling.pid], told
                assert selling.wait(2) < 0
            finally:
                selling.kill()
        assert account_report(family.home.ledger("live")).trading_state is TradingState.HALTED


def test_while_a_restore_asks_its_question_the_account_can_be_halted(tmp_path: Path, kill: Kill) -> None:
    with family_that_holds(tmp_path / "home") as family:
        begin(family)
        eventually(lambda: list((family.home.account("live") / "backups").glob("*.db")))
        family.kill(*TRADERS)
        ours, theirs = os.openpty()
        words = [sys.executable, "-m", "execution.console.cli", "restore", "--account", "live"]
        with subprocess.Popen(words, cwd=ROOT, env=family.environment, stdin=theirs, stdout=theirs) as asking:
            try:
                assert b"Replace the ledger" in os.read(ours, 1000)
                code, (told,) = kill("a test", "--account", "live")
                assert code == ExitCode.OK and told["halted"], told
            finally:
                asking.kill()
        os.close(ours)
        os.close(theirs)


def test_where_nothing_can_be_written_it_cancels_and_the_other_account_is_killed(tmp_path: Path, kill: Kill) -> None:
    with family_that_holds(tmp_path / "home") as family:
        begin(family)
        family.kill(*TRADERS)
        stranger = {"symbol": "BTCUSDT", "side": "BUY", "type": "LIMIT", "timeInForce": "GTC", "quantity": "0.01"}
        open_at_venue(family.home, "live", stranger | {"newClientOrderId": "stranger-1"})
        trail = family.home.audit_trail("operator_live")
        shutil.rmtree(trail.parent)
        trail.parent.write_text("no folder")
        lock = family.home.account("sandbox") / "account.lock"
        lock.unlink()
        lock.mkdir()
        code, (sandbox, live) = kill("a test")
        assert code == ExitCode.UNAVAILABLE
        assert live["halted"] and live["cancelled"] == ["stranger-1"] and live["stops_left"], live
        assert "can't be written" in live["problems"][0] and "account.lock" in sandbox["problems"][0]
        assert open_at_venue(family.home, "live") == live["stops_left"]


def test_cut_off_by_ctrl_c_it_ends_what_is_under_way_and_tells_it(tmp_path: Path) -> None:
    with family_that_holds(tmp_path / "home") as family:
        begin(family)
        family.kill(*TRADERS)
        rule = {"fault": "server_busy", "on": "POST /api/v3/order", "for_s": 3}
        ask_control(family.home.data / "venue", "POST", "/faults", [rule])
        words = [sys.executable, "-m", "execution.console.cli", "kill", "--flatten", "--account", "live"]
        with subprocess.Popen(words, cwd=ROOT, env=family.environment, stdout=-1, stderr=-1, text=True) as killing:
            eventually(lambda: account_report(family.home.ledger("live")).trading_state is TradingState.HALTED)
            killing.send_signal(signal.SIGINT)
            out, err = killing.communicate(timeout=20)
        assert "what is under way is finished first" in err and "live: sold by order" in out, (out, err)
        assert not account_report(family.home.ledger("live")).positions
