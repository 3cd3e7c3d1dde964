"""Who listens to the flood of the feed's benchmark, each in a process of its own: `python -m benchmarks.feed_sides SIDE
PORT SYMBOLS SECONDS` prints its figures."""

import asyncio
import json
import sys
import time
from collections.abc import Callable, Coroutine
from typing import Any

import aiohttp
import orjson
import psutil

from benchmarks.order_path import plain_ccxt
from benchmarks.spread import Spread
from execution.exchange.credentials import Credentials
from execution.exchange.endpoint import Endpoint, build_client
from execution.exchange.feed import MarketFeed
from execution.runtime.clock import SystemClock
from execution.vocabulary.market import Trade, TradedRange

KEYS = Credentials("k" * 32, "s" * 32)
WARM_UP_S = 2.0


def symbols_of(count: int) -> list[str]:
    """So many symbols."""
    return [f"{letter}{letter}X/USDT" for letter in "ABCDEFGHIJKLMNOPQRSTUVWXYZ"[:count]]


class Seen:
    """How old trades were, and which of them came; counted only after the warm-up."""

    def __init__(self) -> None:
        self.ages_ms: list[float] = []
        self.first: dict[str, int] = {}
        self.last: dict[str, int] = {}
        self.count: dict[str, int] = {}
        self.counting = False

    def trade(self, symbol: str, number: int) -> None:
        if self.counting:
            self.first.setdefault(symbol, number)
            self.last[symbol] = max(number, self.last.get(symbol, 0))
            self.count[symbol] = self.count.get(symbol, 0) + 1

    def age(self, sent_ms: int) -> None:
        if self.counting:
            self.ages_ms.append(time.time() * 1000 - sent_ms)

    @property
    def lost(self) -> int:
        return sum(self.last[name] - self.first[name] + 1 - self.count[name] for name in self.count)


async def ours(port: int, symbols: list[str], seen: Seen) -> None:
    """Our feed; a trade is acted on when the range of its burst is told."""
    clock = SystemClock()
    client = build_client(Endpoint("binance", f"http://127.0.0.1:{port}"), KEYS, clock)
    feed = MarketFeed(client, symbols, "1m", clock, lambda symbol, candle: None)
    waiting: list[Trade] = []

    def acted(_range: TradedRange) -> None:
        for trade in waiting:
            seen.trade(trade.symbol, trade.id)
            seen.age(trade.trade_ms)
        waiting.clear()

    feed.tell_trades(waiting.append)
    feed.tell_ranges(acted)
    try:
        await feed.warm(600)
        await feed.run()
    finally:
        await client.close()


async def ccxt_pro(port: int, symbols: list[str], seen: Seen) -> None:
    """ccxt.pro as its users use it: watchTrades of all symbols in a loop."""
    client = plain_ccxt(port)
    try:
        await client.load_markets()
        while True:
            for trade in await client.watch_trades_for_symbols(symbols):
                seen.trade(trade["symbol"], int(trade["id"]))
                seen.age(trade["timestamp"])
    finally:
        await client.close()


async def bare(port: int, symbols: list[str], seen: Seen) -> None:
    """The floor: a socket and a decoder."""
    path = "/".join(f"{symbol.replace('/', '').lower()}@trade" for symbol in symbols)
    async with aiohttp.ClientSession() as session, session.ws_connect(f"ws://127.0.0.1:{port}/ws/{path}") as socket:
        async for message in socket:
            trade = orjson.loads(message.data)
            seen.trade(trade["s"], trade["t"])
            seen.age(trade["T"])


SIDES: dict[str, Callable[[int, list[str], Seen], Coroutine[Any, Any, None]]] = {
    "bare": bare,
    "ccxt.pro": ccxt_pro,
    "ours": ours,
}


async def figures(side: str, port: int, symbols: int, seconds: float) -> dict[str, Any]:
    """Listen for so long."""
    seen, process = Seen(), psutil.Process()
    listening = asyncio.ensure_future(SIDES[side](port, symbols_of(symbols), seen))
    await asyncio.wait({listening}, timeout=min(WARM_UP_S, 2 * seconds))
    seen.counting = True
    rss, used, began = process.memory_info().rss, time.process_time(), time.monotonic()
    await asyncio.wait({listening}, timeout=seconds)
    core = (time.process_time() - used) / (time.monotonic() - began)
    kept = sys.getsizeof(seen.ages_ms) + 24 * len(seen.ages_ms)  # what measuring itself keeps
    after = process.memory_info().rss
    listening.cancel()
    (ended,) = await asyncio.gather(listening, return_exceptions=True)
    cut = "" if isinstance(ended, asyncio.CancelledError) else f"{type(ended).__name__}: {ended}"
    old = Spread.of(seen.ages_ms)
    assert old is not None, f"{side} heard nothing"
    return {"old": old, "lost": seen.lost, "cut": cut, "core": core, "rss": after, "grown": after - rss - kept}


def main(arguments: list[str]) -> None:
    """Print one side's figures."""
    side, port, symbols, seconds = arguments
    print(json.dumps(asyncio.run(figures(side, int(port), int(symbols), float(seconds)))))


if __name__ == "__main__":
    main(sys.argv[1:])
