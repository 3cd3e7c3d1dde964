"""The fills and cash flows of one ledger: append-only, hash-chained rows, and their fold. Callers bring transactions.

A bit flipped by a disk passes SQLite's own integrity check; the chain finds it at the next open.
"""

from collections.abc import Callable, Mapping
from decimal import Decimal

import msgspec

from execution.ledger import rows
from execution.ledger.fold import AccountFold, Origin
from execution.runtime.sqlite import Connection
from execution.vocabulary.money import text
from execution.vocabulary.orders import Fill

OriginOf = Callable[[Fill], Origin | None]


class MoneyTable:
    """Everything that moved money, added up. `origin_of` tells whose order a fill belongs to."""

    def __init__(self, connection: Connection, lot_steps: Mapping[str, Decimal], origin_of: OriginOf) -> None:
        self._connection = connection
        self._lot_steps = dict(lot_steps)
        self._origin_of = origin_of
        self.fold = AccountFold()
        self.fills_count = 0
        self._fill_chain = self._cash_chain = rows.CHAIN_START
        self._newest: dict[str, tuple[int, str]] = {}
        self.reload()

    def reload(self, lot_steps: Mapping[str, Decimal] | None = None) -> None:
        """Read every row, check the chain, add it all up. LedgerDamaged names the first row that doesn't fit."""
        self._lot_steps = dict(self._lot_steps if lot_steps is None else lot_steps)
        self.fold = AccountFold(lot_steps=self._lot_steps)
        self._newest = {}
        self._read_cash_flows()
        fills = self._read_fills()
        self.fills_count = len(fills)
        fills.sort(key=lambda pair: rows.fill_order(pair[0]))
        for fill, origin in fills:
            self.fold.apply_fill(fill, origin)
            self._newest[fill.symbol] = rows.fill_order(fill)
        self.fold.closed_in_time()

    def _read_cash_flows(self) -> None:
        self._cash_chain = rows.CHAIN_START
        query = "SELECT number, currency, delta, kind, note, at_ms, hash FROM cash_flows ORDER BY number"
        for row in self._connection.execute(query).fetchall():
            values = (row["currency"], row["delta"], row["kind"], row["note"], row["at_ms"])
            self._cash_chain = rows.verified(self._cash_chain, values, row["hash"], f"cash flow {row['number']}")
            self.fold.apply_cash_flow(row["currency"], Decimal(row["delta"]))

    def _read_fills(self) -> list[tuple[Fill, Origin | None]]:
        self._fill_chain = rows.CHAIN_START
        fills = []
        for row in self._connection.execute(rows.FILLS_WITH_ORIGIN, (0,)).fetchall():
            values = tuple(row)[: rows.FILL_WIDTH]
            self._fill_chain = rows.verified(self._fill_chain, values, row["hash"], f"fill {row['number']}")
            fill, origin = rows.fill_of(row), rows.origin_of(row)
            if fill.client_order_id is not None and origin is None:  # its position would be forgotten
                raise rows.LedgerDamaged(f"fill {row['number']} is of order {fill.client_order_id}, which is gone")
            fills.append((fill, origin))
        return fills

    def _apply(self, fill: Fill) -> None:
        self.fold.apply_fill(fill, self._origin_of(fill))
        self._newest[fill.symbol] = rows.fill_order(fill)

    def insert_fill(self, fill: Fill) -> bool:
        """Add one fill to the rows, not yet to the fold; False when (symbol, trade id) is known."""
        values = rows.fill_values(fill)
        linked = rows.chained(self._fill_chain, values)
        marks = ", ".join("?" * (len(values) + 1))
        cursor = self._connection.execute(
            f"INSERT OR IGNORE INTO fills ({rows.FILL_COLUMNS}, hash) VALUES ({marks})",  # noqa: S608
            (*values, linked),
        )
        if cursor.rowcount != 1:
            return False
        self._fill_chain = linked
        return True

    def has_fill(self, symbol: str, trade_id: str) -> bool:
        """Is this trade among the rows?"""
        query = "SELECT 1 FROM fills WHERE symbol = ? AND trade_id = ?"
        return self._connection.execute(query, (symbol, trade_id)).fetchone() is not None

    def add_up(self, fills: list[Fill]) -> None:
        """Take committed fills into the fold; one older than what is applied means adding up anew, in trade order."""
        ordered = sorted(fills, key=rows.fill_order)
        if any(rows.fill_order(fill) < self._newest.get(fill.symbol, (0, "")) for fill in ordered):
            self.reload()
            return
        for fill in ordered:
            self._apply(fill)
        self.fold.closed_in_time()
        self.fills_count += len(ordered)

    def insert_cash_flow(self, currency: str, delta: Decimal, kind: str, note: str, at_ms: int) -> None:
        """Add one cash flow to the rows, not yet to the fold."""
        values = (currency, text(delta), kind, note, at_ms)
        linked = rows.chained(self._cash_chain, values)
        self._connection.execute(
            "INSERT INTO cash_flows (currency, delta, kind, note, at_ms, hash) VALUES (?, ?, ?, ?, ?, ?)",
            (*values, linked),
        )
        self._cash_chain = linked

    def newest_fills(self, limit: int) -> list[Fill]:
        """The last recorded fills, newest first."""
        query = f"SELECT {rows.FILL_COLUMNS} FROM fills ORDER BY number DESC LIMIT ?"  # noqa: S608
        return [rows.fill_of(row) for row in self._connection.execute(query, (limit,)).fetchall()]


def with_owner(fill: Fill, client_order_id: str | None) -> Fill:
    """The fill under our order's id, or under none when the order isn't ours."""
    return msgspec.structs.replace(fill, client_order_id=client_order_id)
