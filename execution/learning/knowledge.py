"""What a closed trade teaches about its coin or its strategy: a score, bounded, with recent trades weighing most; how
many were won, how many in a row, and what a win and a loss bring.

Pure arithmetic; storing scores and acting on them belong elsewhere.
"""

import math

import msgspec

from execution.vocabulary.performance import ClosedTrade

NEUTRAL = 0.0
SCORE_MAX = 1.0
MEMORY = 0.9  # what remains of the old score after one trade: about the last ten trades count
FULL_RETURN = 0.01  # a net return of 1 % or more is as good as a trade gets
HALF_LIFE_MS = 7 * 24 * 3600 * 1000  # without trades, half of a score is forgotten in a week
MEAN_OVER = 50  # trades that a mean looks back on


class Score(msgspec.Struct, frozen=True):
    """What the closed trades of one coin or one strategy come to. `streak`: so many wins in a row, or losses where it
    is below zero. `mean_win` and `mean_loss` are shares of the money put in, both positive; `updated_ms` is when the
    last of these trades was closed."""

    value: float = NEUTRAL
    trades: int = 0
    wins: int = 0
    streak: int = 0
    mean_win: float = 0.0
    mean_loss: float = 0.0
    updated_ms: int = 0


def learned(score: Score, trade: ClosedTrade) -> Score:
    """The score after one more closed trade. A trade that brought nothing after fees is a loss."""
    won, share = trade.pnl_quote > 0, float(trade.return_share)
    value = faded(score.value, trade.closed_ms - score.updated_ms) if score.trades else score.value
    wins, losses = score.wins + won, score.trades - score.wins + (not won)
    return Score(
        value=score_after(value, trade),
        trades=score.trades + 1,
        wins=wins,
        streak=max(0, score.streak) + 1 if won else min(0, score.streak) - 1,
        mean_win=_mean(score.mean_win, share, wins) if won else score.mean_win,
        mean_loss=score.mean_loss if won else _mean(score.mean_loss, -share, losses),
        updated_ms=max(score.updated_ms, trade.closed_ms),
    )


def value_at(score: Score, now_ms: int) -> float:
    """What a score still says at `now_ms`."""
    return faded(score.value, now_ms - score.updated_ms)


def score_after(score: float, trade: ClosedTrade) -> float:
    """The score after one more closed trade, -1 (always lost) to 1 (always won). NaN counts as neutral."""
    lesson = max(-1.0, min(1.0, float(trade.return_share) / FULL_RETURN))
    return _bounded(MEMORY * _bounded(score) + (1.0 - MEMORY) * lesson)


def faded(score: float, elapsed_ms: int, half_life_ms: int = HALF_LIFE_MS) -> float:
    """The score after a time without trades: it goes back towards neutral. Time running backwards fades nothing."""
    return _bounded(score) * math.pow(0.5, max(0, elapsed_ms) / half_life_ms)


def _bounded(score: float) -> float:
    return max(-SCORE_MAX, min(SCORE_MAX, score)) if math.isfinite(score) else NEUTRAL


def _mean(mean: float, value: float, count: int) -> float:
    return mean + (value - mean) / min(count, MEAN_OVER)
