"""A whole trader in the process that measures, wired as the operation wires one: ledger, gateway, feed and system.

Which of its tasks run is for who measures to say. Everything it leaves lies in `folder`.
"""

import asyncio
from collections.abc import Sequence
from pathlib import Path

from benchmarks import order_path, venue_servers
from execution.exchange.client import VenueClient
from execution.exchange.credentials import Credentials
from execution.exchange.endpoint import Endpoint, build_client
from execution.exchange.feed import MarketFeed
from execution.exchange.gateway import ExchangeGateway
from execution.exchange.reconciliation import reconcile
from execution.exchange.user_stream import UserStream
from execution.ledger.audit_log import AuditLogger
from execution.ledger.state_store import StateStore
from execution.ledger.store import Ledger
from execution.runtime.clock import SystemClock
from execution.runtime.errors import ErrorBook
from execution.runtime.settings import TradingConfig
from execution.runtime.tasks import TaskRunner
from execution.trading.bars import BarBook
from execution.trading.parts import TradingParts
from execution.trading.system import TradingSystem
from execution.vocabulary.modes import TradeMode

CLOCK = SystemClock()


def client_of(venue: int) -> VenueClient:
    """A client for the account of the venue at that port."""
    key = venue_servers.KEY
    return build_client(Endpoint("binance", f"http://127.0.0.1:{venue}"), Credentials(key.key, key.secret), CLOCK)


class WholeTrader:
    """One account of a venue, its limits out of the way."""

    def __init__(self, folder: Path, client: VenueClient, symbols: Sequence[str]) -> None:
        self.client, self.symbols, account = client, tuple(symbols), venue_servers.KEY.account
        self.ledger, self.bars = Ledger(folder / "ledger.db", account, CLOCK), BarBook("1m")
        self.feed = MarketFeed(client, self.symbols, "1m", CLOCK, self.bars.add)
        self.gateway = ExchangeGateway(
            client,
            self.ledger,
            order_path.LIMITS,
            CLOCK,
            trade_mode=TradeMode.PAPER,
            quote=self.feed.quote,
            symbols=self.symbols,
        )
        self.errors = ErrorBook(CLOCK)
        parts = TradingParts(
            ledger=self.ledger,
            gateway=self.gateway,
            feed=self.feed,
            bars=self.bars,
            reconcile=lambda: reconcile(self.gateway, self.ledger),
            audit=AuditLogger(folder / "audit.jsonl", CLOCK, "optimus"),
            state_store=StateStore(folder / "state.json", CLOCK),
            clock=CLOCK,
            errors=self.errors,
            user_stream=UserStream(client, self.ledger, self.symbols, CLOCK, self._poll),
        )
        self.system = TradingSystem(
            parts, TradingConfig(), order_path.LIMITS, trade_mode=TradeMode.PAPER, venue="embedded", explore=True
        )
        self.runner = TaskRunner(CLOCK, self.errors)
        self._running: asyncio.Task[None] | None = None

    async def _poll(self) -> None:
        for symbol in self.symbols:
            await self.gateway.fetch_new_fills(symbol)

    async def start(self, without: Sequence[str]) -> None:
        """Recover, and run every task but those."""
        await self.system.start()
        tasks = [task for task in self.system.tasks() if task.name not in without]
        self._running = asyncio.create_task(self.runner.run(tasks))

    async def stop(self) -> None:
        """Let go of everything. AssertionError when something went wrong meanwhile."""
        self.runner.stop()
        if self._running is not None:
            await self._running
        await self.system.stop()
        await self.client.close()
        assert not self.errors.rows(), self.errors.rows()
