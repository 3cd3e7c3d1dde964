"""What the venue must not forget, in one SQLite file: orders, fills, balances, the market's position. One commit per
request; a reply leaves only after it. Amounts are decimal text, so that a change of steps can't move money."""

from collections.abc import Iterable, Sequence
from decimal import Decimal
from pathlib import Path
from typing import NamedTuple

from execution.runtime.sqlite import Row, open_writer, transaction
from execution.venue.accounts import Balance
from execution.venue.engine import Fill

SCHEMA = """
CREATE TABLE IF NOT EXISTS orders(
    id INTEGER PRIMARY KEY, account TEXT NOT NULL, symbol TEXT NOT NULL, client_id TEXT NOT NULL, side TEXT NOT NULL,
    type TEXT NOT NULL, time_in_force TEXT NOT NULL, price TEXT NOT NULL, quantity TEXT NOT NULL,
    quote_budget TEXT NOT NULL, filled TEXT NOT NULL, filled_quote TEXT NOT NULL, status TEXT NOT NULL,
    created_ms INTEGER NOT NULL, updated_ms INTEGER NOT NULL);
CREATE INDEX IF NOT EXISTS orders_by_symbol ON orders(account, symbol, id);
CREATE INDEX IF NOT EXISTS orders_by_client ON orders(account, symbol, client_id);
CREATE INDEX IF NOT EXISTS orders_open ON orders(id) WHERE status IN ('NEW', 'PARTIALLY_FILLED');
CREATE TABLE IF NOT EXISTS fills(
    trade_id INTEGER NOT NULL, order_id INTEGER NOT NULL, account TEXT NOT NULL, symbol TEXT NOT NULL,
    side TEXT NOT NULL, price TEXT NOT NULL, quantity TEXT NOT NULL, quote TEXT NOT NULL, commission TEXT NOT NULL,
    commission_asset TEXT NOT NULL, time_ms INTEGER NOT NULL, is_maker INTEGER NOT NULL,
    PRIMARY KEY(trade_id, order_id));
CREATE INDEX IF NOT EXISTS fills_by_symbol ON fills(account, symbol, trade_id);
CREATE INDEX IF NOT EXISTS fills_by_order ON fills(order_id, trade_id);
CREATE TABLE IF NOT EXISTS balances(
    account TEXT NOT NULL, asset TEXT NOT NULL, free TEXT NOT NULL, locked TEXT NOT NULL, PRIMARY KEY(account, asset));
CREATE TABLE IF NOT EXISTS market(name TEXT PRIMARY KEY, value TEXT NOT NULL);
"""
CACHE_KIB = 1024


class OrderRecord(NamedTuple):
    """An order as it is stored and shown. `price` is 0 for a MARKET order."""

    id: int
    account: str
    symbol: str
    client_id: str
    side: str
    type: str
    time_in_force: str
    price: Decimal
    quantity: Decimal
    quote_budget: Decimal
    filled: Decimal
    filled_quote: Decimal
    status: str
    created_ms: int
    updated_ms: int


class Page(NamedTuple):
    """Which part of a history: from an id or a time on, else the last `limit` rows."""

    limit: int
    from_id: int | None = None
    start_ms: int | None = None
    end_ms: int | None = None
    order_id: int | None = None


class Store:
    """The database. Every method may raise execution.runtime.sqlite.DatabaseError; then nothing was stored."""

    def __init__(self, path: Path) -> None:
        self._connection = open_writer(path, SCHEMA)
        self._connection.execute(f"PRAGMA cache_size=-{CACHE_KIB}")

    def close(self) -> None:
        """Let go of the file."""
        self._connection.close()

    def save(
        self,
        orders: Iterable[OrderRecord],
        fills: Iterable[Fill],
        balances: Iterable[tuple[str, str, Balance]],
        market: Iterable[tuple[str, str]] = (),
    ) -> None:
        """Everything one request or one market step changed: all of it, durably, or nothing."""
        with transaction(self._connection) as connection:
            connection.executemany(_replace("orders", 15), [tuple(map(_stored, order)) for order in orders])
            connection.executemany(_replace("fills", 12), [tuple(map(_stored, fill)) for fill in fills])
            rows = [(account, asset, str(held.free), str(held.locked)) for account, asset, held in balances]
            connection.executemany(_replace("balances", 4), rows)
            connection.executemany(_replace("market", 2), list(market))

    def open_orders(self) -> list[OrderRecord]:
        """Orders that rest in a book, oldest first."""
        return self._orders("status IN ('NEW', 'PARTIALLY_FILLED') ORDER BY id", ())

    def order(self, account: str, symbol: str, order_id: int | None, client_id: str | None) -> OrderRecord | None:
        """One order by either id (both must fit when both are given); of several with one client id, the newest."""
        where, values = "account = ? AND symbol = ?", [account, symbol]
        if order_id is not None:
            where, values = f"{where} AND id = ?", [*values, str(order_id)]
        if client_id is not None:
            where, values = f"{where} AND client_id = ?", [*values, client_id]
        found = self._orders(f"{where} ORDER BY id DESC LIMIT 1", values)
        return found[0] if found else None

    def orders(self, account: str, symbol: str, page: Page) -> list[OrderRecord]:
        """An account's orders on a symbol, by id."""
        where, values, newest = _window(account, symbol, ("id", "created_ms"), page)
        found = self._orders(f"{where} ORDER BY id {'DESC' if newest else 'ASC'} LIMIT {page.limit:d}", values)
        return found[::-1] if newest else found

    def fills(self, account: str, symbol: str, page: Page) -> list[Fill]:
        """An account's fills on a symbol, by trade id."""
        where, values, newest = _window(account, symbol, ("trade_id", "time_ms"), page)
        if page.order_id is not None:
            where, values = f"{where} AND order_id = ?", [*values, page.order_id]
        found = self._fills(f"{where} ORDER BY trade_id {'DESC' if newest else 'ASC'} LIMIT {page.limit:d}", values)
        return found[::-1] if newest else found

    def balances(self) -> list[tuple[str, str, Decimal, Decimal]]:
        """(account, asset, free, locked) of everybody."""
        rows = self._all("SELECT * FROM balances", [])
        return [(row["account"], row["asset"], Decimal(row["free"]), Decimal(row["locked"])) for row in rows]

    def market(self) -> dict[str, str]:
        """What was stored about the market's position."""
        return {row["name"]: row["value"] for row in self._all("SELECT * FROM market", [])}

    def last_ids(self) -> tuple[int, int]:
        """The highest order id and the highest trade id; 0 when there is none."""
        query = "SELECT (SELECT max(id) FROM orders) AS orders, (SELECT max(trade_id) FROM fills) AS fills"
        row = self._all(query, [])[0]
        return row["orders"] or 0, row["fills"] or 0

    def _orders(self, where: str, values: Sequence[object]) -> list[OrderRecord]:
        query = f"SELECT * FROM orders WHERE {where}"  # noqa: S608 - `where` is written here, values are bound
        return [_read_order(row) for row in self._all(query, values)]

    def _fills(self, where: str, values: Sequence[object]) -> list[Fill]:
        query = f"SELECT * FROM fills WHERE {where}"  # noqa: S608 - `where` is written here, values are bound
        return [_read_fill(row) for row in self._all(query, values)]

    def _all(self, query: str, values: Sequence[object]) -> list[Row]:
        return self._connection.execute(query, tuple(values)).fetchall()


def _window(account: str, symbol: str, columns: tuple[str, str], page: Page) -> tuple[str, list[object], bool]:
    where, values = "account = ? AND symbol = ?", [account, symbol]
    limits: list[tuple[str, object]] = [(f"{columns[0]} >= ?", page.from_id), (f"{columns[1]} >= ?", page.start_ms)]
    limits.append((f"{columns[1]} <= ?", page.end_ms))
    given = [(text, value) for text, value in limits if value is not None]
    where = " AND ".join([where, *(text for text, _ in given)])
    return where, [*values, *(value for _, value in given)], page.from_id is None and page.start_ms is None


def _replace(table: str, columns: int) -> str:
    return f"REPLACE INTO {table} VALUES({','.join('?' * columns)})"


def _stored(value: object) -> object:
    return str(value) if isinstance(value, Decimal) else value


def _read_order(row: Row) -> OrderRecord:
    words = tuple(row)[:7]
    amounts = [Decimal(value) for value in tuple(row)[7:12]]
    return OrderRecord(*words, *amounts, *tuple(row)[12:])


def _read_fill(row: Row) -> Fill:
    trade_id, order_id, account, symbol, side = tuple(row)[:5]
    price, quantity, quote, commission = (Decimal(value) for value in tuple(row)[5:9])
    asset, time_ms, is_maker = tuple(row)[9:]
    amounts = (price, quantity, quote, commission)
    return Fill(trade_id, order_id, account, symbol, side, *amounts, asset, time_ms, bool(is_maker))
