"""An hour of market, and no money made or lost: seeded clients send every kind of order while it passes as fast as it
goes, and after every single trade all balances together, the fees' and the market maker's too, are what was paid in.

python -m benchmarks.venue_soak [--market synthetic|replay:FILE] [--minutes 60] [--seed 1] [--requests 4]
[--restarts 3]: minutes of market time; requests at each market second; so often the exchange is dropped as it stands
and taken up again from its store. Exit code 1 at the first digit that is wrong.
"""

import argparse
import asyncio
import sys
import tempfile
import time
from collections import Counter, defaultdict
from collections.abc import Callable, Sequence
from contextlib import suppress
from decimal import Decimal
from pathlib import Path
from random import Random
from typing import NamedTuple

from rich.console import Console
from rich.table import Table

from benchmarks.soak_clients import Clients
from execution.runtime.clock import ManualClock
from execution.runtime.settings import VenueConfig
from execution.runtime.sqlite import read_all
from execution.venue import filters
from execution.venue.accounts import FEES, MARKET_MAKER
from execution.venue.book import NO_LIST
from execution.venue.exchange import Exchange
from execution.venue.market_state import MarketState
from execution.venue.markets import make_market, make_source
from execution.venue.store import Store

ACCOUNTS = ("ann", "bob", "cleo", "dan")
SYMBOLS = ("BTC/USDT", "ETH/USDT", "BNB/USDT", "XRP/USDT")
CHANGE_CHANCE = 0.004  # at each step, that a market is delisted or listed, and as often a gap
COINS_WORTH = 5_000  # dollars of each coin that an account begins with


class MoneyError(AssertionError):
    """Money was made or lost."""


class Result(NamedTuple):
    """What happened."""

    minutes: int
    seconds: float
    trades: int
    sent: Counter[str]
    refused: Counter[int]
    restarts: int
    changes: int


class PacedClock(ManualClock):
    """Time passes at once; at each step the clients act."""

    def __init__(self) -> None:
        super().__init__()
        self.act: Callable[[], None] = lambda: None

    async def sleep(self, seconds: float) -> None:
        self.act()
        await super().sleep(seconds)


class Soak:
    """One exchange, its market and its clients, and what was paid in."""

    def __init__(self, config: VenueConfig, folder: Path, seed: int, requests: float) -> None:
        self.trades = 0
        self.restarts = 0
        self.changes = 0
        self._random = Random(f"{seed}/changes")
        self._config = config
        self._path = folder / "venue.db"
        self._clock = PacedClock()
        self._paid_in: dict[str, Decimal] = {}
        self.exchange, self.market = self._build()
        self.market.resume()
        self.clients = Clients(self.exchange, self._clock, Random(seed), requests)
        self._pay_in()
        self._watch()

    def _build(self) -> tuple[Exchange, MarketState]:
        config = self._config
        source = make_source(config)
        exchange = Exchange(source.symbols, ACCOUNTS, config.opening_balance, (config.taker_fee, config.maker_fee))
        market = make_market(exchange, source, self._clock, config)
        exchange.open(Store(self._path), self._clock.now_ms())
        return exchange, market

    def _pay_in(self) -> None:
        for symbol in self.exchange.symbols.values():
            lots = Decimal(COINS_WORTH) / symbol.value(self.exchange.engine.last_ticks[symbol.name], 1)
            for account in ACCOUNTS:
                self.exchange.pay_in(account, symbol.base, int(lots) * symbol.lot, self._clock.now_ms())
        self._paid_in = self.sums()

    def sums(self) -> dict[str, Decimal]:
        """All there is, of each currency."""
        total: dict[str, Decimal] = {}
        for account in (*ACCOUNTS, MARKET_MAKER, FEES):
            for asset, held in self.exchange.engine.accounts.balances(account).items():
                total[asset] = total.get(asset, Decimal(0)) + held.free + held.locked
        return total

    def _watch(self) -> None:
        """Look after every trade, in the middle of whatever request or market step it belongs to."""
        settlement = self.exchange.engine.settlement
        settle = settlement.settle

        def settled(*trade: object) -> object:
            fees = settle(*trade)  # type: ignore[arg-type]
            self.trades += 1
            self.check("trade")
            return fees

        settlement.settle = settled  # type: ignore[method-assign,assignment]

    def check(self, when: str) -> None:
        """Raises MoneyError naming the currency and by how much."""
        for asset, amount in self.sums().items():
            wrong = amount - self._paid_in.get(asset, Decimal(0))
            if wrong:
                raise MoneyError(f"{when} {self.trades}: {wrong:f} {asset} too much")

    def check_locks(self) -> None:
        """What is locked is what the open orders need; nobody owes. Raises MoneyError."""
        engine = self.exchange.engine
        for account in ACCOUNTS:
            needs: dict[str, Decimal] = defaultdict(Decimal)
            lists: dict[int, tuple[str, Decimal]] = {}
            for order in engine.open_orders(account):
                asset, amount = filters.needed(engine.symbols[order.symbol], order)
                if order.list_id != NO_LIST and engine.open.find_list(account, order.list_id, None):
                    lists[order.list_id] = max(lists.get(order.list_id, (asset, amount)), (asset, amount))
                else:
                    needs[asset] += amount
            for asset, amount in lists.values():
                needs[asset] += amount
            for asset, held in engine.accounts.balances(account).items():
                if held.locked != needs[asset] or held.free < 0:
                    raise MoneyError(f"{account}: {held} {asset}, but its open orders need {needs[asset]}")

    def check_fees(self) -> None:
        """What the fees' account holds is what the stored fills say. Raises MoneyError."""
        paid: dict[str, Decimal] = defaultdict(Decimal)
        for row in read_all(self._path, "SELECT commission, commission_asset FROM fills"):
            paid[row["commission_asset"]] += Decimal(row["commission"])
        for asset, held in self.exchange.engine.accounts.balances(FEES).items():
            if held.free != paid[asset]:
                raise MoneyError(f"fees: {held.free} {asset} held, {paid[asset]} in the fills")

    def drop_and_take_up(self) -> None:
        """Nothing is closed in order: what follows knows what was committed, and that must be all."""
        before = {account: dict(self.exchange.engine.accounts.balances(account)) for account in ACCOUNTS}
        self.exchange.store.close()
        self.exchange, self.market = self._build()
        after = {account: dict(self.exchange.engine.accounts.balances(account)) for account in ACCOUNTS}
        if before != after:
            raise MoneyError(f"after a restart: {after} instead of {before}")
        self.clients.exchange = self.exchange
        self.restarts += 1
        self._watch()
        self.market.resume()  # it may go on at another price, which fills orders

    def _act(self) -> None:
        """The clients act; now and then a market is delisted, listed again, or off by a gap."""
        self.clients.act()
        name = self._random.choice(list(self.exchange.symbols))
        listed = self.exchange.symbols[name].listed
        if self._random.random() < CHANGE_CHANCE * (1 if listed else 20):
            self.exchange.show(name, not listed, self._clock.now_ms())
            self.changes += 1
        if self._random.random() < CHANGE_CHANCE:
            self.market.gaps[name] = self._random.choice((0.0, self._random.uniform(-0.1, 0.1)))
            self.changes += 1

    async def pass_time(self, minutes: int) -> None:
        """Let the market pass; the clients act at each step."""
        wanted = self.market.bars_closed + minutes
        self._clock.act = self._act
        driver = asyncio.create_task(self.market.run())
        try:
            while self.market.bars_closed < wanted and not self.market.ended:
                if driver.done():
                    driver.result()
                await asyncio.sleep(0)
        finally:
            self._clock.act = lambda: None
            driver.cancel()
            with suppress(asyncio.CancelledError):
                await driver


async def soak(config: VenueConfig, folder: Path, minutes: int, seed: int, requests: float, restarts: int) -> Result:
    """So many minutes of market. Raises MoneyError."""
    began = time.perf_counter()
    run, passed = Soak(config, folder, seed, requests), 0
    for part in range(restarts + 1):
        share = minutes * (part + 1) // (restarts + 1) - minutes * part // (restarts + 1)
        before = run.market.bars_closed
        await run.pass_time(share)
        passed += run.market.bars_closed - before
        run.check("after trade")
        run.check_locks()
        run.check_fees()
        if part < restarts:
            run.drop_and_take_up()
    run.exchange.store.close()
    seconds = time.perf_counter() - began
    return Result(passed, seconds, run.trades, run.clients.sent, run.clients.refused, run.restarts, run.changes)


def show(console: Console, market: str, result: Result) -> None:
    """What happened, for people."""
    table = Table(title=f"{market}: {result.minutes} minutes of market in {result.seconds:.1f} s")
    for name in ("what", "sent"):
        table.add_column(name)
    for kind, count in sorted(result.sent.items()):
        table.add_row(kind, str(count))
    table.add_row("refused", ", ".join(f"{code}: {count}" for code, count in sorted(result.refused.items())))
    console.print(table)
    console.print(f"{result.restarts} restarts; {result.changes} times a market was delisted, listed or had a gap")
    console.print(f"{result.trades} trades, looked at after each: no digit made or lost")


def main(words: Sequence[str] | None = None) -> int:
    """Run it; 0 when no digit was wrong."""
    reader = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    reader.add_argument("--market", default="synthetic")
    reader.add_argument("--minutes", type=int, default=60)
    reader.add_argument("--seed", type=int, default=1)
    reader.add_argument("--requests", type=float, default=4.0)
    reader.add_argument("--restarts", type=int, default=3)
    reader.add_argument("--volume-unit", default="base", choices=("base", "quote"))
    given = reader.parse_args(words)
    config = VenueConfig(
        market=given.market,
        speed=1.0,
        seed=given.seed,
        symbols=SYMBOLS,
        history_bars=100,
        volume_unit=given.volume_unit,
    )
    with tempfile.TemporaryDirectory() as folder:
        try:
            result = asyncio.run(soak(config, Path(folder), given.minutes, given.seed, given.requests, given.restarts))
        except MoneyError as error:
            Console(stderr=True).print(f"money was made or lost: {error}")
            return 1
    show(Console(), given.market, result)
    return 0


if __name__ == "__main__":
    sys.exit(main())
