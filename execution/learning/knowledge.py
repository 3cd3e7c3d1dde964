"""What a closed trade teaches about its coin or its strategy: one score, bounded, with recent trades weighing most.

Pure arithmetic on one number; storing scores and acting on them belong elsewhere.
"""

import math

from execution.vocabulary.performance import ClosedTrade

NEUTRAL = 0.0
SCORE_MAX = 1.0
MEMORY = 0.9  # what remains of the old score after one trade: about the last ten trades count
FULL_RETURN = 0.01  # a net return of 1 % or more is as good as a trade gets
HALF_LIFE_MS = 7 * 24 * 3600 * 1000  # without trades, half of a score is forgotten in a week


def score_after(score: float, trade: ClosedTrade) -> float:
    """The score after one more closed trade, -1 (always lost) to 1 (always won). NaN counts as neutral."""
    lesson = max(-1.0, min(1.0, float(trade.return_share) / FULL_RETURN))
    return _bounded(MEMORY * _bounded(score) + (1.0 - MEMORY) * lesson)


def faded(score: float, elapsed_ms: int, half_life_ms: int = HALF_LIFE_MS) -> float:
    """The score after a time without trades: it goes back towards neutral. Time running backwards fades nothing."""
    return _bounded(score) * math.pow(0.5, max(0, elapsed_ms) / half_life_ms)


def _bounded(score: float) -> float:
    return max(-SCORE_MAX, min(SCORE_MAX, score)) if math.isfinite(score) else NEUTRAL
