"""What the store has and the journal hasn't: a kill between a commit and its lines leaves such orders and trades, so
does a disk that refused lines. A start writes them down. Reads only."""

from pathlib import Path

from execution.venue.journal_chain import decoded, newest_first
from execution.venue.journal_lines import Facts, order_facts, trade_facts
from execution.venue.store import Store

MARGIN_MS = 60_000  # the wall clock may have been set back meanwhile
MOST = 10_000  # lines; older ones stay in the store alone
WORKING = ("NEW", "PARTIALLY_FILLED", "FILLED")


def missing_lines(path: Path, store: Store) -> list[Facts]:
    """Orders and trades since shortly before the last line that no line tells of, oldest first. Raises OSError,
    DatabaseError."""
    since_ms, told = _told(path)
    orders = []
    for order in store.orders_since(since_ms):
        fresh = order.created_ms >= since_ms
        known = {(order.id, state) for state in (WORKING if order.status in WORKING else (order.status,))}
        if (fresh or order.status not in WORKING) and not known & told:
            orders.append(order_facts(order))
    fills = [fill for fill in store.fills_since(since_ms, MOST) if (fill.order_id, str(fill.trade_id)) not in told]
    found = [*orders, *map(trade_facts, fills)]
    return sorted(found, key=lambda facts: int(facts["time"]))[-MOST:]


def _told(path: Path) -> tuple[int, set[tuple[int, str]]]:
    """Since when to look, and what the lines since then tell: (order, its state or the number of a trade)."""
    told: set[tuple[int, str]] = set()
    since_ms: int | None = None
    for line in newest_first(path):
        row = decoded(line)
        if row is None:
            continue
        since_ms = int(row["at"]) - MARGIN_MS if since_ms is None else since_ms
        if int(row["at"]) < since_ms - MARGIN_MS:
            break
        if row.get("event") == "trade":
            told.add((int(row["order"]), str(row["trade"])))
        elif row.get("event") == "order":
            told.add((int(row["order"]), str(row["state"])))
    return since_ms or 0, told
