"""Shots: an entry that a closed bar decided waits for its price, and the first tick that has it takes it."""

import asyncio
import dataclasses
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from execution.console.no_trade import findings
from execution.ledger.audit_log import recent
from execution.research.strategies import STRATEGIES
from execution.runtime.settings import TradingConfig
from execution.runtime.tasks import Task, TaskRunner
from execution.trading.assistants.risk_management import request_of
from execution.trading.shots import obstacle, over, shot_of
from execution.vocabulary.lifecycle import TradingState
from execution.vocabulary.market import Quote
from execution.vocabulary.orders import OrderOutcome, OrderRequest, Side
from tests.support import eventually_async
from tests.trading.test_risk_management import proposal
from tests.trading.world import MINUTE, START_MS, World, condition, flat, jump

BTC = "BTC/USDT"
NEVER_S = 3600.0


async def waiting(folder: Path, bid: str = "103", ask: str | None = None, **changes: Any) -> World:
    """A bar closed at 101 with a signal, and the price is somewhere that isn't worth it."""
    world = World(folder, **changes)
    await world.system.start()
    world.system.arm([condition(-1)])
    world.bar(jump(0))
    world.market.price(BTC, bid, ask)
    result = await world.manager.run_cycle()
    assert result.proposals == 1 and result.entries == 0 and not world.venue.placed
    assert result.reason == "shots_waiting_for_their_price"
    return world


def bought(world: World) -> list[OrderRequest]:
    return [request for request in world.venue.placed if request.side is Side.BUY]


def shots_task(world: World) -> Task:
    """The task as it is, but never due by time."""
    task = next(task for task in world.system.tasks() if task.name == "shots")
    return dataclasses.replace(task, period_s=NEVER_S)


def test_the_first_tick_at_a_price_still_worth_it_buys_at_once_without_a_cycle(tmp_path: Path) -> None:
    async def run() -> None:
        world = await waiting(tmp_path)
        cycles = world.manager.cycles
        runner = TaskRunner(world.clock, world.errors)
        running = asyncio.create_task(runner.run([shots_task(world)]))
        await eventually_async(runner.all_progressed)
        world.market.price(BTC, "102")
        assert not world.manager.shot_wanted.is_set(), "a price above the limit wakes nobody"
        world.market.price(BTC, "101.1")
        await eventually_async(lambda: bool(world.ledger.positions()), within_s=2)
        runner.stop()
        await running
        assert world.manager.cycles == cycles and world.manager.entry_orders == 1
        (request,) = bought(world)
        assert request.reference_price == world.market.quotes[BTC].ask, "sized at the tick's own price"
        decision = recent(world.audit.path, 10, "decision")[-1]
        assert decision["shot"]["by"] == "a tick" and decision["shot"]["limit"] == "101.202"
        assert world.manager.last is not None
        assert decision["correlation"] == request.correlation_id == world.manager.last.correlation_id

    asyncio.run(run())


@pytest.mark.parametrize(("bid", "ask", "why"), [("103", None, "price_above_limit"), ("100.8", "101.2", "wide_spread")])
def test_a_shot_not_taken_by_the_end_of_the_next_bar_is_dropped_and_says_why(
    tmp_path: Path, bid: str, ask: str | None, why: str
) -> None:
    async def run() -> None:
        world = await waiting(tmp_path)
        world.bars.add(BTC, flat(1, "103"))
        world.market.price(BTC, bid, ask)
        result = await world.manager.run_cycle()
        assert result.reason and not world.venue.placed
        line = recent(world.audit.path, 1, "cycle")[-1]
        assert line["dropped"] == {"c1 shot": f"shot_not_taken: {why}"}
        (found, *_) = findings("sandbox", [line])
        assert found.details["dropped c1 shot"] == f"shot_not_taken: {why}"
        assert found.numbers["dropped"]["c1 shot"]["limit"] == "101.202"
        world.market.price(BTC, "101")
        await world.manager.entries.fire()
        assert not world.venue.placed, "its time is over"
        assert world.system.sniper.get_health().metrics["last_drop"].endswith(why)

    asyncio.run(run())


def test_a_price_far_below_the_signals_buys_nothing_and_never_many_times_as_much(tmp_path: Path) -> None:
    """Half the price may be a mistake that the feed lets through: what is bought by it would be twice as much."""

    async def run() -> None:
        world = await waiting(tmp_path)
        world.market.price(BTC, "50.5")
        await world.manager.entries.fire()
        assert not world.venue.placed
        world.market.price(BTC, "101")
        await world.manager.entries.fire()
        assert len(bought(world)) == 1

    asyncio.run(run())


def test_nae_why_no_trade_tells_what_a_waiting_shot_waits_for(tmp_path: Path) -> None:
    async def run() -> None:
        world = await waiting(tmp_path)
        (found,) = findings("sandbox", recent(world.audit.path, 1, "cycle"))
        assert found.details == {f"shot {BTC}": "price_above_limit"} and "wait" in found.meaning

    asyncio.run(run())


def test_a_shot_is_tried_once_whatever_comes_of_it(tmp_path: Path) -> None:
    async def run() -> None:
        world = await waiting(tmp_path)
        world.venue.answers.append("refuse")
        world.market.price(BTC, "101")
        await world.manager.entries.fire()
        await world.manager.entries.fire()
        assert len(bought(world)) == 1 and not world.ledger.positions()
        await world.manager.run_cycle()
        assert recent(world.audit.path, 1, "cycle")[-1]["dropped"] == {"c1 shot": "refused: order_value_max"}

    asyncio.run(run())


def test_while_entries_are_off_no_tick_buys_and_afterwards_the_shot_is_still_good(tmp_path: Path) -> None:
    async def run() -> None:
        world = await waiting(tmp_path)
        world.system.pause_trading("a look")
        world.market.price(BTC, "101")
        await world.manager.entries.fire()
        assert not world.venue.placed
        world.system.resume_trading()
        assert world.ledger.trading_state()[0] is TradingState.ACTIVE
        await world.manager.entries.fire()
        assert len(bought(world)) == 1

    asyncio.run(run())


def test_a_cycle_and_a_tick_never_buy_the_same_symbol_twice(tmp_path: Path) -> None:
    async def run() -> None:
        world = await waiting(tmp_path)
        place, answered = world.venue.place, asyncio.Event()

        async def slow(request: OrderRequest) -> OrderOutcome:
            await answered.wait()
            return await place(request)

        world.venue.place = slow  # type: ignore[method-assign]
        world.market.price(BTC, "101")
        firing = asyncio.create_task(world.manager.entries.fire())
        again = asyncio.create_task(world.manager.entries.fire())
        world.bars.add(BTC, jump(1, "101", "102"))
        world.market.price(BTC, "102")
        cycle = asyncio.create_task(world.manager.run_cycle())
        await asyncio.sleep(0)
        answered.set()
        await asyncio.gather(firing, again, cycle)
        await world.manager.entries.fire()
        assert len(bought(world)) == 1

    asyncio.run(run())


def test_a_symbol_that_came_to_be_held_meanwhile_is_not_bought_again(tmp_path: Path) -> None:
    async def run() -> None:
        world = await waiting(tmp_path)
        made = proposal()
        world.market.price(BTC, "103")
        await world.venue.place(request_of(made, Decimal(1), "by another way"))
        world.market.price(BTC, "101")
        await world.manager.entries.fire()
        assert len(bought(world)) == 1
        await world.manager.run_cycle()
        assert recent(world.audit.path, 1, "cycle")[-1]["dropped"] == {"c1 shot": "position_held"}

    asyncio.run(run())


def test_a_strategy_that_raises_costs_its_own_condition_only(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(state: object, bar: object, params: object) -> float:
        raise ZeroDivisionError("of a strategy")

    async def run() -> None:
        world = World(tmp_path)
        await world.system.start()
        other = dataclasses.replace(STRATEGIES["trend"], step=broken)
        monkeypatch.setitem(STRATEGIES, "trend", other)
        params = STRATEGIES["trend"].defaults()
        trend = type(condition(-1))("sick", BTC, "trend", params, "range", 2.0, START_MS - MINUTE, 50)
        world.system.arm([trend, condition(-1)])
        world.bar(jump(0))
        result = await world.manager.run_cycle()
        assert result.entries == 1 and not result.error
        assert recent(world.audit.path, 1, "cycle")[-1]["dropped"] == {"sick": "exception:ZeroDivisionError"}
        assert world.system.get_recent_errors(1)

    asyncio.run(run())


@settings(max_examples=200)
@given(
    close=st.decimals("1", "1000", places=2),
    bid=st.decimals("1", "1000", places=2),
    spread=st.decimals("0", "1", places=2),
    age=st.floats(0, 60),
    newest=st.integers(-3, 5),
)
def test_a_shot_is_only_ever_satisfied_within_its_limit_its_spread_and_its_bars(
    close: Decimal, bid: Decimal, spread: Decimal, age: float, newest: int
) -> None:
    config = TradingConfig()
    made = proposal()
    shot = shot_of(made, close, config, MINUTE, now=0.0, correlation_id="x")
    quote = Quote(shot.symbol, bid, bid + spread, 100.0 - age)
    if not obstacle(shot, quote, 100.0):
        assert quote.ask <= close * (1 + config.spread_max) and quote.spread_share <= config.spread_max and age <= 10
        assert quote.ask >= close * (1 - config.stop_loss)
    assert over(shot, made.bar_ms + newest * MINUTE) == (newest >= 1)
