"""What the ledger says is written is on disk, is written once, and adds up the same after any end of the process."""

import asyncio
import sys
from decimal import Decimal
from pathlib import Path
from random import Random
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from execution.ledger import queries
from execution.ledger.account_lock import account_lock
from execution.ledger.journal import lines_of
from execution.ledger.rows import LedgerDamaged
from execution.ledger.store import Ledger
from execution.runtime.clock import ManualClock
from execution.runtime.home import Home
from execution.runtime.sqlite import DatabaseError, open_writer, read_all, transaction
from execution.vocabulary.exit_codes import BusyError
from execution.vocabulary.health import ComponentStatus
from execution.vocabulary.lifecycle import TradingState
from execution.vocabulary.order_states import OrderEvent, OrderState
from execution.vocabulary.orders import Side
from tests.ledger.builders import BTC, fill, open_ledger, request


def state_of(ledger: Ledger, client_order_id: str) -> OrderState | None:
    order = ledger.order(client_order_id)
    return None if order is None else order.state


def test_an_intent_is_readable_by_others_the_moment_it_is_recorded(tmp_path: Path) -> None:
    ledger = open_ledger(tmp_path)
    client_order_id = ledger.record_intent(request())
    assert [order.client_order_id for order in queries.recent_orders(ledger.path)] == [client_order_id]
    assert set(client_order_id) <= set("abcdefghijklmnopqrstuvwxyz0123456789-")
    assert len(client_order_id) <= 36


def test_client_order_ids_never_repeat_across_epochs(tmp_path: Path) -> None:
    seen = set()
    for _ in range(4):
        ledger = open_ledger(tmp_path)
        seen |= {ledger.record_intent(request()) for _ in range(3)}
        ledger.close()
    assert len(seen) == 12


def test_each_opening_is_a_new_epoch_and_unanswered_orders_become_unknown(tmp_path: Path) -> None:
    ledger = open_ledger(tmp_path)
    intent = ledger.record_intent(request())
    sent = ledger.record_intent(request())
    ledger.mark(sent, OrderEvent.SENT)
    ledger.close()
    again = open_ledger(tmp_path)
    assert again.epoch == ledger.epoch + 1
    assert {order.client_order_id: order.state for order in again.unsettled()} == {
        intent: OrderState.UNKNOWN,
        sent: OrderState.UNKNOWN,
    }
    assert again.reserved_exposure() == Decimal(1000)


def test_a_fill_is_booked_once_however_often_it_is_told(tmp_path: Path) -> None:
    ledger = open_ledger(tmp_path)
    order = ledger.record_intent(request())
    ledger.mark(order, OrderEvent.SENT)
    assert ledger.record_fill(fill(1, order)) is True
    assert ledger.record_fill(fill(1, order)) is False
    assert ledger.record_fills([fill(1, None), fill(1, order)]) == 0
    assert ledger.fills_count == 1
    assert ledger.balances() == {"BTC": Decimal("0.01"), "USDT": Decimal("-500.00")}
    assert state_of(ledger, order) is OrderState.FILLED
    assert ledger.unsettled() == []
    assert ledger.reserved_exposure() == 0


def test_a_fill_that_only_knows_the_venues_order_id_finds_its_order(tmp_path: Path) -> None:
    ledger = open_ledger(tmp_path)
    order = ledger.record_intent(request())
    ledger.mark(order, OrderEvent.SENT)
    ledger.mark(order, OrderEvent.ACKNOWLEDGED, venue_order_id="77")
    ledger.record_fill(fill(1, None, venue_order_id="77"))
    assert state_of(ledger, order) is OrderState.FILLED
    assert ledger.positions()[BTC].strategy == "trend"


def test_an_unknown_order_reserves_what_is_not_filled_yet(tmp_path: Path) -> None:
    ledger = open_ledger(tmp_path)
    order = ledger.record_intent(request(quantity="0.02"))
    ledger.mark(order, OrderEvent.SENT)
    ledger.mark(order, OrderEvent.AMBIGUOUS)
    assert ledger.reserved_exposure() == Decimal(1000)
    ledger.record_fill(fill(1, order, quantity="0.01"))
    assert ledger.reserved_exposure() == Decimal(500)


fills_told = st.lists(st.tuples(st.integers(1, 12), st.sampled_from(Side)), min_size=1, max_size=30)


@settings(max_examples=25, deadline=None)
@given(fills_told, st.randoms())
def test_the_books_are_the_same_in_whatever_order_and_however_often_fills_come(
    tmp_path_factory: pytest.TempPathFactory, told: list[tuple[int, Side]], random: Random
) -> None:
    sides = dict(told)
    one, other = tmp_path_factory.mktemp("one"), tmp_path_factory.mktemp("other")
    results = []
    shuffled = told[:]
    random.shuffle(shuffled)
    for folder, sequence in ((one, sorted(told)), (other, shuffled)):
        ledger = open_ledger(folder)
        ledger.set_lot_steps({BTC: Decimal("0.001")})
        ids = {}
        for side in Side:
            ids[side] = ledger.record_intent(request(side, quantity="1"))
            ledger.mark(ids[side], OrderEvent.SENT)
            ledger.mark(ids[side], OrderEvent.ACKNOWLEDGED, venue_order_id=side)
        for trade, _ in sequence:
            ledger.record_fill(fill(trade, ids[sides[trade]], sides[trade], venue_order_id=sides[trade]))
        incremental = (ledger.balances(), ledger.positions(), ledger.closed_trades(), ledger.dust())
        ledger.close()
        reopened = open_ledger(folder)
        assert incremental == (
            reopened.balances(),
            reopened.positions(),
            reopened.closed_trades(),
            reopened.dust(),
        )
        report = queries.account_report(reopened.path)
        assert (report.balances, report.positions) == incremental[:2]
        results.append(incremental)
        reopened.close()
    assert results[0] == results[1]


def test_what_a_person_wrote_off_stays_written_off_when_older_trades_are_told_later(tmp_path: Path) -> None:
    kept: list[Any] = []
    for folder, late in ((tmp_path / "one", False), (tmp_path / "other", True)):
        folder.mkdir()
        ledger = open_ledger(folder)
        ledger.set_lot_steps({BTC: Decimal("0.001")})
        order = ledger.record_intent(request(quantity="1"))
        ledger.mark(order, OrderEvent.SENT)
        early = [fill(8, order, quantity="0.3"), fill(9, order, quantity="0.2")]
        ledger.record_fills(early[late:])
        if not late:
            assert ledger.record_fill(early[0]) is False
        ledger.record_fill(fill(10, None, Side.SELL, quantity="0.1", venue_order_id="77"))
        ledger.write_off(BTC, Decimal("0.1"))
        if late:
            ledger.record_fills(early)
        assert ledger.positions()[BTC].quantity == Decimal("0.4") == ledger.balances()["BTC"]
        ledger.record_fill(fill(11, order, quantity="0.2"))
        assert ledger.positions()[BTC].cost == Decimal(30_000)
        kept.append((ledger.positions(), ledger.balances(), ledger.closed_trades()))
        ledger.write_off(BTC, Decimal("0.6"))
        assert ledger.positions() == {} == ledger.dust() and ledger.closed_trades() == []
        journalled = [line.cash.note for line in lines_of(ledger.path) if line.cash]
        assert journalled == ["BTC/USDT 0.1 10", "BTC/USDT 0.6 11"]
        ledger.close()
        reopened = open_ledger(folder)
        assert reopened.positions() == {} == queries.account_report(reopened.path).positions
        reopened.close()
    assert kept[0] == kept[1]


def test_a_failed_commit_leaves_memory_as_the_disk_is(tmp_path: Path) -> None:
    ledger = open_ledger(tmp_path)
    order = ledger.record_intent(request())
    ledger.mark(order, OrderEvent.SENT)
    before = (ledger.balances(), ledger.fills_count, ledger.unsettled())
    blocker = open_writer(ledger.path, "")
    blocker.execute("PRAGMA busy_timeout=0")
    ledger._connection.execute("PRAGMA busy_timeout=0")
    with transaction(blocker), pytest.raises(DatabaseError):
        ledger.record_fill(fill(1, order))
    assert (ledger.balances(), ledger.fills_count) == before[:2]
    assert ledger.get_health().status is ComponentStatus.FAILED
    assert ledger.unsettled()[0].state is OrderState.SENT  # it has left, whatever the disk says: evidence may come
    assert ledger.record_fill(fill(1, order)) is True
    assert ledger.get_health().status is ComponentStatus.HEALTHY


def test_a_changed_money_row_is_found_at_the_next_opening(tmp_path: Path) -> None:
    ledger = open_ledger(tmp_path)
    ledger.record_cash_flow("USDT", Decimal(100), "opening")
    ledger.record_fill(fill(1, None))
    ledger.record_fill(fill(2, None))
    ledger.close()
    vandal = open_writer(ledger.path, "")
    vandal.execute("UPDATE fills SET price = '50001' WHERE trade_id = '1'")
    vandal.close()
    with pytest.raises(LedgerDamaged, match="fill 1 doesn't match"):
        open_ledger(tmp_path)


def test_a_removed_money_row_is_found_at_the_next_opening(tmp_path: Path) -> None:
    ledger = open_ledger(tmp_path)
    for trade in (1, 2, 3):
        ledger.record_fill(fill(trade, None))
    ledger.close()
    vandal = open_writer(ledger.path, "")
    vandal.execute("DELETE FROM fills WHERE trade_id = '2'")
    vandal.close()
    with pytest.raises(LedgerDamaged, match="fill 3"):
        open_ledger(tmp_path)


def test_another_accounts_ledger_is_refused(tmp_path: Path) -> None:
    open_ledger(tmp_path).close()
    with pytest.raises(ValueError, match="is the ledger of sandbox"):
        Ledger(tmp_path / "ledger.db", "live", ManualClock())


def test_the_trading_state_and_the_runtime_state_survive_a_restart(tmp_path: Path) -> None:
    ledger = open_ledger(tmp_path)
    assert ledger.trading_state() == (TradingState.ACTIVE, "")
    assert ledger.restore_runtime_state() is None
    ledger.set_trading_state(TradingState.HALTED, "loss limit", "risk")
    ledger.save_runtime_state({"cooldowns": {"BTC/USDT": 12}})
    ledger.close()
    again = open_ledger(tmp_path)
    assert again.trading_state() == (TradingState.HALTED, "loss limit")
    assert again.restore_runtime_state() == {"cooldowns": {"BTC/USDT": 12}}


def test_a_restart_is_not_reconciled_until_compared_again(tmp_path: Path) -> None:
    ledger = open_ledger(tmp_path)
    ledger.set_reconciliation(True, [])
    assert ledger.reconciliation().reconciled
    ledger.close()
    assert not open_ledger(tmp_path).reconciliation().reconciled


def test_books_are_opened_once(tmp_path: Path) -> None:
    ledger = open_ledger(tmp_path)
    ledger.open_books({"USDT": Decimal(10000)}, {BTC: "55"}, 123)
    assert (ledger.balances(), ledger.last_trade_id(BTC), ledger.opened_ms) == ({"USDT": Decimal(10000)}, "55", 123)
    with pytest.raises(ValueError, match="were opened"):
        ledger.open_books({"USDT": Decimal(10000)}, {}, 124)


@pytest.mark.parametrize("bad", ["NaN", "Infinity"])
def test_money_that_is_no_number_is_refused(tmp_path: Path, bad: Any) -> None:
    ledger = open_ledger(tmp_path)
    with pytest.raises(ValueError, match="finite"):
        ledger.record_cash_flow("USDT", Decimal(bad), "deposit")
    assert ledger.balances() == {}


def test_amounts_are_stored_as_plain_digits(tmp_path: Path) -> None:
    ledger = open_ledger(tmp_path)
    ledger.record_cash_flow("SHIB", Decimal("1E-8"), "opening")
    ledger.record_cash_flow("USDT", Decimal("1E+4"), "opening")
    stored = [row["delta"] for row in read_all(ledger.path, "SELECT delta FROM cash_flows ORDER BY number")]
    assert stored == ["0.00000001", "10000"]


def test_a_reader_that_keeps_looking_sees_what_is_new(tmp_path: Path) -> None:
    ledger = open_ledger(tmp_path)
    reader = queries.AccountReader(ledger.path)
    assert reader.report().fills == 0
    order = ledger.record_intent(request())
    ledger.mark(order, OrderEvent.SENT)
    ledger.mark(order, OrderEvent.AMBIGUOUS)
    assert reader.report().unknown_orders == 1
    ledger.record_fill(fill(5, order))
    report = reader.report()
    assert (report.fills, report.unknown_orders, report.open_orders) == (1, 0, 0)
    assert report.positions == ledger.positions()
    ledger.record_fill(fill(2, None, venue_order_id="else"))  # older than the last: added up anew
    ledger.set_lot_steps({BTC: Decimal("0.1")})  # now the position is dust
    report = reader.report()
    assert (report.fills, report.positions, report.dust) == (2, {}, {BTC: Decimal("0.01")})
    assert report.balances == ledger.balances()
    assert [each.trade_id for each in report.last_fills] == ["2", "5"]


def test_the_trading_state_is_set_offline_only_while_nobody_trades(tmp_path: Path) -> None:
    home = Home(tmp_path)
    queries.set_trading_state_offline(home, "sandbox", TradingState.PAUSED, "maintenance")
    assert queries.account_report(home.ledger("sandbox")).trading_state is TradingState.PAUSED
    lock = account_lock(home, "sandbox")
    lock.acquire("sandbox_optimus 4711")
    with pytest.raises(BusyError, match="sandbox_optimus 4711"):
        queries.set_trading_state_offline(home, "sandbox", TradingState.ACTIVE, "")
    lock.release()


KILLED = """
import sys
from decimal import Decimal
from pathlib import Path
from execution.vocabulary.order_states import OrderEvent
from tests.ledger.builders import fill, open_ledger, request
ledger = open_ledger(Path(sys.argv[1]))
for number in range(1, 100_000):
    order = ledger.record_intent(request())
    ledger.mark(order, OrderEvent.SENT)
    ledger.record_fill(fill(number, order))
    print(number, flush=True)
"""


def test_kill_9_at_any_moment_loses_nothing_acknowledged(tmp_path: Path) -> None:
    async def kill_after(lines: int) -> int:
        child = await asyncio.create_subprocess_exec(
            sys.executable, "-c", KILLED, str(tmp_path), stdout=asyncio.subprocess.PIPE, cwd=Path.cwd()
        )
        assert child.stdout is not None
        last = 0
        while last < lines:
            last = int(await child.stdout.readline())
        child.kill()
        rest = await child.stdout.read()
        await child.wait()
        return int(rest.split()[-1]) if rest.split() else last

    acknowledged = asyncio.run(kill_after(40))
    ledger = open_ledger(tmp_path)
    assert ledger.fills_count in (acknowledged, acknowledged + 1)
    assert len(ledger.unsettled()) <= 1


def test_a_halt_is_not_softened_offline(tmp_path: Path) -> None:
    home = Home(tmp_path)
    assert queries.set_trading_state_offline(home, "sandbox", TradingState.HALTED, "loss limit") is TradingState.HALTED
    for softer in (TradingState.PAUSED, TradingState.ACTIVE):
        assert queries.set_trading_state_offline(home, "sandbox", softer, "go on") is TradingState.HALTED
    report = queries.account_report(home.ledger("sandbox"))
    assert (report.trading_state, report.reason) == (TradingState.HALTED, "loss limit")
