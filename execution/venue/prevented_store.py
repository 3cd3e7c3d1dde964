"""Trades of an account with itself that weren't made, in the venue's database. Written with the orders they changed, in
one commit; here they are only put into rows and found again."""

from decimal import Decimal

from execution.runtime.sqlite import Connection, Row
from execution.venue.outcome import Prevented

SCHEMA = """
CREATE TABLE IF NOT EXISTS prevented_matches(
    id INTEGER PRIMARY KEY, account TEXT NOT NULL, symbol TEXT NOT NULL, taker_id INTEGER NOT NULL,
    maker_id INTEGER NOT NULL, mode TEXT NOT NULL, price TEXT NOT NULL, taker_quantity TEXT NOT NULL,
    maker_quantity TEXT NOT NULL, time_ms INTEGER NOT NULL);
CREATE INDEX IF NOT EXISTS prevented_by_symbol ON prevented_matches(account, symbol, id);
"""


class PreventedStore:
    """What is stored of them. Every method may raise DatabaseError."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    def find(
        self, account: str, symbol: str, match_id: int | None, order_id: int | None, *, from_id: int = 0, limit: int
    ) -> list[Prevented]:
        """One by its id, or those of an order from an id on."""
        where, values = "account = ? AND symbol = ? AND id >= ?", [account, symbol, from_id]
        if match_id is not None:
            where, values = f"{where} AND id = ?", [*values, match_id]
        if order_id is not None:
            where, values = f"{where} AND ? IN (taker_id, maker_id)", [*values, order_id]
        query = f"SELECT * FROM prevented_matches WHERE {where} ORDER BY id LIMIT {limit:d}"  # noqa: S608 - `where` is written here, values are bound
        return [_read(row) for row in self._connection.execute(query, values).fetchall()]

    def last_id(self) -> int:
        """The highest id; 0 when there is none."""
        return int(self._connection.execute("SELECT max(id) FROM prevented_matches").fetchone()[0] or 0)


def _read(row: Row) -> Prevented:
    match_id, account, symbol, taker_id, maker_id, mode, *amounts, time_ms = tuple(row)
    price, taker_quantity, maker_quantity = (Decimal(amount) for amount in amounts)
    owner = (match_id, account, symbol, taker_id, maker_id, mode)
    return Prevented(*owner, price, taker_quantity, maker_quantity, time_ms)
