"""A real venue on a real socket, a proxy before it, and a gateway with its ledger on the other side."""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from decimal import Decimal
from pathlib import Path

from execution.exchange.client import VenueClient
from execution.exchange.credentials import Credentials
from execution.exchange.endpoint import Endpoint, build_client
from execution.exchange.gateway import ExchangeGateway
from execution.exchange.reconciliation import Reconciliation, reconcile
from execution.ledger.store import Ledger
from execution.runtime.clock import SystemClock
from execution.runtime.settings import RiskConfig, VenueConfig
from execution.venue.faults import Faults
from execution.venue.server import ApiKey, VenueServer
from execution.vocabulary.market import Quote
from execution.vocabulary.modes import TradeMode
from execution.vocabulary.orders import OrderRequest, OrderType, Purpose, Side
from tests.exchange.proxy import Proxy, proxy_to

BTC, ETH = "BTC/USDT", "ETH/USDT"
SYMBOLS = (BTC, ETH)
KEYS = Credentials("k" * 32, "s" * 32)
CONFIG = VenueConfig(symbols=SYMBOLS, history_bars=100, speed=60.0)
GENEROUS = RiskConfig(
    exposure_max=Decimal(9000),
    position_value_max=Decimal(9000),
    orders_per_minute_max=1000,
    repeated_orders_max=1000,
    losses_in_row_max=1000,
    daily_loss_max=Decimal(1),
    weekly_loss_max=Decimal(1),
    drawdown_max=Decimal(1),
)


class ShiftedClock(SystemClock):
    """Real time that can be moved ahead, for the venue and for us alike, so that no test waits for a fence. `wall_s`
    steps the machine's wall clock alone, and with it the venue's."""

    def __init__(self) -> None:
        self.ahead_s = 0.0
        self.wall_s = 0.0

    def monotonic(self) -> float:
        return super().monotonic() + self.ahead_s

    def now_ms(self) -> int:
        return super().now_ms() + round((self.ahead_s + self.wall_s) * 1000)


@dataclass
class World:
    folder: Path
    venue: VenueServer
    proxy: Proxy
    clock: ShiftedClock
    client: VenueClient
    ledger: Ledger
    gateway: ExchangeGateway
    quotes: dict[str, Quote] = field(default_factory=dict)

    async def reconcile(self, adopt: bool = False) -> Reconciliation:
        return await reconcile(self.gateway, self.ledger, adopt)

    async def order(
        self, side: Side = Side.BUY, quantity: str = "0.001", symbol: str = BTC, limit_price: Decimal | None = None
    ) -> OrderRequest:
        """A request at the present price."""
        self.quotes.update(await self.gateway.fetch_quotes(SYMBOLS))
        return OrderRequest(
            symbol=symbol,
            side=side,
            type=OrderType.MARKET if limit_price is None else OrderType.LIMIT,
            quantity=Decimal(quantity),
            reference_price=self.quotes[symbol].mid,
            limit_price=limit_price,
            purpose=Purpose.ENTRY if side is Side.BUY else Purpose.EXIT,
            strategy="trend",
            reason="signal" if side is Side.BUY else "profit_target",
            signal_bar_ms=0,
        )

    async def venue_balances(self) -> dict[str, Decimal]:
        balances = await self.gateway.fetch_balances()
        return {currency: balance.total for currency, balance in balances.items()}

    def books(self) -> dict[str, Decimal]:
        return {currency: total for currency, total in self.ledger.balances().items() if total}

    async def restart(self, on_step: Callable[[str], None] = lambda step: None) -> None:
        """A new process on the same ledger, as far as the ledger can tell."""
        rules = self.gateway.rules
        self.ledger.close()
        self.ledger = Ledger(self.ledger.path, "sandbox", self.clock)
        self.gateway = make_gateway(self.client, self.ledger, self.clock, self.quotes, on_step=on_step)
        self.gateway.rules = rules or await self.gateway.load_rules()


def make_gateway(
    client: VenueClient,
    ledger: Ledger,
    clock: SystemClock,
    quotes: dict[str, Quote],
    limits: RiskConfig = GENEROUS,
    trade_mode: TradeMode = TradeMode.PAPER,
    on_step: Callable[[str], None] = lambda step: None,
    may_send: Callable[[], str | None] = lambda: None,
) -> ExchangeGateway:
    return ExchangeGateway(
        client,
        ledger,
        limits,
        clock,
        trade_mode=trade_mode,
        quote=quotes.get,
        symbols=SYMBOLS,
        on_step=on_step,
        may_send=may_send,
    )


def client_at(port: int, clock: SystemClock) -> VenueClient:
    return build_client(Endpoint("binance", f"http://127.0.0.1:{port}"), KEYS, clock)


@asynccontextmanager
async def world(
    folder: Path,
    limits: RiskConfig = GENEROUS,
    trade_mode: TradeMode = TradeMode.PAPER,
    config: VenueConfig = CONFIG,
    ready: bool = True,
    faults: Faults | None = None,
) -> AsyncIterator[World]:
    """`ready`: rules loaded, books opened, reconciled."""
    clock = ShiftedClock()
    venue = VenueServer(config, folder / "venue", [ApiKey("sandbox", KEYS.key, KEYS.secret)], clock, faults=faults)
    venue_port = await venue.start(0)
    market = asyncio.ensure_future(venue.run_market())
    async with proxy_to(venue_port) as proxy:
        client = client_at(proxy.port, clock)
        quotes: dict[str, Quote] = {}
        ledger = Ledger(folder / "ledger.db", "sandbox", clock)
        gateway = make_gateway(client, ledger, clock, quotes, limits, trade_mode)
        here = World(folder, venue, proxy, clock, client, ledger, gateway, quotes)
        try:
            if ready:
                await gateway.load_rules()
                assert (await here.reconcile()).reconciled
            yield here
        finally:
            await client.close()
            here.ledger.close()
            market.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await market
    await venue.stop()
