"""What the venue must not forget, in one SQLite file: orders, fills, balances, the market's position. One commit per
request; a reply leaves only after it. Amounts are decimal text, so that a change of steps can't move money."""

from collections.abc import Iterable, Sequence
from decimal import Decimal
from pathlib import Path
from typing import NamedTuple

from execution.runtime.sqlite import Row, open_writer, transaction
from execution.venue.accounts import Balance
from execution.venue.book import EXPIRE_MAKER, NO_LIST, NO_MATCH, NOT_WORKING
from execution.venue.outcome import Fill, Leg, ListState, Prevented
from execution.venue.prevented_store import SCHEMA as PREVENTED_SCHEMA
from execution.venue.prevented_store import PreventedStore

SCHEMA = """
CREATE TABLE IF NOT EXISTS orders(
    id INTEGER PRIMARY KEY, account TEXT NOT NULL, symbol TEXT NOT NULL, client_id TEXT NOT NULL, side TEXT NOT NULL,
    type TEXT NOT NULL, time_in_force TEXT NOT NULL, price TEXT NOT NULL, quantity TEXT NOT NULL,
    quote_budget TEXT NOT NULL, filled TEXT NOT NULL, filled_quote TEXT NOT NULL, status TEXT NOT NULL,
    created_ms INTEGER NOT NULL, updated_ms INTEGER NOT NULL);
CREATE INDEX IF NOT EXISTS orders_by_symbol ON orders(account, symbol, id);
CREATE INDEX IF NOT EXISTS orders_by_client ON orders(account, symbol, client_id);
CREATE INDEX IF NOT EXISTS orders_open ON orders(id) WHERE status IN ('NEW', 'PARTIALLY_FILLED');
CREATE TABLE IF NOT EXISTS order_terms(
    id INTEGER PRIMARY KEY, stop_price TEXT NOT NULL, waiting INTEGER NOT NULL, working_ms INTEGER NOT NULL,
    prevention TEXT NOT NULL, list_id INTEGER NOT NULL);
CREATE TABLE IF NOT EXISTS order_lists(
    id INTEGER PRIMARY KEY, account TEXT NOT NULL, symbol TEXT NOT NULL, client_id TEXT NOT NULL,
    first_order INTEGER NOT NULL, first_client TEXT NOT NULL, second_order INTEGER NOT NULL,
    second_client TEXT NOT NULL, open INTEGER NOT NULL, created_ms INTEGER NOT NULL, updated_ms INTEGER NOT NULL);
CREATE INDEX IF NOT EXISTS order_lists_by_account ON order_lists(account, id);
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
CREATE TABLE IF NOT EXISTS wishes(account TEXT NOT NULL, name TEXT NOT NULL, value TEXT NOT NULL,
    PRIMARY KEY(account, name));
"""
LATER_TERMS = (
    *("prevented TEXT NOT NULL DEFAULT '0'", f"prevented_match INTEGER NOT NULL DEFAULT {NO_MATCH}"),
    *("strategy_id INTEGER", "strategy_type INTEGER"),
    *("iceberg TEXT NOT NULL DEFAULT '0'", "shown TEXT NOT NULL DEFAULT '0'"),
)
CACHE_KIB = 1024
ORDER_COLUMNS = 15
FILL_COLUMNS = 12


class Terms(NamedTuple):
    """What few orders have: a stop price (`waiting` until it comes), a list, another self-trade prevention and what it
    took, a strategy, a part that is shown. Stored only where it isn't the usual, so that a plain order is one row."""

    stop_price: Decimal = Decimal(0)
    waiting: bool = False
    working_ms: int = NOT_WORKING
    prevention: str = EXPIRE_MAKER
    list_id: int = NO_LIST
    prevented: Decimal = Decimal(0)
    prevented_match: int = NO_MATCH
    strategy_id: int | None = None
    strategy_type: int | None = None
    iceberg: Decimal = Decimal(0)
    shown: Decimal = Decimal(0)


USUAL = Terms()


class OrderRecord(NamedTuple):
    """An order as it is stored and shown. `price` is 0 for an order at any price."""

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
    terms: Terms = USUAL

    @property
    def working_ms(self) -> int:
        """Since when it can trade; -1 while it waits for its stop price."""
        return self.created_ms if self.terms is USUAL else self.terms.working_ms


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
        self._connection = open_writer(path, SCHEMA + PREVENTED_SCHEMA)
        self.prevented = PreventedStore(self._connection)
        self._connection.execute(f"PRAGMA cache_size=-{CACHE_KIB}")
        known = {row["name"] for row in self._all("PRAGMA table_info(order_terms)", [])}
        for column in (one for one in LATER_TERMS if one.split()[0] not in known):  # an older store
            self._connection.execute(f"ALTER TABLE order_terms ADD COLUMN {column}")

    def close(self) -> None:
        """Let go of the file."""
        self._connection.close()

    def save(
        self,
        orders: Sequence[OrderRecord],
        fills: Iterable[Fill],
        balances: Iterable[tuple[str, str, Balance]],
        market: Iterable[tuple[str, str]] = (),
        lists: Iterable[ListState] = (),
        *,
        prevented: Iterable[Prevented] = (),
    ) -> None:
        """Everything one request or one market step changed: all of it, durably, or nothing."""
        with transaction(self._connection) as connection:
            for table, rows in (
                ("orders", [tuple(map(_stored, order[:ORDER_COLUMNS])) for order in orders]),
                ("order_terms", [(order.id, *map(_stored, order.terms)) for order in orders if order.terms != USUAL]),
                ("fills", [tuple(map(_stored, fill[:FILL_COLUMNS])) for fill in fills]),
                ("balances", [(account, asset, str(held.free), str(held.locked)) for account, asset, held in balances]),
                ("market", list(market)),
                ("order_lists", [_flat(state) for state in lists]),
                ("prevented_matches", [tuple(map(_stored, match)) for match in prevented]),
            ):
                if rows:
                    connection.executemany(_replace(table, len(rows[0])), rows)

    def save_wish(self, account: str, name: str, value: str) -> None:
        """What an account has asked for, until it asks for something else."""
        with transaction(self._connection) as connection:
            connection.execute(_replace("wishes", 3), (account, name, value))

    def wishes(self, name: str) -> dict[str, str]:
        """What each account has asked for."""
        rows = self._all("SELECT account, value FROM wishes WHERE name = ?", [name])
        return {row["account"]: row["value"] for row in rows}

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

    def order_lists(self, where: str = "open", values: Sequence[object] = ()) -> list[ListState]:
        """Order lists, oldest first; those that are open unless told otherwise."""
        query = f"SELECT * FROM order_lists WHERE {where} ORDER BY id"  # noqa: S608 - as in _orders
        return [_read_list(row) for row in self._all(query, values)]

    def order_list(self, account: str, list_id: int | None, client_id: str | None) -> ListState | None:
        """One order list by either id (both must fit when both are given); the newest."""
        where, values = "account = ?", [account]
        if list_id is not None:
            where, values = f"{where} AND id = ?", [*values, str(list_id)]
        if client_id is not None:
            where, values = f"{where} AND client_id = ?", [*values, client_id]
        found = self.order_lists(where, values)
        return found[-1] if found else None

    def order_lists_of(self, account: str, page: Page) -> list[ListState]:
        """An account's order lists, by id."""
        where, values, newest = _window(account, None, ("id", "created_ms"), page)
        order = f"{where} ORDER BY id {'DESC' if newest else 'ASC'} LIMIT {page.limit:d}"
        rows = self._all(f"SELECT * FROM order_lists WHERE {order}", values)  # noqa: S608 - as in _orders
        found = [_read_list(row) for row in rows]
        return found[::-1] if newest else found

    def fills(self, account: str, symbol: str, page: Page) -> list[Fill]:
        """An account's fills on a symbol, by trade id."""
        where, values, newest = _window(account, symbol, ("trade_id", "time_ms"), page)
        if page.order_id is not None:
            where, values = f"{where} AND order_id = ?", [*values, page.order_id]
        found = self._fills(f"{where} ORDER BY trade_id {'DESC' if newest else 'ASC'} LIMIT {page.limit:d}", values)
        return found[::-1] if newest else found

    def orders_since(self, since_ms: int) -> list[OrderRecord]:
        """Everybody's orders that have changed since then."""
        return self._orders("updated_ms >= ? ORDER BY updated_ms, id", (since_ms,))

    def fills_since(self, since_ms: int, most: int) -> list[Fill]:
        """Everybody's fills since then, the newest of them, oldest first."""
        return self._fills(f"time_ms >= ? ORDER BY time_ms DESC, trade_id DESC LIMIT {most:d}", (since_ms,))[::-1]

    def balances(self) -> list[tuple[str, str, Decimal, Decimal]]:
        """(account, asset, free, locked) of everybody."""
        rows = self._all("SELECT * FROM balances", [])
        return [(row["account"], row["asset"], Decimal(row["free"]), Decimal(row["locked"])) for row in rows]

    def market(self) -> dict[str, str]:
        """What was stored about the market's position."""
        return {row["name"]: row["value"] for row in self._all("SELECT * FROM market", [])}

    def last_ids(self) -> tuple[int, int, int]:
        """The highest id of an order, of a trade, of an order list; 0 when there is none."""
        query = (
            "SELECT (SELECT max(id) FROM orders), (SELECT max(trade_id) FROM fills), (SELECT max(id) FROM order_lists)"
        )
        orders, fills, lists = (value or 0 for value in self._all(query, [])[0])
        return orders, fills, lists

    def _orders(self, where: str, values: Sequence[object]) -> list[OrderRecord]:
        query = f"SELECT * FROM orders LEFT JOIN order_terms USING (id) WHERE {where}"  # noqa: S608 - `where` is written here, values are bound
        return [_read_order(row) for row in self._all(query, values)]

    def _fills(self, where: str, values: Sequence[object]) -> list[Fill]:
        tables = "fills LEFT JOIN order_terms ON order_terms.id = fills.order_id"
        query = f"SELECT fills.*, order_terms.list_id FROM {tables} WHERE {where}"  # noqa: S608 - `where` is written here, values are bound
        return [_read_fill(row) for row in self._all(query, values)]

    def _all(self, query: str, values: Sequence[object]) -> list[Row]:
        return self._connection.execute(query, tuple(values)).fetchall()


def _window(account: str, symbol: str | None, columns: tuple[str, str], page: Page) -> tuple[str, list[object], bool]:
    where, values = ("account = ?", [account]) if symbol is None else ("account = ? AND symbol = ?", [account, symbol])
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
    order_id, account, symbol, client_id, side, kind, time_in_force = tuple(row)[:7]
    price, quantity, budget, filled, filled_quote = (Decimal(value) for value in tuple(row)[7:12])
    stop_price, waiting, *rest = tuple(row)[ORDER_COLUMNS:]
    terms = USUAL
    if stop_price is not None:
        read = Terms(Decimal(stop_price), bool(waiting), *rest)
        terms = read._replace(
            prevented=Decimal(read.prevented), iceberg=Decimal(read.iceberg), shown=Decimal(read.shown)
        )
    status, created_ms, updated_ms = tuple(row)[12:ORDER_COLUMNS]
    words = (order_id, account, symbol, client_id, side, kind, time_in_force)
    amounts = (price, quantity, budget, filled, filled_quote)
    return OrderRecord(*words, *amounts, status, created_ms, updated_ms, terms)


def _flat(state: ListState) -> tuple[object, ...]:
    first, second = state.legs
    return (*state[:4], *first, *second, *state[5:])


def _read_list(row: Row) -> ListState:
    list_id, account, symbol, client_id, *legs, is_open, created_ms, updated_ms = tuple(row)
    first, second = Leg(*legs[:2]), Leg(*legs[2:])
    return ListState(list_id, account, symbol, client_id, (first, second), bool(is_open), created_ms, updated_ms)


def _read_fill(row: Row) -> Fill:
    trade_id, order_id, account, symbol, side = tuple(row)[:5]
    price, quantity, quote, commission = (Decimal(value) for value in tuple(row)[5:9])
    asset, time_ms, is_maker, list_id = tuple(row)[9:]
    amounts = (price, quantity, quote, commission)
    owner = (trade_id, order_id, account, symbol, side)
    return Fill(*owner, *amounts, asset, time_ms, bool(is_maker), NO_LIST if list_id is None else list_id)
