"""With no room left a clearly better entry takes the place of the weakest position; nothing is moved for less."""

import asyncio
import json
import math
from decimal import Decimal
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from execution.runtime.settings import RiskConfig, TradingConfig
from execution.trading.cycle import CycleResult
from execution.trading.reallocation import Candidate, swap
from tests.trading.test_risk_management import proposal
from tests.trading.world import World, condition, flat, jump

CONFIG = TradingConfig(reallocate=True, trailing_distance=Decimal(0), exit_regimes=())
TARGET = 0.006
ONE_POSITION = RiskConfig(open_positions_max=1)


def candidate(
    symbol: str = "BTC/USDT", rank: float = 0.5, bars: int = 20, left: float = 0.5, cost: float = 0.0012
) -> Candidate:
    return Candidate(symbol, rank, bars, left, cost)


def test_the_weakest_is_given_up_for_what_is_better_by_the_margin_and_the_cost_of_leaving() -> None:
    weak, strong = candidate("ETH/USDT", rank=0.2), candidate("BTC/USDT", rank=2.0)
    found = swap(proposal(score=1.31), [strong, weak], TARGET, CONFIG)  # 0.1 is what it promises, 1 + 0.2 is needed
    assert found is not None and found.symbol == "ETH/USDT"
    assert found.numbers["needed"] == 1.2 and found.numbers["worth"] == 0.1
    assert swap(proposal(score=1.29), [strong, weak], TARGET, CONFIG) is None


def test_what_was_opened_a_moment_ago_stays() -> None:
    young = candidate(bars=9, rank=-5.0)
    assert swap(proposal(score=5.0), [young], TARGET, CONFIG) is None


def test_nothing_is_given_up_for_what_research_found_unprofitable() -> None:
    assert swap(proposal(score=0.0), [candidate(rank=-9.0)], TARGET, CONFIG) is None


def test_the_same_rank_promises_less_when_its_time_is_nearly_over_and_a_bad_one_stays_bad() -> None:
    assert candidate(rank=2.0, left=0.1).worth < candidate(rank=2.0, left=0.9).worth
    assert candidate(rank=-2.0, left=0.1).worth == candidate(rank=-2.0, left=0.9).worth == -2.0


ranks = st.floats()


@given(ranks, st.lists(st.tuples(ranks, st.integers(0, 50), st.floats(0, 1), st.floats(0, 0.1)), max_size=5))
def test_whatever_the_ranks_only_a_ripe_position_goes_and_only_for_a_better_entry(
    rank: float, rows: list[tuple[float, int, float, float]]
) -> None:
    held = [Candidate(f"C{number}/USDT", *row) for number, row in enumerate(rows)]
    asked = proposal(score=1.0)
    found = swap(type(asked)(asked.condition, asked.listing, 0, 1.0, 0.0, rank), held, TARGET, CONFIG)
    if found is None:
        return
    gone = next(row for row in held if row.symbol == found.symbol)
    assert gone.bars_held >= CONFIG.reallocate_after_bars
    assert rank - gone.worth >= float(CONFIG.reallocate_margin)
    assert all(
        gone.worth <= row.worth
        for row in held
        if row.bars_held >= CONFIG.reallocate_after_bars and math.isfinite(row.worth)
    )


async def tried(world: World, score: float, bars: int) -> CycleResult:
    """BTC is bought; `bars` later ETH breaks out, with a condition of that score."""
    await world.system.start()
    world.system.arm([condition(-1)])
    world.bar(jump(0))
    assert (await world.manager.run_cycle()).entries == 1
    world.system.arm([condition(-1, "ETH/USDT", score, name="c2")])
    for number in range(1, bars + 1):
        world.bar(flat(number, "101"))
        world.bar(flat(number), "ETH/USDT") if number < bars else None
        await world.manager.run_cycle()
    world.bar(jump(bars), "ETH/USDT")
    return await world.manager.run_cycle()


def held_after(folder: Path, score: float = 5.0, bars: int = 15, config: TradingConfig = CONFIG) -> list[str]:
    world = World(folder, ("BTC/USDT", "ETH/USDT"), config, ONE_POSITION)
    asyncio.run(tried(world, score, bars))
    return list(world.ledger.positions())


def test_the_position_is_sold_and_the_better_entry_made_in_the_same_cycle_and_both_say_why(tmp_path: Path) -> None:
    world = World(tmp_path, ("BTC/USDT", "ETH/USDT"), CONFIG, ONE_POSITION)
    result = asyncio.run(tried(world, 5.0, 15))
    assert (result.exits, result.entries, result.reason) == (1, 1, None)
    assert list(world.ledger.positions()) == ["ETH/USDT"]
    (trade,) = world.ledger.closed_trades()
    assert trade.exit_reason == "reallocated"
    lines = [json.loads(row) for row in (tmp_path / "audit.jsonl").read_text().splitlines()]
    (told,) = [row for row in lines if row["kind"] == "reallocation"]
    assert told["symbol"] == "BTC/USDT" and told["for"] == "ETH/USDT" and told["better_by"] > told["needed"]


@pytest.mark.parametrize(
    ("score", "bars", "config"),
    [
        (5.0, 5, CONFIG),  # too young
        (0.9, 15, CONFIG),  # not better enough
        (5.0, 15, TradingConfig(trailing_distance=Decimal(0), exit_regimes=())),  # as shipped it is off
    ],
)
def test_otherwise_the_position_stays(tmp_path: Path, score: float, bars: int, config: TradingConfig) -> None:
    assert held_after(tmp_path, score, bars, config) == ["BTC/USDT"]


def test_only_so_many_are_made_in_an_hour_of_market_time(tmp_path: Path) -> None:
    world = World(tmp_path, ("BTC/USDT", "ETH/USDT"), CONFIG, ONE_POSITION)
    reallocation = world.system.assistants.reallocation
    assert reallocation is not None
    for bar_ms in (0, 0, 60_000, 120_000):
        assert not reallocation._often(bar_ms)
        reallocation._made.append(bar_ms)
    assert reallocation._often(180_000) and not reallocation._often(3_600_000)
    reallocation._made.extend([3_600_000] * 4)
    assert not reallocation._often(0), "the market began anew"
