"""What ends a position is acted on at the quote that says so, whatever else the trader is waiting for."""

import asyncio
import dataclasses
from pathlib import Path

import pytest

from execution.ledger.audit_log import recent
from execution.runtime.settings import RiskConfig
from execution.runtime.tasks import Task, TaskRunner
from execution.trading import system
from execution.trading.system import TradingSystem
from execution.vocabulary.orders import OrderOutcome, OrderRequest, Purpose
from tests.support import eventually_async
from tests.trading.world import World, condition, jump

NEVER_S = 3600.0


async def holding(folder: Path, symbols: tuple[str, ...] = ("BTC/USDT",)) -> World:
    """One position of each symbol, just looked at, its stop far below."""
    world = World(folder, symbols=symbols)
    await world.system.start()
    world.system.arm([condition(-1, symbol) for symbol in symbols])
    for symbol in symbols:
        world.bar(jump(0), symbol)
    assert (await world.manager.run_cycle()).entries == len(symbols)
    await world.manager.check_exits()
    assert len(world.ledger.positions()) == len(symbols)
    return world


def exits_of(world: World) -> Task:
    """The task as it is, but never due by time."""
    task = next(task for task in world.system.tasks() if task.name == "exits")
    assert task.wake is not None and not task.wake.is_set()
    return dataclasses.replace(task, period_s=NEVER_S)


def test_a_quote_that_ends_a_position_is_acted_on_without_waiting_for_the_next_look(tmp_path: Path) -> None:
    async def run() -> None:
        world = await holding(tmp_path)
        runner = TaskRunner(world.clock, world.errors)
        running = asyncio.create_task(runner.run([exits_of(world)]))
        await eventually_async(runner.all_progressed)
        world.market.price("BTC/USDT", "90")
        await eventually_async(lambda: not world.ledger.positions(), within_s=2)
        runner.stop()
        await running

    asyncio.run(run())


def test_a_stop_touched_inside_a_burst_of_trades_is_acted_on_though_the_quote_never_said_so(tmp_path: Path) -> None:
    async def run() -> None:
        world = await holding(tmp_path)
        runner = TaskRunner(world.clock, world.errors)
        running = asyncio.create_task(runner.run([exits_of(world)]))
        await eventually_async(runner.all_progressed)
        held = str(world.market.quotes["BTC/USDT"].bid)
        world.market.traded("BTC/USDT", held, held)
        assert world.ledger.positions()
        world.market.traded("BTC/USDT", "90", held)
        await eventually_async(lambda: not world.ledger.positions(), within_s=2)
        runner.stop()
        await running

    asyncio.run(run())


def test_only_a_price_that_ends_something_wakes_and_one_that_was_refused_wakes_no_more(tmp_path: Path) -> None:
    async def run() -> None:
        world = await holding(tmp_path, ("BTC/USDT", "ETH/USDT"))
        wake = exits_of(world).wake
        assert wake is not None
        held = str(world.market.quotes["BTC/USDT"].bid)
        world.market.price("BTC/USDT", held)
        world.market.price("SOL/USDT", "1")  # nothing of it is held
        assert not wake.is_set()
        world.venue.answers.append("refuse")
        world.market.price("BTC/USDT", "90")
        assert wake.is_set()
        wake.clear()
        await world.manager.check_exits()  # refused: its next try has its own time
        for _ in range(3):
            world.market.price("BTC/USDT", "89")
        assert not wake.is_set()
        world.market.price("ETH/USDT", "90")
        assert wake.is_set()

    asyncio.run(run())


def test_a_venue_that_says_nothing_to_who_takes_over_keeps_nobody_from_selling(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def run() -> None:
        monkeypatch.setattr(system, "FIRST_WORD_S", 0.05)
        world = await holding(tmp_path)
        parts = dataclasses.replace(world.system.parts, rules=world.venue.rules)
        config, old = world.system.config, world.system
        successor = TradingSystem(parts, config, RiskConfig(), trade_mode=old.trade_mode, venue=old.venue, explore=True)
        world.silent = True
        await asyncio.wait_for(successor.start(), 2)
        assert not successor.recovery.reconciled and successor.entries_off() == "account_not_reconciled"
        world.market.price("BTC/USDT", "90")
        await successor.manager.check_exits()
        assert not world.ledger.positions()

    asyncio.run(run())


def test_a_first_start_waits_for_the_venue_as_long_as_it_takes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    async def run() -> None:
        monkeypatch.setattr(system, "FIRST_WORD_S", 0.01)
        world = World(tmp_path)
        warm, answers = world.market.warm, asyncio.Event()

        async def slowly(limit: int) -> None:
            await answers.wait()
            await warm(limit)

        world.market.warm = slowly  # type: ignore[method-assign]
        asyncio.get_running_loop().call_later(0.1, answers.set)
        await world.system.start()
        assert world.system.recovery.reconciled

    asyncio.run(run())


def test_a_sale_whose_answer_takes_long_keeps_no_other_position_from_being_sold(tmp_path: Path) -> None:
    async def run() -> None:
        world = await holding(tmp_path, ("BTC/USDT", "ETH/USDT"))
        place, answered = world.venue.place, asyncio.Event()

        async def slow(request: OrderRequest) -> OrderOutcome:
            if request.symbol == "BTC/USDT":
                await answered.wait()
            return await place(request)

        world.venue.place = slow  # type: ignore[method-assign]
        world.market.price("BTC/USDT", "90")
        await world.manager.check_exits()
        world.market.price("ETH/USDT", "90")
        await world.manager.check_exits()
        assert set(world.ledger.positions()) == {"BTC/USDT"}
        stopping = asyncio.create_task(world.manager.finished())
        answered.set()
        await stopping
        assert not world.ledger.positions(), "whoever waits for the end waits for this sale too"
        sales = [request.symbol for request in world.venue.placed if request.purpose is Purpose.EXIT]
        assert sales == ["ETH/USDT", "BTC/USDT"], "and it was sold once"
        assert [row["symbol"] for row in recent(world.audit.path, 2, "order")] == sales

    asyncio.run(run())


def test_a_late_sale_that_fails_is_an_error_and_is_tried_again(tmp_path: Path) -> None:
    async def run() -> None:
        world = await holding(tmp_path)
        place, answered = world.venue.place, asyncio.Event()

        async def broken(request: OrderRequest) -> OrderOutcome:
            await answered.wait()
            raise OSError("no space left")

        world.venue.place = broken  # type: ignore[method-assign]
        world.market.price("BTC/USDT", "90")
        await world.manager.check_exits()
        answered.set()
        await world.manager.finished()
        assert any("no space left" in str(row) for row in world.system.get_recent_errors(1))
        world.venue.place = place  # type: ignore[method-assign]
        world.clock.advance(31)
        world.market.price("BTC/USDT", "90")
        await world.manager.check_exits()
        assert not world.ledger.positions()

    asyncio.run(run())


def test_an_order_to_sell_everything_is_over_with_what_was_held_and_sells_nothing_bought_later(tmp_path: Path) -> None:
    async def run() -> None:
        world = await holding(tmp_path)
        system = world.system
        assert system.sell_everything("a person") == ["BTC/USDT"]
        await world.manager.check_exits()
        assert not world.ledger.positions()
        await world.manager.check_exits()
        assert not system.assistants.exits.emergencies
        world.bar(jump(1, "101", "102"))
        assert (await world.manager.run_cycle()).entries == 1
        assert set(world.ledger.positions()) == {"BTC/USDT"}
        await world.manager.check_exits()
        assert set(world.ledger.positions()) == {"BTC/USDT"}
        await system.stop()

    asyncio.run(run())
