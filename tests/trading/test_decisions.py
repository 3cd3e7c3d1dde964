"""The audit trail says why: before an order leaves, its signal, condition and numbers; then what came of it; and for
each proposal that became none, what it was judged by."""

import asyncio
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from execution.ledger.audit_check import entries
from execution.runtime.settings import TradingConfig
from tests.trading.world import World, condition, jump, rules_of


def told(world: World, kind: str) -> list[dict[str, Any]]:
    return [entry for entry in entries(world.audit.path) if entry["kind"] == kind]


async def _broken_out(world: World, answer: str = "") -> None:
    await world.system.start()
    world.system.arm([condition(-1)])
    world.bar(jump(0))
    world.venue.answers += [answer] if answer else []
    await world.manager.run_cycle()


def test_a_purchase_is_told_before_it_leaves_and_its_end_after_it(tmp_path: Path) -> None:
    world = World(tmp_path)
    asyncio.run(_broken_out(world))
    (decision,), (order,), (cycle,) = told(world, "decision"), told(world, "order"), told(world, "cycle")
    assert decision["seq"] < order["seq"] < cycle["seq"]
    assert decision["correlation"] == order["correlation"] == cycle["correlation"]
    assert decision["cause"] == order["cause"] == "c1"
    assert decision["signal"]["strategy"] == "momentum_breakout" and decision["signal"]["strength"] > 0
    assert decision["condition"]["params"]["lookback"] == 20
    assert decision["weighed"]["round_trip_cost"] < float(decision["weighed"]["target"])
    assert Decimal(decision["sized"]["value"]) <= Decimal(decision["sized"]["usual_value"])
    assert (order["outcome"], order["order"]) == ("filled", world.ledger.orders()[0].client_order_id)


def test_a_sale_is_told_with_the_prices_it_was_decided_at(tmp_path: Path) -> None:
    async def run() -> World:
        world = World(tmp_path)
        await _broken_out(world)
        world.market.price("BTC/USDT", "100.2")
        await world.manager.check_exits()
        return world

    sale = told(asyncio.run(run()), "decision")[-1]
    assert (sale["side"], sale["reason"]) == ("sell", "stop_loss")
    assert Decimal(sale["exit"]["bid"]) <= Decimal(sale["exit"]["stop"]) < Decimal(sale["exit"]["price_paid"])
    assert sale["cause"].startswith("momentum_breakout@")


def test_a_decision_stands_in_the_trail_though_the_order_killed_its_process(tmp_path: Path) -> None:
    world = World(tmp_path)

    async def run() -> None:
        await world.system.start()
        world.system.arm([condition(-1)])
        world.bar(jump(0))
        world.venue.place = _dies  # type: ignore[method-assign,assignment]
        await world.manager.run_cycle()

    async def _dies(*_: object) -> Any:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        asyncio.run(run())
    assert [row["symbol"] for row in told(world, "decision")] == ["BTC/USDT"]


def test_what_was_dropped_refused_or_left_out_is_told_with_its_numbers(tmp_path: Path) -> None:
    dear = World(tmp_path / "dear")
    dear.venue.rules["BTC/USDT"] = rules_of(taker_fee=Decimal("0.01"))
    asyncio.run(_broken_out(dear))
    numbers = told(dear, "cycle")[0]["numbers"]["dropped"]["c1"]
    assert numbers["target_needed"] > float(numbers["target"]) == float(TradingConfig().profit_target)

    poor = World(tmp_path / "poor")
    poor.ledger.record_cash_flow("USDT", Decimal(-9_999), "withdrawal")
    asyncio.run(_broken_out(poor))
    numbers = told(poor, "cycle")[0]["numbers"]["refused"]["c1"]
    assert Decimal(numbers["usual_value"]) < Decimal(numbers["minimum_order"]) and numbers["free"] == "1"

    wide = World(tmp_path / "wide")

    async def run() -> None:
        await wide.system.start()
        wide.bar(jump(0))
        wide.market.price("BTC/USDT", "100", "103")
        await wide.manager.run_cycle()

    asyncio.run(run())
    numbers = told(wide, "cycle")[0]["numbers"]["excluded"]["BTC/USDT"]
    assert Decimal(numbers["spread"]) > Decimal(numbers["spread_max"])


def test_a_paused_account_says_by_whose_word(tmp_path: Path) -> None:
    world = World(tmp_path)

    async def run() -> None:
        await world.system.start()
        world.system.pause_trading("news at noon")
        await world.manager.run_cycle()

    asyncio.run(run())
    numbers = told(world, "cycle")[0]["numbers"]["entries_off"]
    assert (numbers["trading_state"], numbers["why"]) == ("paused", "news at noon")
