"""The one door to SQLite. Nothing else may open a database file, its -wal or its -shm: a plain open() and close()
in the writer's process drops SQLite's POSIX locks, and acknowledged commits have been lost that way."""

import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from execution.runtime.platform import sqlite_pragmas

Row = sqlite3.Row
Connection = sqlite3.Connection
DatabaseError = sqlite3.Error
IntegrityError = sqlite3.IntegrityError

BUSY_TIMEOUT_MS = 2_000


def open_writer(path: Path, schema: str) -> Connection:
    """Open (or create) a database to write: WAL, synchronous=FULL, so that a commit survives power loss.

    Transactions are explicit: use `transaction(connection)`. Raises sqlite3.Error when the file is not a database.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    connection = sqlite3.connect(path, isolation_level=None, check_same_thread=False)
    connection.row_factory = sqlite3.Row
    connection.execute(f"PRAGMA busy_timeout={BUSY_TIMEOUT_MS}")
    connection.execute("PRAGMA journal_mode=WAL")
    connection.execute("PRAGMA synchronous=FULL")
    connection.execute("PRAGMA foreign_keys=ON")
    for pragma in sqlite_pragmas():
        connection.execute(pragma)
    connection.executescript(schema)
    path.chmod(0o600)
    return connection


def read_all(path: Path, query: str, parameters: tuple[Any, ...] = ()) -> list[Row]:
    """One whole read by a process that isn't the writer: open read-only, fetch everything, close.

    An unfinished cursor would hold the write-ahead log and let it grow. Raises sqlite3.Error, and FileNotFoundError
    also for a file whose tables are still being made.
    """
    if not path.exists():
        raise FileNotFoundError(path)
    connection = sqlite3.connect(f"{path.absolute().as_uri()}?mode=ro", uri=True)
    try:
        connection.row_factory = sqlite3.Row
        connection.execute(f"PRAGMA busy_timeout={BUSY_TIMEOUT_MS}")
        return connection.execute(query, parameters).fetchall()
    except sqlite3.OperationalError as error:
        if "no such table" in str(error) and not connection.execute("SELECT 1 FROM sqlite_master").fetchall():
            raise FileNotFoundError(path) from error
        raise
    finally:
        connection.close()


@contextmanager
def transaction(connection: Connection) -> Iterator[Connection]:
    """All or nothing, durable when the block has ended. Nested use raises sqlite3.OperationalError."""
    connection.execute("BEGIN IMMEDIATE")
    try:
        yield connection
        connection.execute("COMMIT")
    except BaseException:
        if connection.in_transaction:  # a full disk has rolled it back already; a refused COMMIT has not
            connection.execute("ROLLBACK")
        raise
