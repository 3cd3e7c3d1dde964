"""Only a person leaves a halt, by `nae arm`, and only when the books agree with the venue's."""

import asyncio
import json
from pathlib import Path

import pytest

from agents.optimus_commands import carry_out
from execution.console.account_status import accounts_of
from execution.ledger.opening import open_ledger
from execution.runtime.bus import Refused
from execution.runtime.clock import SystemClock
from execution.runtime.home import Home
from execution.vocabulary.exit_codes import ExitCode
from execution.vocabulary.lifecycle import TradingState
from execution.vocabulary.modes import Account
from tests.console.conftest import Say
from tests.ledger.builders import request
from tests.trading.world import Verdict, World

HALT = "the account lost 5.10% today"


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Home:
    monkeypatch.setenv("NAE_HOME", str(tmp_path))
    return Home.find()


def account(home: Home, state: TradingState, reconciled: bool) -> None:
    path = home.ledger(Account.LIVE)
    path.parent.mkdir(parents=True)
    ledger = open_ledger(path, Account.LIVE, SystemClock())
    ledger.set_trading_state(state, HALT, "risk limits")
    ledger.set_reconciliation(reconciled, [] if reconciled else ["BTC: the venue says 1, our books 0"])
    ledger.close()


def test_what_cant_be_armed_is_refused_with_the_reason(home: Home, say: Say) -> None:
    assert say("arm", "life")[0] == ExitCode.USAGE
    code, _, err = say("arm", "live")
    assert code == ExitCode.UNAVAILABLE and "no live account here yet" in err
    account(home, TradingState.PAUSED, reconciled=True)
    code, _, err = say("arm", "live", "--yes")
    assert code == ExitCode.FAILED and "it is paused, not halted" in err


def test_an_account_that_disagrees_with_the_venue_stays_halted(home: Home, say: Say) -> None:
    account(home, TradingState.HALTED, reconciled=False)
    code, out, _ = say("arm", "live", "--yes", "--json")
    told = json.loads(out)
    assert code == ExitCode.FAILED and told["armed"] is False
    assert "isn't reconciled (BTC: the venue says 1, our books 0)" in told["text"]


def test_without_a_word_of_confirmation_nothing_is_armed(home: Home, say: Say, monkeypatch: pytest.MonkeyPatch) -> None:
    account(home, TradingState.HALTED, reconciled=True)
    monkeypatch.setattr("typer.prompt", lambda *_, **__: "yes")
    code, out, err = say("arm", "live")
    assert code == ExitCode.FAILED and "not confirmed" in err and f"live is halted: {HALT}" in out
    assert say("arm", "live", "--json")[0] == ExitCode.FAILED


def test_with_its_trader_away_an_account_isnt_armed(home: Home, say: Say, monkeypatch: pytest.MonkeyPatch) -> None:
    account(home, TradingState.HALTED, reconciled=True)
    monkeypatch.setattr("typer.prompt", lambda *_, **__: "live")
    code, _, err = say("arm", "live")
    assert code == ExitCode.UNAVAILABLE and "its trader isn't running" in err


def test_a_trader_arms_for_a_person_with_a_name_and_reconciled_books_only(tmp_path: Path) -> None:
    async def scenario() -> None:
        world = World(tmp_path)
        world.verdict = Verdict(reconciled=False, differences=["BTC: the venue says 1, our books 0"])
        await world.system.start()
        with pytest.raises(Refused, match="not halted"):
            await carry_out(world.system, "arm", {"by": "ann"})
        world.system.halt_trading(HALT, by="risk limits")
        with pytest.raises(Refused, match="by a person"):
            await carry_out(world.system, "arm", {})
        with pytest.raises(Refused, match=r"isn.t reconciled .BTC: the venue says 1"):
            await carry_out(world.system, "arm", {"by": "ann"})
        world.verdict = Verdict()
        await world.system.recovery.run()
        assert (await carry_out(world.system, "arm", {"by": "ann"}))["trading_state"] == "active"
        await world.system.stop()

    asyncio.run(scenario())


@pytest.mark.parametrize("words", [("arm", "live", "--yes"), ("liquidate", "--account", "live")])
def test_a_lost_or_damaged_ledger_is_named_and_never_taken_for_an_account_that_hasnt_begun(
    home: Home, say: Say, words: tuple[str, ...]
) -> None:
    account(home, TradingState.HALTED, reconciled=True)
    path = home.ledger(Account.LIVE)
    path.write_bytes(b"no ledger any more")
    code, _, err = say(*words)
    assert code == ExitCode.CONFIG and f"{path} can't be trusted" in err and "nae restore" in err
    for part in path.parent.glob("ledger.db*"):
        path.with_name(part.name).unlink()
    code, _, err = say(*words)
    assert code == ExitCode.CONFIG and f"{path} is gone, though the account was begun" in err and "nae restore" in err
    assert accounts_of(home, {"processes": {}})["live"]["trading_state"] == "unknown"


def test_why_names_the_account_it_cant_read_and_tells_of_the_other(home: Home, say: Say) -> None:
    account(home, TradingState.ACTIVE, reconciled=True)
    other = open_ledger(home.ledger(Account.SANDBOX), Account.SANDBOX, SystemClock())
    order = other.record_intent(request())
    other.close()
    path = home.ledger(Account.LIVE)
    path.write_bytes(b"no ledger any more")
    code, out, err = say("why", order)
    assert code == ExitCode.OK and order in out and f"live: {path} can't be read" in err
    for part in path.parent.glob("ledger.db*"):
        path.with_name(part.name).unlink()
    code, out, err = say("why", order)
    assert code == ExitCode.OK and order in out and f"live: {path} is gone" in err
    code, _, err = say("why", "--account", "live")
    assert code == ExitCode.FAILED and "is gone, though the account was begun" in err
