"""The journal beside the store: everything is in both, and what differs is found, by command too."""

import asyncio
import os
import sqlite3
from pathlib import Path
from typing import Any

import orjson
import pytest
from typer.testing import CliRunner

from execution.console.cli import app
from execution.venue.journal import Journal
from execution.venue.journal_chain import START
from execution.venue.journal_check import check
from execution.vocabulary.exit_codes import ExitCode
from tests.venue.support import raw_client, running

BUY = {"symbol": "BTCUSDT", "side": "BUY", "type": "MARKET", "quantity": "0.001"}
LIMIT = {"symbol": "BTCUSDT", "side": "BUY", "type": "LIMIT", "timeInForce": "GTC", "quantity": "0.001"}
STOP = {"symbol": "BTCUSDT", "side": "BUY", "type": "STOP_LOSS", "quantity": "0.001"}


async def some_trading(folder: Path, disk_full: bool = False) -> None:
    """Orders of every fate: filled, resting, waiting, cancelled, replaced, refused."""
    async with running(folder, driven=False) as venue, raw_client(venue) as raw:
        write = os.write

        def refuse(descriptor: int, data: bytes) -> int:
            raise OSError(28, "No space left on device")

        if disk_full:
            os.write = refuse  # type: ignore[assignment]
        try:
            price = float((await raw.public("ticker/price", symbol="BTCUSDT")).body["price"])
            for values in (BUY, LIMIT | {"price": "30000"}, STOP | {"stopPrice": f"{price * 1.3:.2f}"}, BUY):
                assert (await raw.signed("POST", "order", **values)).status == 200
            resting = (await raw.signed("POST", "order", **LIMIT, price="31000")).body["orderId"]
            assert (await raw.signed("DELETE", "order", symbol="BTCUSDT", orderId=resting)).status == 200
            resting = (await raw.signed("POST", "order", **LIMIT, price="32000")).body["orderId"]
            fresh = LIMIT | {"price": "33000", "cancelReplaceMode": "STOP_ON_FAILURE", "cancelOrderId": resting}
            assert (await raw.signed("POST", "order/cancelReplace", **fresh)).status == 200
            assert (await raw.signed("POST", "order", **{**BUY, "quantity": "9000"})).status == 400
        finally:
            os.write = write


def changed(path: Path, old: bytes, new: bytes) -> None:
    text = path.read_bytes()
    assert old in text
    path.write_bytes(text.replace(old, new, 1))


def test_the_journal_tells_every_order_and_trade_as_the_store_has_it(tmp_path: Path) -> None:
    asyncio.run(some_trading(tmp_path))
    verdict = check(tmp_path / "journal.jsonl", tmp_path / "venue.db")
    assert verdict.problems == [] and verdict.chain.torn == []
    assert verdict.compared >= 9, "seven orders and their trades"


@pytest.mark.parametrize("event", ["order", "trade"])
def test_an_order_or_a_trade_without_a_line_is_found(tmp_path: Path, event: str) -> None:
    asyncio.run(some_trading(tmp_path))
    path = tmp_path / "journal.jsonl"
    lines = path.read_bytes().splitlines(keepends=True)
    last = max(n for n, line in enumerate(lines) if f'"event":"{event}"'.encode() in line)
    path.write_bytes(b"".join(lines[:last] + lines[last + 1 :]))
    verdict = check(path, tmp_path / "venue.db")
    assert len(verdict.chain.problems) == 1
    assert any("isn't in the journal" in problem or "in the store" in problem for problem in verdict.differences)


def test_what_a_full_disk_has_kept_out_is_said_and_written_down_at_the_next_start(tmp_path: Path) -> None:
    asyncio.run(some_trading(tmp_path))
    asyncio.run(some_trading(tmp_path, disk_full=True))
    path = tmp_path / "journal.jsonl"
    verdict = check(path, tmp_path / "venue.db")
    assert verdict.chain.problems == [] and verdict.chain.lost > 10
    assert any("isn't in the journal" in problem for problem in verdict.differences)
    asyncio.run(some_trading(tmp_path))
    verdict = check(path, tmp_path / "venue.db")
    assert verdict.problems == []
    rows = [orjson.loads(line) for line in path.read_bytes().splitlines()]
    assert {row["event"] for row in rows if "recovered" in row} == {"order", "trade"}


def test_a_clean_start_writes_nothing_down_twice(tmp_path: Path) -> None:
    asyncio.run(some_trading(tmp_path))
    asyncio.run(some_trading(tmp_path))
    assert b"recovered" not in (tmp_path / "journal.jsonl").read_bytes()


def verify(*words: Any) -> Any:
    return CliRunner().invoke(app, ["venue", "journal", "verify", *map(str, words)])


def test_the_command_says_whether_a_journal_is_whole(tmp_path: Path) -> None:
    asyncio.run(some_trading(tmp_path))
    path = tmp_path / "journal.jsonl"
    told = verify(tmp_path)
    assert told.exit_code == 0 and "it is whole" in told.output
    changed(path, b'"price":"30000.00000000"', b'"price":"30001.00000000"')
    told = verify(path, "--json")
    assert told.exit_code == ExitCode.FAILED
    (problem,) = orjson.loads(told.output)["problems"]
    assert "doesn't follow the line before it" in problem and f"{path}:" in problem


def test_a_journal_of_which_nothing_is_left_is_not_whole(tmp_path: Path) -> None:
    asyncio.run(some_trading(tmp_path))
    path = tmp_path / "journal.jsonl"
    for nothing in (b"", b"a,b\n1,2\n"):
        path.write_bytes(nothing)
        told = verify(tmp_path)
        assert told.exit_code == ExitCode.FAILED, nothing
        assert "the journal has no whole line, the store" in told.output


@pytest.mark.parametrize("left", [None, b"", b"nothing of it\n"])
def test_a_journal_that_was_removed_whole_is_missed_for_good_though_a_start_begins_another(
    tmp_path: Path, left: bytes | None
) -> None:
    asyncio.run(some_trading(tmp_path))
    path = tmp_path / "journal.jsonl"
    path.unlink()
    if left is not None:
        path.write_bytes(left)
    for _ in range(2):
        asyncio.run(some_trading(tmp_path))
        told = verify(tmp_path)
        assert told.exit_code == ExitCode.FAILED
        assert f"{path}: the journal was removed once, and another begun in its place" in told.output


def test_a_journal_whose_beginning_has_gone_with_its_oldest_file_is_whole(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Journal.__init__, "__defaults__", (1_000,))
    for _ in range(2):
        asyncio.run(some_trading(tmp_path))
    path = tmp_path / "journal.jsonl"
    assert path.with_name("journal.jsonl.3").exists() and START not in path.with_name("journal.jsonl.3").read_text()
    assert not [problem for problem in check(path, tmp_path / "venue.db").problems if "removed once" in problem]
    for file in tmp_path.glob("journal.jsonl*"):
        file.unlink()
    for _ in range(2):
        asyncio.run(some_trading(tmp_path))
        problems = check(path, tmp_path / "venue.db").problems
        assert [problem for problem in problems if "removed once" in problem], "also when the new beginning has gone"


def test_an_older_store_learns_what_its_journal_begins_with_at_the_next_start(tmp_path: Path) -> None:
    asyncio.run(some_trading(tmp_path))
    path, store = tmp_path / "journal.jsonl", tmp_path / "venue.db"
    connection = sqlite3.connect(store)
    with connection:
        connection.execute("DELETE FROM market WHERE name = 'journal_begins'")
    connection.close()
    assert check(path, store).problems == []
    asyncio.run(some_trading(tmp_path))
    assert check(path, store).problems == []
    path.unlink()
    asyncio.run(some_trading(tmp_path))
    assert len(check(path, store).problems) == 1


def test_a_file_that_is_no_journal_is_said_to_be_none(tmp_path: Path) -> None:
    path = tmp_path / "candles.csv"
    path.write_text("timestamp,open\n1,2\n")
    told = verify(path)
    assert told.exit_code != 0 and "no line of it is a journal's" in str(told.exception or told.output)


def test_the_command_names_the_place_where_no_journal_is(tmp_path: Path) -> None:
    told = verify(tmp_path)
    assert told.exit_code != 0 and str(tmp_path / "journal.jsonl") in str(told.exception or told.output)
