"""A whole trading system on the real embedded venue over real sockets: it trades, and the books agree."""

import asyncio
import json
from functools import partial
from pathlib import Path

from execution.exchange.reconciliation import reconcile
from execution.ledger.audit_check import verify
from execution.research.strategies import STRATEGIES
from execution.trading.system import TradingSystem
from execution.venue.faults import Fault, Faults
from execution.vocabulary.modes import TradeMode
from execution.vocabulary.money import ZERO
from execution.vocabulary.orders import Purpose, Side
from tests.support import eventually_async
from tests.trading.venue import Trader, running_venue


async def _agrees(trader: Trader) -> None:
    """Our books and the venue's: the same to the last digit."""
    verdict = await reconcile(trader.gateway, trader.ledger)
    assert verdict.reconciled and verdict.differences == []
    there = {row.currency: row.total for row in (await trader.gateway.fetch_balances()).values() if row.total}
    assert there == {name: total for name, total in trader.ledger.balances().items() if total != ZERO}


def _orders_of(trader: Trader) -> int:
    return trader.system.manager.entry_orders + trader.system.manager.exit_orders


def _unwell(trader: Trader) -> list[str]:
    return [name for name, row in trader.system.components().items() if row.status != "healthy"]


def test_it_trades_by_itself_within_seconds_and_reconciles_to_the_last_digit(tmp_path: Path) -> None:
    async def run() -> TradingSystem:
        async with running_venue(tmp_path) as port:
            trader = Trader(tmp_path, port)
            await trader.start()
            trader.arm_everything()
            await eventually_async(lambda: len(trader.ledger.closed_trades()) >= 10, within_s=30)
            trader.system.pause_trading("enough")
            await eventually_async(lambda: not trader.ledger.unsettled(), within_s=10)
            await _agrees(trader)
            await eventually_async(lambda: _unwell(trader) == [], within_s=10)
            assert trader.errors.rows() == []
            await trader.stop()
            return trader.system

    system = asyncio.run(run())
    assert system.manager.failed_cycles == 0
    assert verify(tmp_path / "audit.jsonl") is None
    brief = json.loads((tmp_path / "state.json").read_text())
    assert brief["trades_today"] >= 20


def test_killed_with_open_positions_the_next_one_finds_and_closes_them(tmp_path: Path) -> None:
    async def run() -> None:
        async with running_venue(tmp_path) as port:
            first = Trader(tmp_path, port)
            await first.start()
            first.arm_everything()
            await eventually_async(first.ledger.positions, within_s=30)
            await first.vanish()

            second = Trader(tmp_path, port)
            await second.start()
            second.system.pause_trading("only the exits")
            await eventually_async(lambda: not second.ledger.positions() and not second.ledger.unsettled(), within_s=30)
            assert second.ledger.closed_trades()
            await _agrees(second)
            await second.stop()

    asyncio.run(run())


def test_killed_again_and_again_nothing_is_bought_twice_and_nothing_forgotten(tmp_path: Path) -> None:
    async def run() -> None:
        async with running_venue(tmp_path) as port:
            for _ in range(6):
                trader = Trader(tmp_path, port)
                await trader.start()
                trader.arm_everything()
                await eventually_async(partial(_orders_of, trader), within_s=30)
                await trader.vanish()
            last = Trader(tmp_path, port)
            await last.start()
            await eventually_async(lambda: not last.ledger.unsettled(), within_s=10)
            await _agrees(last)
            entries = [
                (row.symbol, row.signal_bar_ms) for row in last.ledger.orders(limit=1000) if row.side is Side.BUY
            ]
            assert entries and len(set(entries)) == len(entries)
            await last.stop()

    asyncio.run(run())


def test_every_trigger_in_the_audit_trail_is_one_that_research_finds_on_the_same_bars(tmp_path: Path) -> None:
    async def run() -> Trader:
        async with running_venue(tmp_path) as port:
            trader = Trader(tmp_path, port)
            await trader.start()
            trader.arm_everything()
            await eventually_async(lambda: trader.system.manager.entry_orders >= 5, within_s=30)
            await trader.stop()
            return trader

    trader = asyncio.run(run())
    told = {
        (trigger["symbol"], trigger["strategy"], trigger["bar_ms"], trigger["strength"])
        for cycle in trader.system.parts.audit.get_recent_cycles(10_000)
        for trigger in cycle.get("triggered", [])
    }
    found = set()
    for symbol in trader.bars.newest():
        for name, strategy in STRATEGIES.items():
            state, params = strategy.fresh_state(), strategy.vector()
            for candle, row in zip(trader.bars.series(symbol).candles, trader.bars.series(symbol).rows, strict=True):
                found.add((symbol, name, candle.open_ms, round(strategy.step(state, row, params), 6)))
    assert len(told) >= 5 and told <= found


def test_lost_replies_neither_double_an_order_nor_lose_one(tmp_path: Path) -> None:
    faults = Faults()
    faults.plan("POST /api/v3/order", Fault.EXECUTE_CUT, Fault.EXECUTE_504, Fault.EXECUTE_CUT, Fault.EXECUTE_504)

    async def run() -> None:
        async with running_venue(tmp_path, faults=faults) as port:
            trader = Trader(tmp_path, port)
            await trader.start()
            trader.arm_everything()
            await eventually_async(lambda: len(faults.happened) == 4, within_s=30)
            await eventually_async(lambda: len(trader.ledger.closed_trades()) >= 4, within_s=30)
            trader.system.pause_trading("enough")
            await eventually_async(lambda: not trader.ledger.unsettled(), within_s=10)
            await _agrees(trader)
            orders = trader.ledger.orders(limit=1000)
            assert len({order.venue_order_id for order in orders}) == len(orders)
            entries = [(order.symbol, order.signal_bar_ms) for order in orders if order.purpose is Purpose.ENTRY]
            assert len(set(entries)) == len(entries)
            await trader.stop()

    asyncio.run(run())


def test_a_dry_run_decides_and_sends_nothing(tmp_path: Path) -> None:
    async def run() -> None:
        async with running_venue(tmp_path) as port:
            trader = Trader(tmp_path, port, TradeMode.DRY_RUN)
            await trader.start()
            trader.arm_everything()
            await eventually_async(
                lambda: trader.system.manager.last and trader.system.manager.last.reason == "dry_run", within_s=30
            )
            assert trader.ledger.orders() == [] and trader.ledger.fills_count == 0
            await trader.stop()

    asyncio.run(run())


def test_a_venue_that_goes_away_stops_entries_and_is_found_again(tmp_path: Path) -> None:
    async def run() -> None:
        async with running_venue(tmp_path) as port:
            trader = Trader(tmp_path, port)
            await trader.start()
            trader.arm_everything()
        await eventually_async(lambda: not trader.system.recovery.reconciled, within_s=10)
        assert trader.system.entries_off() == "account_not_reconciled"
        async with running_venue(tmp_path, port=port):
            await eventually_async(lambda: not trader.system.entries_off(), within_s=15)
            bars = sum(trader.bars.newest().values())
            await eventually_async(lambda: sum(trader.bars.newest().values()) > bars, within_s=10)
            await _agrees(trader)
            await trader.stop()

    asyncio.run(run())
