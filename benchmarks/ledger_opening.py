"""How long a ledger takes to open after its writer was killed: by one who has followed it, and by one who hasn't.

    python -m benchmarks.ledger_opening [--fills 50000] [--rounds 30]

The ledger has as many fills as said and twice as many orders. In each round a writer takes it over, trades and is
killed with an order on its way; the time is that of opening it again. No process is started within the time taken.
"""

import argparse
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from decimal import Decimal
from itertools import count
from pathlib import Path
from statistics import median

from execution.ledger.following import LedgerFollower
from execution.ledger.opening import open_ledger
from execution.ledger.store import Ledger
from execution.runtime.clock import SystemClock
from execution.vocabulary.order_states import OrderEvent
from execution.vocabulary.orders import Fill, OrderRequest, OrderType, Purpose, Side

SYMBOLS = ("BTC/USDT", "ETH/USDT", "SOL/USDT", "XRP/USDT", "ADA/USDT")
ACCOUNT = "live"
BATCH = 1000
ROOT = Path(__file__).resolve().parents[1]


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--fills", type=int, default=50_000)
    parser.add_argument("--rounds", type=int, default=30)
    parser.add_argument("--write", type=Path, help=argparse.SUPPRESS)  # what the killed writer is started with
    chosen = parser.parse_args()
    if chosen.write:
        return _write(chosen.write)
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "ledger.db"
        make(path, chosen.fills)
        followed, alone = [], []
        for number in range(chosen.rounds):
            followed.append(_open_after_a_kill(path, following=True))
            if number % 5 == 0:  # it takes a second
                alone.append(_open_after_a_kill(path, following=False))
    print(f"{chosen.fills:,} fills, {2 * chosen.fills:,} orders; opening after the writer's death, ms")
    for name, times in (("followed", followed), ("not followed", alone)):
        times.sort()
        print(f"  {name:13} p50 {median(times):8.2f}   p99 {times[int(0.99 * len(times))]:8.2f}   n {len(times)}")
    return 0


def _open_after_a_kill(path: Path, following: bool) -> float:
    """In milliseconds, once the writer is dead."""
    writer = subprocess.Popen(
        [sys.executable, "-m", "benchmarks.ledger_opening", "--write", str(path)],
        stdout=subprocess.PIPE,
        text=True,
        cwd=ROOT,
    )
    assert writer.stdout is not None
    follower = LedgerFollower(path) if following else None
    writer.stdout.readline()
    if follower is not None:
        follower.catch_up()
    writer.stdout.readline()  # the follower has not seen what came since
    writer.send_signal(signal.SIGKILL)
    writer.wait()
    began = time.perf_counter()
    ledger = open_ledger(path, ACCOUNT, SystemClock(), follower)
    took_ms = (time.perf_counter() - began) * 1000
    for order in ledger.unsettled():
        ledger.mark(order.client_order_id, OrderEvent.REJECTED)
    ledger.close()
    return took_ms


def _write(path: Path) -> int:
    """Trade a little, say so, trade a little more, say so, and wait for the end with an order on its way."""
    follower = LedgerFollower(path)
    follower.catch_up()
    ledger = open_ledger(path, ACCOUNT, SystemClock(), follower)
    fills = _fills(ledger, ledger.fills_count)
    for _ in range(2):
        ledger.record_fills([next(fills) for _ in range(5)])
        print("traded", flush=True)
    ledger.record_intent(_request("BTC/USDT", Side.BUY))
    signal.pause()
    return 0


def make(path: Path, wanted: int) -> None:
    """A ledger of so many fills, closed."""
    ledger = open_ledger(path, ACCOUNT, SystemClock())
    ledger._connection.execute("PRAGMA synchronous=OFF")  # the making isn't measured
    ledger.set_lot_steps(dict.fromkeys(SYMBOLS, Decimal("0.00001")))
    fills = _fills(ledger, 0)
    print(f"making a ledger of {wanted:,} fills ...", file=sys.stderr)
    for begun in range(0, wanted, BATCH):
        ledger.record_fills([next(fills) for _ in range(min(BATCH, wanted - begun))])
    ledger.close()


def _fills(ledger: Ledger, known: int) -> Iterator[Fill]:
    """One buy, one sale and so on, symbol by symbol; a rejected order beside each."""
    for trade in count(known):
        symbol, side = SYMBOLS[trade // 2 % len(SYMBOLS)], (Side.BUY, Side.SELL)[trade % 2]
        rejected = ledger.record_intent(_request(symbol, side))
        ledger.mark(rejected, OrderEvent.REJECTED)
        order = ledger.record_intent(_request(symbol, side))
        ledger.mark(order, OrderEvent.SENT)
        price = Decimal(50_000 + trade % 977)
        yield Fill(symbol, str(trade), str(trade), order, side, price, Decimal("0.01"), Decimal("0.5"), "USDT", trade)


def _request(symbol: str, side: Side) -> OrderRequest:
    purpose = Purpose.ENTRY if side is Side.BUY else Purpose.EXIT
    return OrderRequest(
        symbol, side, OrderType.MARKET, Decimal("0.01"), Decimal(50_000), purpose, "trend", "signal", signal_bar_ms=0
    )


if __name__ == "__main__":
    sys.exit(main())
