"""Why nothing but sqlite3 may open a ledger's file: the loss, once more, and that nobody does."""

import os
from contextlib import closing
from pathlib import Path

import pytest

from execution.ledger import queries
from execution.ledger.backups import back_up
from execution.runtime.clock import ManualClock
from execution.runtime.sqlite import open_writer
from tests.ledger.pairs import buy, opened
from tests.support import child, line_of

TRADING_BESIDE = """
import sys
from pathlib import Path
from execution.ledger import queries
from execution.ledger.backups import back_up
from execution.runtime.clock import ManualClock
from tests.ledger.pairs import buy, opened
folder, how = Path(sys.argv[1]), sys.argv[2]
ledger = opened(folder)
for trade in range(5):
    buy(ledger, trade)
if how == "open":
    ledger.path.open("rb").close()
    ledger.path.with_name("ledger.db-shm").open("rb").close()
elif how == "sqlite3":
    queries.account_report(ledger.path)
    back_up(ledger.path, ManualClock())
print("looked", flush=True)
sys.stdin.readline()
for trade in range(5, 10):
    buy(ledger, trade)
print(ledger.fills_count, flush=True)
sys.stdin.readline()
"""


def fills_after_a_kill(folder: Path, how: str) -> tuple[int, int]:
    """What a writer was told is durable, and what is there after its death; it looked at its own file in some way, and
    another process opened and closed the ledger meanwhile, as any command does."""
    with child(TRADING_BESIDE, str(folder), how) as writer:
        assert line_of(writer) == "looked" and writer.stdin is not None
        open_writer(folder / "ledger.db", "").close()
        writer.stdin.write("\n")
        writer.stdin.flush()
        acknowledged = int(line_of(writer))
        writer.kill()
        writer.wait()
    with closing(open_writer(folder / "ledger.db", "")) as connection:
        return acknowledged, len(connection.execute("SELECT 1 FROM fills").fetchall())


def test_a_plain_open_in_the_writer_loses_what_was_acknowledged(tmp_path: Path) -> None:
    acknowledged, kept = fills_after_a_kill(tmp_path, "open")
    assert (acknowledged, kept) == (10, 5), "the loss that this rule is for: SQLite has mended it, the rule may go"


@pytest.mark.parametrize("how", ["sqlite3", "nothing"])
def test_looks_and_copies_through_sqlite_lose_nothing(tmp_path: Path, how: str) -> None:
    assert fills_after_a_kill(tmp_path, how) == (10, 10)


def look(path: Path) -> None:
    os.close(os.open(path, os.O_RDONLY))


def test_who_opens_a_ledgers_file_from_our_code_is_caught(tmp_path: Path) -> None:
    path = tmp_path / "ledger.db"
    path.write_bytes(b"")
    look(path)  # a test may
    code = look.__code__
    look.__code__ = code.replace(co_filename="execution/ledger/wrong.py")
    try:
        for name in ("ledger.db", "ledger.db-wal", "ledger.db-shm"):
            with pytest.raises(RuntimeError, match="only sqlite3 opens"):
                look(tmp_path / name)
    finally:
        look.__code__ = code


def test_a_whole_life_opens_no_such_file(tmp_path: Path) -> None:
    ledger = opened(tmp_path)  # with the guard of tests/conftest.py, as every test
    buy(ledger, 1)
    back_up(ledger.path, ManualClock())
    queries.account_report(ledger.path)
    ledger.close()
    opened(tmp_path).close()
