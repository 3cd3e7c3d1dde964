"""A follower reads what is new, holds nothing, and hands over in full; what is odd with the file it never hides."""

import secrets
from collections.abc import Callable
from contextlib import closing
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from execution.ledger import rows
from execution.ledger.following import LedgerFollower
from execution.ledger.queries import AccountReader
from execution.ledger.rows import LedgerDamaged
from execution.ledger.store import Ledger
from execution.runtime.sqlite import DatabaseError, open_writer
from execution.vocabulary.exit_codes import ConfigError
from execution.vocabulary.lifecycle import TradingState
from execution.vocabulary.order_states import OrderEvent
from tests.ledger.builders import BTC, fill, request
from tests.ledger.pairs import TRADING_FOR_EVER, buy, copy_of, opened, sell_most, told_by
from tests.support import child, line_of, rounds


@pytest.fixture
def read_rows(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Which rows were read and checked since the list was last cleared."""
    read: list[str] = []
    verified, checked_fills = rows.verified, rows.checked_fills

    def counting(previous: str, values: tuple[str | int | None, ...], stored: str, kind: str, number: int) -> str:
        read.append(f"{kind} {number}")
        return verified(previous, values, stored, kind, number)

    def counting_fills(new: list[tuple[Any, ...]], chain: str) -> object:
        read.extend(f"fill {row[rows.FILL_WIDTH + 1]}" for row in new)
        return checked_fills(new, chain)

    monkeypatch.setattr(rows, "verified", counting)
    monkeypatch.setattr(rows, "checked_fills", counting_fills)
    return read


def lived(folder: Path, count: int = 30) -> LedgerFollower:
    """A ledger that has traded and is closed, and a follower that has seen all of it."""
    ledger = opened(folder)
    ledger.open_books({"USDT": Decimal(10**6)}, {}, 1)
    for trade in range(10, 10 + count):
        (sell_most if trade % 2 else buy)(ledger, trade)
    ledger.set_lot_steps({BTC: Decimal("0.001")})
    follower = LedgerFollower(ledger.path)
    assert follower.catch_up()
    ledger.close()
    return follower


def test_only_what_came_after_the_last_look_is_read_when_a_followed_ledger_is_opened(
    tmp_path: Path, read_rows: list[str]
) -> None:
    follower = lived(tmp_path)
    ledger = opened(tmp_path)
    buy(ledger, 99)
    ledger.record_cash_flow("USDT", Decimal(5), "deposit")
    ledger.close()
    read_rows.clear()
    followed = opened(tmp_path, follower)
    assert read_rows == ["cash flow 2", "fill 31"]
    assert (followed.epoch, followed.fills_count, followed.positions()[BTC].quantity) == (3, 31, Decimal("0.025"))


def test_a_look_reads_only_what_is_new_and_leaves_nothing_behind(tmp_path: Path, read_rows: list[str]) -> None:
    follower = lived(tmp_path)
    ledger = opened(tmp_path)
    for trade in (97, 98, 99):
        buy(ledger, trade)
        read_rows.clear()
        assert follower.catch_up() and follower.catch_up()
        assert len(read_rows) == 1
        ledger._connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")  # refused while anybody still looks
        assert ledger.path.with_name("ledger.db-wal").stat().st_size == 0


def in_place_of(path: Path, copy: Path) -> None:
    for name in ("ledger.db-wal", "ledger.db-shm"):
        (path.parent / name).unlink(missing_ok=True)
    (copy / path.name).rename(path)


def put_back_an_older_copy(path: Path) -> None:
    old = copy_of(path, path.parent / "old")
    buy_one(path)
    in_place_of(path, old)


def buy_one(path: Path) -> None:
    ledger = opened(path.parent)
    buy(ledger, 99)
    ledger.close()


def in_other_hands(what: Callable[[Ledger], object]) -> Callable[[Path], None]:
    def done(path: Path) -> None:
        ledger = opened(path.parent)
        what(ledger)
        ledger.close()

    return done


def by_sql(sql: str) -> Callable[[Path], None]:
    def done(path: Path) -> None:
        with closing(open_writer(path, "")) as connection:
            connection.execute(sql)

    return done


def replaced(path: Path) -> None:
    in_place_of(path, copy_of(path, path.parent / "copy"))


def a_new_row_that_doesnt_fit(path: Path) -> None:
    buy_one(path)
    by_sql("UPDATE fills SET price = '1' WHERE number = 31")(path)


ODD: dict[str, Callable[[Path], object]] = {
    "the file is another one": replaced,
    "lot steps changed": in_other_hands(lambda ledger: ledger.set_lot_steps({BTC: Decimal("0.005")})),
    "a fill came late": in_other_hands(lambda ledger: buy(ledger, 5)),
    "the last row changed": by_sql("UPDATE fills SET hash = 'x' WHERE number = 30"),
    "the last row is gone": by_sql("DELETE FROM fills WHERE number = 30"),
    "the last cash flow is gone": by_sql("DELETE FROM cash_flows WHERE number = 1"),
    "an older copy was put back": put_back_an_older_copy,
    "the new row doesn't fit": a_new_row_that_doesnt_fit,
    "another account's": by_sql("UPDATE facts SET value = 'sandbox' WHERE name = 'account'"),
    "gone": Path.unlink,
    "another file": lambda path: path.write_bytes(b"these are not the books " * 1000),
    "nothing odd": buy_one,
}


@pytest.mark.parametrize("what", ODD)
def test_whatever_happened_to_the_file_following_it_changes_neither_the_books_nor_a_refusal(
    tmp_path: Path, what: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(secrets, "choice", lambda letters: letters[0])  # two ledgers of the same ids
    outcomes: list[Any] = []
    for name in ("followed", "alone"):
        follower = lived(tmp_path / name)
        if name == "alone":
            follower.close()
        ODD[what](tmp_path / name / "ledger.db")
        try:
            ledger = opened(tmp_path / name, follower if name == "followed" else None)
        except ConfigError as refusal:
            outcomes.append(str(refusal).replace(str(tmp_path / name), ""))
        else:
            outcomes.append(told_by(ledger))
            ledger.close()
    assert outcomes[0] == outcomes[1]


def test_a_follower_may_be_there_before_the_ledger_and_goes_on_when_it_is_moved_away(tmp_path: Path) -> None:
    follower = LedgerFollower(tmp_path / "ledger.db")
    assert not follower.catch_up() and follower.hand_over() is None
    (tmp_path / "ledger.db").touch()  # its tables are still being made
    assert not follower.catch_up()
    ledger = opened(tmp_path)
    buy(ledger, 7)
    assert follower.catch_up() and follower.positions() == ledger.positions()
    ledger.close()
    (tmp_path / "ledger.db").rename(tmp_path / "elsewhere")
    assert not follower.catch_up() and follower.positions() == {} and follower.hand_over() is None


def test_what_may_still_change_the_account_is_seen_at_each_look(tmp_path: Path) -> None:
    ledger = opened(tmp_path)
    order = ledger.record_intent(request())
    follower = LedgerFollower(ledger.path)
    follower.catch_up()
    assert [row.client_order_id for row in follower.unsettled] == [order]
    ledger.mark(order, OrderEvent.REJECTED)
    ledger.set_trading_state(TradingState.HALTED, "loss limit", "risk")
    follower.catch_up()
    assert follower.unsettled == [] and "halted" in follower.facts["trading_state"]


def test_a_row_that_cant_be_trusted_is_said_at_the_look_and_again_at_the_opening(tmp_path: Path) -> None:
    follower = lived(tmp_path)
    a_new_row_that_doesnt_fit(tmp_path / "ledger.db")
    for _ in range(2):
        with pytest.raises(LedgerDamaged, match="fill 31"):
            follower.catch_up()
    with pytest.raises(LedgerDamaged, match="fill 31"):
        AccountReader(tmp_path / "ledger.db").report()
    with pytest.raises(ConfigError, match="fill 31"):
        opened(tmp_path, follower)


def test_a_page_that_sqlite_finds_broken_is_found_by_the_first_look(tmp_path: Path) -> None:
    lived(tmp_path, 300).close()
    opened(tmp_path).close()  # the last to close takes the write-ahead log into the file
    content = bytearray((tmp_path / "ledger.db").read_bytes())
    content[len(content) // 2 : len(content) // 2 + 9_000] = bytes(9_000)
    (tmp_path / "ledger.db").write_bytes(content)
    follower = LedgerFollower(tmp_path / "ledger.db")
    with pytest.raises((LedgerDamaged, DatabaseError)):
        follower.catch_up()
    assert follower.hand_over() is None


def test_a_writer_killed_at_any_moment_is_followed_without_a_row_lost_or_taken_twice(tmp_path: Path) -> None:
    live = tmp_path / "live"
    for number in range(rounds(3)):
        follower = LedgerFollower(live / "ledger.db")
        with child(TRADING_FOR_EVER, str(live)) as writer:
            acknowledged = 0
            for look in range(20 + number):
                acknowledged = int(line_of(writer))
                if look % 3 == 0:
                    follower.catch_up()
            writer.kill()
            writer.wait()
        alone = opened(copy_of(live / "ledger.db", tmp_path / f"copy {number}"))
        followed = opened(live, follower)
        assert followed.fills_count >= acknowledged
        assert (followed.epoch, followed.fills_count, followed.unsettled()) == (
            alone.epoch,
            alone.fills_count,
            alone.unsettled(),
        )
        assert (followed.positions(), followed.balances()) == (alone.positions(), alone.balances())
        assert followed.closed_trades() == alone.closed_trades()
        followed.close()
        alone.close()


def test_a_write_that_fails_leaves_the_books_where_the_disk_is_without_reading_them_anew(
    tmp_path: Path, read_rows: list[str]
) -> None:
    ledger = opened(tmp_path, lived(tmp_path))
    before = (ledger.balances(), ledger.positions(), ledger.fills_count)
    read_rows.clear()
    ledger._connection.execute("PRAGMA query_only=1")  # as a disk that refuses
    for _ in range(3):
        with pytest.raises(DatabaseError):
            ledger.record_fills([fill(98, None), fill(99, None)])
    assert (ledger.balances(), ledger.positions(), ledger.fills_count) == before and read_rows == []
    ledger._connection.execute("PRAGMA query_only=0")
    assert ledger.record_fills([fill(98, None), fill(99, None)]) == 2
    ledger.close()
    assert opened(tmp_path).fills_count == 32
