"""Following a ledger, tested in pairs: what one that was followed tells beside one that wasn't."""

import shutil
from contextlib import closing
from decimal import Decimal
from pathlib import Path
from typing import Any

from execution.ledger.following import LedgerFollower
from execution.ledger.opening import open_ledger
from execution.ledger.store import Ledger
from execution.runtime.clock import ManualClock
from execution.runtime.sqlite import open_reader, open_writer
from execution.vocabulary.order_states import OrderEvent
from execution.vocabulary.orders import Side
from tests.ledger.builders import BTC, fill, request

SYMBOLS = (BTC, "ETH/USDT")
TRADING_FOR_EVER = """
import sys
from itertools import count
from tests.ledger.pairs import buy, opened
from execution.vocabulary.orders import Side
from pathlib import Path
ledger = opened(Path(sys.argv[1]))
for trade in count(ledger.fills_count + 1):
    buy(ledger, trade, Side.SELL if trade % 3 == 0 else Side.BUY)
    print(trade, flush=True)
"""  # run by a child: each trade is told once it is durable


def opened(folder: Path, followed: LedgerFollower | None = None) -> Ledger:
    return open_ledger(folder / "ledger.db", "live", ManualClock(), followed)


def buy(ledger: Ledger, trade: int, side: Side = Side.BUY, quantity: str = "0.01") -> None:
    order = ledger.record_intent(request(side, quantity))
    ledger.mark(order, OrderEvent.SENT)
    ledger.record_fill(fill(trade, order, side, quantity, venue_order_id=order))


def sell_most(ledger: Ledger, trade: int) -> None:
    """A tenth of what was bought stays: dust or a position, as the lot step says."""
    buy(ledger, trade, Side.SELL, "0.009")


def told_by(ledger: Ledger) -> dict[str, Any]:
    """Everything that a ledger knows, and what it will call the next order and chain the next row to."""
    ledger.record_cash_flow("EUR", Decimal(1), "probe")
    ledger.record_fill(fill(10**9, None, symbol="XRP/USDT"))
    return {
        "positions": ledger.positions(),
        "dust": ledger.dust(),
        "balances": ledger.balances(),
        "closed": ledger.closed_trades(),
        "fills": ledger.fills_count,
        "orders": [(row.client_order_id, row.state, row.filled) for row in ledger.orders(limit=1000)],
        "unsettled": [row.client_order_id for row in ledger.unsettled()],
        "reserved": ledger.reserved_exposure(),
        "epoch": ledger.epoch,
        "state": ledger.trading_state(),
        "next": ledger.record_intent(request()),
        "chains": [hashes(ledger, table) for table in ("fills", "cash_flows")],
    }


def hashes(ledger: Ledger, table: str) -> list[str]:
    return [row["hash"] for row in ledger._connection.execute(f"SELECT hash FROM {table} ORDER BY number")]


def copy_of(path: Path, folder: Path) -> Path:
    """A ledger's folder once more. By SQLite's own backup: no other open() may touch a ledger that is in use."""
    folder.mkdir()
    with closing(open_reader(path)) as source, closing(open_writer(folder / path.name, "")) as target:
        source.backup(target)
    shutil.copy(path.with_suffix(".high_water"), folder)
    return folder
