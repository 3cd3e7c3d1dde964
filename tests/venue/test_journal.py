"""The venue's journal: every order-changing request is a line, and no line ever costs a request."""

import asyncio
import time
from pathlib import Path
from typing import Any

import aiohttp
import orjson
import pytest

from execution.runtime.clock import ManualClock, SystemClock
from execution.venue.journal import Journal
from execution.venue.journal_chain import KEEP, numbered
from tests.venue.support import ccxt_client, running, signed

BUDGET_US = 20.0


def lines(path: Path) -> list[dict[str, Any]]:
    return [orjson.loads(line) for line in path.read_bytes().splitlines() if line]


async def send(url: str, method: str, path: str, **values: object) -> int:
    query = signed(values, SystemClock().now_ms())
    headers = {"X-MBX-APIKEY": "sandbox-key"}
    async with (
        aiohttp.ClientSession() as session,
        session.request(method, f"{url}/api/v3/{path}?{query}", headers=headers) as reply,
    ):
        return reply.status


ORDER = {"symbol": "BTCUSDT", "side": "BUY", "type": "MARKET", "quantity": "0.001"}
RESTING = {**ORDER, "type": "LIMIT", "timeInForce": "GTC", "price": "30000"}


def test_orders_tests_and_cancels_are_lines_with_their_fate_and_looking_is_not(tmp_path: Path) -> None:
    async def run() -> None:
        async with running(tmp_path) as venue:
            assert await send(venue.url, "POST", "order", **ORDER, newClientOrderId="1-1-a") == 200
            assert await send(venue.url, "POST", "order/test", **ORDER, newClientOrderId="1-probe-1") == 200
            assert await send(venue.url, "POST", "order", **{**ORDER, "quantity": "9"}, newClientOrderId="1-2-a") == 400
            assert await send(venue.url, "GET", "order", symbol="BTCUSDT", origClientOrderId="1-1-a") == 200
            assert await send(venue.url, "DELETE", "order", symbol="BTCUSDT", origClientOrderId="1-9-a") == 400

    asyncio.run(run())
    told = lines(tmp_path / "journal.jsonl")
    up, filled, probe, refused, cancel, down = [line for line in told if line.get("event") not in ("order", "trade")]
    assert (up["event"], down["event"]) == ("up", "down")
    assert filled["account"] == "sandbox" and filled["verb"] == "POST order" and filled["symbol"] == "BTCUSDT"
    assert filled["id"] == "1-1-a" and filled["status"] == 200 and filled["order"] == 1 and filled["fills"] >= 1
    assert probe["verb"] == "POST order/test" and probe["id"] == "1-probe-1" and "order" not in probe
    assert (refused["status"], refused["code"]) == (400, -2010)
    assert (cancel["verb"], cancel["id"], cancel["code"]) == ("DELETE order", "1-9-a", -2011)
    assert up["mono"] < filled["mono"] < probe["mono"] < down["mono"]
    order, *trades = [line for line in told if line.get("event") in ("order", "trade")]
    assert (order["order"], order["client"], order["state"], order["quantity"]) == (1, "1-1-a", "NEW", "0.00100000")
    assert len(trades) == filled["fills"] and sum(float(trade["quantity"]) for trade in trades) == 0.001
    assert {(trade["order"], trade["side"], trade["fee_asset"]) for trade in trades} == {(1, "BUY", "BTC")}
    assert abs(filled["sent"] - filled["at"]) < 2000


def test_what_comes_through_the_socket_is_journaled_like_what_comes_by_rest(tmp_path: Path) -> None:
    async def run() -> None:
        async with running(tmp_path) as venue, ccxt_client(venue.port) as client:
            await client.create_order_ws("BTC/USDT", "market", "buy", 0.001, None, {"newClientOrderId": "3-1-b"})

    asyncio.run(run())
    placed = [line for line in lines(tmp_path / "journal.jsonl") if line.get("verb") == "POST order"]
    assert [(line["id"], line["status"]) for line in placed] == [("3-1-b", 200)]


def test_long_words_of_a_client_do_not_fill_the_journal(tmp_path: Path) -> None:
    async def run() -> None:
        async with running(tmp_path) as venue:
            assert await send(venue.url, "POST", "order", **ORDER, newClientOrderId="x" * 3000) == 400
            assert await send(venue.url, "POST", "order", **ORDER | {"symbol": "Y" * 3000}) == 400

    asyncio.run(run())
    first, second = [line for line in lines(tmp_path / "journal.jsonl") if "verb" in line]
    assert (first["id"], second["symbol"]) == ("x" * 64, "Y" * 64)


def test_a_journal_that_cannot_be_written_loses_lines_and_never_a_request(tmp_path: Path) -> None:
    async def run() -> None:
        (tmp_path / "journal.jsonl").mkdir()
        async with running(tmp_path) as venue:
            assert await send(venue.url, "POST", "order", **ORDER) == 200
            assert venue.server.get_health()["metrics"]["journal_lines_lost"] >= 2

    asyncio.run(run())


def test_the_journal_is_renamed_when_full_and_the_oldest_goes(tmp_path: Path) -> None:
    journal = Journal(tmp_path / "journal.jsonl", ManualClock(), max_bytes=400)
    journal.open()
    for number in range(60):
        journal.write({"number": number})
    journal.close()
    kept = sorted(path.name for path in tmp_path.iterdir())
    assert kept == ["journal.jsonl", *(f"journal.jsonl.{number}" for number in range(1, KEEP + 1))]
    assert all(path.stat().st_size <= 400 for path in tmp_path.iterdir())
    files = [numbered(journal.path, number) for number in range(KEEP, 0, -1)] + [journal.path]
    numbers = [line["number"] for path in files for line in lines(path) if "number" in line]
    assert numbers == list(range(numbers[0], 60)) and journal.lost == 0


def test_a_half_line_left_by_a_full_disk_spoils_no_line_after_it(tmp_path: Path) -> None:
    path = tmp_path / "journal.jsonl"
    path.write_bytes(b'{"at":17,"acc')
    journal = Journal(path, ManualClock())
    journal.open()
    journal.close()
    assert path.read_bytes().startswith(b'{"at":17,"acc\n{"at":')


@pytest.mark.parametrize("step_s", [3600, -3600])
def test_a_step_of_the_wall_clock_moves_the_label_and_not_the_measure(tmp_path: Path, step_s: int) -> None:
    clock = ManualClock()
    journal = Journal(tmp_path / "journal.jsonl", clock)
    journal.open()
    clock.step_wall(step_s)
    clock.advance(0.25)
    journal.close()
    first, second = lines(journal.path)
    assert second["mono"] - first["mono"] == 250.0 and second["at"] - first["at"] == step_s * 1000 + 250


def test_a_line_is_cheap(tmp_path: Path) -> None:
    journal = Journal(tmp_path / "journal.jsonl", SystemClock())
    journal.open()
    facts = {"account": "live", "verb": "POST order/test", "symbol": "BTCUSDT", "id": "1-probe-1", "status": 200}
    times = []
    for _ in range(2000):
        began = time.perf_counter()
        journal.write(facts)
        times.append(time.perf_counter() - began)
    journal.close()
    assert sorted(times)[len(times) // 2] * 1e6 <= BUDGET_US
