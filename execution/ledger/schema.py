"""The tables of one account's ledger, and how an older file becomes one of ours. Money is TEXT, exact; fills and cash
flows are append-only and hash-chained, orders have a hash each, and a seal has what all of it comes to (seal.py).

A format only adds: what reads an older format reads a newer one. Nothing here is taken away or renamed.
"""

import logging
from pathlib import Path

import msgspec

from execution.ledger import rows
from execution.ledger.rows import LedgerDamaged
from execution.ledger.seal import SEAL, Digest, Seal, facts_digest, row_hash
from execution.runtime.sqlite import Connection, DatabaseError, copy_database, transaction

LOG = logging.getLogger("nae.ledger")
FORMAT = 2  # 1: orders and facts had no hash; a file of that time says 0

SCHEMA = """
CREATE TABLE IF NOT EXISTS facts (
    name TEXT PRIMARY KEY,
    value TEXT NOT NULL
) WITHOUT ROWID;

CREATE TABLE IF NOT EXISTS orders (
    number INTEGER PRIMARY KEY,
    client_order_id TEXT NOT NULL UNIQUE,
    epoch INTEGER NOT NULL,
    symbol TEXT NOT NULL,
    side TEXT NOT NULL,
    type TEXT NOT NULL,
    quantity TEXT NOT NULL,
    filled TEXT NOT NULL,
    reference_price TEXT NOT NULL,
    limit_price TEXT,
    purpose TEXT NOT NULL,
    strategy TEXT NOT NULL,
    reason TEXT NOT NULL,
    signal_bar_ms INTEGER NOT NULL,
    correlation_id TEXT NOT NULL,
    state TEXT NOT NULL,
    venue_order_id TEXT,
    created_ms INTEGER NOT NULL,
    sent_ms INTEGER NOT NULL,
    updated_ms INTEGER NOT NULL,
    note TEXT NOT NULL,
    hash TEXT
);
CREATE INDEX IF NOT EXISTS orders_by_state ON orders (state);
CREATE INDEX IF NOT EXISTS orders_by_venue_id ON orders (symbol, venue_order_id);

CREATE TABLE IF NOT EXISTS fills (
    number INTEGER PRIMARY KEY,
    symbol TEXT NOT NULL,
    trade_id TEXT NOT NULL,
    venue_order_id TEXT NOT NULL,
    client_order_id TEXT,
    side TEXT NOT NULL,
    price TEXT NOT NULL,
    quantity TEXT NOT NULL,
    fee TEXT NOT NULL,
    fee_currency TEXT NOT NULL,
    executed_ms INTEGER NOT NULL,
    hash TEXT NOT NULL,
    UNIQUE (symbol, trade_id)
);

CREATE TABLE IF NOT EXISTS cash_flows (
    number INTEGER PRIMARY KEY,
    currency TEXT NOT NULL,
    delta TEXT NOT NULL,
    kind TEXT NOT NULL,
    note TEXT NOT NULL,
    at_ms INTEGER NOT NULL,
    hash TEXT NOT NULL
);
"""


class LedgerFromLater(Exception):
    """A newer build has written this ledger, in a way that this one doesn't know."""


def format_of(connection: Connection) -> int:
    """The format that the file says it has; 0 when it is empty or of the first one."""
    return int(connection.execute("PRAGMA user_version").fetchone()[0])


def bring_up_to_date(connection: Connection, path: Path) -> None:
    """Make the tables, or make an older file one of our format, in one transaction: a kill leaves the old or the new.
    A copy of the older file stays among the backups, for an older build.

    Raises LedgerFromLater, and LedgerDamaged when the file contradicts its format.
    """
    found = format_of(connection)
    if found > FORMAT:
        raise LedgerFromLater(f"it has format {found}, and this build knows {FORMAT}")
    if found == FORMAT:
        return
    if connection.execute("SELECT 1 FROM sqlite_master WHERE name = 'orders'").fetchone():
        _keep(path)
    with transaction(connection):
        for statement in SCHEMA.split(";"):
            connection.execute(statement)
        if connection.execute("SELECT 1 FROM facts WHERE name = ?", (SEAL,)).fetchone():
            raise LedgerDamaged(f"it says that it has format {found}, but it is sealed, as only newer ones are")
        if "hash" not in {row["name"] for row in connection.execute("PRAGMA table_info(orders)").fetchall()}:
            connection.execute("ALTER TABLE orders ADD COLUMN hash TEXT")
        seal = msgspec.json.encode(_sealed(connection)).decode()
        connection.execute("INSERT INTO facts (name, value) VALUES (?, ?)", (SEAL, seal))
        connection.execute(f"PRAGMA user_version={FORMAT}")


def _keep(path: Path) -> None:
    try:
        copy_database(path, path.parent / "backups" / f"before-format-{FORMAT}.db")
    except FileExistsError:  # a kill came between
        return
    except (DatabaseError, OSError) as error:  # whoever looks after an account can't wait for room on the disk
        LOG.warning("no copy of %s as the older build left it: %s", path, error)


def _sealed(connection: Connection) -> Seal:
    """Give each order its hash; what the rows come to, as they are."""
    orders, digest = connection.execute(f"SELECT number, {rows.ORDER_COLUMNS} FROM orders").fetchall(), Digest()  # noqa: S608
    hashes = [(row_hash(tuple(row)[1:]), row["number"]) for row in orders]
    for hashed, _ in hashes:
        digest.turn(hashed)
    connection.executemany("UPDATE orders SET hash = ? WHERE number = ?", hashes)
    facts: dict[str, str] = dict(map(tuple, connection.execute("SELECT name, value FROM facts").fetchall()))
    return Seal(
        orders=len(hashes),
        orders_digest=digest.value,
        fill_chain=_last_hash(connection, "fills"),
        cash_chain=_last_hash(connection, "cash_flows"),
        facts_digest=facts_digest(facts).value,
    )


def _last_hash(connection: Connection, table: str) -> str:
    last = connection.execute(f"SELECT hash FROM {table} ORDER BY number DESC LIMIT 1").fetchone()  # noqa: S608
    return rows.CHAIN_START if last is None else str(last["hash"])
