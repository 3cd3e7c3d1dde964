"""The one door to SQLite: all or nothing, durable through kill -9, and a reader that can't write."""

from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from execution.runtime.sqlite import (
    Connection,
    DatabaseError,
    IntegrityError,
    one_look,
    open_reader,
    open_writer,
    read_all,
    transaction,
)
from tests.support import child, line_of

SCHEMA = """
CREATE TABLE IF NOT EXISTS parents(id INTEGER PRIMARY KEY) STRICT;
CREATE TABLE IF NOT EXISTS rows(
    id INTEGER PRIMARY KEY, parent INTEGER REFERENCES parents(id) DEFERRABLE INITIALLY DEFERRED
) STRICT;
"""


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "deep" / "some.db"


@pytest.fixture
def writer(path: Path) -> Iterator[Connection]:
    connection = open_writer(path, SCHEMA)
    yield connection
    connection.close()


def count(path: Path) -> int:
    return int(read_all(path, "SELECT count(*) FROM rows")[0][0])


def test_a_transaction_is_there_whole_for_every_reader(path: Path, writer: Connection) -> None:
    with transaction(writer):
        writer.execute("INSERT INTO rows(id) VALUES (1)")
        writer.execute("INSERT INTO rows(id) VALUES (2)")
        assert count(path) == 0, "a reader saw half a transaction"
    assert count(path) == 2


@pytest.mark.parametrize("error", [KeyError, KeyboardInterrupt, SystemExit])
def test_whatever_interrupts_a_transaction_nothing_of_it_stays(
    path: Path, writer: Connection, error: type[BaseException]
) -> None:
    with pytest.raises(error), transaction(writer):
        writer.execute("INSERT INTO rows(id) VALUES (1)")
        raise error
    with transaction(writer):
        writer.execute("INSERT INTO rows(id) VALUES (2)")
    assert [row[0] for row in read_all(path, "SELECT id FROM rows")] == [2]


def test_a_commit_that_is_refused_leaves_nothing_and_the_next_one_works(path: Path, writer: Connection) -> None:
    with pytest.raises(IntegrityError), transaction(writer):
        writer.execute("INSERT INTO rows(id, parent) VALUES (1, 99)")
    with transaction(writer):
        writer.execute("INSERT INTO rows(id) VALUES (2)")
    assert count(path) == 1


def test_a_transaction_that_sqlite_has_ended_itself_raises_its_own_error(path: Path, writer: Connection) -> None:
    with pytest.raises(DatabaseError, match="gone"), transaction(writer):
        writer.execute("ROLLBACK")  # what a full disk does on its own
        raise DatabaseError("gone")
    assert not writer.in_transaction


def test_a_nested_transaction_is_refused_and_the_outer_one_is_undone(path: Path, writer: Connection) -> None:
    with pytest.raises(DatabaseError, match="within a transaction"), transaction(writer):
        writer.execute("INSERT INTO rows(id) VALUES (1)")
        with transaction(writer):
            pass  # never reached
    assert count(path) == 0


def test_a_reader_cannot_write(path: Path, writer: Connection) -> None:
    for statement in ("INSERT INTO rows(id) VALUES (1)", "DROP TABLE rows", "CREATE TABLE more(x)"):
        with pytest.raises(DatabaseError, match="readonly"):
            read_all(path, statement)
    assert count(path) == 0


def test_a_reader_makes_no_database_where_there_is_none(path: Path) -> None:
    with pytest.raises(FileNotFoundError):
        read_all(path, "SELECT 1")
    assert not path.parent.exists()


def test_a_reader_takes_parameters_and_names_columns(path: Path, writer: Connection) -> None:
    with transaction(writer):
        writer.execute("INSERT INTO rows(id) VALUES (7)")
    (row,) = read_all(path, "SELECT id AS number FROM rows WHERE id = ?", (7,))
    assert row["number"] == 7


def test_a_path_with_marks_of_a_uri_is_still_a_path(tmp_path: Path) -> None:
    path = tmp_path / "50% of? it#.db"
    connection = open_writer(path, SCHEMA)
    assert count(path) == 0
    connection.close()


def test_a_file_that_is_no_database_is_refused_and_left_alone(path: Path) -> None:
    path.parent.mkdir()
    path.write_text("not a database, but long enough to look like one " * 20)
    before = path.read_bytes()
    with pytest.raises(DatabaseError):
        open_writer(path, SCHEMA)
    assert path.read_bytes() == before


def test_a_writer_is_durable_and_private(path: Path, writer: Connection) -> None:
    settings = {name: writer.execute(f"PRAGMA {name}").fetchone()[0] for name in ("journal_mode", "synchronous")}
    assert settings == {"journal_mode": "wal", "synchronous": 2}
    assert writer.execute("PRAGMA foreign_keys").fetchone()[0] == 1
    assert path.stat().st_mode & 0o077 == 0


WRITE_FOR_EVER = """
import sys
from pathlib import Path
from execution.runtime.sqlite import open_writer, transaction
connection = open_writer(Path(sys.argv[1]), sys.argv[2])
for number in range(1, 1_000_000):
    with transaction(connection):
        connection.execute("INSERT INTO rows(id) VALUES (?)", (2 * number,))
        connection.execute("INSERT INTO rows(id) VALUES (?)", (2 * number + 1,))
    print(number, flush=True)
"""


def test_kill_9_loses_no_acknowledged_commit_and_leaves_no_half_one(path: Path) -> None:
    with child(WRITE_FOR_EVER, str(path), SCHEMA) as writer:
        for _ in range(20):
            acknowledged = int(line_of(writer))
        writer.kill()
        writer.wait()
    rows = count(path)
    assert rows % 2 == 0
    assert rows >= 2 * acknowledged


def test_a_file_whose_tables_are_still_being_made_is_read_as_not_there_yet(tmp_path: Path) -> None:
    path = tmp_path / "new.db"
    open_writer(path, "").close()
    with pytest.raises(FileNotFoundError):
        read_all(path, "SELECT * FROM orders")


def test_a_table_that_is_missing_among_others_is_an_error(tmp_path: Path) -> None:
    path = tmp_path / "old.db"
    open_writer(path, "CREATE TABLE fills (id INTEGER)").close()
    with pytest.raises(DatabaseError, match="no such table"):
        read_all(path, "SELECT * FROM orders")


def test_the_tables_are_made_at_once_or_not_at_all(path: Path) -> None:
    with pytest.raises(DatabaseError):
        open_writer(path, "CREATE TABLE first(id); CREATE TABLE first(id);")
    with pytest.raises(FileNotFoundError):
        read_all(path, "SELECT * FROM first")


def test_a_table_that_came_while_we_looked_was_still_being_made(path: Path, writer: Connection) -> None:
    with closing(open_reader(path)) as reader, pytest.raises(FileNotFoundError), one_look(reader):
        try:
            reader.execute("SELECT * FROM late")
        except DatabaseError:
            writer.execute("CREATE TABLE late(id)")
            raise
