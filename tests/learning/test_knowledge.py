"""Scores of coins and strategies: bounded, moved by each trade, forgotten with time."""

import math
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from execution.learning.knowledge import HALF_LIFE_MS, Score, faded, learned, score_after, value_at
from tests.learning.test_comparison import trade

scores = st.floats(allow_nan=True, allow_infinity=True)


@given(scores, st.decimals(-1000, 1000, places=4).map(str))
def test_a_score_stays_within_one_whatever_happens(score: float, pnl: str) -> None:
    assert -1.0 <= score_after(score, trade(1, pnl)) <= 1.0


@given(st.floats(-1, 1), st.decimals(-2, 2, places=3), st.decimals(0, 2, places=3))
def test_a_better_trade_never_leaves_a_worse_score(score: float, pnl: Decimal, more: Decimal) -> None:
    assert score_after(score, trade(1, str(pnl + more))) >= score_after(score, trade(1, str(pnl)))


def test_winning_always_leads_to_one_and_one_loss_takes_a_tenth_of_the_way_back() -> None:
    score = 0.0
    for bar in range(100):
        score = score_after(score, trade(bar, "2"))
    assert score == pytest.approx(1.0, abs=1e-3)
    assert score_after(score, trade(0, "-2")) == pytest.approx(0.8, abs=1e-3)


def test_recent_trades_weigh_more_than_old_ones() -> None:
    won_last = score_after(score_after(0.0, trade(1, "-2")), trade(2, "2"))
    assert won_last > 0 > score_after(score_after(0.0, trade(1, "2")), trade(2, "-2"))


def test_half_of_a_score_is_forgotten_in_its_half_life() -> None:
    assert faded(0.8, HALF_LIFE_MS) == pytest.approx(0.4)
    assert faded(0.8, 0) == faded(0.8, -5) == 0.8
    assert faded(math.nan, 1) == 0.0


def test_a_record_tells_wins_streaks_and_what_a_win_and_a_loss_bring() -> None:
    score = Score()
    for bar, pnl in enumerate(["2", "1", "-1", "-3", "0"]):
        score = learned(score, trade(bar, pnl))
    assert (score.trades, score.wins, score.streak) == (5, 2, -3), "what brought nothing wasn't won"
    share = float(trade(0, "1").return_share)
    assert score.mean_win == pytest.approx(1.5 * share) and score.mean_loss == pytest.approx(4 / 3 * share)
    assert learned(score, trade(9, "1")).streak == 1


@given(st.lists(st.decimals(-50, 50, places=2), max_size=60))
def test_a_record_adds_up_whatever_is_traded(profits: list[Decimal]) -> None:
    score = Score()
    for bar, pnl in enumerate(profits):
        score = learned(score, trade(bar, str(pnl)))
    assert 0 <= score.wins <= score.trades == len(profits)
    assert abs(score.streak) <= score.trades and score.mean_win >= 0 <= score.mean_loss
    assert abs(value_at(score, score.updated_ms)) <= 1.0
    assert abs(value_at(score, score.updated_ms + HALF_LIFE_MS)) <= 0.5
