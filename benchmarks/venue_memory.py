"""Is the venue's memory flat while it replays a recording, is traded on and listened to?

python -m benchmarks.venue_memory [--minutes 60] [--speed 60] [--file CANDLES]: an hour at 60x is 3,600 candles; fewer
minutes at a higher speed are as many. Without a file, candles of the synthetic market are written down and replayed.
The slope is a least-squares line through the resident memory after the first quarter, in which it warms up.
"""

import argparse
import asyncio
import statistics
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import aiohttp
import orjson
import psutil
from rich.console import Console
from rich.table import Table

from benchmarks.venue import PATH, send
from benchmarks.venue_servers import Served, serving
from execution.venue.synthetic import SyntheticMarket

STREAMS = ("depth@100ms", "bookTicker", "trade", "kline_1m", "miniTicker")
SAMPLE_EVERY_S = 0.5
ORDER_EVERY_S = 0.2
MIB = 2**20
MINUTE_MS = 60_000


class Sample(NamedTuple):
    """How much memory the venue's process had."""

    second: float
    mib: float


def slope(samples: Sequence[Sample]) -> float:
    """MiB an hour, after the first quarter of the time."""
    warm = [sample for sample in samples if sample.second >= samples[0].second + _span(samples) / 4]
    line = statistics.linear_regression([one.second for one in warm], [one.mib for one in warm])
    return line.slope * 3600


def _span(samples: Sequence[Sample]) -> float:
    return samples[-1].second - samples[0].second


def candle_file(folder: Path, count: int) -> Path:
    """So many candles of the synthetic market as a CSV file."""
    market = SyntheticMarket(1, ("BTC/USDT",))
    file, rows = folder / "BTC_USDT-1m.csv", ["timestamp,open,high,low,close,volume"]
    symbol = market.symbols[0]
    for number in range(count):
        bar = market.bar(symbol.name, number)
        prices = [symbol.price_text(ticks) for ticks in (bar.open, bar.high, bar.low, bar.close)]
        rows.append(",".join([str(1_700_000_040_000 + number * MINUTE_MS), *prices, f"{bar.volume_e8 / 10**8:.8f}"]))
    file.write_text("\n".join(rows) + "\n")
    return file


async def listen(session: aiohttp.ClientSession, served: Served) -> None:
    """Read every stream, for ever."""
    path = "/".join(f"btcusdt@{name}" for name in STREAMS)
    async with session.ws_connect(f"http://127.0.0.1:{served.port}/ws/{path}") as socket:
        async for _ in socket:
            pass


async def trade(session: aiohttp.ClientSession, served: Served, done: list[float]) -> None:
    """An order every now and then, for ever."""
    while True:
        await send(session, f"http://127.0.0.1:{served.port}{PATH}")
        done.append(time.monotonic())
        await asyncio.sleep(ORDER_EVERY_S)


async def market_ms(session: aiohttp.ClientSession, served: Served) -> int:
    """Market time now, by the last candle."""
    url = f"http://127.0.0.1:{served.port}/api/v3/klines?symbol=BTCUSDT&interval=1m&limit=1"
    async with session.get(url) as reply:
        return int(orjson.loads(await reply.read())[-1][0])


async def replayed(file: Path, folder: Path, speed: float, seconds: float) -> tuple[list[Sample], int, float]:
    """Memory while the recording is replayed; how many orders were answered; how many market minutes passed."""
    words = {"market": f"replay:{file}", "speed": speed, "replay_symbol": "BTC/USDT", "history_bars": 500}
    samples: list[Sample] = []
    done: list[float] = []
    async with serving("venue", folder, **words) as served, aiohttp.ClientSession() as session:
        first = await market_ms(session, served)
        busy = [asyncio.create_task(listen(session, served)), asyncio.create_task(trade(session, served, done))]
        until = time.monotonic() + seconds
        while (now := time.monotonic()) < until:
            samples.append(Sample(now, served.process.memory_info().rss / MIB))
            await asyncio.wait(busy, timeout=SAMPLE_EVERY_S, return_when=asyncio.FIRST_EXCEPTION)
            for task in busy:
                if task.done():
                    task.result()
                    raise RuntimeError("the venue has ended a connection; it should stay for as long as we listen")
        minutes = (await market_ms(session, served) - first) / MINUTE_MS
        for task in busy:
            task.cancel()
        await asyncio.gather(*busy, return_exceptions=True)
    return samples, len(done), minutes


def main(arguments: Sequence[str] | None = None) -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.venue_memory", description=__doc__)
    parser.add_argument("--minutes", type=float, default=60.0, help="real time")
    parser.add_argument("--speed", type=float, default=60.0, help="market minutes per real minute")
    parser.add_argument("--file", type=Path, help="recorded candles of BTC/USDT")
    asked = parser.parse_args(arguments)
    load = psutil.getloadavg()[0]
    with tempfile.TemporaryDirectory(prefix="nae-memory-") as made:
        wanted = int(asked.minutes * asked.speed * 1.2) + 1_100
        file = asked.file or candle_file(Path(made), wanted)
        folder, seconds = Path(made) / "venue", asked.minutes * 60
        samples, orders, minutes = asyncio.run(replayed(file.absolute(), folder, asked.speed, seconds))
    table = Table("what", "figure", title=f"load average before: {load:.1f}")
    table.add_row("market minutes replayed", f"{minutes:,.0f}")
    table.add_row("orders answered", f"{orders:,}")
    table.add_row(
        "memory: first, last, most, MiB",
        f"{samples[0].mib:.1f}, {samples[-1].mib:.1f}, {max(s.mib for s in samples):.1f}",
    )
    table.add_row("slope after the first quarter, MiB/h", f"{slope(samples):.2f}")
    table.add_row(
        "the same in an hour of 3,600 candles, MiB",
        f"{slope(samples) * _span(samples) / max(1, minutes):.2f}",
    )
    Console(width=110).print(table)


if __name__ == "__main__":
    main()
