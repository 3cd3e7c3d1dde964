"""The brief counts each fill once, by UTC hour and day."""

import json
from decimal import Decimal
from pathlib import Path

from execution.ledger.state_store import StateStore
from execution.runtime.clock import ManualClock
from execution.vocabulary.orders import Position
from tests.ledger.builders import BTC, fill


def test_fills_are_counted_once_and_roll_over_with_hour_and_day(tmp_path: Path) -> None:
    clock = ManualClock(now_ms=1_700_000_000_000)  # 22:13:20 UTC
    store = StateStore(tmp_path / "state.json", clock)
    position = Position(BTC, Decimal("0.01"), Decimal("500"), 1_700_000_000_000, "trend", 0, Decimal("0.5"))
    store.update_from_fills([fill(1, "a"), fill(2, "a"), fill(1, "a")], {BTC: position})
    brief = json.loads(store.path.read_text())
    assert (brief["trades_today"], brief["trades_this_hour"]) == (2, 2)
    assert brief["positions"][BTC]["entry_price"] == "50000"
    clock.advance(3600)
    store.update_from_fills([fill(1, "a")], {})
    brief = json.loads(store.path.read_text())
    assert (brief["trades_today"], brief["trades_this_hour"], brief["positions"]) == (2, 0, {})
    clock.advance(3600)
    store.update_from_fills([], {})
    assert json.loads(store.path.read_text())["trades_today"] == 0
