"""A ledger of an older build becomes one of ours, whole or not at all; one of a newer build is left alone."""

import subprocess
from contextlib import closing, suppress
from decimal import Decimal
from pathlib import Path

import pytest

from execution.ledger import queries
from execution.ledger.backups import why_not_sound
from execution.ledger.following import LedgerFollower
from execution.ledger.rebuild import rebuild
from execution.ledger.schema import FORMAT
from execution.runtime.clock import ManualClock
from execution.runtime.sqlite import open_writer, read_all
from execution.vocabulary.exit_codes import ConfigError
from execution.vocabulary.order_states import OrderEvent
from tests.ledger.builders import BTC, request
from tests.ledger.pairs import buy, copy_of, opened, sell_most
from tests.support import child, line_of, rounds


def by_sql(path: Path, *statements: str) -> None:
    with closing(open_writer(path, "")) as connection:
        for statement in statements:
            connection.execute(statement)


def of_the_first_format(folder: Path, count: int = 30) -> Path:
    """A ledger as a build without hashes of orders and facts has left it."""
    ledger = opened(folder)
    ledger.open_books({"USDT": Decimal(10**6)}, {}, 1)
    for trade in range(10, 10 + count):
        (sell_most if trade % 2 else buy)(ledger, trade)
    ledger.set_lot_steps({BTC: Decimal("0.001")})
    ledger.mark(ledger.record_intent(request()), OrderEvent.SENT)
    ledger.close()
    by_sql(
        ledger.path,
        "ALTER TABLE orders DROP COLUMN hash",
        "DELETE FROM facts WHERE name = 'seal'",
        "PRAGMA user_version=0",
    )
    mark = ledger.path.with_suffix(".high_water")
    mark.write_text("".join(mark.read_text().splitlines(keepends=True)[:3]))
    return ledger.path


def test_a_ledger_of_an_older_build_is_taken_over_as_it_stands_and_guarded_from_then_on(tmp_path: Path) -> None:
    path = of_the_first_format(tmp_path)
    before = queries.account_report(path)
    ledger = opened(tmp_path)
    assert (ledger.epoch, ledger.fills_count, len(ledger.orders(limit=-1))) == (2, 30, 31)
    assert (ledger.balances(), ledger.positions()) == (before.balances, before.positions)
    ledger.close()
    opened(tmp_path).close()
    by_sql(path, "UPDATE orders SET state = 'rejected' WHERE number = 7")
    with pytest.raises(ConfigError, match=r"order 7 .* doesn't match its hash"):
        opened(tmp_path)


def test_the_older_file_is_kept_for_an_older_build(tmp_path: Path) -> None:
    path = of_the_first_format(tmp_path)
    opened(tmp_path).close()
    kept = tmp_path / "backups" / f"before-format-{FORMAT}.db"
    assert why_not_sound(kept, "live") == "" and int(read_all(kept, "PRAGMA user_version")[0][0]) == 0
    rebuild(path, "live", ManualClock(), base=kept)
    with closing(opened(tmp_path)) as ledger:
        assert (ledger.fills_count, len(ledger.orders(limit=-1))) == (30, 31)


def test_who_followed_a_ledger_of_an_older_build_takes_it_over_as_well(tmp_path: Path) -> None:
    follower = LedgerFollower(of_the_first_format(tmp_path))
    assert follower.catch_up() and len(follower.unsettled) == 1
    with closing(opened(tmp_path, follower)) as ledger:
        assert (ledger.fills_count, len(ledger.unsettled())) == (30, 1)


def test_what_an_older_build_reads_is_still_where_it_reads_it(tmp_path: Path) -> None:
    path = of_the_first_format(tmp_path)
    old = {
        table: {row["name"] for row in read_all(path, f"PRAGMA table_info({table})")}
        for table in ("facts", "orders", "fills", "cash_flows")
    }
    opened(tmp_path).close()
    for table, columns in old.items():
        assert columns <= {row["name"] for row in read_all(path, f"PRAGMA table_info({table})")}


MIGRATING = """
import sys
from pathlib import Path
from tests.ledger.pairs import opened
print("ready", flush=True)
sys.stdin.readline()
opened(Path(sys.argv[1]))
"""


def test_a_kill_in_the_middle_of_taking_it_over_leaves_the_old_format_or_the_new(tmp_path: Path) -> None:
    path = of_the_first_format(tmp_path / "first", 300)
    seen = set()
    for number in range(rounds(6)):
        copy = copy_of(path, tmp_path / f"copy {number}") / path.name
        with child(MIGRATING, str(copy.parent)) as process:
            assert line_of(process) == "ready"
            assert process.stdin is not None
            process.stdin.write("\n")
            process.stdin.flush()
            with suppress(subprocess.TimeoutExpired):
                process.wait(timeout=0.004 * (number + 1))
            process.kill()
            process.wait()
        seen.add(int(read_all(copy, "PRAGMA user_version")[0][0]))
        with closing(opened(copy.parent)) as ledger:
            assert (ledger.fills_count, len(ledger.orders(limit=-1))) == (300, 301)
    assert seen <= {0, FORMAT}, "half a migration was seen"


DYING = """
import os, sys
from pathlib import Path
from execution.runtime import steps
from tests.ledger.pairs import opened
steps.listen(lambda step: os._exit(9) if step == sys.argv[2] else None)
opened(Path(sys.argv[1]))
"""


@pytest.mark.parametrize(("step", "left"), [("commit written", 0), ("commit durable", FORMAT)])
def test_until_its_commit_is_durable_nothing_of_the_new_format_is_there(tmp_path: Path, step: str, left: int) -> None:
    path = of_the_first_format(tmp_path)
    with child(DYING, str(tmp_path), step) as process:
        assert process.wait(timeout=30) == 9
    columns = {row["name"] for row in read_all(path, "PRAGMA table_info(orders)")}
    assert (int(read_all(path, "PRAGMA user_version")[0][0]), "hash" in columns) == (left, bool(left))
    with closing(opened(tmp_path)) as ledger:
        assert (ledger.fills_count, len(ledger.orders(limit=-1))) == (30, 31)


def test_a_ledger_of_a_newer_build_is_left_alone_and_the_next_step_is_said(tmp_path: Path) -> None:
    opened(tmp_path).close()
    path = tmp_path / "ledger.db"
    by_sql(path, f"PRAGMA user_version={FORMAT + 1}", "ALTER TABLE orders ADD COLUMN later TEXT")
    before = read_all(path, "SELECT name, value FROM facts ORDER BY name")
    with pytest.raises(ConfigError, match=f"format {FORMAT + 1}, and this build knows {FORMAT}.*nae upgrade"):
        opened(tmp_path)
    assert read_all(path, "SELECT name, value FROM facts ORDER BY name") == before
    assert queries.account_report(path).fills == 0  # who only reads, reads on
    follower = LedgerFollower(path)
    assert follower.catch_up()
    with pytest.raises(ConfigError, match="nae upgrade"):
        opened(tmp_path, follower)


def test_a_file_that_forgot_its_format_is_not_taken_for_an_old_one(tmp_path: Path) -> None:
    opened(tmp_path).close()
    by_sql(tmp_path / "ledger.db", "PRAGMA user_version=0")
    with pytest.raises(ConfigError, match="it is sealed"):
        opened(tmp_path)
