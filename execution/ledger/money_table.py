"""The fills and cash flows of one ledger, as their writer has them: append-only, hash-chained rows, and the books they
add up to. Callers bring the transaction, and say when it is done.

A bit flipped by a disk passes SQLite's own integrity check; the chain finds it at the next open.
"""

from collections.abc import Mapping
from decimal import Decimal

import msgspec

from execution.ledger import rows
from execution.ledger.books import Books, BooksDiffer, read_anew
from execution.ledger.fold import AccountFold
from execution.ledger.journal import CashFlow
from execution.ledger.seal import Seal
from execution.runtime.sqlite import Connection
from execution.vocabulary.money import text
from execution.vocabulary.orders import Fill


class MoneyTable:
    """Everything that moved money, added up. `known`: books that somebody has kept so far; they become ours."""

    def __init__(self, connection: Connection, lot_steps: Mapping[str, Decimal], known: Books | None = None) -> None:
        """Raises BooksDiffer when the rows don't go on from `known`; LedgerDamaged names a row that doesn't fit.

        `fill_chain` and `cash_chain` are the hashes of the last rows, also of those not committed yet.
        """
        self._connection = connection
        if known is not None and not known.go_on(connection, lot_steps):
            raise BooksDiffer("the rows don't go on from the books that were kept of them")
        self._books = known or read_anew(connection, lot_steps)
        self.fill_chain, self.cash_chain = self._books.fill_chain, self._books.cash_chain

    def catch_up(self, lot_steps: Mapping[str, Decimal]) -> None:
        """Add up what is on the disk and not in the books yet; all of it anew where that can't be done in trade order.
        LedgerDamaged names a row that doesn't fit."""
        if not self._books.go_on(self._connection, lot_steps):
            self._books = read_anew(self._connection, lot_steps)
        self.fill_chain, self.cash_chain = self._books.fill_chain, self._books.cash_chain

    def check(self, seal: Seal) -> None:
        """Are the rows those that were sealed? LedgerDamaged; BooksDiffer where books that were kept are to blame."""
        self._books.check(self._connection, seal)

    @property
    def fold(self) -> AccountFold:
        """What is committed, added up."""
        return self._books.fold

    @property
    def fills_count(self) -> int:
        return self._books.fills_count

    def insert_fill(self, fill: Fill) -> bool:
        """Add one fill to the rows, not yet to the books; False when (symbol, trade id) is known."""
        values = rows.fill_values(fill)
        linked = rows.chained(self.fill_chain, values)
        marks = ", ".join("?" * (len(values) + 1))
        cursor = self._connection.execute(
            f"INSERT OR IGNORE INTO fills ({rows.FILL_COLUMNS}, hash) VALUES ({marks})",  # noqa: S608
            (*values, linked),
        )
        if cursor.rowcount != 1:
            return False
        self.fill_chain = linked
        return True

    def has_fill(self, symbol: str, trade_id: str) -> bool:
        """Is this trade among the rows?"""
        query = "SELECT 1 FROM fills WHERE symbol = ? AND trade_id = ?"
        return self._connection.execute(query, (symbol, trade_id)).fetchone() is not None

    def insert_cash_flow(self, flow: CashFlow) -> int:
        """Add one cash flow to the rows, not yet to the books; its number."""
        values = (flow.currency, text(flow.delta), flow.kind, flow.note, flow.at_ms)
        linked = rows.chained(self.cash_chain, values)
        cursor = self._connection.execute(
            "INSERT INTO cash_flows (currency, delta, kind, note, at_ms, hash) VALUES (?, ?, ?, ?, ?, ?)",
            (*values, linked),
        )
        self.cash_chain = linked
        return int(cursor.lastrowid or 0)

    def last_trade(self, symbol: str) -> str:
        """The id of the newest trade on a symbol that is booked; '' when none is."""
        query = "SELECT trade_id FROM fills WHERE symbol = ? ORDER BY LENGTH(trade_id) DESC, trade_id DESC LIMIT 1"
        found = self._connection.execute(query, (symbol,)).fetchone()
        return str(found["trade_id"]) if found else ""

    def newest_fills(self, limit: int) -> list[Fill]:
        """The last recorded fills, newest first."""
        query = f"SELECT {rows.FILL_COLUMNS} FROM fills ORDER BY number DESC LIMIT ?"  # noqa: S608
        return [rows.fill_of(row) for row in self._connection.execute(query, (limit,)).fetchall()]


def with_owner(fill: Fill, client_order_id: str | None) -> Fill:
    """The fill under our order's id, or under none when the order isn't ours."""
    return msgspec.structs.replace(fill, client_order_id=client_order_id)
