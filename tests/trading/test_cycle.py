"""One cycle on a small market: it trades when everything agrees, and says why when it doesn't."""

import asyncio
from decimal import Decimal
from pathlib import Path

import pytest

from execution.runtime.settings import RiskConfig, TradingConfig
from execution.trading.cycle import CycleResult
from execution.vocabulary.lifecycle import TradingState
from execution.vocabulary.modes import TradeMode
from execution.vocabulary.order_states import OrderEvent
from execution.vocabulary.orders import Purpose, Side
from tests.trading.world import World, condition, flat, jump, rules_of


async def _entered(world: World) -> CycleResult:
    """Start, arm, break out, run the cycle that buys."""
    await world.system.start()
    world.system.arm([condition(-1)])
    world.bar(jump(0))
    return await world.manager.run_cycle()


def test_an_armed_breakout_is_bought_and_the_cycle_has_no_reason(tmp_path: Path) -> None:
    world = World(tmp_path)
    result = asyncio.run(_entered(world))
    assert result.reason is None and result.entries == 1 and result.fills == 1
    (request,) = world.venue.placed
    assert request.side is Side.BUY and request.purpose is Purpose.ENTRY
    assert request.signal_bar_ms == world.bars.series("BTC/USDT").newest_ms
    assert request.value <= 10_000 * TradingConfig().position_share
    assert list(world.ledger.positions()) == ["BTC/USDT"]


def test_a_position_is_sold_at_its_target_and_teaches_something(tmp_path: Path) -> None:
    async def run() -> None:
        world = World(tmp_path)
        await _entered(world)
        world.market.price("BTC/USDT", "102")
        result = await world.manager.run_cycle()
        assert result.exits == 1 and result.reason is None
        assert world.ledger.positions() == {}
        (trade,) = world.ledger.closed_trades()
        assert trade.exit_reason == "profit_target" and trade.pnl_quote > 0
        tally = world.system.assistants.performance.tally()
        assert tally.trades == 1 and tally.coins["BTC/USDT"] > 0

    asyncio.run(run())


def test_a_position_is_sold_between_cycles_when_the_price_falls_through_its_stop(tmp_path: Path) -> None:
    async def run() -> None:
        world = World(tmp_path)
        await _entered(world)
        await world.manager.check_exits()
        assert world.ledger.positions()
        world.market.price("BTC/USDT", "100.2")
        await world.manager.check_exits()
        assert world.ledger.positions() == {}
        assert world.venue.placed[-1].reason == "stop_loss"

    asyncio.run(run())


async def _reason(world: World, prepare: str) -> CycleResult:
    await world.system.start()
    if prepare == "no_conditions_armed":
        world.bar(jump(0))
        return await world.manager.run_cycle()
    world.system.arm([condition(-1)])
    if prepare == "no_new_bar":
        return await world.manager.run_cycle()
    world.bar(flat(0) if prepare == "no_candidates_from_triggers" else jump(0))
    if prepare == "empty_universe":
        world.market.price("BTC/USDT", "100", "101")
    elif prepare == "stale_market_data":
        world.market.stale = 10.5
    elif prepare == "account_not_reconciled":
        world.system.recovery.reconciled = False
    elif prepare == "trading_paused":
        world.system.pause_trading("a test")
    elif prepare == "trading_reduce_only":
        world.system.reduce_only("a test")
    elif prepare == "trading_halted":
        world.system.halt_trading("a test")
    elif prepare == "rules_engine_no_proposals":
        world.system.recovery.rules["BTC/USDT"] = rules_of(
            taker_fee=Decimal("0.01")
        )  # the target no longer clears the cost
    elif prepare == "all_proposals_blocked_by_risk":
        world.ledger.record_cash_flow("USDT", Decimal(-9_999), "withdrawal")
    elif prepare == "no_orders_after_execution_filter":
        world.venue.answers.append("refuse")
    elif prepare == "dry_run":
        world.venue.answers.append("dry_run")
    elif prepare == "exception:ZeroDivisionError":
        world.venue.answers.append(ZeroDivisionError("a bug"))
    return await world.manager.run_cycle()


@pytest.mark.parametrize(
    "reason",
    [
        "empty_universe",
        "no_candidates_from_triggers",
        "rules_engine_no_proposals",
        "all_proposals_blocked_by_risk",
        "no_orders_after_execution_filter",
        "stale_market_data",
        "account_not_reconciled",
        "trading_paused",
        "trading_halted",
        "trading_reduce_only",
        "no_new_bar",
        "no_conditions_armed",
        "dry_run",
        "exception:ZeroDivisionError",
    ],
)
def test_a_cycle_without_an_order_says_why_in_its_result_and_in_the_audit_trail(tmp_path: Path, reason: str) -> None:
    world = World(tmp_path)
    result = asyncio.run(_reason(world, reason))
    assert result.reason == reason
    (line,) = world.audit.get_recent_cycles(1)
    assert line["reason"] == reason and line["cycle"] == 1 and line["duration_ms"] >= 0


def test_a_cycle_that_raised_still_looks_after_positions_and_the_next_one_goes_on(tmp_path: Path) -> None:
    async def run() -> None:
        world = World(tmp_path, symbols=("BTC/USDT", "ETH/USDT"))
        await _entered(world)
        world.system.arm([condition(0, "ETH/USDT")])
        world.bar(flat(0), "ETH/USDT")
        world.bar(jump(1), "ETH/USDT")
        world.market.price("BTC/USDT", "101")
        place = world.venue.place

        async def fall_and_fail(request):  # type: ignore[no-untyped-def]
            world.venue.place = place  # type: ignore[method-assign]
            world.market.price("BTC/USDT", "95")
            raise OSError("no space left on device")

        world.venue.place = fall_and_fail  # type: ignore[method-assign]
        result = await world.manager.run_cycle()
        assert result.reason == "exception:OSError" and result.exits == 1
        assert world.ledger.positions() == {}
        assert world.manager.failed_cycles == 1
        assert world.system.get_recent_errors(1)[-1]["kind"] == "OSError"
        assert (await world.manager.run_cycle()).reason == "no_new_bar"

    asyncio.run(run())


def test_one_exit_that_raises_does_not_keep_the_others_from_being_sold(tmp_path: Path) -> None:
    async def run() -> None:
        world = World(tmp_path, symbols=("BTC/USDT", "ETH/USDT"))
        await world.system.start()
        world.system.arm([condition(-1), condition(-1, "ETH/USDT")])
        for name in world.venue.rules:
            world.bar(jump(0), name)
        await world.manager.run_cycle()
        for name in world.venue.rules:
            world.market.price(name, "95")
        world.venue.answers.append(OSError("no space left on device"))
        result = await world.manager.run_cycle()
        assert result.reason == "exception:OSError" and result.exits == 1
        world.clock.advance(1)
        assert (await world.manager.run_cycle()).exits == 1
        assert world.ledger.positions() == {}

    asyncio.run(run())


def test_a_refused_sale_is_tried_again_after_a_growing_pause_and_not_before(tmp_path: Path) -> None:
    async def run() -> None:
        world = World(tmp_path)
        await _entered(world)
        world.market.price("BTC/USDT", "95")
        world.venue.answers += ["refuse"] * 3
        tries = []
        for _ in range(100):
            before = len(world.venue.placed)
            await world.manager.check_exits()
            tries.append(len(world.venue.placed) - before)
            world.clock.advance(0.25)
        assert sum(tries) == 4 and not world.ledger.positions()
        moments = [number for number, tried in enumerate(tries) if tried]
        assert moments[0] == 0 and moments[3] - moments[2] > moments[1] - moments[0]

    asyncio.run(run())


def test_one_symbol_is_bought_once_however_often_it_signals(tmp_path: Path) -> None:
    async def run() -> None:
        world = World(tmp_path)
        await _entered(world)
        world.bar(flat(1, "101"))
        world.bar(jump(2, "101", "101.4"))
        result = await world.manager.run_cycle()
        assert result.triggers == 1 and result.reason == "rules_engine_no_proposals"
        assert len(world.venue.placed) == 1

    asyncio.run(run())


def test_bars_that_closed_before_the_start_trigger_nothing(tmp_path: Path) -> None:
    async def run() -> None:
        world = World(tmp_path)
        world.market.history.append(("BTC/USDT", jump(0)))
        world.system.arm([condition(-1)])
        await world.system.start()
        assert (await world.manager.run_cycle()).reason == "no_new_bar"

    asyncio.run(run())


def test_a_signal_on_a_bar_that_isnt_the_newest_any_more_is_not_acted_on(tmp_path: Path) -> None:
    async def run() -> None:
        world = World(tmp_path)
        await world.system.start()
        world.system.arm([condition(-1)])
        world.bar(jump(0))
        world.bar(flat(1, "101"))
        assert (await world.manager.run_cycle()).reason == "no_candidates_from_triggers"

    asyncio.run(run())


def test_an_order_of_unknown_end_blocks_its_symbol_until_the_venue_has_told(tmp_path: Path) -> None:
    async def run() -> None:
        world = World(tmp_path)
        world.venue.answers.append("unknown")
        result = await _entered(world)
        assert result.reason is None and result.entries == 1 and result.fills == 0
        world.bar(jump(1, "101", "102"))
        assert (await world.manager.run_cycle()).reason == "rules_engine_no_proposals"
        (order,) = world.ledger.unsettled()
        world.ledger.mark(order.client_order_id, OrderEvent.REJECTED)
        world.bar(jump(2, "102", "103"))
        assert (await world.manager.run_cycle()).entries == 1

    asyncio.run(run())


def test_the_first_order_without_a_clear_answer_ends_the_round(tmp_path: Path) -> None:
    async def run() -> None:
        world = World(tmp_path, symbols=("BTC/USDT", "ETH/USDT", "SOL/USDT"))
        await world.system.start()
        world.system.arm([condition(-1, name, 3 - rank) for rank, name in enumerate(world.venue.rules)])
        for name in world.venue.rules:
            world.bar(jump(0), name)
        world.venue.answers.append("unknown")
        result = await world.manager.run_cycle()
        assert result.proposals == 3 and result.approved == 3 and result.entries == 1
        assert [order.symbol for order in world.ledger.unsettled()] == ["BTC/USDT"]

    asyncio.run(run())


def test_real_money_never_trades_what_research_found_unprofitable(tmp_path: Path) -> None:
    async def run(trade_mode: TradeMode) -> CycleResult:
        world = World(tmp_path / trade_mode, trade_mode=trade_mode, explore=True)
        await world.system.start()
        world.system.arm([condition(-1, score=-1.0)])
        world.bar(jump(0))
        return await world.manager.run_cycle()

    assert asyncio.run(run(TradeMode.LIVE)).reason == "all_proposals_blocked_by_risk"
    assert asyncio.run(run(TradeMode.PAPER)).entries == 1


def test_pausing_between_decision_and_order_holds_the_order_back(tmp_path: Path) -> None:
    async def run() -> None:
        world = World(tmp_path, symbols=("BTC/USDT", "ETH/USDT"))
        await world.system.start()
        world.system.arm([condition(-1), condition(-1, "ETH/USDT", 0.5)])
        for name in world.venue.rules:
            world.bar(jump(0), name)
        place = world.venue.place

        async def place_then_pause(request):  # type: ignore[no-untyped-def]
            outcome = await place(request)
            world.system.pause_trading("in between")
            return outcome

        world.venue.place = place_then_pause  # type: ignore[method-assign]
        result = await world.manager.run_cycle()
        assert result.approved == 2 and result.entries == 1

    asyncio.run(run())


def test_open_positions_never_exceed_their_limit(tmp_path: Path) -> None:
    async def run() -> None:
        symbols = tuple(f"C{number}/USDT" for number in range(5))
        world = World(tmp_path, symbols=symbols, limits=RiskConfig(open_positions_max=2))
        await world.system.start()
        world.system.arm([condition(-1, name) for name in symbols])
        for name in symbols:
            world.bar(jump(0), name)
        result = await world.manager.run_cycle()
        assert result.proposals == 5 and result.entries == 2
        assert world.ledger.trading_state()[0] is TradingState.ACTIVE

    asyncio.run(run())
