"""data/<account>/knowledge.db: what an account's own trades and orders have taught, by kind and name.

Its one writer is whoever writes the account's ledger, from which all of it can be learned again: a file that is lost or
damaged is begun anew. It says nothing of what the lessons mean; other processes read it by `read_knowledge`.
"""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import msgspec

from execution.runtime.sqlite import Connection, DatabaseError, open_writer, read_all, transaction

NAME = "knowledge.db"
BUSY_TIMEOUT_MS = 50  # a trader doesn't wait for whoever looks into its knowledge
SCHEMA = """
CREATE TABLE IF NOT EXISTS knowledge (
    kind TEXT NOT NULL,
    name TEXT NOT NULL,
    value TEXT NOT NULL,
    PRIMARY KEY (kind, name)
) WITHOUT ROWID;
"""
ALL = "SELECT kind, name, value FROM knowledge"

Lessons = dict[str, dict[str, Any]]  # kind -> name -> plain values


class KnowledgeFile:
    """Opened at the first use, and again after an error. All methods raise sqlite's DatabaseError and OSError."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._connection: Connection | None = None

    def read(self) -> Lessons:
        """Everything."""
        return _lessons(self._open().execute(ALL).fetchall())

    def write(self, changed: Mapping[tuple[str, str], Any]) -> None:
        """Keep these, by kind and name, in one commit; None forgets one. Durable when it returns."""
        connection = self._open()
        try:
            with transaction(connection, "knowledge"):
                for (kind, name), value in changed.items():
                    connection.execute("DELETE FROM knowledge WHERE kind = ? AND name = ?", (kind, name))
                    if value is not None:
                        row = (kind, name, msgspec.json.encode(value).decode())
                        connection.execute("INSERT INTO knowledge (kind, name, value) VALUES (?, ?, ?)", row)
        except DatabaseError:
            self.close()  # the next use opens what is there then
            raise

    def begin_anew(self) -> None:
        """Put what can't be read aside."""
        self.close()
        for suffix in ("", "-wal", "-shm"):
            found = self.path.with_name(self.path.name + suffix)
            if found.exists():
                found.replace(found.with_name(f"{found.name}.unreadable"))

    def close(self) -> None:
        """Let go of the file."""
        if self._connection is not None:
            self._connection.close()
            self._connection = None

    def _open(self) -> Connection:
        if self._connection is None:
            self._connection = open_writer(self.path, SCHEMA)
            self._connection.execute("PRAGMA synchronous=NORMAL")  # what a power cut takes is learned again
            self._connection.execute(f"PRAGMA busy_timeout={BUSY_TIMEOUT_MS}")
        return self._connection


def read_knowledge(ledger: Path) -> Lessons:
    """What the account of this ledger has learned, looked at by another process. FileNotFoundError, DatabaseError."""
    return _lessons(read_all(ledger.with_name(NAME), ALL))


def _lessons(rows: Any) -> Lessons:
    found: Lessons = {}
    for row in rows:
        found.setdefault(row["kind"], {})[row["name"]] = msgspec.json.decode(row["value"])
    return found
