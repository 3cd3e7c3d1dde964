"""The backtest: next bar's open, one position, no look-ahead, and the same trades compiled or plain."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from execution.research.backtest import BacktestResult, RegimeRules, backtest
from execution.research.bars import is_bar
from execution.research.costs import Costs, round_trip_share
from execution.research.exits import REGIME, STOP, TARGET, TIME, TRAIL, Exits
from execution.research.regime import Regime
from execution.research.regime_rules import CODES, regime_codes
from execution.research.strategies import STRATEGIES, Strategy
from execution.research.sweep import grid, sweep
from tests.research.markets import random_market, with_unfit_bars

named = st.sampled_from(sorted(STRATEGIES)).map(STRATEGIES.__getitem__)
FREE = Costs(0.0, 0.0, 0.0)


def trades_of(result: BacktestResult) -> list[tuple[object, ...]]:
    """Every trade, to the last bit."""
    columns = (result.entry_index, result.exit_index, result.entry_price, result.exit_price, result.reason, result.net)
    return list(zip(*(column.tolist() for column in columns), strict=True))


kept = st.builds(
    Exits,
    bars=st.integers(1, 60),
    trail_after=st.floats(0.0, 0.01),
    trail_distance=st.floats(0.0, 0.01),
)
leaving = st.lists(st.sampled_from(list(Regime)), unique=True, max_size=3).map(tuple)


@settings(max_examples=40, deadline=None)
@given(strategy=named, seed=st.integers(0, 10_000), bars=st.integers(0, 800), exits=kept, leave=leaving)
def test_compiled_and_plain_make_the_same_trades(
    strategy: Strategy, seed: int, bars: int, exits: Exits, leave: tuple[Regime, ...]
) -> None:
    candles = with_unfit_bars(random_market(seed, bars), seed)
    rules = RegimeRules(np.random.default_rng(seed).integers(0, len(CODES) + 1, bars).tolist(), leave)
    compiled = backtest(candles, strategy, exits=exits, regimes=rules)
    plain = backtest(candles, strategy, exits=exits, regimes=rules, compiled=False)
    assert trades_of(compiled) == trades_of(plain)
    assert compiled.open_entry_index == plain.open_entry_index


@settings(max_examples=60, deadline=None)
@given(strategy=named, seed=st.integers(0, 10_000), cut=st.integers(0, 600))
def test_the_future_never_changes_a_trade_already_made(strategy: Strategy, seed: int, cut: int) -> None:
    candles = random_market(seed, 600)
    whole, before = backtest(candles, strategy), backtest(candles[:cut], strategy)
    assert trades_of(before) == [trade for trade in trades_of(whole) if trade[1] < cut]  # type: ignore[operator]
    if before.open_entry_index is not None:
        assert before.open_entry_index in whole.entry_index or before.open_entry_index == whole.open_entry_index


@settings(max_examples=30, deadline=None)
@given(strategy=named, seed=st.integers(0, 10_000))
def test_it_enters_at_the_open_after_the_signal_and_holds_one_position(strategy: Strategy, seed: int) -> None:
    candles = with_unfit_bars(random_market(seed, 800), seed)
    result = backtest(candles, strategy)
    fit = [at for at, row in enumerate(candles.tolist()) if is_bar(row)]
    state, vector = strategy.fresh_state(), strategy.vector()
    signals = [at for at in fit if strategy.step(state, candles[at].tolist(), vector) > 0]
    for entry, price in zip(result.entry_index, result.entry_price, strict=True):
        assert fit[fit.index(entry) - 1] in signals
        assert price == candles[entry, 0]
    assert np.all(result.entry_index[1:] > result.exit_index[:-1])
    assert np.all(result.exit_index >= result.entry_index)


def enter_always(state: object, bar: object, params: object) -> float:
    """A strategy that always wants in."""
    return 1.0


ALWAYS = Strategy("always", enter_always, 1, ())


@pytest.mark.parametrize("compiled", [True, False])
def test_known_bars_give_known_trades(compiled: bool) -> None:
    candles = np.array(
        [
            [100.0, 100.0, 100.0, 100.0, 1.0],
            [100.0, 102.0, 99.9, 101.0, 1.0],  # in at 100, out at the target 101
            [101.0, 101.0, 90.0, 95.0, 1.0],  # in at 101, stopped at 99.99
            [95.0, 95.1, 94.9, 95.0, 1.0],  # in at 95 ...
            [95.0, 95.1, 94.9, 95.05, 1.0],  # ... out at the close by time
            [95.0, 95.1, 94.9, 95.0, 1.0],  # in again, still open
        ]
    )
    result = backtest(candles, ALWAYS, {}, Exits(0.01, 0.01, 2), FREE, compiled=compiled)
    assert result.reason.tolist() == [TARGET, STOP, TIME]
    assert result.entry_index.tolist() == [1, 2, 3]
    assert result.exit_index.tolist() == [1, 2, 4]
    assert result.exit_price.tolist() == [101.0, 101.0 * 0.99, 95.05]
    assert result.open_entry_index == 5
    assert result.win_rate == pytest.approx(2 / 3)
    assert result.net_return == pytest.approx(1.01 * 0.99 * 95.05 / 95 - 1)
    assert result.max_drawdown == pytest.approx(0.01)


@pytest.mark.parametrize("compiled", [True, False])
def test_a_trailing_stop_and_a_regime_end_known_trades(compiled: bool) -> None:
    candles = np.array(
        [
            [100.0, 100.0, 100.0, 100.0, 1.0],
            [100.0, 101.5, 99.9, 101.0, 1.0],  # in at 100; its own high moves the stop for the next bar only
            [101.0, 101.2, 100.4, 101.1, 1.0],  # out 1 % below 101.5
            [101.0, 101.1, 100.9, 101.0, 1.0],  # in again, in a range ...
            [101.0, 101.1, 100.9, 100.95, 1.0],  # ... which is a trend down by now: out at the close
            [101.0, 101.1, 100.9, 101.0, 1.0],  # no entry: the bar before closed in a trend down
            [101.0, 101.1, 100.9, 101.0, 1.0],
        ]
    )
    codes = [CODES[Regime.RANGE]] * 4 + [CODES[Regime.TREND_DOWN]] * 3
    rules = RegimeRules(codes, (Regime.TREND_DOWN,))
    picky = Strategy("picky", enter_always, 1, (), frozenset({Regime.RANGE}))
    exits = Exits(0.05, 0.05, 9, 0.01, 0.01)
    result = backtest(candles, picky, {}, exits, FREE, regimes=rules, compiled=compiled)
    assert result.reason.tolist() == [TRAIL, REGIME]
    assert result.entry_index.tolist() == [1, 3] and result.exit_index.tolist() == [2, 4]
    assert result.exit_price.tolist() == [101.5 * 0.99, 100.95]
    assert result.open_entry_index is None


@pytest.mark.parametrize("compiled", [True, False])
def test_a_trailing_stop_without_a_start_follows_from_the_entry_on(compiled: bool) -> None:
    candles = np.array([[100.0, 100.0, 100.0, 100.0, 1.0], [100.0, 100.0, 98.5, 99.0, 1.0]])
    result = backtest(candles, ALWAYS, {}, Exits(0.05, 0.05, 9, 0.0, 0.01), FREE, compiled=compiled)
    assert result.reason.tolist() == [TRAIL] and result.exit_price.tolist() == [99.0]


@pytest.mark.parametrize("compiled", [True, False])
def test_who_entered_in_a_regime_to_leave_in_leaves_only_in_a_worse_one(compiled: bool) -> None:
    candles = np.array([[100.0, 100.1, 99.9, 100.0, 1.0]] * 5)
    codes = [CODES[Regime.TREND_DOWN]] * 3 + [CODES[Regime.CRASH]] * 2
    rules = RegimeRules(codes, (Regime.TREND_DOWN, Regime.CRASH))
    result = backtest(candles, ALWAYS, {}, Exits(0.05, 0.05, 9), FREE, regimes=rules, compiled=compiled)
    assert result.reason.tolist() == [REGIME]
    assert result.entry_index.tolist() == [1] and result.exit_index.tolist() == [3]
    assert result.open_entry_index is None, "in a crash nobody enters"


def test_a_regime_after_each_bar_knows_only_the_bars_before() -> None:
    rows = random_market(4, 400).tolist()
    whole = regime_codes(rows)
    assert len(whole) == 400 and regime_codes(rows[:300]) == whole[:300]
    with pytest.raises(ValueError, match="399 regimes for 400 candles"):
        backtest(np.array(rows), STRATEGIES["trend"], regimes=RegimeRules(whole[1:]))


def test_costs_come_off_every_trade() -> None:
    candles = random_market(3, 2000)
    free, dear = (backtest(candles, STRATEGIES["trend"], costs=costs) for costs in (FREE, Costs()))
    assert free.trades == dear.trades > 10
    assert dear.net == pytest.approx((1 + free.net) * (1 - round_trip_share(Costs())) - 1)
    assert dear.expectancy < free.expectancy


def test_no_trades_are_zeros_not_errors() -> None:
    result = backtest(np.empty((0, 5)), STRATEGIES["trend"])
    assert (result.trades, result.net_return, result.win_rate, result.expectancy) == (0, 0.0, 0.0, 0.0)
    assert (result.t_statistic, result.max_drawdown, result.open_entry_index) == (0.0, 0.0, None)


def test_candles_of_another_shape_are_refused() -> None:
    with pytest.raises(ValueError, match=r"shape \(10, 4\): must be \(n, 5\)"):
        backtest(np.ones((10, 4)), STRATEGIES["trend"])


def test_without_numba_the_same_trades_come_from_plain_python(monkeypatch: pytest.MonkeyPatch) -> None:
    candles = random_market(5, 500)
    compiled = trades_of(backtest(candles, STRATEGIES["trend"]))
    monkeypatch.setattr("execution.research.kernels.available", lambda: False)
    monkeypatch.setattr("execution.research.kernels.compiled_loop", None)
    assert trades_of(backtest(candles, STRATEGIES["trend"])) == compiled


@pytest.mark.parametrize("name", sorted(STRATEGIES))
def test_a_grid_starts_with_the_defaults_and_holds_only_allowed_sets(name: str) -> None:
    strategy = STRATEGIES[name]
    sets = grid(strategy)
    assert sets[0] == strategy.defaults()
    assert 5 < len(sets) <= 30
    assert len({tuple(params.items()) for params in sets}) == len(sets)
    assert [strategy.vector(params) for params in sets]


def test_a_sweep_is_one_backtest_per_set_in_order() -> None:
    candles, strategy = random_market(11, 500), STRATEGIES["mean_reversion"]
    found = sweep(candles, strategy, grid(strategy))
    assert [each.params for each in found] == grid(strategy)
    threaded = sweep(candles, strategy, grid(strategy), threads=2)
    assert [trades_of(each.result) for each in threaded] == [trades_of(each.result) for each in found]
    for each in found[:3]:
        assert trades_of(each.result) == trades_of(backtest(candles, strategy, each.params))


@pytest.mark.parametrize("name", sorted(STRATEGIES))
def test_where_nothing_can_be_known_nothing_is_earned_before_costs(name: str) -> None:
    bars, ticks, volatility = 60_000, 30, 0.0004
    rng = np.random.default_rng(1)
    steps = rng.normal(-(volatility**2) / 2, volatility, (bars, ticks))  # a martingale: its mean return is zero
    path = 100 * np.exp(np.cumsum(steps.ravel())).reshape(bars, ticks)
    opened = np.concatenate(([100.0], path[:-1, -1]))
    high, low = np.maximum(path.max(axis=1), opened), np.minimum(path.min(axis=1), opened)
    result = backtest(np.column_stack((opened, high, low, path[:, -1], opened)), STRATEGIES[name], costs=FREE)
    assert result.trades > 500
    assert abs(result.t_statistic) < 3.5
