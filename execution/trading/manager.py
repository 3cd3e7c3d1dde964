"""InfinityTradingManager: one trading cycle, the assistants in their order, never more than one at a time.

data -> universe -> triggers -> signals -> risk -> execution -> positions -> exits -> performance. Whatever raises, the
cycle ends in the audit trail with its reason, positions still get their exit check, and the next cycle goes on.
"""

import asyncio
import logging
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from typing import Any

from execution.ledger.audit_log import AuditLogger
from execution.ledger.store import Ledger
from execution.runtime.clock import Clock
from execution.runtime.settings import TradingConfig
from execution.trading import decisions
from execution.trading.assistants.data_analysis import DataAnalysisAssistant
from execution.trading.assistants.order_execution import Executed, OrderExecutionAssistant
from execution.trading.assistants.performance_tracking import PerformanceTrackingAssistant
from execution.trading.assistants.risk_management import Assessment, RiskManagementAssistant
from execution.trading.assistants.signal_generation import SignalGenerationAssistant
from execution.trading.bars import BarBook
from execution.trading.cycle import CycleRecord, CycleResult, order_line
from execution.trading.entries import Entries
from execution.trading.portfolio import Portfolio, portfolio
from execution.trading.ports import Feed
from execution.trading.proposals import Proposal
from execution.trading.reallocation import Reallocation
from execution.trading.reserve import ReserveBook
from execution.trading.sell_coordinator import UnifiedSellCoordinator, request_of
from execution.vocabulary.limits import ENTRIES_OFF_AFTER_S
from execution.vocabulary.market import Quote, SymbolRules
from execution.vocabulary.money import ZERO, text
from execution.vocabulary.orders import OrderRequest
from execution.vocabulary.reasons import NoTradeReason

log = logging.getLogger("nae.trading")
FRESH_TICK_S = 1.0
SALE_WAITED_S = 0.1  # a sale's answer comes within milliseconds, or other positions are looked at meanwhile


@dataclass(frozen=True)
class Assistants:
    """The five, and the coordinator of exits."""

    data: DataAnalysisAssistant
    signals: SignalGenerationAssistant
    risk: RiskManagementAssistant
    execution: OrderExecutionAssistant
    performance: PerformanceTrackingAssistant
    exits: UnifiedSellCoordinator
    reallocation: Reallocation | None = None


class InfinityTradingManager:
    """Runs cycles. `entries_off` says why no entry may be opened now ('' when it may); `note_error` counts an error;
    `entered` hears of each entry that left."""

    def __init__(
        self,
        config: TradingConfig,
        assistants: Assistants,
        *,
        ledger: Ledger,
        feed: Feed,
        bars: BarBook,
        audit: AuditLogger,
        clock: Clock,
        rules: Callable[[], Mapping[str, SymbolRules]],
        entries_off: Callable[[], str],
        note_error: Callable[[BaseException], object],
        off_numbers: Callable[[], Mapping[str, Any]] = dict,
        entered: Callable[[], object] = lambda: None,
        reserve: ReserveBook | None = None,
    ) -> None:
        self._config = config
        self._with = assistants
        self._ledger = ledger
        self._feed = feed
        self._bars = bars
        self._audit = audit
        self._clock = clock
        self._rules = rules
        self._entries_off = entries_off
        self._off_numbers = off_numbers
        self._note_error = note_error
        self._entered = entered
        self._reserve = reserve
        self._running = asyncio.Lock()
        self._exits_running = asyncio.Lock()
        self._selling: set[asyncio.Task[Executed]] = set()  # sales on their way
        self._exits_at: float | None = None
        self.shot_wanted = asyncio.Event()
        self.entries = Entries(
            config,
            assistants.risk,
            assistants.execution,
            assistants.signals.sniper,
            feed=feed,
            bars=bars,
            clock=clock,
            write=self._write,
            portfolio=self.portfolio,
            entries_off=entries_off,
            sent=self._entry_sent,
            make_room=self._make_room,
        )
        self.cycles = 0
        self.failed_cycles = 0
        self.exit_orders = 0
        self.entry_orders = 0
        self.last: CycleResult | None = None

    async def run_cycle(self) -> CycleResult:
        """One cycle, to its end. Raises nothing but cancellation."""
        async with self._running:
            self.cycles += 1
            record = CycleRecord(self.cycles, f"{self._ledger.account}-{self._ledger.epoch}-{self.cycles}")
            started = self._clock.monotonic()
            await self._guarded(self._exits, record)  # what a bar has ended mustn't stand in the way of what it begins
            await self._guarded(self._entries, record)
            await self._guarded(self._exits, record)
            await self._guarded(self._performance, record)
            record.duration_ms = round((self._clock.monotonic() - started) * 1000, 3)
            self.last = record.result()
            self.failed_cycles += bool(record.errors)
            self._write("cycle", record.correlation_id, record.fields())
            return self.last

    async def finished(self) -> None:
        """Return when no cycle is running and none of its orders is on its way."""
        async with self._running, self._exits_running:
            await self.entries.finished()
            await asyncio.gather(*self._selling, return_exceptions=True)

    async def _guarded(self, half: Callable[[CycleRecord], Awaitable[None]], record: CycleRecord) -> None:
        try:
            await half(record)
        except Exception as error:
            record.failed(error)
            self._note_error(error)
            log.exception(
                "cycle failed", extra={"fields": {"cycle": record.number, "stage": getattr(half, "__name__", "")}}
            )

    def _write_order(self, one: Executed, cause: str) -> None:
        checked = one.outcome.checked if one.outcome is not None else {}
        self._write("order", one.request.correlation_id, order_line(one) | {"checked": checked}, cause)

    def _write(self, kind: str, correlation_id: str, fields: dict[str, Any], cause: str = "") -> None:
        try:
            self._audit.record(kind, correlation_id, cause, **fields)
        except ValueError as error:  # a number that isn't one: the line is lost, counted and logged; exits go on
            self._note_error(error)
            log.exception("audit line lost", extra={"fields": {"kind": kind}})

    def portfolio(self) -> Portfolio:
        """The account now, priced."""
        return portfolio(
            self._config.quote,
            balances=self._ledger.balances(),
            positions=self._ledger.positions(),
            unsettled=self._ledger.unsettled(),
            rules=self._rules(),
            quote=self._feed.quote,
            reserve=ZERO if self._reserve is None else self._reserve.amount,
        )

    async def _entries(self, record: CycleRecord) -> None:
        if self._reserve is not None:
            self._reserve.look()  # before anything is bought: what a closed trade has just earned may be put aside
        fresh = self._bars.take_new()
        self.entries.drop_old(record)
        held = self.portfolio()
        record.fresh, record.equity = sorted(fresh), held.equity
        universe = self._with.data.universe(self._rules(), self._with.risk.order_value(held))
        record.take_universe(universe)
        signals = self._with.signals.look(fresh, universe, held)  # also while entries are off: memories stay in step
        record.take_signals(signals)
        off = self._entries_off()
        if off:
            record.stay_out(off, self._off_numbers())
            return
        if not universe.listings:
            record.stay_out(NoTradeReason.EMPTY_UNIVERSE)
        elif not fresh:
            record.stay_out(NoTradeReason.NO_NEW_BAR)
        elif not signals.armed:
            record.stay_out(NoTradeReason.NO_CONDITIONS)
        elif not signals.triggers:
            record.stay_out(NoTradeReason.NO_CANDIDATES)
        elif not signals.proposals:
            record.stay_out(NoTradeReason.NO_PROPOSALS)
        else:
            await self.entries.take(signals.proposals, record)

    def heed(self, quote: Quote) -> None:
        """A tick: a shot that it satisfies is taken at once, without waiting for a cycle."""
        if self.entries.wanted_by(quote):
            self.shot_wanted.set()

    def _entry_sent(self, one: Executed) -> None:
        self.entry_orders += 1
        self._with.exits.entered(one.request.symbol, one.request.signal_bar_ms)
        self._entered()

    async def _make_room(
        self, proposals: list[Proposal], assessment: Assessment, held: Portfolio, correlation_id: str
    ) -> list[dict[str, Any]] | None:
        """Sell the weakest position first, where a clearly better entry has found no room; the sale's audit lines."""
        if self._with.reallocation is None:
            return None
        found = self._with.reallocation.look(proposals, assessment, held, self._rules(), self._feed.quote)
        if found is None:
            return None
        self._write("reallocation", correlation_id, {"symbol": found.symbol, "why": found.why, **found.numbers})
        self._with.exits.give_up(found.symbol, found.why)
        lines, errors = await self._exit_positions(correlation_id)
        for error in errors:
            self._note_error(error)
        return lines

    async def _exits(self, record: CycleRecord) -> None:
        if self._ledger.positions():
            lines, errors = await self._exit_positions(record.correlation_id)
            record.exits += lines
            if errors:
                raise errors[0]

    async def check_exits(self) -> None:
        """Exits alone, on the price of the moment, between cycles. Nothing happens while nothing is held."""
        if not self._ledger.positions():
            self._with.exits.look({}, {}, {})  # what was ordered of positions is over with them
            self._looked()
            return
        correlation_id = f"{self._ledger.account}-{self._ledger.epoch}-{self.cycles}x"
        lines, errors = await self._exit_positions(correlation_id)
        if lines:
            self._write("exits", correlation_id, {"exits": lines})
        if errors:
            raise errors[0]

    async def _exit_positions(self, correlation_id: str) -> tuple[list[dict[str, Any]], list[Exception]]:
        """Audit lines of what was sold, and what went wrong. All sales leave at once: none waits for another's answer,
        and one that raises holds up no other. An answer that takes long is waited for beside the next look."""
        async with self._exits_running:
            held = self.portfolio()
            quotes = {symbol: self._feed.quote(symbol) for symbol in held.holdings}
            silent = self._feed.stale_for_s() > ENTRIES_OFF_AFTER_S
            waiting = self._with.execution.exits_waiting()
            found = self._with.exits.look(held.holdings, self._rules(), quotes, waiting, quotes_old=silent)
            self._looked()
            lines: list[dict[str, Any]] = [{"symbol": symbol, "outcome": "dust"} for symbol in found.new_dust]
            requests = [request_of(row, held.holdings[row.symbol], correlation_id) for row in found.decisions]
            for row, request in zip(found.decisions, requests, strict=True):
                self._write("decision", correlation_id, decisions.leaving(row, request), decisions.cause_of(request))
            sales = [asyncio.create_task(self._sell(request)) for request in requests]
            for sale in sales:
                self._selling.add(sale)
                sale.add_done_callback(self._selling.discard)
            if sales:
                await asyncio.wait(sales, timeout=SALE_WAITED_S)
            sold = [sale for sale in sales if sale.done()]
            for late in set(sales) - set(sold):
                late.add_done_callback(self._sold_late)
            errors = [error for sale in sold if isinstance(error := sale.exception(), Exception)]
            lines += [order_line(sale.result()) for sale in sold if sale.exception() is None]
            return lines, errors

    async def _sell(self, request: OrderRequest) -> Executed:
        executed = await self._with.execution.execute(request)
        self.exit_orders += executed.sent
        self._write_order(executed, decisions.cause_of(request))
        return executed

    def _sold_late(self, sale: asyncio.Task[Executed]) -> None:
        error = None if sale.cancelled() else sale.exception()
        if error is not None:
            self._note_error(error)
            log.error("sale failed", exc_info=error)

    def _looked(self) -> None:
        """Everything held has just been looked at; it counts when the market was heard a moment ago."""
        if self._feed.stale_for_s() <= FRESH_TICK_S:
            self._exits_at = self._clock.monotonic()

    def manages(self) -> bool:
        """Was everything held looked at within the last second, on what the market said within a second of that?"""
        return self._exits_at is not None and self._clock.monotonic() - self._exits_at <= FRESH_TICK_S

    async def _performance(self, record: CycleRecord) -> None:
        record.positions = len(self._ledger.positions())
        closed = self._with.performance.update()
        record.closed = [
            {"symbol": trade.symbol, "net": text(trade.pnl_quote), "reason": str(trade.exit_reason)} for trade in closed
        ]
