"""Everything that is known of one order and the trade it belongs to: from the account's ledger, and from the trails of
whoever traded it. Reads only; works while traders run and when nothing does.

What the trails no longer hold is named as a gap; the ledger alone always tells the order, its fills and their end.
"""

from collections.abc import Iterable
from pathlib import Path
from typing import Any

import msgspec

from execution.ledger import rows
from execution.ledger.audit_check import entries
from execution.ledger.round_trips import RoundTrip, round_trips_of
from execution.runtime.clock import iso
from execution.runtime.home import Home
from execution.runtime.sqlite import read_all
from execution.vocabulary.orders import STOPS, Fill, OrderRow, Purpose

_ORDER = f"SELECT {rows.ORDER_COLUMNS} FROM orders WHERE client_order_id = ?"  # noqa: S608
_FILLS = f"SELECT {rows.FILL_COLUMNS} FROM fills WHERE client_order_id = ? ORDER BY number"  # noqa: S608
_MATCHES = {
    "order": f"SELECT {rows.ORDER_COLUMNS} FROM orders WHERE client_order_id = ?",  # noqa: S608
    "the venue's order": f"SELECT {rows.ORDER_COLUMNS} FROM orders WHERE venue_order_id = ?",  # noqa: S608
}
_TRADE = "SELECT symbol, client_order_id FROM fills WHERE trade_id = ?"
_NEWEST = f"SELECT {rows.ORDER_COLUMNS} FROM orders ORDER BY number DESC LIMIT 1"  # noqa: S608


class Match(msgspec.Struct, frozen=True):
    """What an id may mean. `order` is ours; '' for a trade that wasn't."""

    account: str
    what: str
    symbol: str
    order: str


class Chapter(msgspec.Struct, frozen=True):
    """One order: its row, its fills, and what the trails say: found by which research, decided why, what came of it."""

    order: OrderRow
    fills: list[Fill]
    decision: dict[str, Any] | None
    outcome: dict[str, Any] | None
    research: dict[str, Any] | None = None


class Story(msgspec.Struct, frozen=True):
    """The order asked for, all orders of its trade, and the trade. `gaps`: what can't be told any more, and why."""

    account: str
    asked: str
    chapters: list[Chapter]
    trade: RoundTrip | None
    gaps: list[str]


def matches(path: Path, account: str, word: str) -> list[Match]:
    """What `word` may mean in one ledger: our order id, the venue's, or a trade's. FileNotFoundError, DatabaseError."""
    found = []
    for what, query in _MATCHES.items():
        found += [Match(account, what, row["symbol"], row["client_order_id"]) for row in read_all(path, query, (word,))]
    for row in read_all(path, _TRADE, (word,)):
        found.append(Match(account, "trade", row["symbol"], row["client_order_id"] or ""))
    return found


def newest_order(path: Path) -> OrderRow | None:
    """The order decided last, or None."""
    found = read_all(path, _NEWEST)
    return rows.order_of(found[0]) if found else None


def tell(home: Home, account: str, client_order_id: str) -> Story:
    """The story around one order of ours. KeyError when the ledger has none of this id."""
    path = home.ledger(account)
    asked = _order(path, client_order_id)
    trips = round_trips_of(path, asked.symbol)
    trade = next((trip for trip in trips if client_order_id in trip.orders()), None) or _joined(path, asked, trips)
    names = dict.fromkeys([*(trade.orders() if trade is not None else []), client_order_id])
    orders = sorted((_order(path, name) for name in names), key=lambda order: order.created_ms)
    trails = sorted((home.logs / "audit").glob("*.jsonl"))
    chapters = [_chapter(path, trails, order) for order in orders]
    return Story(account, client_order_id, chapters, trade, _gaps(chapters))


def _joined(path: Path, asked: OrderRow, trips: list[RoundTrip]) -> RoundTrip | None:
    """The trade that an exit without a fill of its own was for: a protective stop, a sale that came to nothing."""
    if asked.purpose is not Purpose.EXIT:
        return None
    for trip in reversed(trips):
        orders = [_order(path, name) for name in trip.orders()]
        if any((row.strategy, row.signal_bar_ms) == (asked.strategy, asked.signal_bar_ms) for row in orders):
            return trip
    return None


def _order(path: Path, client_order_id: str) -> OrderRow:
    found = read_all(path, _ORDER, (client_order_id,))
    if not found:
        raise KeyError(client_order_id)
    return rows.order_of(found[0])


def _chapter(path: Path, trails: Iterable[Path], order: OrderRow) -> Chapter:
    fills = [rows.fill_of(row) for row in read_all(path, _FILLS, (order.client_order_id,))]
    said = list(_said(trails, order.correlation_id)) if order.correlation_id else []
    before = [row for row in said if _is_decision(row, order) and row["at"] <= iso(order.created_ms + 1)]
    after = [row for row in said if row.get("kind") == "order" and row.get("order") == order.client_order_id]
    decision = before[-1] if before else None
    return Chapter(order, fills, decision, after[-1] if after else None, _research(trails, decision))


def _research(trails: Iterable[Path], decision: dict[str, Any] | None) -> dict[str, Any] | None:
    """The line in which the condition behind a decision was armed: its id is the decision's cause."""
    cause = str(decision.get("cause") or "") if decision is not None and decision.get("condition") else ""
    if not cause:
        return None
    needle = b'"id":' + msgspec.json.encode(cause)
    found = [row for trail in trails for row in entries(trail, needle) if row.get("kind") == "research"]
    return max(found, key=lambda row: str(row.get("at")), default=None)


def _said(trails: Iterable[Path], correlation: str) -> list[dict[str, Any]]:
    needle = b'"correlation":' + msgspec.json.encode(correlation)
    found = [row for trail in trails for row in entries(trail, needle) if row.get("correlation") == correlation]
    return sorted(found, key=lambda row: (str(row.get("at")), str(row.get("process")), row["seq"]))


def _is_decision(row: dict[str, Any], order: OrderRow) -> bool:
    return row.get("kind") == "decision" and (row.get("symbol"), row.get("side")) == (order.symbol, order.side.value)


def _gaps(chapters: list[Chapter]) -> list[str]:
    return [
        f"why {chapter.order.client_order_id} was decided isn't in the audit trails: they keep so much and no more, "
        f"or the decision wasn't a trader's"
        for chapter in chapters
        if chapter.decision is None and chapter.order.type not in STOPS
    ]
