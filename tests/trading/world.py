"""A small market and a small venue for trading tests: hand-written, instant, on a clock that the test moves."""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass, field
from decimal import Decimal
from pathlib import Path

from execution.ledger.audit_log import AuditLogger
from execution.ledger.state_store import StateStore
from execution.ledger.store import Ledger
from execution.runtime.clock import ManualClock
from execution.runtime.errors import ErrorBook
from execution.runtime.settings import RiskConfig, TradingConfig
from execution.trading.bars import BarBook
from execution.trading.parts import TradingParts
from execution.trading.system import TradingSystem
from execution.vocabulary.health import ComponentHealth, ComponentStatus
from execution.vocabulary.market import Candle, Condition, Quote, SymbolRules, Trade, TradedRange
from execution.vocabulary.modes import TradeMode
from execution.vocabulary.order_states import OrderEvent, OrderState
from execution.vocabulary.orders import STOPS, Fill, OrderOutcome, OrderRequest, OrderRow, Side

MINUTE = 60_000
START_MS = 1_700_000_040_000 // MINUTE * MINUTE
HEALTHY = ComponentHealth(ComponentStatus.HEALTHY)


def rules_of(symbol: str = "BTC/USDT", **changes: object) -> SymbolRules:
    base, quote = symbol.split("/")
    values: dict[str, object] = {
        "symbol": symbol,
        "base": base,
        "quote": quote,
        "price_tick": Decimal("0.01"),
        "lot_step": Decimal("0.00001"),
        "lot_min": Decimal("0.00001"),
        "notional_min": Decimal("5"),
        "taker_fee": Decimal("0.001"),
    }
    return SymbolRules(**(values | changes))  # type: ignore[arg-type]


def candle(number: int, open_: str, high: str, low: str, close: str, volume: str = "100") -> Candle:
    opened, top, bottom, closed = (Decimal(value) for value in (open_, high, low, close))
    return Candle(START_MS + number * MINUTE, opened, top, bottom, closed, Decimal(volume))


def flat(number: int, price: str = "100") -> Candle:
    """A bar with a small, regular range around a price."""
    middle = Decimal(price)
    return Candle(
        START_MS + number * MINUTE, middle, middle + Decimal("0.1"), middle - Decimal("0.1"), middle, Decimal(100)
    )


def jump(number: int, start: str = "100", end: str = "101") -> Candle:
    """A bar that breaks out upwards: the momentum strategy's entry."""
    return Candle(START_MS + number * MINUTE, Decimal(start), Decimal(end), Decimal(start), Decimal(end), Decimal(100))


def condition(number: int, symbol: str = "BTC/USDT", score: float = 1.0, ttl: int = 50, name: str = "c1") -> Condition:
    params = {"lookback": 20.0, "margin_atr": 0.25, "atr_window": 14.0}
    return Condition(name, symbol, "momentum_breakout", params, "range", score, START_MS + number * MINUTE, ttl)


@dataclass
class Market:
    """Feed and market in one: what the test says is what is quoted."""

    clock: ManualClock
    bars: BarBook
    history: list[tuple[str, Candle]] = field(default_factory=list)
    quotes: dict[str, Quote] = field(default_factory=dict)
    stale: float = 0.0
    runs: int = 0
    heard_by: list[Callable[[Quote], None]] = field(default_factory=list)
    trades_heard_by: list[Callable[[Trade], None]] = field(default_factory=list)
    ranges_heard_by: list[Callable[[TradedRange], None]] = field(default_factory=list)

    def price(self, symbol: str, bid: str, ask: str | None = None) -> None:
        spread_up = Decimal(bid) * Decimal("1.0001")
        self.quotes[symbol] = Quote(symbol, Decimal(bid), Decimal(ask) if ask else spread_up, self.clock.monotonic())
        for hear in self.heard_by:
            hear(self.quotes[symbol])

    def traded(self, symbol: str, low: str, high: str) -> None:
        """A burst of trades; the quote stays where it is."""
        for hear in self.ranges_heard_by:
            hear(TradedRange(symbol, Decimal(low), Decimal(high), Decimal(high), 2, 0, self.clock.monotonic()))

    def quote(self, symbol: str) -> Quote | None:
        return self.quotes.get(symbol)

    def stale_for_s(self, symbol: str | None = None) -> float:
        return self.stale

    def tell_trades(self, hear: Callable[[Trade], None]) -> None:
        self.trades_heard_by = [hear]

    def tell_ranges(self, hear: Callable[[TradedRange], None]) -> None:
        self.ranges_heard_by = [hear]

    def tell_quotes(self, hear: Callable[[Quote], None]) -> None:
        self.heard_by = [hear]

    async def warm(self, limit: int) -> None:
        for symbol, bar in self.history[-limit:]:
            self.bars.add(symbol, bar)

    async def run(self) -> None:
        self.runs += 1
        await self.clock.sleep(0)
        await asyncio.Event().wait()

    def get_health(self) -> ComponentHealth:
        return HEALTHY


@dataclass
class Venue:
    """A gateway that fills everything at the quote, or does as told."""

    ledger: Ledger
    market: Market
    clock: ManualClock
    rules: dict[str, SymbolRules]
    answers: list[object] = field(default_factory=list)  # next answers: "unknown", "dry_run", "refuse", an exception
    placed: list[OrderRequest] = field(default_factory=list)
    trades: int = 0
    load_error: Exception | None = None
    quiet_s: float = 0.0
    loss: str = ""
    times_forgotten: int = 0

    async def load_rules(self) -> dict[str, SymbolRules]:
        if self.load_error is not None:
            raise self.load_error
        return self.rules

    async def place(self, request: OrderRequest) -> OrderOutcome:
        answer = self.answers.pop(0) if self.answers else "fill"
        if isinstance(answer, Exception):
            raise answer
        self.placed.append(request)
        if answer in ("dry_run", "refuse"):
            return OrderOutcome(None, None, [], "dry_run" if answer == "dry_run" else "order_value_max")
        order_id = self.ledger.record_intent(request)
        self.ledger.mark(order_id, OrderEvent.SENT)
        if answer == "unknown":
            self.ledger.mark(order_id, OrderEvent.AMBIGUOUS)
            return OrderOutcome(order_id, OrderState.UNKNOWN, [], None)
        if request.type in STOPS:
            self.ledger.mark(order_id, OrderEvent.ACKNOWLEDGED, f"v{order_id}")
            return OrderOutcome(order_id, OrderState.OPEN, [], None)
        fill = self._fill(request, order_id)
        self.ledger.record_fill(fill)
        return OrderOutcome(order_id, OrderState.FILLED, [fill], None)

    async def cancel(self, client_order_id: str) -> OrderRow:
        return self.ledger.mark(client_order_id, OrderEvent.CANCELED)

    def loss_limit_reached(self) -> str:
        return self.loss

    def forget_time(self) -> None:
        self.times_forgotten += 1

    def accept_losses(self) -> None:
        self.loss = ""

    async def probe(self, number: int) -> str | None:
        return None

    def quiet_for_s(self) -> float:
        return self.quiet_s

    def _fill(self, request: OrderRequest, order_id: str) -> Fill:
        quote = self.market.quotes[request.symbol]
        self.trades = self.ledger.fills_count + 1
        base, cash = request.symbol.split("/")
        buy = request.side is Side.BUY
        price = quote.ask if buy else quote.bid
        fee = request.quantity * self.rules[request.symbol].taker_fee * (1 if buy else price)
        return Fill(
            symbol=request.symbol,
            trade_id=str(self.trades),
            venue_order_id=f"v{self.trades}",
            client_order_id=order_id,
            side=request.side,
            price=price,
            quantity=request.quantity,
            fee=fee,
            fee_currency=base if buy else cash,
            executed_ms=self.clock.now_ms(),
        )

    def get_health(self) -> ComponentHealth:
        return HEALTHY


@dataclass
class Verdict:
    reconciled: bool = True
    differences: list[str] = field(default_factory=list)


class World:
    """One account, one clock, everything in `folder`."""

    def __init__(
        self,
        folder: Path,
        symbols: tuple[str, ...] = ("BTC/USDT",),
        config: TradingConfig | None = None,
        limits: RiskConfig | None = None,
        explore: bool = True,
        trade_mode: TradeMode = TradeMode.PAPER,
        history: int = 130,
        clock: ManualClock | None = None,
    ) -> None:
        self.clock = clock or ManualClock()
        self.ledger = Ledger(folder / "ledger.db", "sandbox", self.clock)
        if not self.ledger.balances():
            self.ledger.record_cash_flow("USDT", Decimal(10_000), "opening")
        self.bars = BarBook("1m")
        self.market = Market(self.clock, self.bars)
        self.venue = Venue(self.ledger, self.market, self.clock, {name: rules_of(name) for name in symbols})
        self.verdict = Verdict()
        self.verdict_error: Exception | None = None
        self.silent = False
        self.audit = AuditLogger(folder / "audit.jsonl", self.clock, "optimus")
        self.errors = ErrorBook(self.clock)
        for symbol in symbols:
            self.market.price(symbol, "100")
            self.market.history += [(symbol, flat(number - history)) for number in range(history)]
        parts = TradingParts(
            ledger=self.ledger,
            gateway=self.venue,
            feed=self.market,
            bars=self.bars,
            reconcile=self.reconcile,
            audit=self.audit,
            state_store=StateStore(folder / "state.json", self.clock),
            clock=self.clock,
            errors=self.errors,
        )
        self.system = TradingSystem(
            parts,
            config or TradingConfig(),
            limits or RiskConfig(),
            trade_mode=trade_mode,
            venue="a small venue",
            explore=explore,
        )
        self.manager = self.system.manager

    async def reconcile(self) -> Verdict:
        if self.silent:
            await asyncio.Event().wait()
        if self.verdict_error is not None:
            raise self.verdict_error
        return self.verdict

    def bar(self, bar: Candle, symbol: str = "BTC/USDT") -> None:
        """A bar closes; the quote follows its close and is fresh."""
        self.bars.add(symbol, bar)
        self.market.price(symbol, str(bar.close))
        self.clock.advance(1)
        for name, quote in self.market.quotes.items():
            self.market.price(name, str(quote.bid), str(quote.ask))
