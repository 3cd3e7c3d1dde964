"""The whole trading system on a small venue: recovery, restarts, controls, what it says of itself."""

import asyncio
import dataclasses
import subprocess
import sys
from decimal import Decimal
from pathlib import Path

import pytest

from execution.ledger.audit_check import verify
from execution.ledger.audit_log import recent
from execution.runtime.settings import RiskConfig, TradingConfig
from execution.runtime.tasks import TaskRunner
from execution.trading.streams import Streams
from execution.trading.system import TradingSystem
from execution.vocabulary.lifecycle import TradingState
from execution.vocabulary.modes import TradeMode
from tests.trading.world import World, condition, flat, jump, rules_of

ROOT = Path(__file__).resolve().parents[2]


def test_a_pause_stops_entries_within_one_cycle_and_survives_a_restart_until_resumed(tmp_path: Path) -> None:
    async def run() -> None:
        first = World(tmp_path)
        await first.system.start()
        first.system.arm([condition(-1)])
        assert first.system.pause_trading("maintenance") is TradingState.PAUSED
        first.bar(jump(0))
        assert (await first.manager.run_cycle()).reason == "trading_paused"
        await first.system.stop()

        second = World(tmp_path, clock=first.clock)
        await second.system.start()
        second.bar(jump(0))
        assert (await second.manager.run_cycle()).reason == "trading_paused"
        assert second.system.facts()["trading_state_reason"] == "maintenance"
        assert second.system.resume_trading() is TradingState.ACTIVE
        second.bar(flat(1, "101"))
        second.bar(jump(2, "101", "102"))
        assert (await second.manager.run_cycle()).entries == 1
        await second.system.stop()

    asyncio.run(run())


def test_only_a_person_ends_a_halt(tmp_path: Path) -> None:
    system = World(tmp_path).system
    system.halt_trading("loss limit", by="risk")
    assert system.resume_trading() is TradingState.HALTED
    assert system.pause_trading("softer") is TradingState.HALTED
    assert system.rearm_trading("looked into it", by="a person") is TradingState.ACTIVE


def test_a_killed_trader_finds_its_position_conditions_and_errors_again(tmp_path: Path) -> None:
    async def run() -> None:
        first = World(tmp_path)
        await first.system.start()
        first.system.arm([condition(-1)])
        first.bar(jump(0))
        await first.manager.run_cycle()
        first.system.errors.note(ValueError("remember me"))
        first.system.save_state()
        first.ledger.close()  # no stop(): as after kill -9

        second = World(tmp_path, clock=first.clock)
        second.market.history.append(("BTC/USDT", jump(0)))
        second.market.price("BTC/USDT", "95")
        await second.system.start()
        assert second.system.sniper.held == 1
        assert second.system.get_recent_errors(1)[-1]["message"] == "remember me"
        assert second.manager.exit_orders == 1  # what is held was looked after before the start had ended
        assert second.ledger.epoch == 2 and second.ledger.positions() == {}

    asyncio.run(run())


def test_a_stop_touched_while_nobody_traded_is_acted_on_after_the_restart(tmp_path: Path) -> None:
    async def run() -> None:
        first = World(tmp_path)
        await first.system.start()
        first.system.arm([condition(-1)])
        first.bar(jump(0))
        await first.manager.run_cycle()
        first.ledger.close()

        second = World(tmp_path, clock=first.clock)
        second.market.history += [("BTC/USDT", jump(0)), ("BTC/USDT", jump(1, "95", "101"))]
        second.market.price("BTC/USDT", "101")
        await second.system.start()
        await second.manager.run_cycle()
        assert second.venue.placed[-1].reason == "stop_loss"

    asyncio.run(run())


def test_a_venue_that_is_not_there_yet_is_tried_again_until_it_is(tmp_path: Path) -> None:
    async def run() -> None:
        world = World(tmp_path)
        world.venue.load_error = ConnectionError("nobody listens")
        await world.system.start()
        assert (await world.manager.run_cycle()).reason == "account_not_reconciled"
        assert world.system.get_recent_errors(1)[-1]["kind"] == "ConnectionError"
        world.venue.load_error = None
        reconcile = next(task for task in world.system.tasks() if task.name == "reconcile")
        await reconcile.run()
        world.system.arm([condition(-1)])
        world.bar(jump(0))
        assert (await world.manager.run_cycle()).entries == 1

    asyncio.run(run())


def test_while_builds_differ_nothing_is_bought_and_what_is_held_is_still_sold(tmp_path: Path) -> None:
    async def run() -> None:
        world = World(tmp_path)
        await world.system.start()
        world.system.arm([condition(-1)])
        world.bar(jump(0))
        assert (await world.manager.run_cycle()).entries == 1
        world.system.heed_builds(True)
        assert world.system.facts()["entries_off"] == "builds_differ"
        world.system.sell_everything("a test")
        await world.manager.check_exits()
        assert not world.system.parts.ledger.positions()
        world.system.arm([condition(0)])
        world.bar(jump(1))
        assert (await world.manager.run_cycle()).reason == "builds_differ"
        world.system.heed_builds(False)
        assert world.system.facts()["entries_off"] == ""

    asyncio.run(run())


def test_a_reconciliation_that_differs_or_fails_turns_entries_off(tmp_path: Path) -> None:
    async def run() -> None:
        world = World(tmp_path)
        await world.system.start()
        reconcile = next(task for task in world.system.tasks() if task.name == "reconcile")
        world.verdict.reconciled, world.verdict.differences = False, ["USDT: ours 1, theirs 2"]
        await reconcile.run()
        assert world.system.facts()["entries_off"] == ""  # both sides have only just agreed: not asked again at once
        world.clock.advance(1.0)
        await reconcile.run()
        assert world.system.facts()["entries_off"] == "account_not_reconciled"
        assert world.system.get_system_status()["differences"] == ["USDT: ours 1, theirs 2"]
        world.verdict.reconciled, world.verdict.differences = True, []
        await reconcile.run()
        assert world.system.facts()["entries_off"] == ""

        world.clock.advance(1.0)
        world.verdict_error = ConnectionError("nobody listens")
        with pytest.raises(ConnectionError):
            await reconcile.run()
        assert not world.system.recovery.reconciled

    asyncio.run(run())


def test_what_is_unclear_is_asked_about_sooner(tmp_path: Path) -> None:
    async def run() -> None:
        world = World(tmp_path)
        await world.system.start()
        recovery = world.system.recovery
        world.clock.advance(2)
        recovery.hasten()
        assert not recovery.wanted.is_set()
        world.system.arm([condition(-1)])
        world.venue.answers.append("unknown")
        world.bar(jump(0))
        await world.manager.run_cycle()
        recovery.hasten()
        assert recovery.wanted.is_set()

    asyncio.run(run())


def test_a_venue_that_could_not_be_asked_is_asked_again_soon_but_not_at_once(tmp_path: Path) -> None:
    async def run() -> None:
        world = World(tmp_path)
        world.verdict_error = ConnectionError("nobody listens")
        await world.system.start()
        recovery = world.system.recovery
        recovery.hasten()
        assert not recovery.wanted.is_set()
        world.clock.advance(1)
        recovery.hasten()
        assert recovery.wanted.is_set()

    asyncio.run(run())


def test_an_order_to_sell_everything_is_carried_out_also_after_a_restart(tmp_path: Path) -> None:
    async def run() -> None:
        first = World(tmp_path)
        await first.system.start()
        first.system.arm([condition(-1)])
        first.bar(jump(0))
        await first.manager.run_cycle()
        assert first.system.sell_everything("enough") == ["BTC/USDT"]
        first.ledger.close()

        second = World(tmp_path, clock=first.clock)
        second.market.history.append(("BTC/USDT", jump(0)))
        await second.system.start()
        second.market.price("BTC/USDT", "101")
        await second.manager.check_exits()
        assert second.venue.placed[-1].reason == "emergency" and not second.ledger.positions()

    asyncio.run(run())


def test_stopping_finishes_the_running_cycle(tmp_path: Path) -> None:
    async def run() -> None:
        world = World(tmp_path)
        await world.system.start()
        world.system.arm([condition(-1)])
        world.bar(jump(0))
        held_up, go_on = asyncio.Event(), asyncio.Event()
        place = world.venue.place

        async def slow(request):  # type: ignore[no-untyped-def]
            held_up.set()
            await go_on.wait()
            return await place(request)

        world.venue.place = slow  # type: ignore[method-assign]
        cycle = asyncio.create_task(world.manager.run_cycle())
        await held_up.wait()
        stopping = asyncio.create_task(world.system.stop())
        for _ in range(50):
            await asyncio.sleep(0)
        assert not stopping.done()
        go_on.set()
        await stopping
        assert (await cycle).entries == 1

    asyncio.run(run())


def test_its_tasks_trade_by_themselves_and_a_closed_bar_wakes_the_cycle(tmp_path: Path) -> None:
    async def run() -> None:
        world = World(tmp_path)
        await world.system.start()
        world.system.arm([condition(-1)])
        runner = TaskRunner(world.clock, world.errors)
        running = asyncio.create_task(runner.run(world.system.tasks()))
        async with asyncio.timeout(5):
            while not runner.all_progressed():
                await asyncio.sleep(0)
            cycles = world.manager.cycles
            world.bar(jump(0))
            while not world.ledger.positions():
                await asyncio.sleep(0)
        assert world.manager.cycles == cycles + 1
        runner.stop()
        await running
        await world.system.stop()
        assert verify(world.audit.path) is None

    asyncio.run(run())


def test_it_reports_on_every_part_of_itself(tmp_path: Path) -> None:
    async def run() -> None:
        world = World(tmp_path)
        await world.system.start()
        world.system.arm([condition(-1)])
        world.bar(jump(0))
        await world.manager.run_cycle()
        health = await world.system.health_check()
        assert health["overall"] == "healthy" and len(health["components"]) >= 12
        facts = world.system.facts()
        assert facts["fills"] == 1 and facts["positions"]["BTC/USDT"]["strategy"] == "momentum_breakout"
        assert Decimal(facts["equity"]) < 10_000
        assert world.system.get_loop_stats()["entries"] == 1
        assert world.system.get_system_status()["last_cycle"]["entries"] == 1
        assert world.system.trigger_reflection()["trades"] == 0
        assert world.system.get_loop_stats()["total_reflections"] == 1
        await world.system.stop()

    asyncio.run(run())


def test_a_position_that_the_venue_no_longer_lists_is_said_with_what_that_means(tmp_path: Path) -> None:
    async def run() -> None:
        world = World(tmp_path)
        await world.system.start()
        world.system.arm([condition(-1)])
        world.bar(jump(0))
        await world.manager.run_cycle()
        assert world.system.facts()["note"] == ""
        world.system.recovery.rules = {"ETH/USDT": world.system.recovery.rules["BTC/USDT"]}
        note = world.system.facts()["note"]
        assert note == "the venue no longer lists BTC/USDT: what is held of it is neither counted in equity nor sold"
        await world.system.stop()

    asyncio.run(run())


def test_a_standby_that_has_bars_rules_and_a_running_feed_asks_for_none_of_them_again(tmp_path: Path) -> None:
    async def run() -> None:
        world = World(tmp_path)
        await world.market.warm(200)
        world.venue.load_error = AssertionError("the rules are known")
        streams = Streams(world.errors.note)
        streams.keep("feed", world.market.run)
        parts = dataclasses.replace(world.system.parts, streams=streams, rules=world.venue.rules)
        system = TradingSystem(
            parts, TradingConfig(), RiskConfig(), trade_mode=TradeMode.PAPER, venue="small", explore=True
        )
        await system.start()
        await asyncio.sleep(0)
        assert world.market.runs == 1 and world.bars.ignored == 0 and system.get_recent_errors() == []
        system.arm([condition(-1)])
        world.bar(jump(0))
        assert (await system.manager.run_cycle()).entries == 1

    asyncio.run(run())


def test_all_sales_leave_at_once(tmp_path: Path) -> None:
    async def run() -> None:
        world = World(tmp_path, symbols=("BTC/USDT", "ETH/USDT"))
        await world.system.start()
        world.system.arm([condition(-1), condition(-1, "ETH/USDT")])
        for name in world.venue.rules:
            world.bar(jump(0), name)
        await world.manager.run_cycle()
        for name in world.venue.rules:
            world.market.price(name, "95")
        place, both, on_their_way = world.venue.place, asyncio.Event(), 0

        async def wait_for_both(request):  # type: ignore[no-untyped-def]
            nonlocal on_their_way
            on_their_way += 1
            if on_their_way == 2:
                both.set()
            await asyncio.wait_for(both.wait(), 5)
            return await place(request)

        world.venue.place = wait_for_both  # type: ignore[method-assign]
        await world.manager.check_exits()
        assert not world.ledger.positions() and world.manager.exit_orders == 2

    asyncio.run(run())


def test_a_stream_that_ends_is_an_error_and_is_started_again(tmp_path: Path) -> None:
    async def run() -> None:
        world = World(tmp_path)

        async def ends() -> None:
            world.market.runs += 1

        world.market.run = ends  # type: ignore[method-assign]
        await world.system.start()
        await asyncio.sleep(0)
        await asyncio.sleep(0)
        world.system.keep_streams()
        await asyncio.sleep(0)
        assert world.market.runs == 2
        assert world.system.get_recent_errors(1)[-1]["kind"] == "StreamEnded"
        await world.system.stop()

    asyncio.run(run())


def test_a_trader_carries_no_compiler_and_no_data_frames() -> None:
    code = (
        "import sys, execution.trading.system; "
        "print([name for name in ('numba', 'polars', 'numpy', 'ccxt', 'llvmlite') if name in sys.modules])"
    )
    found = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True)
    assert found.stdout.strip() == "[]"


def test_a_process_that_goes_on_after_a_standstill_sells_nothing_by_the_price_of_before(tmp_path: Path) -> None:
    async def run() -> None:
        world = World(tmp_path)
        await world.system.start()
        world.system.arm([condition(-1)])
        world.bar(jump(0))
        assert (await world.manager.run_cycle()).entries == 1
        world.market.price("BTC/USDT", "90")  # far below the stop, had it been heard
        world.clock.advance(60)
        world.market.stale = 60.0
        await world.manager.check_exits()
        assert world.manager.exit_orders == 0
        world.market.stale = 0.0
        await world.manager.check_exits()
        assert world.manager.exit_orders == 1

    asyncio.run(run())


def test_while_one_symbols_order_is_of_unknown_end_all_others_are_sold_as_ever(tmp_path: Path) -> None:
    async def run() -> None:
        world = World(tmp_path, symbols=("BTC/USDT", "ETH/USDT"))
        await world.system.start()
        world.system.arm([condition(-1), condition(-1, "ETH/USDT")])
        for name in world.venue.rules:
            world.bar(jump(0), name)
        assert (await world.manager.run_cycle()).entries == 2
        world.venue.answers.append("unknown")
        world.market.price("BTC/USDT", "90")
        await world.manager.check_exits()
        assert len(world.ledger.positions()) == 2
        world.market.price("ETH/USDT", "90")
        await world.manager.check_exits()  # the unclear one isn't asked for again
        assert list(world.ledger.positions()) == ["BTC/USDT"] and world.manager.exit_orders == 2
        assert world.manager.manages()

    asyncio.run(run())


def test_while_the_venue_wants_to_hear_nothing_nothing_is_tried_and_right_after_it_all_is_sold(tmp_path: Path) -> None:
    async def run() -> None:
        world = World(tmp_path)
        await world.system.start()
        world.system.arm([condition(-1)])
        world.bar(jump(0))
        assert (await world.manager.run_cycle()).entries == 1
        world.market.price("BTC/USDT", "90")
        placed, world.venue.quiet_s = len(world.venue.placed), 30.0
        for _ in range(3):
            await world.manager.check_exits()
        assert len(world.venue.placed) == placed and world.ledger.positions()
        world.venue.quiet_s = 0.0
        await world.manager.check_exits()
        assert not world.ledger.positions()

    asyncio.run(run())


def test_an_account_that_reaches_a_loss_limit_is_halted_once_and_a_person_who_arms_it_accepts_the_loss(
    tmp_path: Path,
) -> None:
    async def run() -> None:
        world = World(tmp_path)
        await world.system.start()
        world.venue.loss = "the account lost 5.10% today: risk.daily_loss_max is 5.00%"
        world.system.watch_losses()
        world.system.watch_losses()
        assert world.ledger.trading_state() == (TradingState.HALTED, world.venue.loss)
        assert world.system.resume_trading() is TradingState.HALTED
        assert [row["kind"] for row in recent(world.audit.path, 50)].count("trading_state") == 1
        assert world.system.rearm_trading("looked at it", by="ann") is TradingState.ACTIVE
        world.system.watch_losses()
        assert world.ledger.trading_state()[0] is TradingState.ACTIVE
        await world.system.stop()

    asyncio.run(run())


def test_a_clock_that_jumps_ends_entries_until_the_venue_has_been_asked_again_and_rules_that_change_are_said(
    tmp_path: Path,
) -> None:
    async def run() -> None:
        world = World(tmp_path)
        await world.system.start()
        recovery = world.system.recovery
        world.clock.advance(60)
        recovery.watch_clocks()
        assert recovery.reconciled and world.venue.times_forgotten == 0
        for seconds in (3600, -3600):
            world.clock.step_wall(seconds)
            recovery.watch_clocks()
            assert world.system.entries_off() == "account_not_reconciled" and recovery.wanted.is_set()
            await recovery.run()
            assert world.system.entries_off() == ""
        assert world.venue.times_forgotten == 2
        world.venue.rules = {"BTC/USDT": rules_of(lot_step=Decimal("0.001"))}
        await recovery.load_rules()
        said = {row["kind"]: row for row in recent(world.audit.path, 50)}
        assert said["clock_jumped"]["seconds"] == -3600.0
        assert said["venue_rules_changed"]["changes"] == ["BTC/USDT: lot step 0.00001, now 0.001"]
        await world.system.stop()

    asyncio.run(run())
