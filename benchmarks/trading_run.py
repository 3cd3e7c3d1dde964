"""A venue, research and a trader in this process, wired as the operation wires them, at any speed: what the proofs of
trading run on. It starts them, waits for market time to pass, sells all, and says what came of it; it judges nothing.

The agents are the operation's own; only the periods of what counts in real time (research, its publishing) are
shortened with the market's speed, so that at 600x research looks as often per bar as at 60x.
"""

import asyncio
import contextlib
from collections import Counter
from collections.abc import AsyncIterator, Callable, Sequence
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any, NamedTuple

import numpy as np

from agents.main_loop import place_on_the_bus
from agents.optimus import OptimusAgent
from agents.process import Agent, Context
from agents.ralph import RalphAgent
from agents.venue import VenueAgent
from execution.exchange.reconciliation import reconcile
from execution.ledger.audit_log import recent
from execution.ledger.store import Ledger
from execution.research import kernels
from execution.research.backtest import backtest
from execution.research.strategies import STRATEGIES
from execution.runtime.clock import SystemClock
from execution.runtime.home import Home
from execution.runtime.settings import Config
from execution.runtime.tasks import Task
from execution.trading.bars import TIMEFRAME_MS
from execution.trading.system import TradingSystem
from execution.vocabulary.modes import Account
from execution.vocabulary.money import ZERO
from execution.vocabulary.orders import Side
from execution.vocabulary.performance import ClosedTrade
from execution.vocabulary.programs import optimus_of

RESEARCH_BARS = 20  # at 60x, research's own period
LOOK_S = 0.02
SOLD_WITHIN_S = 30.0
ENOUGH_CYCLES = 1_000_000


class Money(NamedTuple):
    """Profit in the quote currency, counted twice: from our fills, and from the venue's balances; what is left over at
    the bid both times. `differences`: what reconciliation says."""

    by_fills: Decimal
    by_balances: Decimal
    closed: Decimal  # the closed trades' own sum; what is left as dust isn't in it
    dust_value: Decimal
    differences: list[str]


@dataclass
class Outcome:
    """What came of a run."""

    minutes: int
    money: Money
    trades: list[ClosedTrade]
    entries: int
    bought: Decimal  # what all entries together cost
    reasons: Counter[str]  # of cycles that neither bought nor sold
    dropped: Counter[str]  # signals, and what risk refused, by reason
    decisions: list[dict[str, Any]]  # the audit trail's, oldest first
    failed_cycles: int
    errors: list[str]
    late: list[str] = field(default_factory=list)

    @property
    def won(self) -> int:
        """Trades that brought money, all costs counted."""
        return sum(trade.pnl_quote > 0 for trade in self.trades)

    @property
    def paid(self) -> Decimal:
        """The fees of the closed trades."""
        return sum((trade.fees_quote for trade in self.trades), ZERO)


class TradingRun:
    """The running three."""

    def __init__(self, config: Config, optimus: OptimusAgent, contexts: list[Context]) -> None:
        self._config = config
        self._optimus = optimus
        self._contexts = contexts
        self._began_ms = self.market_ms

    @property
    def system(self) -> TradingSystem:
        """The trader."""
        return self._optimus.system

    @property
    def ledger(self) -> Ledger:
        """Its books."""
        return self.system.parts.ledger

    @property
    def market_ms(self) -> int:
        """When the newest bar that the trader knows opened."""
        return max(self.system.parts.bars.newest().values(), default=0)

    @property
    def minutes(self) -> int:
        """Market minutes since the start."""
        if not self._began_ms:
            self._began_ms = self.market_ms
        return (self.market_ms - self._began_ms) // 60_000

    async def pass_minutes(self, minutes: int, told: Callable[[int], object] = lambda passed: None) -> None:
        """Let so much market time pass, seen by the trader. TimeoutError when it takes three times as long as it should
        and a minute."""
        async with asyncio.timeout(3 * minutes * 60 / self._config.venue.speed + 60):
            while self.minutes < minutes:
                told(self.minutes)
                await self.system.parts.clock.sleep(LOOK_S)
        told(minutes)

    async def finish(self) -> Outcome:
        """Buy nothing more, sell everything, and count."""
        minutes, late = self.minutes, self.late()
        self.system.pause_trading("the run is over")
        self.system.sell_everything("the run is over")
        async with asyncio.timeout(SOLD_WITHIN_S):
            while self.ledger.unsettled() or self._holds():
                await self.system.parts.clock.sleep(LOOK_S)
        cycles = self.system.parts.audit.get_recent_cycles(ENOUGH_CYCLES)
        dropped = Counter(
            why for row in cycles for name in ("dropped", "refused") for why in row.get(name, {}).values()
        )
        entries = [fill for fill in self.ledger.fills(limit=ENOUGH_CYCLES) if fill.side is Side.BUY]
        return Outcome(
            minutes=minutes,
            money=await self.count(),
            trades=self.ledger.closed_trades(),
            entries=self.system.manager.entry_orders,
            bought=sum((fill.quantity * fill.price for fill in entries), ZERO),
            reasons=Counter(str(row["reason"]) for row in cycles if row.get("reason")),
            dropped=dropped,
            decisions=recent(self.system.parts.audit.path, ENOUGH_CYCLES, "decision"),
            failed_cycles=self.system.manager.failed_cycles,
            errors=[f"{context.name}: {row}" for context in self._contexts for row in context.errors.rows()],
            late=late,
        )

    def _holds(self) -> bool:
        return any(not held.dust for held in self.system.manager.portfolio().holdings.values())

    def late(self) -> list[str]:
        """Tasks that are overdue by the operation's own measure, or have failed."""
        return [
            f"{context.name}: {row.name}, last {row.last_finished_age_s} s ago, {row.failures} failures"
            for context in self._contexts
            for row in context.runner.progress()
            if row.failures or (row.last_finished_age_s or 0) > max(3 * row.period_s, 10.0)
        ]

    async def count(self) -> Money:
        """Compare with the venue, and count the profit both ways at the same prices."""
        system, quote = self.system, self._config.trading.quote
        gateway: Any = system.parts.gateway
        verdict = await reconcile(gateway, self.ledger)
        opening = self._config.venue.opening_balance
        there = {row.currency: row.total for row in (await gateway.fetch_balances()).values()}
        prices = {quote: Decimal(1)}
        for symbol in system.recovery.rules:
            told = system.parts.feed.quote(symbol)
            prices[symbol.partition("/")[0]] = ZERO if told is None else told.bid
        flows: dict[str, Decimal] = {}
        for fill in self.ledger.fills(limit=ENOUGH_CYCLES):
            sign = 1 if fill.side is Side.BUY else -1
            base = fill.symbol.partition("/")[0]
            for name, delta in ((base, sign * fill.quantity), (quote, -sign * fill.quantity * fill.price)):
                flows[name] = flows.get(name, ZERO) + delta
            flows[fill.fee_currency] = flows.get(fill.fee_currency, ZERO) - fill.fee
        return Money(
            by_fills=sum((delta * prices[name] for name, delta in flows.items()), ZERO),
            by_balances=sum((total * prices[name] for name, total in there.items()), ZERO) - opening,
            closed=sum((trade.pnl_quote for trade in self.ledger.closed_trades()), ZERO),
            dust_value=sum((total * prices[name] for name, total in there.items() if name != quote), ZERO),
            differences=verdict.differences,
        )


@contextlib.asynccontextmanager
async def trading(home: Home, config: Config, research: bool = True) -> AsyncIterator[TradingRun]:
    """The three, started in the operation's order. Without `research` the trader is armed by whoever runs it."""
    home.prepare()
    clock, bar_s = SystemClock(), TIMEFRAME_MS[config.trading.timeframe] / 1000 / config.venue.speed
    periods = {"research": max(0.2, RESEARCH_BARS * bar_s), "publish": max(0.1, bar_s)}
    contexts: list[Context] = []
    if research:
        compile_all()
    async with contextlib.AsyncExitStack() as stack:
        for name, make in (("venue", VenueAgent), ("ralph", RalphAgent)):
            if research or name == "venue":
                context = await stack.enter_async_context(place_on_the_bus(name, home, config, clock, "in a benchmark"))
                contexts.append(context)
                await stack.enter_async_context(_living(context, make(context), periods))
        context = await stack.enter_async_context(
            place_on_the_bus(optimus_of(Account.SANDBOX), home, config, clock, "in a benchmark")
        )
        contexts.append(context)
        optimus = OptimusAgent(context, Account.SANDBOX, by_hand=True)
        await stack.enter_async_context(_living(context, optimus, periods))
        yield TradingRun(config, optimus, contexts)


@contextlib.asynccontextmanager
async def _living(context: Context, agent: Agent, periods: dict[str, float]) -> AsyncIterator[None]:
    await agent.start()
    tasks: Sequence[Task] = agent.tasks()
    for task in tasks:
        task.period_s = min(task.period_s, periods.get(task.name, task.period_s))
    work = asyncio.create_task(context.runner.run(list(tasks)))
    try:
        yield
    finally:
        context.runner.stop()
        await work
        await agent.stop()


def compile_all() -> None:
    """Compiling takes seconds and holds everything up: before the market begins, then."""
    if kernels.available():
        bars = np.full((10, 5), 100.0)
        for strategy in STRATEGIES.values():
            backtest(bars, strategy)
