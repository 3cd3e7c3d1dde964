"""How much the embedded venue bears: orders matched by the engine alone, and signed orders end to end over HTTP, each
beside its floor.

python -m benchmarks.venue [--orders 30000] [--seconds 10] [--connections 32]: the venue and the bare server run in
processes of their own, on the same disk and with the same client. Every order is durable before its answer leaves, so
the floors are two: a bare HTTP server of the same library, and bare one-row commits.
"""

import argparse
import asyncio
import hashlib
import hmac
import json
import tempfile
import time
from collections.abc import Sequence
from decimal import Decimal
from pathlib import Path
from random import Random
from typing import NamedTuple
from urllib.parse import urlencode

import aiohttp
import psutil
from rich.console import Console
from rich.table import Table

from benchmarks.venue_servers import KEY, MUCH, serving
from execution.runtime.clock import SystemClock
from execution.runtime.sqlite import open_writer, transaction
from execution.venue.accounts import Accounts
from execution.venue.book import BUY, SELL, Order, OrderBook
from execution.venue.engine import Engine
from execution.venue.errors import ApiError
from execution.venue.symbols import Symbol

SYMBOL = "BTCUSDT"
TRADERS = 40
STEADY_RATE = 200
PATH = "/api/v3/order"
LONELY_PER_S = 50  # so many are sent for each second that the others take


def stream(count: int, seed: int = 1) -> list[Order]:
    """Limit orders of many traders around one price: about half of them trade, the rest stay in the book."""
    random = Random(seed)
    made = []
    for number in range(count):
        side = random.choice((BUY, SELL))
        ticks = 10_000 + random.randint(-50, 50)
        trader = f"t{random.randrange(TRADERS)}"
        lots = random.randint(100, 900)
        made.append(Order(0, trader, SYMBOL, f"c{number}", side, "LIMIT", "GTC", ticks, lots, 1))
    return made


def matched(orders: Sequence[Order]) -> tuple[float, int]:
    """Orders a second of one core through the whole engine, with money, filters and reports; and how many traded. An
    account that has as many open orders as it may have cancels its oldest first, which isn't counted."""
    accounts = Accounts()
    for number in range(TRADERS):
        accounts.open(f"t{number}", [("USDT", Decimal(MUCH)), ("BTC", Decimal(MUCH))])
    engine = Engine([Symbol("BTC", "USDT", 2, 3)], accounts, Decimal("0.001"), Decimal("0.001"))
    engine.last_ticks[SYMBOL] = 10_000
    began = time.process_time()
    for order in orders:
        try:
            engine.submit(order, 1)
        except ApiError:
            engine.cancel(engine.open_orders(order.account, SYMBOL)[0], 1)
            engine.submit(order, 1)
    return len(orders) / (time.process_time() - began), sum(order.filled_lots > 0 for order in orders)


def matched_bare(orders: Sequence[Order]) -> float:
    """Orders a second of one core through the book alone: price and time, but no money, no filters, no reports."""
    book = OrderBook()
    began = time.process_time()
    for order in orders:
        while order.left and (maker := book.next_maker(order.side, order.ticks)) is not None:
            lots = min(order.left, maker.left)
            maker.filled_lots += lots
            order.filled_lots += lots
            if not maker.left:
                book.remove(maker)
        if order.left:
            book.add(order)
    return len(orders) / (time.process_time() - began)


def commits(folder: Path, count: int) -> list[float]:
    """Seconds of each bare one-row commit."""
    bare = open_writer(folder / "bare.db", "CREATE TABLE IF NOT EXISTS rows (number INTEGER PRIMARY KEY, words TEXT)")
    took = []
    for _ in range(count):
        began = time.perf_counter()
        with transaction(bare):
            bare.execute("INSERT INTO rows (words) VALUES (?)", ("x" * 200,))
        took.append(time.perf_counter() - began)
    bare.close()
    return took


def percentile(values: Sequence[float], share: float) -> float:
    """The value that this share of all values doesn't exceed."""
    ranked = sorted(values)
    return ranked[min(len(ranked) - 1, int(len(ranked) * share))]


def signed_order(now_ms: int) -> str:
    """A small market order, bought and sold in turn by whoever calls."""
    values = {"symbol": SYMBOL, "side": "BUY", "type": "MARKET", "quantity": "0.001", "timestamp": now_ms}
    query = urlencode(values | {"newOrderRespType": "RESULT"})
    return f"{query}&signature={hmac.new(KEY.secret.encode(), query.encode(), hashlib.sha256).hexdigest()}"


async def send(session: aiohttp.ClientSession, url: str) -> None:
    """One signed order and its answer. Raises RuntimeError when it is refused."""
    body = signed_order(SystemClock().now_ms())
    async with session.post(url, data=body, headers={"X-MBX-APIKEY": KEY.key}) as response:
        text = await response.read()
        if response.status != 200:
            raise RuntimeError(f"{url} answered {response.status}: {text!r}; 200 would be right")


async def as_fast_as_it_goes(port: int, connections: int, seconds: float) -> float:
    """Answered orders a second, with so many connections that each wait for their answer."""
    url, until = f"http://127.0.0.1:{port}{PATH}", time.perf_counter() + seconds
    counts = [0] * connections

    async def one(number: int) -> None:
        while time.perf_counter() < until:
            await send(session, url)
            counts[number] += 1

    async with aiohttp.ClientSession(connector=aiohttp.TCPConnector(limit=connections)) as session:
        began = time.perf_counter()
        await asyncio.gather(*(one(number) for number in range(connections)))
        return sum(counts) / (time.perf_counter() - began)


async def steady(port: int, rate: int, seconds: float) -> list[float]:
    """Seconds from when an order was due to its answer, at a steady rate, whether or not earlier ones are answered."""
    url = f"http://127.0.0.1:{port}{PATH}"
    took: list[float] = []

    async def one(due: float) -> None:
        await asyncio.sleep(max(0.0, due - time.perf_counter()))
        await send(session, url)
        took.append(time.perf_counter() - due)

    async with aiohttp.ClientSession(connector=aiohttp.TCPConnector(limit=0)) as session:
        start = time.perf_counter() + 0.1
        await asyncio.gather(*(one(start + number / rate) for number in range(int(rate * seconds))))
    return took


async def alone(port: int, count: int) -> list[float]:
    """Seconds of each order of a client that sends one, waits for its answer, and sends the next."""
    url = f"http://127.0.0.1:{port}{PATH}"
    took = []
    async with aiohttp.ClientSession() as session:
        for _ in range(count):
            began = time.perf_counter()
            await send(session, url)
            took.append(time.perf_counter() - began)
    return took


class EndToEnd(NamedTuple):
    """Orders a second as fast as it goes; seconds of each at a steady rate, and of each of a lonely client."""

    fast: float
    steady: list[float]
    lonely: list[float]


async def end_to_end(name: str, folder: Path, connections: int, seconds: float) -> EndToEnd:
    """How one of the servers answers orders."""
    async with serving(name, folder) as served:
        await as_fast_as_it_goes(served.port, connections, min(1.0, seconds))  # warm
        lonely = await alone(served.port, max(1, int(LONELY_PER_S * seconds)))
        fast = await as_fast_as_it_goes(served.port, connections, seconds)
        return EndToEnd(fast, await steady(served.port, STEADY_RATE, seconds), lonely)


def main(arguments: Sequence[str] | None = None) -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.venue", description=__doc__)
    parser.add_argument("--orders", type=int, default=30_000)
    parser.add_argument("--seconds", type=float, default=10.0)
    parser.add_argument("--connections", type=int, default=32)
    parser.add_argument("--json", action="store_true", help="print figures for a machine")
    asked = parser.parse_args(arguments)
    load = psutil.getloadavg()[0]
    figures = measure(asked.orders, asked.seconds, asked.connections)
    if asked.json:
        print(json.dumps(figures | {"load average before": load}))
        return
    table = Table("what", "figure", title=f"load average before: {load:.1f}")
    for what, figure in figures.items():
        table.add_row(what, f"{figure:,.2f}" if figure < 100 else f"{figure:,.0f}")
    Console().print(table)


def measure(orders: int, seconds: float, connections: int) -> dict[str, float]:
    """All figures, by what they are."""
    engine, traded = matched(stream(orders))
    figures = {
        "engine: orders/s of one core": engine,
        "engine: share that traded": traded / orders,
        "floor, the book alone: orders/s of one core": matched_bare(stream(orders)),
    }
    with tempfile.TemporaryDirectory(prefix="nae-venue-") as made:
        took = commits(Path(made), 1_000)
        figures |= {"floor, bare commits: per s": len(took) / sum(took), "floor, bare commit: p99 ms": _ms(took)}
        for name, words in (("bare", "floor, bare server"), ("venue", "signed orders over HTTP")):
            found = asyncio.run(end_to_end(name, Path(made) / name, connections, seconds))
            figures |= {f"{words}: per s, {connections} connections": found.fast}
            figures |= {f"{words}: p99 ms at {STEADY_RATE}/s": _ms(found.steady)}
            figures |= {f"{words}: p50 ms of a lonely one": percentile(found.lonely, 0.5) * 1000}
    return figures


def _ms(took: Sequence[float]) -> float:
    return percentile(took, 0.99) * 1000


if __name__ == "__main__":
    main()
