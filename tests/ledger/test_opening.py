"""A ledger that was damaged, cut, or has gone back in time is refused in a sentence, never begun anew."""

import shutil
from collections.abc import Callable
from contextlib import closing
from decimal import Decimal
from pathlib import Path

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from execution.ledger.opening import open_ledger
from execution.ledger.store import Ledger
from execution.runtime.clock import ManualClock
from execution.runtime.sqlite import DatabaseError, open_reader, open_writer
from execution.vocabulary.exit_codes import ConfigError
from execution.vocabulary.lifecycle import TradingState
from execution.vocabulary.order_states import OrderEvent
from tests.ledger.builders import BTC, fill, request


def opened(folder: Path) -> Ledger:
    return open_ledger(folder / "ledger.db", "sandbox", ManualClock())


def buy(ledger: Ledger, trade: int) -> None:
    order = ledger.record_intent(request())
    ledger.mark(order, OrderEvent.SENT)
    ledger.record_fill(fill(trade, order))


def used(folder: Path) -> Path:
    """A ledger that has seen some trading, closed; its file."""
    folder.mkdir(exist_ok=True)
    ledger = opened(folder)
    ledger.open_books({"USDT": Decimal(10**6)}, {BTC: "0"}, 1)
    ledger.mark(ledger.record_intent(request()), OrderEvent.REJECTED)
    for trade in range(1, 40):
        buy(ledger, trade)
    ledger.set_trading_state(TradingState.HALTED, "loss limit", "risk")
    ledger.save_runtime_state({"errors": []})
    ledger.close()
    return ledger.path


def put(sql: str) -> Callable[[Path], None]:
    def vandalise(path: Path) -> None:
        connection = open_writer(path, "")
        connection.execute(sql)
        connection.close()

    return vandalise


def cut_to(count: int) -> Callable[[Path], object]:
    return lambda path: path.write_bytes(path.read_bytes()[:count])


DAMAGE: dict[str, Callable[[Path], object]] = {
    "emptied": cut_to(0),
    "cut in the header": cut_to(50),
    "cut after a page": cut_to(4096),
    "cut in the middle": cut_to(10_000),
    "another file": lambda path: path.write_bytes(b"these are not the books " * 1000),
    "deleted": Path.unlink,
    "a changed fill": put("UPDATE fills SET price = '1' WHERE number = 7"),
    "a removed fill": put("DELETE FROM fills WHERE number = 39"),
    "an order of another name": put("UPDATE orders SET client_order_id = 'x' WHERE number = 7"),
    "an order of another state": put("UPDATE orders SET state = 'rejected' WHERE number = 7"),
    "an order's reason": put("UPDATE orders SET reason = 'siqnal' WHERE number = 7"),
    "the last fill is gone": put("DELETE FROM fills WHERE number = 39"),
    "the last cash flow is gone": put("DELETE FROM cash_flows WHERE number = 1"),
    "a sweep's mark": put("UPDATE facts SET value = '9' WHERE name LIKE 'swept:%'"),
    "a fact is gone": put("DELETE FROM facts WHERE name = 'opened_ms'"),
    "a halt lifted": put("UPDATE facts SET value = replace(value, 'halted', 'active') WHERE name = 'trading_state'"),
    "no seal": put("DELETE FROM facts WHERE name = 'seal'"),
    "a removed order": put("DELETE FROM orders WHERE number = 39"),
    "a removed order without a fill": put("DELETE FROM orders WHERE number = 1"),
    "an unreadable halt": put("UPDATE facts SET value = '{\"state\":' WHERE name = 'trading_state'"),
    "an unknown state": put("UPDATE facts SET value = '{\"state\":\"asleep\"}' WHERE name = 'trading_state'"),
    "unreadable memories": put("UPDATE facts SET value = '[' WHERE name = 'runtime_state'"),
    "unreadable lot steps": put("INSERT OR REPLACE INTO facts VALUES ('lot_steps', 'x')"),
    "an unreadable epoch": put("UPDATE facts SET value = 'x' WHERE name = 'epoch'"),
    "another account's": put("UPDATE facts SET value = 'live' WHERE name = 'account'"),
}


@pytest.mark.parametrize("what", DAMAGE)
def test_a_damaged_ledger_is_refused_naming_the_file_and_the_next_step(tmp_path: Path, what: str) -> None:
    path = used(tmp_path)
    DAMAGE[what](path)
    with pytest.raises(ConfigError) as refusal:
        opened(tmp_path)
    assert str(path) in str(refusal.value) and "move the whole folder away" in str(refusal.value)


def test_a_ledger_that_lost_its_write_ahead_log_is_refused_though_sqlite_finds_it_sound(tmp_path: Path) -> None:
    path = used(tmp_path)
    ledger = opened(tmp_path)
    buy(ledger, 99)
    crashed = tmp_path / "after the crash"
    crashed.mkdir()
    for name in ("ledger.db", "ledger.high_water"):  # a kill -9 now, and the -wal is gone
        shutil.copy(tmp_path / name, crashed / name)
    ledger.close()
    with pytest.raises(ConfigError, match=r"older than it was: epoch 1 where there were 2, orders 40 where .* 41"):
        opened(crashed)
    assert path.exists()


def test_a_ledger_in_order_opens_again_and_again_with_or_without_its_mark(tmp_path: Path) -> None:
    path = used(tmp_path)
    for epoch in (2, 3):
        ledger = opened(tmp_path)
        assert (ledger.epoch, ledger.fills_count, ledger.trading_state()[0]) == (epoch, 39, TradingState.HALTED)
        ledger.close()
    path.with_suffix(".high_water").unlink()
    opened(tmp_path).close()
    assert path.with_suffix(".high_water").exists()


def test_an_old_copy_put_back_by_a_person_never_gives_out_an_id_twice(tmp_path: Path) -> None:
    path = used(tmp_path)
    old = path.read_bytes()
    ledger = opened(tmp_path)
    given = ledger.record_intent(request())
    ledger.close()
    path.write_bytes(old)
    path.with_suffix(".high_water").unlink()
    again = opened(tmp_path)
    assert again.epoch == 2 and again.record_intent(request()) != given
    again.close()


def test_a_disk_that_refuses_is_not_taken_for_damage(tmp_path: Path) -> None:
    path = used(tmp_path)
    path.unlink()
    path.mkdir()
    with pytest.raises(DatabaseError):
        opened(tmp_path)


def told_by(ledger: Ledger) -> tuple[object, ...]:
    """Money, quantities, state. (Why an order was made isn't chained: a flipped letter in it costs a word.)"""
    held = {symbol: (row.quantity, row.cost) for symbol, row in ledger.positions().items()}
    return ledger.balances(), held, ledger.fills_count, ledger.trading_state()[0]


@settings(max_examples=40, deadline=None)
@example(place=0.359375, bit=0)
@given(place=st.floats(0, 1, exclude_max=True), bit=st.integers(0, 7))
def test_a_flipped_bit_is_refused_or_changes_neither_money_nor_state(
    tmp_path_factory: pytest.TempPathFactory, place: float, bit: int
) -> None:
    folder = tmp_path_factory.mktemp("flipped")
    path = used(folder)
    sound = opened(folder)
    books = told_by(sound)
    sound.close()
    content = bytearray(path.read_bytes())
    content[int(place * len(content))] ^= 1 << bit
    path.write_bytes(content)
    try:
        ledger = opened(folder)
    except (ConfigError, DatabaseError):
        return
    assert told_by(ledger) == books
    ledger.close()


def test_a_mark_that_nobody_came_to_write_is_no_mark(tmp_path: Path) -> None:
    path = used(tmp_path)
    path.with_suffix(".high_water").write_text("")  # its writer was killed between making the file and filling it
    opened(tmp_path).close()
    assert len(path.with_suffix(".high_water").read_text().split()) == 4


@pytest.mark.parametrize("table", ["orders", "facts"])
def test_a_row_that_is_as_it_once_was_is_found_though_it_fits_its_own_hash(tmp_path: Path, table: str) -> None:
    with closing(opened(tmp_path)) as ledger:
        order = ledger.record_intent(request())
        ledger.set_trading_state(TradingState.ACTIVE, "", "nobody")
        with closing(open_reader(ledger.path)) as reader:
            before = [tuple(row) for row in reader.execute(f"SELECT * FROM {table}").fetchall()]
        ledger.mark(order, OrderEvent.REJECTED)
        ledger.set_trading_state(TradingState.HALTED, "loss limit", "risk")
    stale = before[-1] if table == "orders" else next(row for row in before if row[0] == "trading_state")
    with closing(open_writer(tmp_path / "ledger.db", "")) as vandal:
        vandal.execute(f"INSERT OR REPLACE INTO {table} VALUES ({', '.join('?' * len(stale))})", stale)
    with pytest.raises(ConfigError, match="seal"):
        opened(tmp_path)
