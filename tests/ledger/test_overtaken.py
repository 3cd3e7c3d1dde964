"""Whoever has opened a ledger last is its only writer, whatever became of the lock that should have kept him out."""

from collections.abc import Callable
from decimal import Decimal
from pathlib import Path

import pytest

from execution.ledger.rows import LedgerTaken
from execution.ledger.store import Ledger
from execution.vocabulary.lifecycle import TradingState
from execution.vocabulary.order_states import OrderEvent
from tests.ledger.builders import fill, open_ledger, request

WRITES: dict[str, Callable[[Ledger], object]] = {
    "an intent": lambda ledger: ledger.record_intent(request()),
    "an order's end": lambda ledger: ledger.mark(ledger.orders()[0].client_order_id, OrderEvent.REJECTED),
    "a fill": lambda ledger: ledger.record_fill(fill(7, None)),
    "money": lambda ledger: ledger.record_cash_flow("USDT", Decimal(5), "external"),
    "what is left over a restart": lambda ledger: ledger.save_runtime_state({"conditions": []}),
    "a pause": lambda ledger: ledger.set_trading_state(TradingState.PAUSED, "a test", "nobody"),
    "a comparison": lambda ledger: ledger.set_reconciliation(True, []),
}


@pytest.mark.parametrize("what", WRITES)
def test_who_was_overtaken_writes_nothing_more_and_the_books_stay_sound(tmp_path: Path, what: str) -> None:
    first = open_ledger(tmp_path)
    first.record_cash_flow("USDT", Decimal(1000), "external")
    first.record_intent(request())
    second = open_ledger(tmp_path)
    second.record_fill(fill(1, None))
    for _ in range(2):  # also when it has read what the other one wrote
        with pytest.raises(LedgerTaken, match="another process has opened the ledger and writes it: its epoch is 2"):
            WRITES[what](first)
    second.record_fill(fill(2, None))
    first.close()
    second.close()
    again = open_ledger(tmp_path)
    assert (again.epoch, again.fills_count, len(again.orders())) == (3, 2, 1)
