"""What the trader decides bar by bar is what research decided over the same bars, at any pace."""

import asyncio
import random
from decimal import Decimal
from pathlib import Path

import pytest

from execution.research.backtest import RegimeRules, backtest
from execution.research.candles import candle_array
from execution.research.costs import Costs
from execution.research.exit_terms import exits_of, leave_in
from execution.research.exits import EXIT_REASONS
from execution.research.regime_rules import regime_codes
from execution.research.strategies import STRATEGIES
from execution.runtime.settings import TradingConfig
from execution.vocabulary.market import Candle, Condition
from execution.vocabulary.orders import Purpose
from tests.trading.world import MINUTE, START_MS, World, rules_of

WARMUP = 130
SYMBOL = "BTC/USDT"
FREE = Costs(0.0, 0.0, 0.0)
CONFIG = TradingConfig(
    spread_max=Decimal("0.5"),
    position_share=Decimal("0.01"),
    exit_regimes=("volatile", "trend_down", "crash"),
)


def wave(seed: int, count: int) -> list[Candle]:
    """Bars that open where the last one closed, with short shadows: a market without surprises inside a bar."""
    chance = random.Random(seed)
    price, drift, bars = Decimal("100.00"), 0.0, []
    for number in range(count):
        if number % 25 == 0:
            drift = chance.uniform(-0.0015, 0.0015)
        close = (price * (1 + Decimal(chance.gauss(drift, 0.0015)))).quantize(Decimal("0.01"))
        top, bottom = max(price, close), min(price, close)
        bars.append(Candle(START_MS + number * MINUTE, price, top, bottom, close, Decimal(1000)))
        price = close
    return bars


def quiet(count: int) -> list[Candle]:
    """Bars up and down by turns, in which no strategy finds anything; they end at 100."""
    low, high, bars = Decimal("100.00"), Decimal("100.15"), []
    for number in range(-count, 0):
        opened, closed = (low, high) if number % 2 == 0 else (high, low)
        bars.append(Candle(START_MS + number * MINUTE, opened, high, low, closed, Decimal(1000)))
    return bars


async def traded(folder: Path, bars: list[Candle], strategy: str) -> list[tuple[str, int, str]]:
    """The trader's decisions: what or why, on the bar opened when."""
    world = World(folder, config=CONFIG, history=0)
    world.venue.rules[SYMBOL] = rules_of(taker_fee=Decimal(0))
    world.market.history = [(SYMBOL, bar) for bar in bars[:WARMUP]]
    world.market.price(SYMBOL, str(bars[WARMUP - 1].close), str(bars[WARMUP - 1].close))
    await world.system.start()
    params = STRATEGIES[strategy].defaults()
    armed = Condition("c", SYMBOL, strategy, params, "range", 1.0, bars[WARMUP - 1].open_ms, len(bars))
    assert world.system.arm([armed]) == 1
    decisions = []
    for bar in bars[WARMUP:]:
        world.bar(bar)
        world.market.price(SYMBOL, str(bar.close), str(bar.close))
        before = len(world.venue.placed)
        await world.manager.run_cycle()
        for order in world.venue.placed[before:]:
            reason = "enter" if order.purpose is Purpose.ENTRY else order.reason
            decisions.append((reason, bar.open_ms, order.strategy))
    await world.system.stop()
    return decisions


def found_by_research(bars: list[Candle], strategy: str) -> list[tuple[str, int, str]]:
    """The same list from the backtest."""
    candles = candle_array(bars)
    found = backtest(
        candles,
        STRATEGIES[strategy],
        exits=exits_of(CONFIG, strategy, FREE),
        costs=FREE,
        regimes=RegimeRules(regime_codes(candles.tolist()), leave_in(CONFIG)),
        compiled=False,
    )
    decisions = []
    for entry, leave, reason in zip(found.entry_index, found.exit_index, found.reason, strict=True):
        decisions.append(("enter", bars[entry - 1].open_ms, strategy))
        decisions.append((EXIT_REASONS[int(reason)].value, bars[leave].open_ms, strategy))
    return decisions


@pytest.mark.parametrize("strategy", sorted(STRATEGIES))
def test_a_trader_enters_and_leaves_on_the_bars_research_found(tmp_path: Path, strategy: str) -> None:
    compared = 0
    for seed in range(4):
        bars = quiet(WARMUP) + wave(seed, 400)
        expected = found_by_research(bars, strategy)
        decided = asyncio.run(traded(tmp_path / str(seed), bars, strategy))
        assert decided[: len(expected)] == expected
        compared += len(expected)
    assert compared >= 10
