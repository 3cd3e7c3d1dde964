"""What decides to trade in the simulated world: a hand drawn by the seed. It asks for all that a strategy might, and
for more: the same signal again, two things at once, orders that rest, a cancel of whatever stands there.

Sales and stops go through the trader's own order execution and protection; entries through it, or past it.
"""

from collections.abc import Callable
from decimal import Decimal
from typing import TYPE_CHECKING, Any, cast

from execution.exchange.gateway import ExchangeGateway
from execution.exchange.reconciliation import reconcile
from execution.ledger.store import Ledger
from execution.runtime.settings import TradingConfig
from execution.trading.assistants.order_execution import OrderExecutionAssistant
from execution.trading.portfolio import portfolio
from execution.trading.protection import Protector
from execution.vocabulary.market import Quote
from execution.vocabulary.money import floor_to_step
from execution.vocabulary.order_states import OrderState
from execution.vocabulary.orders import OrderOutcome, OrderRequest, OrderType, Purpose, Side
from tests.simulation.venue import STEP, TICK

if TYPE_CHECKING:
    from tests.simulation.world import SimWorld

SYMBOLS = ("BTC/USDT", "ETH/USDT")
SETTINGS = TradingConfig(stop_loss=Decimal("0.004"), protective_gap=Decimal("0.001"))
STANDING = (OrderState.OPEN, OrderState.PARTIALLY_FILLED)


class _Feed:
    """The market, as the trader's parts ask for it."""

    def __init__(self, quote: Callable[[str], Quote | None]) -> None:
        self.quote = quote


class _Trail:
    """The audit trail goes into the trace."""

    def __init__(self, world: "SimWorld") -> None:
        self._world = world

    def record(self, kind: str, **fields: Any) -> None:
        self._world.tell(f"{kind} {fields}")


class Hand:
    """One process's."""

    def __init__(
        self, world: "SimWorld", gateway: ExchangeGateway, ledger: Ledger, quote: Callable[[str], Quote | None]
    ) -> None:
        self._world, self._gateway, self._ledger, self._quote = world, gateway, ledger, quote
        self._chance = world.hand
        self._execution = OrderExecutionAssistant(
            SETTINGS, gateway, ledger, cast(Any, _Feed(quote)), world.clock, may_enter=lambda: ""
        )
        self._protector = Protector(
            SETTINGS,
            gateway=gateway,
            ledger=ledger,
            execution=self._execution,
            audit=cast(Any, _Trail(world)),
            clock=world.clock,
        )

    async def act(self) -> None:
        """One thing."""
        symbol, draw = self._chance.choice(SYMBOLS), self._chance.random()
        if not self._ledger.reconciliation().reconciled and draw < 0.15:
            await self._accept()
        elif draw < 0.08:
            for order in self._ledger.unsettled():
                if order.state in STANDING:
                    await self._gateway.cancel(order.client_order_id)
                    return
        elif draw < 0.85 and symbol in self._ledger.positions():
            if draw > 0.45:
                return
            request = self._exit(symbol)
            executed = await self._execution.execute(request)
            self._told(request, executed.outcome, executed.filtered)
        else:
            request = self._entry(symbol)
            if self._chance.random() < 0.5:
                executed = await self._execution.execute(request)
                self._told(request, executed.outcome, executed.filtered)
            else:
                self._told(request, await self._gateway.place(request))

    async def _accept(self) -> None:
        """A person books what isn't explained as somebody's money, also when it is only a fill that is told late."""
        found = await reconcile(self._gateway, self._ledger, adopt=True)
        self._world.tell(f"accepted what differed; still {found.differences}")

    def _told(self, request: OrderRequest, outcome: OrderOutcome | None, filtered: str = "") -> None:
        if outcome is None or outcome.refusal is not None:
            self._world.refusals[filtered or str(outcome and outcome.refusal)[:32]] += 1
        else:
            self._world.tell(f"{request.side} {request.symbol} {outcome.client_order_id}: {outcome.state}")

    async def protect(self) -> None:
        """Stops for what is held, in worlds where somebody sees to it."""
        if self._world.over or not self._world.weather.guarded:
            return
        held = portfolio(
            "USDT",
            balances=self._ledger.balances(),
            positions=self._ledger.positions(),
            unsettled=self._ledger.unsettled(),
            rules=self._gateway.rules,
            quote=self._quote,
        )
        await self._protector.look(held, self._gateway.rules, self._quote)

    def _entry(self, symbol: str) -> OrderRequest:
        """A new signal, or one that is seen again: after a restart, or because nobody knows what became of it."""
        world, chance = self._world, self._chance
        if world.signals and chance.random() < 0.25:
            symbol, bar = chance.choice(world.signals[-6:])
        else:
            bar = len(world.signals) + 1
            world.signals.append((symbol, bar))
        middle = self._middle(symbol)
        worth = Decimal(chance.randrange(550, 890))
        rests = chance.random() < 0.35
        price = floor_to_step(middle * Decimal(chance.choice(("0.998", "0.9995", "1.001"))), TICK)
        return OrderRequest(
            symbol=symbol,
            side=Side.BUY,
            type=OrderType.LIMIT if rests else OrderType.MARKET,
            quantity=floor_to_step(worth / middle, STEP),
            reference_price=middle,
            purpose=Purpose.ENTRY,
            strategy="hand",
            reason="signal",
            signal_bar_ms=bar,
            limit_price=price if rests else None,
            immediate=rests and bar % 3 == 0,
        )

    def _exit(self, symbol: str) -> OrderRequest:
        part = Decimal(self._chance.choice(("1", "1", "0.5")))
        return OrderRequest(
            symbol=symbol,
            side=Side.SELL,
            type=OrderType.MARKET,
            quantity=floor_to_step(self._ledger.positions()[symbol].quantity * part, STEP),
            reference_price=self._middle(symbol),
            purpose=Purpose.EXIT,
            strategy="hand",
            reason="profit_target",
            signal_bar_ms=0,
        )

    def _middle(self, symbol: str) -> Decimal:
        quote = self._quote(symbol)
        assert quote is not None
        return quote.mid

    async def tidy(self) -> None:
        """The end: nothing new, and nothing left in the book."""
        for order in self._ledger.unsettled():
            if order.state in STANDING:
                await self._gateway.cancel(order.client_order_id)
