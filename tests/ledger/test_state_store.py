"""The brief counts each fill once, by UTC hour and day."""

import json
import os
from decimal import Decimal
from pathlib import Path

from execution.ledger.state_store import StateStore
from execution.runtime.clock import ManualClock
from execution.vocabulary.orders import Position
from tests.ledger.builders import BTC, fill
from tests.support import child, eventually, line_of, rounds

ENDLESS = """
import sys
from pathlib import Path
from execution.ledger.state_store import StateStore
from tests.ledger.builders import fill
store, number = StateStore(Path(sys.argv[1])), 0
print("begun", flush=True)
while True:
    number += 1
    store.update_from_fills([fill(number, "a")], {})
"""


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


def test_killed_in_the_middle_of_a_write_the_brief_is_whole_and_no_temporary_file_outlives_the_next_start(
    tmp_path: Path,
) -> None:
    path = tmp_path / "data" / "live" / "state.json"
    for _ in range(rounds(3)):
        with child(ENDLESS, str(path)) as writer:
            assert line_of(writer) == "begun"
            eventually(path.exists)
            for _ in range(20):
                json.loads(path.read_text())
            writer.kill()
            writer.wait()
        json.loads(path.read_text())
        StateStore(path)
        assert [name.name for name in path.parent.iterdir()] == ["state.json"]


def test_a_living_writers_temporary_file_is_left_to_it(tmp_path: Path) -> None:
    path = tmp_path / "state.json"
    living, dead = tmp_path / f".state.json.{os.getppid()}.x", tmp_path / ".state.json.999999999.x"
    living.touch()
    dead.touch()
    (tmp_path / ".state.json.of.somebody").touch()
    StateStore(path)
    assert living.exists() and not dead.exists() and (tmp_path / ".state.json.of.somebody").exists()
