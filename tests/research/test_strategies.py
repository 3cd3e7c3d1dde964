"""Step functions: the same source plain and compiled, a finite memory, and no entry before its time."""

import struct
import subprocess
import sys

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from execution.research import kernels
from execution.research.backtest import backtest
from execution.research.candles import CandleArray
from execution.research.strategies import STRATEGIES, Strategy
from tests.research.markets import random_market, real_bitcoin, with_unfit_bars

NAMES = sorted(STRATEGIES)
named = st.sampled_from(NAMES).map(STRATEGIES.__getitem__)


@st.composite
def allowed_params(draw: st.DrawFn, strategy: Strategy) -> dict[str, float]:
    """Any parameters the strategy allows."""
    return {
        param.name: float(draw(st.integers(int(param.low), int(param.high))))
        if param.window
        else draw(st.floats(param.low, param.high))
        for param in strategy.params
    }


def plain_scores(strategy: Strategy, candles: CandleArray, params: dict[str, float]) -> list[float]:
    """What a trader sees, bar by bar."""
    state, vector = strategy.fresh_state(), strategy.vector(params)
    return [strategy.step(state, bar, vector) for bar in candles.tolist()]


def bits(scores: list[float]) -> list[bytes]:
    """Every bit counts: -0.0 isn't 0.0 here."""
    return [struct.pack("<d", score) for score in scores]


@settings(max_examples=40, deadline=None)
@given(
    data=st.data(),
    strategy=named,
    seed=st.integers(0, 10_000),
    scale=st.sampled_from([1e-8, 0.003, 1.0, 4e4, 1e9]),
    volatility=st.sampled_from([0.0, 1e-5, 0.002, 0.05]),
)
def test_a_trader_and_the_compiled_kernel_score_every_bar_the_same_to_the_last_bit(
    data: st.DataObject, strategy: Strategy, seed: int, scale: float, volatility: float
) -> None:
    candles = with_unfit_bars(random_market(seed, 400, volatility, scale), seed)
    params = data.draw(allowed_params(strategy))
    step, state = kernels.compiled(strategy.step), np.zeros(strategy.state_size)
    vector = np.array(strategy.vector(params))
    compiled = [step(state, bar, vector) for bar in map(tuple, candles)]
    assert bits(compiled) == bits(plain_scores(strategy, candles, params))


@settings(max_examples=40, deadline=None)
@given(data=st.data(), strategy=named, seed=st.integers(0, 10_000), cut=st.integers(0, 500))
def test_a_restarted_trader_decides_as_one_that_saw_everything(
    data: st.DataObject, strategy: Strategy, seed: int, cut: int
) -> None:
    candles = random_market(seed, 700)
    params = data.draw(allowed_params(strategy))
    always = plain_scores(strategy, candles, params)
    restarted = plain_scores(strategy, candles[cut:], params)
    warm = strategy.warmup_of(params) - 1
    assert warm < strategy.warmup_bars
    assert bits(restarted[warm:]) == bits(always[cut + warm :])


@pytest.mark.parametrize(
    ("name", "params"),
    [
        ("momentum_breakout", {"lookback": 5.0, "margin_atr": 0.0, "atr_window": 12.0}),
        ("momentum_breakout", {"lookback": 12.0, "margin_atr": 0.0, "atr_window": 5.0}),
        ("mean_reversion", {"window": 12.0, "entry_z": 0.5, "sag": 1.0}),
        ("trend", {"fast": 3.0, "slow": 21.0, "gap_atr": 0.0, "efficiency": 0.1, "atr_window": 30.0}),
        ("trend", {"fast": 3.0, "slow": 21.0, "gap_atr": 0.0, "efficiency": 0.1, "atr_window": 5.0}),
    ],
)
def test_a_trader_restarted_at_any_bar_never_enters_where_the_other_would_not(
    name: str, params: dict[str, float]
) -> None:
    strategy, candles = STRATEGIES[name], random_market(1, 900, 0.003)
    always = plain_scores(strategy, candles, params)
    warm, early = strategy.warmup_of(params), 0
    for cut in range(1, len(candles) - warm):
        restarted = plain_scores(strategy, candles[cut : cut + warm], params)
        assert all(score in (0.0, always[cut + at]) for at, score in enumerate(restarted)), cut
        assert restarted[-1] == always[cut + warm - 1]
        early += any(restarted)
    assert early > 10


@settings(max_examples=40, deadline=None)
@given(data=st.data(), strategy=named, seed=st.integers(0, 10_000))
def test_no_strategy_enters_before_its_windows_are_full(data: st.DataObject, strategy: Strategy, seed: int) -> None:
    params = data.draw(allowed_params(strategy))
    longest = int(max(params[param.name] for param in strategy.params if param.window))
    candles = random_market(seed, longest, 0.02)
    assert not any(plain_scores(strategy, candles, params))


@pytest.mark.parametrize("name", NAMES)
def test_unfit_bars_are_as_if_they_never_were(name: str) -> None:
    strategy = STRATEGIES[name]
    spoiled = with_unfit_bars(random_market(7, 600), 7)
    fit = np.array([row for row in spoiled if np.isfinite(row).all() and (row[:4] > 0).all() and row[2] <= row[1]])
    fit = fit[(fit[:, 2] <= fit[:, [0, 3]].min(axis=1)) & (fit[:, 1] >= fit[:, [0, 3]].max(axis=1))]
    assert 300 < len(fit) < 600
    scores = plain_scores(strategy, spoiled, strategy.defaults())
    assert [score for score in scores if score] == [
        score for score in plain_scores(strategy, fit, strategy.defaults()) if score
    ]


@pytest.mark.parametrize("name", NAMES)
def test_a_market_that_never_moves_gives_no_entry(name: str) -> None:
    strategy = STRATEGIES[name]
    assert not any(plain_scores(strategy, np.full((300, 5), 42.0), strategy.defaults()))


def rows(closes: list[float]) -> CandleArray:
    """Bars that open at the close before and reach a little further than their body."""
    opens = [closes[0], *closes[:-1]]
    return np.array([[o, max(o, c) + 0.1, min(o, c) - 0.1, c, 1.0] for o, c in zip(opens, closes, strict=True)])


def test_momentum_enters_on_the_bar_that_closes_above_the_old_highs() -> None:
    candles = rows([100.0, 100.1] * 20 + [101.0, 101.05])
    scores = plain_scores(STRATEGIES["momentum_breakout"], candles, STRATEGIES["momentum_breakout"].defaults())
    assert [at for at, score in enumerate(scores) if score > 0] == [40]


def test_mean_reversion_enters_when_price_turns_up_far_below_its_mean() -> None:
    candles = rows([100.0, 100.1] * 20 + [99.0, 98.0, 97.0, 97.2])
    scores = plain_scores(STRATEGIES["mean_reversion"], candles, STRATEGIES["mean_reversion"].defaults())
    assert [at for at, score in enumerate(scores) if score > 0] == [43]


def test_mean_reversion_leaves_a_market_alone_that_falls_all_the_way() -> None:
    candles = rows([100.0 - 0.1 * k + 0.05 * (k % 3 == 0) for k in range(60)] + [93.5, 93.6])
    strategy = STRATEGIES["mean_reversion"]
    assert not any(plain_scores(strategy, candles, strategy.defaults()))
    assert any(plain_scores(strategy, candles, strategy.defaults() | {"sag": 2.0}))


def test_trend_enters_while_price_goes_straight_up_and_not_while_it_wanders() -> None:
    strategy = STRATEGIES["trend"]
    candles = rows([100.0, 100.1] * 30 + [100.0 + 0.3 * k for k in range(1, 25)])
    scores = plain_scores(strategy, candles, strategy.defaults())
    assert not any(scores[:61])
    assert all(scores[-10:])
    line = rows([100.0 + 0.25 * k for k in range(40)])
    assert plain_scores(strategy, line, strategy.defaults() | {"efficiency": 0.9})[-1] > 0
    wandering = rows([100.0 + 0.05 * k + (k % 2) for k in range(200)])
    assert not any(plain_scores(strategy, wandering, strategy.defaults()))
    assert any(plain_scores(strategy, wandering, strategy.defaults() | {"efficiency": 0.0, "gap_atr": 0.0}))


@pytest.mark.parametrize(
    ("params", "words"),
    [
        ({"window": 30.0, "sag": 0.5}, "needs parameter 'entry_z'"),
        ({"window": 30.0, "entry_z": 2.0, "sag": 0.5, "zz": 1.0}, "no parameter 'zz'; it takes window, entry_z, sag"),
        ({"window": 30.5, "entry_z": 2.0, "sag": 0.5}, "window = 30.5: must be a whole number"),
        ({"window": 500.0, "entry_z": 2.0, "sag": 0.5}, "window = 500.0: must be between 10 and 120"),
        ({"window": 30.0, "entry_z": float("nan"), "sag": 0.5}, "entry_z = nan: must be between 0.5 and 4"),
    ],
)
def test_unfit_parameters_are_refused_by_name(params: dict[str, float], words: str) -> None:
    with pytest.raises(ValueError, match=words.replace("(", r"\(")):
        STRATEGIES["mean_reversion"].vector(params)


def test_a_trader_that_imports_the_strategies_loads_neither_numba_nor_numpy() -> None:
    code = (
        "import sys, execution.research.strategies, execution.research.exits, execution.research.costs,"
        " execution.research.regime, execution.research.bars, execution.learning.knowledge;"
        "print([name for name in ('numba', 'numpy', 'polars') if name in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=20)
    assert done.stdout.strip() == "[]"


def test_the_defaults_trade_often_enough_on_real_minutes() -> None:
    candles = real_bitcoin()
    entries = np.concatenate([backtest(candles, STRATEGIES[name]).entry_index for name in NAMES])
    per_window = np.bincount(entries // 600, minlength=len(candles) // 600 + 1)[: len(candles) // 600]
    assert np.mean(per_window >= 5) > 0.95
    assert np.median(per_window) < 40, "so many that costs eat everything"


def test_the_defaults_trade_within_an_hour_on_four_livelier_markets() -> None:
    entries = [
        at
        for name in NAMES
        for seed in range(4)
        for at in backtest(random_market(seed, 560, 0.0025), STRATEGIES[name]).entry_index
        if at >= 500
    ]
    assert len(entries) >= 3
