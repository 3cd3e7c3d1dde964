"""Which entries get armed: the best, deterministically, and never with more belief than the evidence gives."""

import numpy as np
import pytest

from execution.learning.conditions import CONDITIONS_MAX, choose_conditions
from execution.research.backtest import BacktestResult, backtest
from execution.research.costs import Costs
from execution.research.exits import Exits
from execution.research.regime import Regime
from execution.research.statistics import max_drawdown, net_return, t_statistic
from execution.research.strategies import STRATEGIES
from execution.research.sweep import SweepResult, grid, sweep
from tests.research.markets import random_market


def found(strategy: str, window: float, net: list[float]) -> SweepResult:
    """A sweep's result with these net returns, one trade every ten bars."""
    returns = np.array(net, dtype=np.float64)
    at = np.arange(len(net), dtype=np.int64) * 10
    prices = np.ones(len(net))
    result = BacktestResult(
        trades=len(net),
        net_return=net_return(returns),
        win_rate=float(np.mean(returns > 0)) if net else 0.0,
        expectancy=float(returns.mean()) if net else 0.0,
        t_statistic=t_statistic(returns),
        max_drawdown=max_drawdown(returns),
        entry_index=at,
        exit_index=at + 5,
        entry_price=prices,
        exit_price=prices,
        reason=at,
        net=returns,
        open_entry_index=None,
    )
    return SweepResult(strategy, {"window": window}, result)


GOOD = [0.005, 0.004, 0.006, 0.005, 0.003, 0.004] * 2
DECENT = [0.005, -0.003, 0.006, -0.004, 0.005, 0.004] * 3
WEAK = [0.004, -0.003, 0.002, -0.001, 0.003, -0.002] * 2
BAD = [-0.005, -0.004, 0.001, -0.006, -0.005] * 2


def test_the_best_set_of_each_of_the_best_two_strategies_is_armed_best_first() -> None:
    armed = choose_conditions(
        "BTC/USDT",
        [found("a", 1, BAD), found("a", 2, WEAK), found("b", 1, GOOD), found("c", 1, BAD), found("b", 2, WEAK)],
        Regime.RANGE,
        60_000,
        30,
    )
    assert [(one.strategy, one.params["window"]) for one in armed] == [("b", 1), ("a", 2)]
    assert armed[0].score > armed[1].score
    assert (armed[0].symbol, armed[0].regime, armed[0].created_bar_ms, armed[0].ttl_bars) == (
        "BTC/USDT",
        "range",
        60_000,
        30,
    )


def test_a_loser_is_armed_with_a_score_below_zero() -> None:
    (armed,) = choose_conditions("X/Y", [found("a", 1, BAD)], Regime.TREND_UP, 0, 30)
    assert armed.score < 0
    (flat,) = choose_conditions("X/Y", [found("a", 1, [-0.002, -0.002, -0.002])], Regime.TREND_UP, 0, 30)
    assert flat.score < 0


def test_two_lucky_trades_are_no_evidence() -> None:
    (armed,) = choose_conditions("X/Y", [found("a", 1, [0.02, 0.03])], Regime.RANGE, 0, 30)
    assert armed.score == 0.0
    (armed,) = choose_conditions("X/Y", [found("a", 1, [0.02, 0.03]), found("a", 2, WEAK)], Regime.RANGE, 0, 30)
    assert armed.params == {"window": 2}


def test_a_strategy_that_never_traded_is_armed_without_belief_rather_than_not_at_all() -> None:
    (armed,) = choose_conditions("X/Y", [found("a", 1, [])], Regime.RANGE, 0, 30)
    assert armed.score == 0.0


def test_the_best_of_many_tries_is_believed_less_than_the_same_result_alone() -> None:
    rng = np.random.default_rng(2)
    others = [found("a", k, rng.normal(0.0, 0.002, 12).tolist()) for k in range(2, 20)]
    alone = choose_conditions("X/Y", [found("a", 1, DECENT)], Regime.RANGE, 0, 30)[0]
    among = choose_conditions("X/Y", [found("a", 1, DECENT), *others], Regime.RANGE, 0, 30)[0]
    assert alone.params == among.params
    assert among.score < alone.score


@pytest.mark.parametrize("strategy", sorted(STRATEGIES))
def test_worthless_ideas_are_seldom_believed(strategy: str) -> None:
    believed = 0
    for seed in range(20):
        candles = random_market(seed, 500)
        steps = np.random.default_rng(seed).normal(0, 0.002, 500)
        candles = candles[:1] * np.exp(np.cumsum(steps))[:, None] * np.array([1, 1.0005, 0.9995, 1, 1])
        some = sweep(candles, STRATEGIES[strategy], grid(STRATEGIES[strategy]), costs=Costs(0, 0, 0))
        believed += choose_conditions("X/Y", some, Regime.RANGE, 0, 30)[0].score > 1.0
    assert believed <= 6


def test_a_crash_arms_nothing() -> None:
    assert choose_conditions("X/Y", [found("a", 1, GOOD)], Regime.CRASH, 0, 30) == []


def test_nothing_found_arms_nothing() -> None:
    assert choose_conditions("X/Y", [], Regime.RANGE, 0, 30) == []


def test_the_same_findings_give_the_same_conditions_in_whatever_order_they_come() -> None:
    some = [found("a", 1, BAD), found("b", 1, GOOD), found("c", 1, WEAK)]
    one = choose_conditions("X/Y", some, Regime.RANGE, 0, 30)
    other = choose_conditions("X/Y", some[::-1], Regime.RANGE, 0, 30)
    later = choose_conditions("X/Y", some, Regime.RANGE, 60_000, 30)
    assert one == other
    assert len({each.id for each in (*one, *later)}) == 2 * CONDITIONS_MAX


def test_from_candles_to_armed_conditions_that_a_trader_can_load() -> None:
    candles = random_market(1, 500)
    results = [
        each for strategy in STRATEGIES.values() for each in sweep(candles, strategy, grid(strategy), Exits(), Costs())
    ]
    armed = choose_conditions("BTC/USDT", results, Regime.RANGE, 0, 30)
    assert len(armed) == 2
    for condition in armed:
        strategy = STRATEGIES[condition.strategy]
        vector = strategy.vector(condition.params)
        assert len(vector) == len(strategy.params)
        tried = backtest(candles, strategy, condition.params)
        assert (condition.score <= 0) or tried.expectancy > 0
