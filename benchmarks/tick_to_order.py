"""From a tick on the socket to a signed order on the wire: the whole trader beside plain ccxt and a bare socket.

    python -m benchmarks.tick_to_order [--rounds 60]

Ticks come from a process of their own, orders go to the embedded venue in another; all four listen in this one and are
asked in turn, so that noise hits all. The time begins when the tick is handed to the sender's socket and ends when the
order's POST has been handed to ours. Ours is the trading system with all its tasks: the decision, its line in the audit
trail, the risk gate, the intent, durable; it sells when a price ends a position, and buys when a price is the one that
a shot waits for. A position with a stop at the venue is sold by cancelling it first.
"""

import argparse
import asyncio
import hashlib
import hmac
import logging
import tempfile
import time
from collections.abc import Awaitable, Callable
from decimal import Decimal
from pathlib import Path
from typing import Any

import msgspec
from rich.console import Console
from rich.table import Table

from benchmarks import order_path, venue_servers
from benchmarks.spread import Spread
from benchmarks.tick_server import Ticks, ticking
from benchmarks.whole_trader import CLOCK, WholeTrader, client_of
from execution.exchange.client import VenueClient
from execution.exchange.credentials import Credentials
from execution.research.strategies import STRATEGIES
from execution.trading.proposals import Proposal
from execution.trading.shots import Shot
from execution.vocabulary.market import Condition, Quote

SYMBOL, MARKET = order_path.SYMBOL, order_path.SYMBOL.replace("/", "")
ENDS = Decimal("0.9")  # of the price: below every stop, and no mistake
ABOVE, STRATEGY = Decimal("1.01"), "trend"
WARM_UP = 5
WITHIN_S = 10.0
SPEED = 0.1  # of the venue's market: its price is to stand still while a position is bought and sold
MONEY = 100_000  # so little that the market is deep enough for it


async def until(said: Callable[[], Any]) -> None:
    """Wait for it, without taking much of the core from those who are measured. TimeoutError."""
    async with asyncio.timeout(WITHIN_S):
        while not said():
            await CLOCK.sleep(0.01)


class Ours(WholeTrader):
    """The trading system on one account of the venue, its ticks from the ticker."""

    name = "ours"

    def __init__(self, folder: Path, venue: int, ticks: Ticks, wire: order_path.Wire) -> None:
        streams = f"ws://127.0.0.1:{ticks.port}/{self.name}/ws"
        super().__init__(folder, _hearing(client_of(venue), streams), (SYMBOL,))
        order_path.time_commits(self.ledger, wire)
        self._ticks, self._bought = ticks, 0

    async def begin(self) -> None:
        """Run every task but the one that places stops: they are placed when they are wanted here."""
        await self.start(without=("protection",))
        await until(self.runner.all_progressed)

    async def _at_the_price(self, times: Decimal = Decimal(1)) -> Quote:
        """The venue's quote, and the ticker's so many times that."""
        quote = (await self.gateway.fetch_quotes([SYMBOL]))[SYMBOL]
        bid = (quote.bid * times).quantize(Decimal("0.01"))
        self._ticks.say(self.name, MARKET, str(bid))
        await until(lambda: (heard := self.feed.quote(SYMBOL)) is not None and heard.bid == bid)
        return quote

    def _next_signal_ms(self) -> int:
        """Each entry by a signal of its own, and none so old that its time is over."""
        self._bought += 1
        return self.bars.newest()[SYMBOL] + self._bought

    async def aim(self) -> Decimal:
        """Nothing is held, and a shot waits for the price to come down; to what."""
        quote = await self._at_the_price(ABOVE)
        system, never_ms, row = self.system, 2**60, STRATEGIES[STRATEGY]
        listing = system.assistants.data.universe(system.recovery.rules, Decimal(50)).listings[SYMBOL]
        signal_ms = self._next_signal_ms()
        condition = Condition(str(signal_ms), SYMBOL, STRATEGY, row.defaults(), "range", 1.0, signal_ms, 100)
        proposal = Proposal(condition, listing, signal_ms, strength=1.0, cost=0.001, rank=1.0)
        limit, now = quote.bid * Decimal("1.001"), CLOCK.monotonic()
        system.sniper.aim(Shot(proposal, limit, Decimal(1), never_ms, now, f"benchmark-{signal_ms}"))
        return quote.bid

    async def bought(self) -> None:
        """Return when something is held."""
        await until(lambda: self.ledger.positions() and not self.ledger.unsettled())

    async def buy(self, stop: bool) -> Decimal:
        """Hold a little, looked at once; its price."""
        quote = await self._at_the_price()
        wanted = msgspec.structs.replace(order_path.request(quote.mid), signal_bar_ms=self._next_signal_ms())
        outcome = await self.gateway.place(wanted)
        assert outcome.fills, outcome
        if stop:
            held = self.system.manager.portfolio()
            await self.system.protector.look(held, self.system.recovery.rules, self.feed.quote)
            assert any(order.guards for order in self.ledger.unsettled()), "no stop stands"
        await self.system.manager.check_exits()
        return quote.bid

    async def sold(self) -> None:
        """Return when nothing is held any more."""
        await until(lambda: not self.ledger.positions() and not self.ledger.unsettled())


def _hearing(client: VenueClient, streams: str) -> VenueClient:
    """The client, and each that is made of it, with its market streams from there."""
    renew = client.renewed
    client.urls["api"]["ws"]["spot"] = streams
    client.renewed = lambda: _hearing(renew(), streams)
    return client


class Plain:
    """ccxt as its users use it: watch the best bid, and sell at market when it has fallen."""

    name = "plain"

    def __init__(self, venue: int, ticks: int) -> None:
        self.client = order_path.plain_ccxt(venue, Credentials(venue_servers.PEER.key, venue_servers.PEER.secret))
        self.client.urls["api"]["ws"]["spot"] = f"ws://127.0.0.1:{ticks}/{self.name}/ws"

    async def buy(self) -> Decimal:
        order = await self.client.create_order(SYMBOL, "market", "buy", float(order_path.QUANTITY))
        return Decimal(str(order["average"])).quantize(Decimal("0.01"))

    async def sell_below(self, price: float) -> None:
        """Watch, decide, send."""
        while True:
            tickers = await self.client.watch_bids_asks([SYMBOL])
            if tickers[SYMBOL]["bid"] < price:
                await self.client.create_order(SYMBOL, "market", "sell", float(order_path.QUANTITY))
                return


class Bare:
    """No library: bytes are read from one socket, signed and written to another."""

    name = "bare"

    def __init__(self) -> None:
        self._ticks, self._orders = (asyncio.StreamReader(), asyncio.StreamReader())

    async def open(self, venue: int, ticks: int) -> None:
        """Both connections, and the handshake of the one that is a WebSocket."""
        self._ticks, telling = await asyncio.open_connection("127.0.0.1", ticks)
        self._orders, self._sending = await asyncio.open_connection("127.0.0.1", venue)
        words = (
            f"GET /{self.name}/ws HTTP/1.1",
            "Host: 127.0.0.1",
            "Upgrade: websocket",
            "Connection: Upgrade",
            "Sec-WebSocket-Version: 13",
            "Sec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==",
        )
        telling.write("\r\n".join((*words, "", "")).encode())
        await self._ticks.readuntil(b"\r\n\r\n")
        self._telling = telling

    async def sell(self) -> None:
        """The next tick's bytes, then the order's."""
        await self._ticks.read(4096)
        key = venue_servers.PEER
        body = f"symbol={MARKET}&side=SELL&type=MARKET&quantity={order_path.QUANTITY}&timestamp={CLOCK.now_ms()}"
        body += "&signature=" + hmac.new(key.secret.encode(), body.encode(), hashlib.sha256).hexdigest()
        self._sending.write(
            f"POST /api/v3/order HTTP/1.1\r\nHost: 127.0.0.1\r\nX-MBX-APIKEY: {key.key}\r\n"
            f"Content-Type: application/x-www-form-urlencoded\r\nContent-Length: {len(body)}\r\n\r\n{body}".encode()
        )
        reply = await self._orders.read(65536)
        assert reply.startswith(b"HTTP/1.1 200"), reply

    def close(self) -> None:
        for writer in (self._telling, self._sending):
            writer.close()


async def timed(ticks: Ticks, wire: order_path.Wire, name: str, price: Decimal, done: Awaitable[Any]) -> float:
    """Have the price fall to there; seconds from that to the order's bytes."""
    acting = asyncio.ensure_future(done)
    await CLOCK.sleep(0.02)  # until it waits for a tick
    ticks.say(name, MARKET, str(price.quantize(Decimal("0.01"))))
    async with asyncio.timeout(WITHIN_S):
        await acting
    took = wire.posted_at - await ticks.left_at()
    assert 0 < took < WITHIN_S, f"{name}: no order left"
    return took


async def measure(folder: Path, rounds: int, wire: order_path.Wire) -> dict[str, list[float]]:
    """Seconds by who was measured."""
    times: dict[str, list[float]] = {name: [] for name in ("bare", "plain", "ours", "commit", "with a stop", "a shot")}
    words = {"symbols": [SYMBOL], "opening_balance": MONEY, "speed": SPEED}
    async with venue_servers.serving("venue", folder / "venue", **words) as served, ticking() as ticks:
        ours, plain, bare = Ours(folder, served.port, ticks, wire), Plain(served.port, ticks.port), Bare()
        await plain.client.load_markets()
        await plain.buy()  # more than is sold: the fee is taken from what was bought
        await bare.open(served.port, ticks.port)
        await ours.begin()
        first = asyncio.ensure_future(plain.client.watch_bids_asks([SYMBOL]))
        try:
            await until(lambda: bool(plain.client.clients))
            await CLOCK.sleep(0.2)
            for _ in range(rounds + WARM_UP):
                price = await plain.buy()
                times["bare"].append(await timed(ticks, wire, "bare", price * ENDS, bare.sell()))
                price = await plain.buy()
                ticks.say("plain", MARKET, str(price))
                await first
                selling = plain.sell_below(float(price) * 0.95)
                times["plain"].append(await timed(ticks, wire, "plain", price * ENDS, selling))
                first = asyncio.ensure_future(plain.client.watch_bids_asks([SYMBOL]))
                for name, stop in (("ours", False), ("with a stop", True)):
                    price = await ours.buy(stop)
                    times[name].append(await timed(ticks, wire, "ours", price * ENDS, ours.sold()))
                    if not stop:
                        times["commit"].append(wire.commit_s)
                price = await ours.aim()
                times["a shot"].append(await timed(ticks, wire, "ours", price, ours.bought()))
                await timed(ticks, wire, "ours", price * ENDS, ours.sold())
        finally:
            first.cancel()
            bare.close()
            await plain.client.close()
            await ours.stop()
    return {name: values[WARM_UP:] for name, values in times.items()}


def show(times: dict[str, list[float]]) -> None:
    """Medians and p99 in milliseconds; ratios of the medians to plain ccxt's."""
    rows = {
        "bare": ("a bare socket: bytes in, signed bytes out", "the floor"),
        "plain": ("plain ccxt: watch_bids_asks, create_order", "the peer"),
        "ours": ("ours", "p50 0.8, p99 2.5, 2x"),
        "less": ("ours, its commit left out", ""),
        "with a stop": ("ours, with a stop to cancel first", "one more round trip"),
        "a shot": ("ours, an entry that waits for its price", "p50 0.8, p99 2.5, 2x"),
    }
    less = [whole - commit for whole, commit in zip(times["ours"], times["commit"], strict=True)]
    table = Table("tick on the socket to order on the wire", "p50 ms", "p99 ms", "ratio", "target")
    peer = Spread.of(times["plain"])
    for name, values in (times | {"less": less}).items():
        if name in rows and (spread := Spread.of(values)) is not None and peer is not None:
            words, target = rows[name]
            ms = f"{1000 * spread.median:.3f}", f"{1000 * spread.p99:.3f}"
            table.add_row(words, *ms, f"{spread.median / peer.median:.2f}", target)
    Console(width=120).print(table)


def main() -> None:
    """Measure and print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=60)
    words = parser.parse_args()
    logging.getLogger("nae").addHandler(logging.NullHandler())
    began = time.perf_counter()
    with tempfile.TemporaryDirectory(prefix="nae-benchmark-") as folder, order_path.watched_wire() as wire:
        show(asyncio.run(measure(Path(folder), words.rounds, wire)))
    print(f"{words.rounds} rounds, {time.perf_counter() - began:.0f} s")


if __name__ == "__main__":
    main()
