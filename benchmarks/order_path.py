"""How long a decision takes to become a request: the durable intent beside a bare commit, our order beside ccxt's own.

python -m benchmarks.order_path [--orders 60] [--commits 1000]: one venue, one process, both sides in turn,
so that noise hits both.
An order's time ends when its POST has been handed to the socket; ours includes the risk gate and the durable intent.
"""

import argparse
import asyncio
import contextlib
import statistics
import tempfile
import time
from asyncio import selector_events
from collections.abc import Awaitable, Callable, Iterator
from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table

from execution.exchange.ccxt_door import ProBinance
from execution.exchange.credentials import Credentials
from execution.exchange.endpoint import Endpoint, build_client
from execution.exchange.gateway import ExchangeGateway
from execution.exchange.reconciliation import reconcile
from execution.ledger.store import Ledger
from execution.runtime.clock import SystemClock
from execution.runtime.settings import RiskConfig, VenueConfig
from execution.runtime.sqlite import open_writer, transaction
from execution.venue.server import ApiKey, VenueServer
from execution.vocabulary.market import Quote
from execution.vocabulary.modes import TradeMode
from execution.vocabulary.order_states import OrderEvent
from execution.vocabulary.orders import OrderRequest, OrderType, Purpose, Side

SYMBOL = "BTC/USDT"
QUANTITY = Decimal("0.0005")
KEYS = Credentials("k" * 32, "s" * 32)
MUCH = Decimal(10**9)
LIMITS = RiskConfig(
    order_value_max=MUCH,
    position_value_max=MUCH,
    exposure_max=MUCH,
    orders_per_minute_max=10**9,
    open_positions_max=9,
    repeated_orders_max=10**9,
    losses_in_row_max=10**9,
    daily_loss_max=Decimal(1),
    weekly_loss_max=Decimal(1),
    drawdown_max=Decimal(1),
)
WARM_UP = 20


@dataclass
class Wire:
    """When the last POST was handed to the socket (perf_counter seconds); how long the last intent's commit took."""

    posted_at: float = 0.0
    commit_s: float = 0.0


@contextlib.contextmanager
def watched_wire() -> Iterator[Wire]:
    """Note each POST as it is written, whoever writes it."""
    wire = Wire()
    transport: Any = selector_events._SelectorSocketTransport  # type: ignore[attr-defined]
    plain = {name: getattr(transport, name) for name in ("write", "writelines")}

    def noted(name: str, first: Callable[[Any], bytes]) -> Callable[[Any, Any], None]:
        def send(self: Any, data: Any) -> None:
            is_post = first(data)[:4] == b"POST"
            plain[name](self, data)
            if is_post:
                wire.posted_at = time.perf_counter()

        return send

    transport.write = noted("write", lambda data: bytes(data[:4]))
    transport.writelines = noted("writelines", lambda data: bytes(data[0][:4]) if data else b"")
    try:
        yield wire
    finally:
        for name, method in plain.items():
            setattr(transport, name, method)


def request(price: Decimal) -> OrderRequest:
    return OrderRequest(
        symbol=SYMBOL,
        side=Side.BUY,
        type=OrderType.MARKET,
        quantity=QUANTITY,
        reference_price=price,
        purpose=Purpose.ENTRY,
        strategy="trend",
        reason="benchmark",
        signal_bar_ms=0,
    )


def commits(folder: Path, count: int) -> tuple[list[float], list[float]]:
    """Seconds of a bare one-row commit (WAL, FULL) and of a durable intent, in turn."""
    bare = open_writer(folder / "bare.db", "CREATE TABLE IF NOT EXISTS rows (number INTEGER PRIMARY KEY, words TEXT)")
    ledger = Ledger(folder / "intents.db", "sandbox", SystemClock())
    floor, intents = [], []
    for number in range(count):
        began = time.perf_counter()
        with transaction(bare):
            bare.execute("INSERT INTO rows (words) VALUES (?)", ("x" * 200,))
        floor.append(time.perf_counter() - began)
        began = time.perf_counter()
        order = ledger.record_intent(request(Decimal(40_000)))
        intents.append(time.perf_counter() - began)
        ledger.mark(order, OrderEvent.REJECTED, note=f"benchmark {number}")
    bare.close()
    ledger.close()
    return floor, intents


def plain_ccxt(port: int, keys: Credentials = KEYS) -> Any:
    """ccxt as its users use it, on the same venue: no throttle, no retries, markets loaded."""
    model = build_client(Endpoint("binance", f"http://127.0.0.1:{port}"), keys, SystemClock())
    options = {"defaultType": "spot", "fetchCurrencies": False, "fetchMargins": False}
    options["fetchMarkets"] = {"types": ["spot"]}
    client = ProBinance(
        {"apiKey": keys.key, "secret": keys.secret, "enableRateLimit": False, "verify": False, "options": options}
    )
    client.urls = model.urls
    return client


def time_commits(ledger: Ledger, wire: Wire) -> None:
    """Note how long each intent takes to be durable: that part is the disk's, not the gateway's."""
    record = ledger.record_intent

    def noted(*words: Any, **more: Any) -> str:
        began = time.perf_counter()
        try:
            return record(*words, **more)
        finally:
            wire.commit_s = time.perf_counter() - began

    ledger.record_intent = noted  # type: ignore[method-assign]


async def timed(wire: Wire, send: Callable[[], Awaitable[Any]]) -> float:
    """Seconds from the decision to the POST's bytes."""
    began = time.perf_counter()
    await send()
    assert wire.posted_at > began, "the order never left"
    return wire.posted_at - began


async def orders(folder: Path, count: int, wire: Wire) -> tuple[list[float], list[float], list[float]]:
    """Seconds from decision to bytes: ccxt's create_order and ours, in turn; and ours without its commit."""
    clock = SystemClock()
    config = VenueConfig(symbols=(SYMBOL,), speed=1.0, opening_balance=Decimal(10**7))
    venue = VenueServer(config, folder / "venue", [ApiKey("sandbox", KEYS.key, KEYS.secret)], clock)
    port = await venue.start(0)
    client, plain = build_client(Endpoint("binance", f"http://127.0.0.1:{port}"), KEYS, clock), plain_ccxt(port)
    ledger, quotes = Ledger(folder / "ledger.db", "sandbox", clock), dict[str, Quote]()
    gateway = ExchangeGateway(client, ledger, LIMITS, clock, trade_mode=TradeMode.PAPER, quote=quotes.get)
    await gateway.load_rules()
    assert (await reconcile(gateway, ledger)).reconciled
    await plain.load_markets()
    theirs, ours, gateways = [], [], []
    time_commits(ledger, wire)
    try:
        for _ in range(count + WARM_UP):
            theirs.append(await timed(wire, lambda: plain.create_order(SYMBOL, "market", "buy", float(QUANTITY))))
            quotes.update(await gateway.fetch_quotes([SYMBOL]))
            decision = request(quotes[SYMBOL].mid)
            ours.append(await timed(wire, lambda decision=decision: gateway.place(decision)))  # type: ignore[misc]
            gateways.append(ours[-1] - wire.commit_s)
            # 10 s order limit of the venue: 100
            await clock.sleep(0.2)
    finally:
        await plain.close()
        await client.close()
        ledger.close()
        await venue.stop()
    return theirs[WARM_UP:], ours[WARM_UP:], gateways[WARM_UP:]


def p99(values: list[float]) -> float:
    return statistics.quantiles(values, n=100)[98]


def show(rows: list[tuple[str, list[float], list[float], str]]) -> None:
    """Medians and p99 in milliseconds; the ratio is of the medians, to the row's own baseline."""
    table = Table("what", "p50 ms", "p99 ms", "ratio", "target", title="order path")
    for name, values, baseline, target in rows:
        middle = statistics.median(values)
        ratio = "1" if values is baseline else f"{middle / statistics.median(baseline):.2f}"
        table.add_row(name, f"{middle * 1000:.3f}", f"{p99(values) * 1000:.3f}", ratio, target)
    Console(width=120).print(table)


def main() -> None:
    """Measure and print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--orders", type=int, default=60)
    parser.add_argument("--commits", type=int, default=1000)
    words = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="nae-benchmark-") as folder, watched_wire() as wire:
        floor, intents = commits(Path(folder), words.commits)
        theirs, ours, gateways = asyncio.run(orders(Path(folder), words.orders, wire))
    show(
        [
            ("bare one-row commit (WAL, FULL)", floor, floor, "the floor"),
            ("durable intent", intents, floor, "p50 0.25, p99 1"),
            ("ccxt create_order: call to bytes", theirs, theirs, "the peer"),
            ("our order: decision to bytes", ours, theirs, "p50 0.8, p99 2.5, 2x"),
            ("our order, its commit left out", gateways, theirs, "ccxt + 0.2"),
        ]
    )


if __name__ == "__main__":
    main()
