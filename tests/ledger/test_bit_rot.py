"""Whatever becomes of a ledger's files on a bad disk, it is noticed when the ledger is opened, or it changed nothing.

Every file at every byte: NAE_ROUNDS=10000 and -o faulthandler_timeout=0; fewer rounds take so many places of each.
"""

import os
import shutil
from collections.abc import Callable, Iterator
from decimal import Decimal
from pathlib import Path
from random import Random
from typing import Any

import pytest

from execution.ledger.backups import back_up
from execution.ledger.opening import LedgerUntrusted, open_ledger
from execution.ledger.rebuild import open_or_rebuild
from execution.ledger.store import Ledger
from execution.runtime.clock import ManualClock
from execution.vocabulary.lifecycle import TradingState
from execution.vocabulary.order_states import OrderEvent
from tests.ledger.builders import BTC, request
from tests.ledger.pairs import buy, opened
from tests.support import rounds

PLACES = 20  # of one file in one round
ENDED_WELL, KILLED = "closed", "killed"


def lived(folder: Path, end: str) -> dict[str, Any]:
    """A ledger with a bit of everything, its writer killed or gone in good order; everything that it knew."""
    if child := os.fork():
        os.waitpid(child, 0)
        with_copy = folder.with_name(f"{folder.name} as it was")
        shutil.copytree(folder, with_copy)
        ledger = opened(with_copy)
        told = everything(ledger)
        ledger.close()
        return told
    try:
        ledger = opened(folder)
        ledger.open_books({"USDT": Decimal(10**6)}, {BTC: "5"}, 77)
        for trade in range(10, 16):
            buy(ledger, trade)
        back_up(ledger.path, ManualClock())
        ledger._connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
        for trade in range(16, 19):
            buy(ledger, trade)
        ledger.save_runtime_state({"conditions": ["x" * 500]})
        ledger.set_trading_state(TradingState.HALTED, "loss limit", "risk")
        ledger.mark(ledger.record_intent(request()), OrderEvent.SENT)
        if end == ENDED_WELL:
            ledger.close()
    finally:
        os._exit(0)


def everything(ledger: Ledger) -> dict[str, Any]:
    """What it knows of money and orders, and what it will do next. Times of this opening left out."""
    return {
        "balances": ledger.balances(),
        "positions": ledger.positions(),
        "fills": ledger.fills(limit=-1),
        "closed": ledger.closed_trades(),
        "orders": [(row.client_order_id, row.state, row.filled, row.reason) for row in ledger.orders(limit=-1)],
        "state": ledger.trading_state(),
        "swept": ledger.last_trade_id(BTC),
        "opened": ledger.opened_ms,
        "memory": ledger.restore_runtime_state(),
        "epoch": ledger.epoch,
        "next": ledger.record_intent(request()),
    }


def flipped(content: bytes, place: int) -> bytes:
    return content[:place] + bytes([content[place] ^ (1 << place % 8)]) + content[place + 1 :]


def zeroed(content: bytes, place: int) -> bytes:
    return content[:place] + bytes(min(512, len(content) - place)) + content[place + 512 :]


HARM: dict[str, Callable[[bytes, int], bytes]] = {
    "a bit flipped": flipped,
    "a sector zeroed": zeroed,
    "cut off": lambda content, place: content[:place],
}
FILES = {"ledger.db": (ENDED_WELL, KILLED), "ledger.db-wal": (KILLED,), "ledger.high_water": (ENDED_WELL,)}


def places(size: int) -> Iterator[int]:
    wanted = PLACES * rounds(1)
    return iter(range(size)) if wanted >= size else iter(sorted(Random(size).sample(range(size), wanted)))


@pytest.mark.parametrize("harm", HARM)
@pytest.mark.parametrize(("name", "end"), [(name, end) for name, ends in FILES.items() for end in ends])
def test_damage_is_noticed_or_has_changed_nothing_and_the_orders_are_known_again(
    tmp_path: Path, name: str, end: str, harm: str
) -> None:
    home = tmp_path / "home"
    home.mkdir()
    told = lived(home, end)
    content = (home / name).read_bytes()
    noticed = 0
    for place in places(len(content)):
        here = tmp_path / "damaged"
        shutil.copytree(home, here)
        (here / name).write_bytes(HARM[harm](content, place))
        try:
            ledger = open_ledger(here / "ledger.db", "live", ManualClock())
        except LedgerUntrusted:
            noticed += 1
            if noticed % 5 == 1:
                known_again(here / "ledger.db", told, place)
        else:
            assert everything(ledger) | {"next": told["next"]} == told, f"unnoticed, at byte {place}"
            ledger.close()
        shutil.rmtree(here)
    assert noticed or (name, end) not in (("ledger.db", ENDED_WELL), ("ledger.db-wal", KILLED))


def known_again(path: Path, told: dict[str, Any], place: int) -> None:
    """Built again, it knows each order, and the halt."""
    ledger = open_or_rebuild(path, "live", ManualClock())
    ids = {row.client_order_id for row in ledger.orders(limit=-1)}
    assert ids == {row[0] for row in told["orders"]}, f"after byte {place}"
    assert ledger.trading_state() == told["state"] and ledger.record_intent(request()) not in ids
    ledger.close()
