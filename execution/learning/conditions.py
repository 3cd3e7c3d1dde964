"""Which entries to arm for a symbol, from what research found on its last bars.

It ranks and doubts; it doesn't run backtests, size orders or know accounts. The same findings give the same
conditions, ids included.
"""

import hashlib
from collections.abc import Iterable

import numpy as np
from numpy.typing import NDArray

from execution.research.regime import Regime
from execution.research.statistics import effective_trials, expected_best_of
from execution.research.sweep import SweepResult
from execution.vocabulary.market import Condition

CONDITIONS_MAX = 2
TRADES_LEAST = 3  # fewer trades are no evidence
PRIOR_TRADES = 5.0  # a mean of n trades counts as n / (n + this) of itself: few trades convince little
SCORE_MAX = 10.0
SCORE_OF_A_LOSS = -0.01  # at best; two equal losses have no t-statistic, and still lost


def choose_conditions(
    symbol: str, results: Iterable[SweepResult], regime: Regime, bar_ms: int, ttl_bars: int
) -> list[Condition]:
    """The best parameters of the best one or two strategies, best first; none in a crash. Of equals, the first tried.

    `score` is the t-statistic of the net returns less what luck gives the best of the sets tried, within ±10. It is
    below 0 when the strategy lost after costs, and above 0 only for a gain that is more than such luck.
    """
    if regime is Regime.CRASH:
        return []
    tried: dict[str, list[SweepResult]] = {}
    for found in results:
        tried.setdefault(found.strategy, []).append(found)
    best = sorted((max(tried[name], key=_rank) for name in sorted(tried)), key=_rank, reverse=True)
    return [
        Condition(
            id=condition_id(symbol, found, bar_ms),
            symbol=symbol,
            strategy=found.strategy,
            params=dict(found.params),
            regime=regime.value,
            score=score_of(found, tried[found.strategy]),
            created_bar_ms=bar_ms,
            ttl_bars=ttl_bars,
        )
        for found in best[:CONDITIONS_MAX]
    ]


def score_of(found: SweepResult, tried: list[SweepResult]) -> float:
    """How much the best of the sets `tried` deserves belief. Without evidence it is never above 0."""
    result = found.result
    luck = expected_best_of(effective_trials(_returns_by_bar(tried)))
    score = max(-SCORE_MAX, min(SCORE_MAX, result.t_statistic - luck))
    if result.expectancy < 0.0:
        return min(score, SCORE_OF_A_LOSS)
    if result.trades < TRADES_LEAST or result.expectancy == 0.0:
        return 0.0
    return score


def _returns_by_bar(tried: list[SweepResult]) -> NDArray[np.float64]:
    bars = 1 + max((int(found.result.exit_index[-1]) for found in tried if found.result.trades), default=0)
    return np.array([np.bincount(found.result.exit_index, weights=found.result.net, minlength=bars) for found in tried])


def condition_id(symbol: str, found: SweepResult, bar_ms: int) -> str:
    """The same for the same symbol, strategy, parameters and bar; 16 hexadecimal digits."""
    words = [
        symbol,
        found.strategy,
        str(bar_ms),
        *(f"{name}={value!r}" for name, value in sorted(found.params.items())),
    ]
    return hashlib.sha256("|".join(words).encode()).hexdigest()[:16]


def _rank(found: SweepResult) -> tuple[bool, float]:
    """Evidence first, then the mean net return, shrunk towards nothing when trades are few."""
    result = found.result
    return result.trades >= TRADES_LEAST, float(result.expectancy) * result.trades / (result.trades + PRIOR_TRADES)
