"""`nae why` alone is enough to follow one trade from its signal to its profit, and to see why there was none."""

import asyncio
import json
import shutil
from decimal import Decimal
from pathlib import Path

import pytest

from execution.console.no_trade import findings
from execution.ledger.audit_log import AuditLogger
from execution.ledger.round_trips import round_trips
from execution.runtime.clock import ManualClock
from execution.runtime.home import Home
from execution.vocabulary.exit_codes import ExitCode
from execution.vocabulary.orders import Fill, Side
from tests.console.conftest import Say
from tests.trading.world import World, condition, flat, jump


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Home:
    monkeypatch.setenv("NAE_HOME", str(tmp_path))
    monkeypatch.setenv("COLUMNS", "300")
    return Home.find()


def one_trade(home: Home, sold: bool = True) -> World:
    """The sandbox account has bought, and sold at its target; nobody runs any more."""

    async def trade() -> World:
        world = World(home.account("sandbox"))
        await world.system.start()
        world.system.arm([condition(-1)])
        world.bar(jump(0))
        await world.manager.run_cycle()
        if sold:
            world.market.price("BTC/USDT", "102")
            await world.manager.run_cycle()
        return world

    world = asyncio.run(trade())
    world.ledger.close()
    trail = home.audit_trail("sandbox_optimus")
    trail.parent.mkdir(parents=True, exist_ok=True)
    shutil.copy(world.audit.path, trail)
    return world


def test_one_id_tells_a_trade_from_its_signal_to_its_profit(home: Home, say: Say) -> None:
    one_trade(home)
    _, out, _ = say("orders", "--json")
    sale, purchase = (row["id"] for row in json.loads(out))
    for asked in (purchase, sale):
        code, out, _ = say("why", asked)
        assert code == ExitCode.OK
        told = ["signal", "condition", "weighed", "size", "risk", "intent", "order", "fills", "exit", "P&L"]
        found = [out.find(f" {word} ") for word in told[:4]]
        assert found == sorted(found) and found[0] > 0
        assert all(word in out for word in told[5:]) and purchase in out and sale in out
        assert "momentum_breakout said now on the bar of" in out
        assert "profit_target" in out and " USDT (+" in out


def test_the_research_that_armed_it_is_told_by_its_id(home: Home, say: Say) -> None:
    one_trade(home)
    trail = AuditLogger(home.audit_trail("ralph"), ManualClock(), "ralph")
    for names in (["other"], ["c1", "c2"]):
        armed = [{"id": name, "strategy": "momentum_breakout", "score": 1.5} for name in names]
        trail.record("research", symbol="BTC/USDT", bars=999, regime="range", armed=armed)
    _, out, _ = say("why")
    assert "ralph studied 999 bars" in out and "armed 2, this one with score 1.5" in out
    assert json.loads(say("why", "--json")[1])["orders"][0]["research"]["seq"] == 2


def test_the_venues_number_the_trades_number_and_no_number_lead_to_the_same_story(home: Home, say: Say) -> None:
    world = one_trade(home)
    _, plain, _ = say("why", "--json")
    sale = json.loads(plain)["asked"]
    assert json.loads(say("why", "v2", "--json")[1])["asked"] == sale
    story = json.loads(say("why", "2", "--json")[1])
    assert story["asked"] == sale and story["gaps"] == []
    assert story["trade"]["closed"]["pnl_quote"] == str(story["trade"]["closed"]["pnl_quote"])
    assert [row["order"]["side"] for row in story["orders"]] == ["buy", "sell"]
    assert story["orders"][0]["decision"]["cause"] == "c1"
    assert world.ledger.closed_trades()[0].pnl_quote == Decimal(story["trade"]["closed"]["pnl_quote"])


def test_what_is_still_held_is_told_as_open(home: Home, say: Say) -> None:
    one_trade(home, sold=False)
    code, out, _ = say("why")
    assert code == ExitCode.OK and "open: " in out and "each with fees" in out


def test_without_trails_the_ledger_alone_tells_it_and_names_the_gap(home: Home, say: Say) -> None:
    one_trade(home)
    home.audit_trail("sandbox_optimus").unlink()
    code, out, _ = say("why")
    assert code == ExitCode.OK
    assert "isn't in the audit trails" in out and " USDT (+" in out


def test_an_id_that_isnt_there_or_means_two_things_says_what_to_type(home: Home, say: Say) -> None:
    assert say("why")[0] == ExitCode.UNAVAILABLE
    one_trade(home)
    code, _, err = say("why", "nonsense")
    assert code == ExitCode.USAGE and "nae orders" in err
    assert say("why", "v1", "--account", "moon")[0] == ExitCode.USAGE
    assert say("why", "1", "ETH/USDT")[0] == ExitCode.USAGE
    shutil.copytree(home.account("sandbox"), home.account("live"))
    code, out, err = say("why", "1")
    assert code == ExitCode.USAGE and "means 2 things" in err
    assert "--account live" in out and "--account sandbox" in out
    assert say("why", "1", "--account", "live")[0] == ExitCode.OK


def test_why_no_trade_tells_the_newest_decisions_with_their_numbers(home: Home, say: Say) -> None:
    async def idle() -> World:
        world = World(home.account("sandbox"))
        await world.system.start()
        world.system.arm([condition(-1)])
        for number in range(3):
            world.bar(flat(number))
            await world.manager.run_cycle()
        world.system.pause_trading("news at noon")
        world.bar(flat(3))
        await world.manager.run_cycle()
        return world

    world = asyncio.run(idle())
    home.audit_trail("sandbox_optimus").parent.mkdir(parents=True)
    shutil.copy(world.audit.path, home.audit_trail("sandbox_optimus"))
    code, out, _ = say("why", "no-trade")
    assert code == ExitCode.OK
    assert out.index("trading_paused") < out.index("no_candidates_from_triggers")
    assert "why news at noon" in out and "and 2 cycles before it" in out and "nae resume" in out
    newest = json.loads(say("why", "no-trade", "BTC/USDT", "--json", "-n", "1")[1])
    assert newest[0]["reason"] == "trading_paused" and newest[0]["numbers"]["entries_off"]["why"] == "news at noon"


def test_only_what_concerns_a_symbol_is_told_of_it() -> None:
    cycle = {
        "at": "2026-11-21T08:00:00.000Z",
        "reason": "rules_engine_no_proposals",
        "excluded": {"ETH/USDT": "wide_spread"},
        "dropped": {"c1": "crash", "c2": "position_held"},
        "numbers": {"dropped": {"c1": {"symbol": "BTC/USDT"}, "c2": {"symbol": "ETH/USDT"}}},
    }
    (found,) = findings("live", [cycle], "ETH/USDT")
    assert found.details == {"excluded ETH/USDT": "wide_spread", "dropped c2": "position_held"}
    assert list(found.numbers["dropped"]) == ["c2"]


def test_fills_that_are_nobodys_belong_to_no_trade() -> None:
    stranger = Fill("BTC/USDT", "1", "9", None, Side.BUY, Decimal(1), Decimal(1), Decimal(0), "USDT", 0)
    assert round_trips("BTC/USDT", [(stranger, None)], {}) == []
