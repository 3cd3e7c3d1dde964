"""The one door to SQLite. Nothing else may open a database file, its -wal or its -shm: a plain open() and close()
in the writer's process drops SQLite's POSIX locks, and acknowledged commits have been lost that way."""

import errno
import sqlite3
from collections.abc import Iterator
from contextlib import ExitStack, closing, contextmanager
from pathlib import Path
from typing import Any

from execution.runtime.files import sync_folder
from execution.runtime.platform import sqlite_pragmas
from execution.runtime.steps import DURABLE, WRITTEN, reached

Row = sqlite3.Row
Connection = sqlite3.Connection
DatabaseError = sqlite3.Error
IntegrityError = sqlite3.IntegrityError

BUSY_TIMEOUT_MS = 2_000
_PASSING = {
    sqlite3.SQLITE_BUSY,
    sqlite3.SQLITE_LOCKED,
    sqlite3.SQLITE_IOERR,
    sqlite3.SQLITE_FULL,
    sqlite3.SQLITE_CANTOPEN,
    sqlite3.SQLITE_READONLY,
}


def may_pass(error: Exception) -> bool:
    """May the same work later, the file being sound: locked by somebody, no room, no rights?"""
    code = getattr(error, "sqlite_errorcode", None)
    return isinstance(error, OSError) or (code is not None and code & 0xFF in _PASSING)


def open_writer(path: Path, schema: str) -> Connection:
    """Open (or create) a database to write: WAL, synchronous=FULL, so that a commit survives power loss.

    Transactions are explicit: use `transaction(connection)`. Raises sqlite3.Error when the file is not a database.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    connection = sqlite3.connect(path, isolation_level=None, check_same_thread=False)
    connection.row_factory = sqlite3.Row
    with ExitStack() as undo:
        undo.callback(connection.close)  # one that is left open would keep what it holds
        connection.execute(f"PRAGMA busy_timeout={BUSY_TIMEOUT_MS}")
        connection.execute("PRAGMA journal_mode=WAL")
        connection.execute("PRAGMA synchronous=FULL")
        connection.execute("PRAGMA foreign_keys=ON")
        for pragma in sqlite_pragmas():
            connection.execute(pragma)
        connection.executescript(f"BEGIN;{schema};COMMIT;")  # at once: nobody sees half of the tables
        path.chmod(0o600)
        undo.pop_all()
    return connection


def open_reader(path: Path) -> Connection:
    """Open a database that another process may be writing, to look at it with `one_look`. Raises FileNotFoundError."""
    if not path.exists():
        raise FileNotFoundError(path)
    uri = f"{path.absolute().as_uri()}?mode=ro"
    connection = sqlite3.connect(uri, uri=True, isolation_level=None, check_same_thread=False)
    connection.row_factory = sqlite3.Row
    connection.execute(f"PRAGMA busy_timeout={BUSY_TIMEOUT_MS}")
    return connection


@contextmanager
def one_look(connection: Connection) -> Iterator[Connection]:
    """What is read in the block is of one moment, and nothing is held after it: fetch everything, work on it later.

    An unfinished look would hold the write-ahead log and let it grow. Raises sqlite3.Error, and FileNotFoundError for
    a database whose tables are still being made.
    """
    connection.execute("BEGIN")
    try:
        yield connection
    except sqlite3.OperationalError as error:
        if "no such table" in str(error) and _being_made(connection, str(error).rpartition(": ")[2]):
            raise FileNotFoundError(f"its tables are still being made: {error}") from error
        raise
    finally:
        if connection.in_transaction:
            connection.execute("ROLLBACK")


def _being_made(connection: Connection, missing: str) -> bool:
    """Has it no tables yet, or has it got the missing one since?"""
    names = {row["name"] for row in connection.execute("SELECT name FROM sqlite_master").fetchall()}
    return not names or missing in names


def read_all(path: Path, query: str, parameters: tuple[Any, ...] = ()) -> list[Row]:
    """One look by a process that isn't the writer: open read-only, fetch everything, close. Raises as these do."""
    with closing(open_reader(path)) as connection, one_look(connection):
        return connection.execute(query, parameters).fetchall()


@contextmanager
def transaction(connection: Connection, commit: str = "commit") -> Iterator[Connection]:
    """All or nothing, durable when the block has ended. Nested use raises sqlite3.OperationalError. `commit`: its name
    among the durable steps."""
    connection.execute("BEGIN IMMEDIATE")
    try:
        yield connection
        reached(f"{commit} {WRITTEN}")
        connection.execute("COMMIT")
    except BaseException:
        if connection.in_transaction:  # a full disk has rolled it back already; a refused COMMIT has not
            connection.execute("ROLLBACK")
        raise
    reached(f"{commit} {DURABLE}")


def copy_database(source: Path, target: Path, wal: bool = False) -> None:
    """A copy of one moment, made while others write: SQLite's own backup, durable before it has its name. It is one
    file; with `wal` in the mode that a writer works in, so that nothing has to be changed when it is opened.

    Raises FileNotFoundError, FileExistsError (`target` is there), sqlite3.Error, OSError.
    """
    if target.exists():
        raise FileExistsError(errno.EEXIST, "there is a file of this name already", str(target))
    target.parent.mkdir(parents=True, exist_ok=True)
    being_made = target.with_name(f".{target.name}.part")
    being_made.unlink(missing_ok=True)
    try:
        with closing(open_reader(source)) as reader, closing(sqlite3.connect(being_made)) as writer:
            reader.backup(writer)
            writer.execute(f"PRAGMA journal_mode={'WAL' if wal else 'DELETE'}")
        being_made.chmod(0o600)
        being_made.rename(target)
    finally:
        being_made.unlink(missing_ok=True)
    sync_folder(target.parent)
