"""A copy is made while a trader writes, and put back while none does; what was decided since isn't forgotten."""

import json
from decimal import Decimal
from pathlib import Path

import pytest

from execution.console.cli import run
from execution.ledger.account_lock import account_lock
from execution.ledger.backups import back_up, backups, is_due
from execution.ledger.opening import open_ledger
from execution.ledger.store import Ledger
from execution.runtime.clock import ManualClock, SystemClock
from execution.runtime.home import Home
from execution.vocabulary.exit_codes import ExitCode
from execution.vocabulary.limits import BACKUPS_KEPT
from execution.vocabulary.order_states import OrderEvent
from tests.ledger.builders import fill, request
from tests.ledger.pairs import TRADING_FOR_EVER
from tests.support import child, line_of


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Home:
    monkeypatch.setenv("NAE_HOME", str(tmp_path))
    return Home(tmp_path)


def traded(home: Home, account: str = "live") -> Ledger:
    ledger = open_ledger(home.ledger(account), account, SystemClock())
    if ledger.opened_ms is None:
        ledger.open_books({"USDT": Decimal(10**6)}, {}, 1)
    order = ledger.record_intent(request())
    ledger.mark(order, OrderEvent.SENT)
    ledger.record_fill(fill(ledger.fills_count + 1, order))
    return ledger


def test_a_copy_made_while_a_trader_writes_is_whole_and_of_one_moment(
    home: Home, capsys: pytest.CaptureFixture[str]
) -> None:
    with child(TRADING_FOR_EVER, str(home.account("live"))) as writer:
        for _ in range(30):
            line_of(writer)
        acknowledged = [int(line_of(writer))]
        for _ in range(3):
            assert run(["backup", "--account", "live", "--json"]) == ExitCode.OK
            acknowledged.append(int(line_of(writer)))
            (row,) = json.loads(capsys.readouterr().out)
            assert row["sound"] and Path(row["file"]).exists() and not list(home.root.rglob("*.part"))
    newest, *_, oldest = backups(home.ledger("live"))
    assert newest != oldest


def test_copies_are_kept_up_to_a_number_and_one_is_due_each_day(home: Home) -> None:
    traded(home).close()
    clock = ManualClock()
    for _ in range(BACKUPS_KEPT + 3):
        clock.advance(86_400)
        newest = back_up(home.ledger("live"), clock)
    kept = backups(home.ledger("live"))
    assert len(kept) == BACKUPS_KEPT and kept[0] == newest
    assert not is_due(home.ledger("live"), SystemClock())


def test_a_copy_put_back_knows_what_was_decided_since(home: Home, tmp_path: Path) -> None:
    traded(home).close()
    assert run(["backup", str(tmp_path / "stick"), "--account", "live"]) == ExitCode.OK
    (copy,) = (tmp_path / "stick").iterdir()
    ledger = traded(home)
    ids = {row.client_order_id for row in ledger.orders()}
    ledger.close()
    assert run(["restore", str(copy), "--yes"]) == ExitCode.OK
    again = open_ledger(home.ledger("live"), "live", SystemClock())
    assert {row.client_order_id for row in again.orders()} == ids and len(again.unsettled()) == 1
    assert (again.fills_count, again.reconciliation().reconciled, again.epoch > ledger.epoch) == (1, False, True)
    again.close()
    assert copy.exists()


def test_nothing_is_put_back_while_somebody_holds_the_account(home: Home) -> None:
    traded(home).close()
    assert run(["backup"]) == ExitCode.OK
    lock = account_lock(home, "live")
    lock.acquire("live_optimus pid 1")
    assert run(["restore", "--account", "live", "--yes"]) == ExitCode.BUSY
    lock.release()
    assert run(["restore", "--account", "live", "--yes"]) == ExitCode.OK


@pytest.mark.parametrize(
    ("words", "code", "told"),
    [
        (["backup", "--account", "paper"], ExitCode.USAGE, "--account sandbox or --account live"),
        (["backup", "--account", "sandbox"], ExitCode.UNAVAILABLE, "nae up"),
        (["restore"], ExitCode.USAGE, "--account"),
        (["restore", "nowhere.db"], ExitCode.FAILED, "no ledger of ours"),
        (["restore", "--account", "live"], ExitCode.FAILED, "none that is sound"),
    ],
)
def test_what_cant_be_done_is_said_with_the_next_step(
    home: Home, words: list[str], code: ExitCode, told: str, capsys: pytest.CaptureFixture[str]
) -> None:
    traded(home).close()
    assert run(words) == code
    assert told in capsys.readouterr().err


def test_a_copy_that_isnt_sound_is_refused_and_nothing_changes(home: Home) -> None:
    traded(home).close()
    copy = back_up(home.ledger("live"), SystemClock())
    content = copy.read_bytes()
    copy.write_bytes(content.replace(b"50000", b"50001"))
    before = home.ledger("live").read_bytes()
    assert run(["restore", str(copy), "--yes"]) == ExitCode.FAILED
    assert home.ledger("live").read_bytes() == before
    copy.write_bytes(content)
    assert run(["restore", str(copy)]) == ExitCode.USAGE  # nobody there to ask
    assert run(["restore", str(copy), "--yes", "--json"]) == ExitCode.OK


def test_an_account_whose_ledger_is_gone_is_told_of_and_never_left_out(
    home: Home, capsys: pytest.CaptureFixture[str]
) -> None:
    for account in ("sandbox", "live"):
        traded(home, account).close()
    for path in home.account("live").glob("ledger.db*"):
        path.unlink()
    assert run(["positions"]) == ExitCode.FAILED
    assert "live: " in capsys.readouterr().err
    assert run(["backup"]) == ExitCode.FAILED
    told = capsys.readouterr()
    assert "it is gone; nae restore puts" in told.err and "sandbox" in told.out
    assert run(["pause", "a test"]) == ExitCode.CONFIG
    told = capsys.readouterr()
    assert "sandbox: paused" in told.out and "live: " in told.err and "nae restore" in told.err
