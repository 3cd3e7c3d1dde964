"""A ledger that was lost or damaged is built again: nothing that we decided is forgotten."""

from collections.abc import Callable
from contextlib import closing
from decimal import Decimal
from functools import partial
from pathlib import Path

import pytest

from execution.ledger.backups import back_up, backups
from execution.ledger.journal import journal_path
from execution.ledger.opening import LedgerUntrusted
from execution.ledger.rebuild import open_or_rebuild, rebuild
from execution.ledger.rows import LedgerDamaged
from execution.ledger.store import Ledger
from execution.runtime.clock import ManualClock
from execution.runtime.sqlite import DatabaseError, open_writer
from execution.vocabulary.exit_codes import ConfigError
from execution.vocabulary.lifecycle import TradingState
from execution.vocabulary.order_states import OrderEvent, OrderState
from tests.ledger.builders import BTC, fill, request
from tests.ledger.pairs import buy, opened
from tests.support import child, eventually, rounds

CLOCK = ManualClock()


def lived(folder: Path, backed_up: bool = True) -> Path:
    """A ledger that has traded, was backed up (or not), has traded on, and is closed with orders on their way."""
    ledger = opened(folder)
    ledger.open_books({"USDT": Decimal(10**6)}, {BTC: "5"}, 77)
    for trade in range(10, 15):
        buy(ledger, trade)
    if backed_up:
        back_up(ledger.path, CLOCK)
    for trade in range(15, 20):
        buy(ledger, trade)
    ledger.record_cash_flow("USDT", Decimal(500), "external", "a deposit")
    ledger.mark(ledger.record_intent(request()), OrderEvent.SENT)
    ledger.close()
    return ledger.path


def rebuilt(path: Path) -> Ledger:
    return open_or_rebuild(path, "live", CLOCK)


def cut(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:9000])


def change(path: Path) -> None:
    with closing(open_writer(path, "")) as connection:
        connection.execute("UPDATE fills SET price = '1' WHERE number = 3")


def lose_with_its_wal(path: Path) -> None:
    path.unlink()
    path.with_name("ledger.db-wal").write_bytes(b"what belonged to the lost one")


def leave_its_log(path: Path) -> None:
    """As after a kill: pages of the harmed ledger stand in a log beside it, which must never be read with another."""
    log = path.with_name("ledger.db-wal")
    with closing(open_writer(path, "")) as connection:
        connection.execute("PRAGMA wal_autocheckpoint=0")
        connection.execute("UPDATE orders SET reason = 'harmed'")
        content = log.read_bytes()
    log.write_bytes(content)


HARM: dict[str, Callable[[Path], object]] = {
    "cut": cut,
    "changed": change,
    "its log left": leave_its_log,
    "deleted": Path.unlink,
    "deleted without its log": lose_with_its_wal,
    "emptied": lambda path: path.write_bytes(b""),
    "another file": lambda path: path.write_bytes(b"these are not the books" * 1000),
    "its mark unreadable": lambda path: path.with_suffix(".high_water").write_text("x"),
}


@pytest.mark.parametrize("backed_up", [True, False])
@pytest.mark.parametrize("harm", HARM)
def test_what_was_decided_is_known_again_and_asked_about_once_more(tmp_path: Path, harm: str, backed_up: bool) -> None:
    path = lived(tmp_path, backed_up)
    with closing(opened(tmp_path)) as before:
        ids = {row.client_order_id for row in before.orders(limit=-1)}
        epoch = before.epoch
    HARM[harm](path)
    ledger = rebuilt(path)
    settled = 5 if backed_up else 0
    assert {row.client_order_id for row in ledger.orders(limit=-1)} == ids
    assert [row.state for row in ledger.unsettled()] == [OrderState.UNKNOWN] * (len(ids) - settled)
    assert (ledger.fills_count, ledger.epoch > epoch, ledger.opened_ms) == (settled, True, 77)
    assert ledger.balances()["USDT"] == 10**6 + 500 - 500 * settled
    assert (ledger.last_trade_id(BTC), ledger.reconciliation().reconciled) == ("5", False)
    assert ledger.trading_state()[0] is TradingState.ACTIVE
    for trade, order in enumerate(sorted(ids)[: len(ids) - 1], 10):  # as the venue's trades tell
        ledger.record_fill(fill(trade, order))
    assert ledger.positions()[BTC].strategy == "trend"
    assert ledger.record_intent(request()) not in ids
    ledger.close()
    with closing(opened(tmp_path)) as again:
        assert again.epoch > epoch
    assert any(path.parent.glob("replaced-*")) and not list(path.parent.glob("*rebuilt*"))


def test_a_halt_outlives_the_ledger_that_knew_of_it(tmp_path: Path) -> None:
    path = lived(tmp_path)
    with closing(opened(tmp_path)) as ledger:
        ledger.set_trading_state(TradingState.HALTED, "loss limit", "risk")
    cut(path)
    with closing(rebuilt(path)) as ledger:
        assert ledger.trading_state() == (TradingState.HALTED, "loss limit")


def test_where_even_the_journal_has_lost_an_order_a_person_has_to_look(tmp_path: Path) -> None:
    path = lived(tmp_path)
    journal = journal_path(path)
    lines = journal.read_bytes().split(b"\n")
    lines[-3] = lines[-3].replace(b"BTC", b"BTX")
    journal.write_bytes(b"\n".join(lines))
    cut(path)
    with closing(rebuilt(path)) as ledger:
        state, reason = ledger.trading_state()
        assert state is TradingState.REDUCE_ONLY and "1 orders were lost" in reason


def test_a_backup_that_is_damaged_too_is_passed_over_for_an_older_one(tmp_path: Path) -> None:
    path = lived(tmp_path)
    CLOCK.advance(5)
    newest = back_up(path, CLOCK)
    assert backups(path)[0] == newest
    content = bytearray(newest.read_bytes())
    content[len(content) // 2 : len(content) // 2 + 4000] = bytes(4000)
    newest.write_bytes(content)
    cut(path)
    with closing(rebuilt(path)) as ledger:
        assert ledger.fills_count == 5 and len(ledger.orders(limit=-1)) == 11


def test_a_damaged_ledgers_copy_takes_no_sound_ones_place(tmp_path: Path) -> None:
    path = lived(tmp_path)
    kept = backups(path)
    content = bytearray(path.read_bytes())
    content[9000:12000] = bytes(3000)
    path.write_bytes(content)
    CLOCK.advance(5)
    with pytest.raises((LedgerDamaged, DatabaseError)):
        back_up(path, CLOCK)
    assert backups(path) == kept


def test_without_a_backup_and_a_journal_it_is_refused_as_before(tmp_path: Path) -> None:
    path = lived(tmp_path, backed_up=False)
    journal_path(path).unlink()
    cut(path)
    with pytest.raises(LedgerUntrusted, match="move the whole folder away"):
        rebuilt(path)


def test_another_accounts_ledger_is_never_replaced(tmp_path: Path) -> None:
    path = lived(tmp_path)
    before = path.read_bytes()
    with pytest.raises(ConfigError, match="is the ledger of live, not of sandbox"):
        open_or_rebuild(path, "sandbox", CLOCK)
    assert path.read_bytes() == before and not list(tmp_path.glob("replaced-*"))


REBUILDING = """
import sys
from pathlib import Path
from tests.ledger.test_rebuild import rebuilt
print("ready", flush=True)
sys.stdin.readline()
rebuilt(Path(sys.argv[1])).close()
print("done", flush=True)
"""


def is_there(path: Path, folder: Path) -> bool:
    return path.exists() or any(folder.glob("replaced-*"))


def test_a_kill_in_the_middle_leaves_a_ledger_that_is_refused_and_built_again_or_the_new_one(tmp_path: Path) -> None:
    for number in range(rounds(5)):
        path = lived(tmp_path / str(number))
        cut(path)
        with child(REBUILDING, str(path)) as process:
            assert process.stdin is not None and process.stdout is not None
            process.stdout.readline()
            process.stdin.write("\n")
            process.stdin.flush()
            being_made = path.with_name("ledger-rebuilt.db")
            wanted = [being_made, being_made.with_suffix(".high_water"), path.parent / "gone"][number % 3]
            eventually(partial(is_there, wanted, path.parent), every_s=0.0005)
            process.kill()
            process.wait()
        with closing(rebuilt(path)) as ledger:
            assert len(ledger.orders(limit=-1)) == 11 and ledger.fills_count == 5
            assert ledger.opened_ms == 77


def test_a_copy_put_back_is_never_read_with_the_log_of_the_old_one(tmp_path: Path) -> None:
    path = lived(tmp_path)
    leave_its_log(path)
    rebuild(path, "live", CLOCK, base=backups(path)[0])
    with closing(opened(tmp_path)) as ledger:
        assert len(ledger.orders(limit=-1)) == 11
        assert "harmed" not in {row.reason for row in ledger.orders(limit=-1)}
