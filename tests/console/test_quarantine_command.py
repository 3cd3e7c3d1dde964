"""A person leaves a symbol alone, sees the list, and lifts it again: with a trader and without one."""

import asyncio
import json
from pathlib import Path

import pytest

from agents.optimus_commands import carry_out
from execution.ledger.opening import open_ledger
from execution.runtime.bus import Refused
from execution.runtime.clock import SystemClock
from execution.runtime.home import Home
from execution.vocabulary.exit_codes import ExitCode
from execution.vocabulary.modes import Account
from tests.console.conftest import Say
from tests.trading.world import World, condition, jump

SYMBOL = "BTC/USDT"


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Home:
    monkeypatch.setenv("NAE_HOME", str(tmp_path))
    return Home.find()


def account(home: Home, name: Account = Account.SANDBOX) -> None:
    path = home.ledger(name)
    path.parent.mkdir(parents=True)
    ledger = open_ledger(path, name, SystemClock())
    ledger.save_runtime_state({"conditions": [1, 2]})
    ledger.close()


def rows(said: str, name: str = "sandbox") -> dict[str, dict[str, object]]:
    found: dict[str, dict[str, object]] = json.loads(said)[name]["quarantine"]
    return found


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (["DOGE"], "is no symbol"),
        (["DOGE/USDT"], "needs a reason"),
        (["--lift"], "which symbol?"),
        (["DOGE/USDT", "--reason", "x", "--account", "life"], "unknown account"),
    ],
)
def test_wrong_words_are_told_with_what_would_be_right(home: Home, say: Say, words: list[str], told: str) -> None:
    account(home)
    code, _, err = say("quarantine", *words)
    assert code == ExitCode.USAGE and told in err


def test_before_the_first_start_there_is_no_account_to_tell(home: Home, say: Say) -> None:
    code, _, err = say("quarantine", "DOGE/USDT", "--reason", "delisting")
    assert code == ExitCode.UNAVAILABLE and "no trading account here yet" in err


def test_without_a_trader_it_is_kept_in_the_ledger_beside_what_stands_there(home: Home, say: Say) -> None:
    account(home)
    assert say("quarantine")[1].strip() == "no symbol is in quarantine"
    code, out, _ = say("quarantine", "doge/usdt", "--reason", "delisting on Friday", "--json")
    assert code == ExitCode.OK and rows(out)["DOGE/USDT"]["reason"] == "delisting on Friday"
    assert rows(out)["DOGE/USDT"]["until_ms"] is None
    code, out, _ = say("quarantine", "SOL/USDT", "--reason", "a rest", "--for", "6h", "--json")
    assert rows(out)["SOL/USDT"]["until_ms"] > SystemClock().now_ms() + 5 * 3_600_000  # type: ignore[operator]
    ledger = open_ledger(home.ledger(Account.SANDBOX), Account.SANDBOX, SystemClock())
    assert (ledger.restore_runtime_state() or {})["conditions"] == [1, 2]
    ledger.close()
    code, out, _ = say("quarantine", "DOGE/USDT", "--lift", "--json")
    assert code == ExitCode.OK and list(rows(out)) == ["SOL/USDT"]
    code, _, err = say("quarantine", "DOGE/USDT", "--lift")
    assert code == ExitCode.FAILED and "isn't in quarantine" in err


def test_one_account_may_be_told_and_the_other_not(home: Home, say: Say) -> None:
    account(home)
    account(home, Account.LIVE)
    say("quarantine", "DOGE/USDT", "--reason", "delisting", "--account", "live")
    told = say("quarantine", "--json")[1]
    assert list(rows(told, "live")) == ["DOGE/USDT"] and rows(told, "sandbox") == {}


def test_a_trader_told_so_enters_the_symbol_no_more_also_after_a_restart_until_it_is_lifted(tmp_path: Path) -> None:
    async def tried(world: World) -> str | None:
        await world.system.start()
        world.system.arm([condition(-1)])
        world.bar(jump(0))
        return (await world.manager.run_cycle()).reason

    async def run() -> None:
        world = World(tmp_path)
        told = await carry_out(world.system, "quarantine", {"symbol": SYMBOL, "reason": "by hand", "by": "ann"})
        assert told["quarantine"][SYMBOL]["by"] == "ann"
        assert await tried(world) == "empty_universe" and world.venue.placed == []
        world.ledger.close()
        again = World(tmp_path)
        assert await tried(again) == "empty_universe"
        assert again.system.facts()["note"] == f"no entries in {SYMBOL}: nae quarantine says why"
        assert "by hand" in again.system.get_system_status()["tiers"][SYMBOL]["quarantine"]
        assert await carry_out(again.system, "quarantine", {"symbol": SYMBOL, "lift": True}) == {"quarantine": {}}
        again.bar(jump(1, "101", "103"))
        assert (await again.manager.run_cycle()).entries == 1

    asyncio.run(run())


def test_a_symbol_that_the_venue_doesnt_list_is_refused_by_the_trader(tmp_path: Path) -> None:
    async def run() -> None:
        world = World(tmp_path)
        await world.system.start()
        with pytest.raises(Refused, match="doesn't list DOGE/USDT"):
            await carry_out(world.system, "quarantine", {"symbol": "DOGE/USDT", "reason": "delisting"})
        with pytest.raises(Refused, match="isn't in quarantine"):
            await carry_out(world.system, "quarantine", {"symbol": SYMBOL, "lift": True})

    asyncio.run(run())
