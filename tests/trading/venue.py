"""A real venue on a real socket, and a trading system on it, wired as the operation wires them."""

import asyncio
import contextlib
from collections.abc import AsyncIterator
from pathlib import Path

from execution.exchange.credentials import Credentials
from execution.exchange.endpoint import Endpoint, build_client
from execution.exchange.feed import MarketFeed
from execution.exchange.gateway import ExchangeGateway
from execution.exchange.reconciliation import reconcile
from execution.exchange.user_stream import UserStream
from execution.ledger.audit_log import AuditLogger
from execution.ledger.state_store import StateStore
from execution.ledger.store import Ledger
from execution.research.strategies import STRATEGIES
from execution.runtime.clock import SystemClock
from execution.runtime.errors import ErrorBook
from execution.runtime.settings import RiskConfig, TradingConfig, VenueConfig
from execution.runtime.tasks import TaskRunner
from execution.trading.bars import BarBook
from execution.trading.parts import TradingParts
from execution.trading.system import TradingSystem
from execution.venue.faults import Faults
from execution.venue.server import ApiKey, VenueServer
from execution.vocabulary.market import Condition
from execution.vocabulary.modes import TradeMode

SYMBOLS = ("BTC/USDT", "ETH/USDT", "SOL/USDT", "XRP/USDT")
KEY, SECRET = "k" * 32, "s" * 32


@contextlib.asynccontextmanager
async def running_venue(
    folder: Path, speed: float = 600.0, seed: int = 7, port: int = 0, faults: Faults | None = None
) -> AsyncIterator[int]:
    """A synthetic market at `speed`, one account; its port."""
    config = VenueConfig(speed=speed, seed=seed, symbols=SYMBOLS)
    server = VenueServer(config, folder / "venue", [ApiKey("sandbox", KEY, SECRET)], SystemClock(), faults=faults)
    bound = await server.start(port)
    market = asyncio.create_task(server.run_market())
    try:
        yield bound
    finally:
        market.cancel()
        await asyncio.gather(market, return_exceptions=True)
        await server.stop()


class Trader:
    """One trading system on a venue's port, with its task runner."""

    def __init__(
        self,
        folder: Path,
        port: int,
        trade_mode: TradeMode = TradeMode.PAPER,
        config: TradingConfig | None = None,
    ) -> None:
        clock = SystemClock()
        config = config or TradingConfig()
        self.client = build_client(
            Endpoint("binance", f"http://127.0.0.1:{port}"), Credentials(KEY, SECRET), clock, trade_mode
        )
        ledger = Ledger(folder / "ledger.db", "sandbox", clock)
        bars = BarBook("1m")
        feed = MarketFeed(self.client, SYMBOLS, "1m", clock, bars.add)
        gateway = ExchangeGateway(
            self.client, ledger, RiskConfig(), clock, trade_mode=trade_mode, quote=feed.quote, symbols=SYMBOLS
        )

        async def poll() -> None:
            for symbol in SYMBOLS:
                await gateway.fetch_new_fills(symbol)

        self.errors = ErrorBook(clock)
        parts = TradingParts(
            ledger=ledger,
            gateway=gateway,
            feed=feed,
            bars=bars,
            reconcile=lambda: reconcile(gateway, ledger),
            accept=lambda: reconcile(gateway, ledger, adopt=True),
            audit=AuditLogger(folder / "audit.jsonl", clock, "optimus"),
            state_store=StateStore(folder / "state.json", clock),
            clock=clock,
            errors=self.errors,
            user_stream=UserStream(self.client, ledger, SYMBOLS, clock, poll, outside=gateway.evidence.money_moved),
        )
        self.ledger, self.gateway, self.bars = ledger, gateway, bars
        self.system = TradingSystem(parts, config, RiskConfig(), trade_mode=trade_mode, venue="embedded", explore=True)
        self.runner = TaskRunner(clock, self.errors)
        self._running: asyncio.Task[None] | None = None

    async def start(self) -> None:
        """Recover and trade on."""
        await self.system.start()
        self._running = asyncio.create_task(self.runner.run(self.system.tasks()))

    def arm_everything(self) -> None:
        """Every strategy on every symbol with its usual parameters, from the newest bar on."""
        self.system.arm(
            [
                Condition(f"{symbol}-{name}", symbol, name, row.defaults(), "range", 1.0, bar_ms, 100_000)
                for symbol, bar_ms in self.bars.newest().items()
                for name, row in STRATEGIES.items()
            ]
        )

    async def stop(self) -> None:
        """As on SIGTERM."""
        self.runner.stop()
        if self._running is not None:
            await self._running
        await self.system.stop()
        await self.client.close()

    async def vanish(self) -> None:
        """As far as one process can play kill -9: nothing is saved, nothing is finished."""
        if self._running is not None:
            self._running.cancel()
            await asyncio.gather(self._running, return_exceptions=True)
        await self.system.streams.stop()
        await self.client.close()
        self.ledger.close()
