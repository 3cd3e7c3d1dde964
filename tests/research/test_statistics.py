"""The statistics that decide, against numbers worked out by hand and what must hold for any sample."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from execution.research import statistics

samples = st.lists(st.floats(-0.5, 0.5), max_size=50)


def test_the_drawdown_of_known_returns() -> None:
    assert statistics.max_drawdown([0.5, -0.2, -0.25, 1.0]) == pytest.approx(0.4)
    assert statistics.max_drawdown([-0.1]) == pytest.approx(0.1)
    assert statistics.max_drawdown([0.1, 0.2]) == 0.0
    assert statistics.max_drawdown([]) == 0.0


@given(samples)
def test_a_drawdown_is_a_share_and_at_least_the_worst_trade(returns: list[float]) -> None:
    drawdown = statistics.max_drawdown(returns)
    assert 0.0 <= drawdown < 1.0
    assert drawdown >= -min(returns, default=0.0) - 1e-12


def test_the_t_statistic_of_known_returns() -> None:
    assert statistics.t_statistic([1.0, 2.0, 3.0]) == pytest.approx(2.0 / (1.0 / math.sqrt(3)))
    assert statistics.t_statistic([0.1]) == 0.0
    assert statistics.t_statistic([0.1, 0.1, 0.1]) == 0.0


@given(samples)
def test_turning_every_return_round_turns_t_round(returns: list[float]) -> None:
    assert statistics.t_statistic([-r for r in returns]) == pytest.approx(-statistics.t_statistic(returns))


def test_the_probabilistic_ratio_is_a_coin_toss_without_evidence_and_sure_with_much() -> None:
    rng = np.random.default_rng(4)
    assert statistics.probabilistic_sharpe([]) == 0.5
    assert statistics.probabilistic_sharpe([0.01, 0.01, 0.01]) == 0.5
    assert statistics.probabilistic_sharpe(rng.normal(0.01, 0.01, 200)) > 0.999
    assert statistics.probabilistic_sharpe(rng.normal(-0.01, 0.01, 200)) < 0.001
    better = rng.normal(0.002, 0.01, 300)
    assert statistics.probabilistic_sharpe(better) > statistics.probabilistic_sharpe(better, benchmark=0.1)


def test_the_best_of_worthless_ideas_is_expected_where_a_simulation_finds_it() -> None:
    rng = np.random.default_rng(5)
    for trials in (5, 27, 200):
        simulated = rng.normal(size=(4000, trials)).max(axis=1).mean()
        assert statistics.expected_best_of(trials) == pytest.approx(simulated, abs=0.06)
    assert statistics.expected_best_of(1) == 0.0


def test_ten_copies_of_one_idea_are_one_idea_and_ten_strangers_nearly_ten() -> None:
    rng = np.random.default_rng(6)
    one = rng.normal(size=2000)
    assert statistics.effective_trials(np.tile(one, (10, 1))) == pytest.approx(1.0)
    assert statistics.effective_trials(rng.normal(size=(10, 2000))) == pytest.approx(10.0, rel=0.05)
    assert statistics.effective_trials(np.zeros((10, 5))) == 1.0


def test_a_paired_difference_sees_what_the_noise_of_both_hides() -> None:
    rng = np.random.default_rng(7)
    shared = rng.normal(0.0, 0.01, 100)
    better = statistics.paired_difference(shared + 0.001 + rng.normal(0, 0.001, 100), shared)
    assert better.pairs == 100
    assert better.mean == pytest.approx(0.001, abs=0.0004)
    assert better.t > 5.0
    assert better.standard_error == pytest.approx(better.mean / better.t)


def test_pairs_must_be_pairs() -> None:
    assert statistics.paired_difference([], []) == statistics.PairedDifference(0, 0.0, 0.0, 0.0)
    with pytest.raises(ValueError, match="differ in length: 2 and 1"):
        statistics.paired_difference([0.1, 0.2], [0.1])
