"""What trading has taught is shown from the account's own file, whether its trader runs or not."""

import asyncio
import json
from pathlib import Path

import pytest

from execution.ledger.knowledge_file import NAME
from execution.ledger.opening import open_ledger
from execution.runtime.clock import SystemClock
from execution.runtime.home import Home
from execution.vocabulary.exit_codes import ExitCode
from execution.vocabulary.modes import Account
from tests.console.conftest import Say
from tests.trading.test_lessons import BTC, trade
from tests.trading.world import World


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Home:
    monkeypatch.setenv("NAE_HOME", str(tmp_path))
    return Home.find()


def test_scores_streaks_and_how_orders_were_executed_are_shown(home: Home, say: Say) -> None:
    async def run() -> None:
        home.account(Account.SANDBOX).mkdir(parents=True)
        world = World(home.account(Account.SANDBOX))
        await world.system.start()
        await trade(world, 0)
        await world.system.stop()

    asyncio.run(run())
    code, out, _ = say("knowledge", "--json")
    told = json.loads(out)["sandbox"]
    assert code == ExitCode.OK
    assert told["coins"][BTC]["trades"] == 1 and told["strategies"]["momentum_breakout"]["streak"] == 1
    assert told["execution"][f"{BTC} market"]["orders"] == 2
    code, out, _ = say("knowledge")
    assert code == ExitCode.OK and BTC in out and "momentum_breakout" in out and "slippage" in out


def test_an_account_without_a_trade_a_damaged_file_and_wrong_words_are_told(home: Home, say: Say) -> None:
    assert say("knowledge")[0] == ExitCode.UNAVAILABLE
    path = home.ledger(Account.LIVE)
    path.parent.mkdir(parents=True)
    open_ledger(path, Account.LIVE, SystemClock()).close()
    code, out, _ = say("knowledge")
    assert code == ExitCode.OK and "no trade has been closed yet" in out
    path.with_name(NAME).write_bytes(b"no database" * 500)
    code, _, err = say("knowledge")
    assert code == ExitCode.FAILED and "live" in err and "learns it anew" in err
    code, _, err = say("knowledge", "--account", "paper")
    assert code == ExitCode.USAGE and "sandbox, live" in err
