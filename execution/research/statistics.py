"""The few statistics that decide: drawdown, t, probabilistic and deflated Sharpe ratio, paired difference.

Inputs are returns per trade as shares, after costs. They judge a sample; they don't choose what to do about it.
Sources: Bailey & López de Prado, "The Sharpe Ratio Efficient Frontier" (2012) for the probabilistic ratio, "The
Deflated Sharpe Ratio" (2014) for the expected maximum of many trials.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from statistics import NormalDist

import numpy as np
from numpy.typing import NDArray

Returns = NDArray[np.float64] | Sequence[float]
EULER_GAMMA = 0.5772156649015329
NORMAL = NormalDist()


@dataclass(frozen=True)
class PairedDifference:
    """How much better the first of two paired samples did, per pair. `t` is 0 when there is no spread to judge by."""

    pairs: int
    mean: float
    standard_error: float
    t: float


def net_return(returns: Returns) -> float:
    """What all trades together made, compounded (0.05 = 5 %)."""
    return float(np.prod(1.0 + np.asarray(returns, dtype=np.float64)) - 1.0)


def max_drawdown(returns: Returns) -> float:
    """The deepest fall of the compounded equity below its peak so far, as a share of the peak (0 without trades)."""
    equity = np.cumprod(1.0 + np.asarray(returns, dtype=np.float64))
    if equity.size == 0:
        return 0.0
    peak = np.maximum(np.maximum.accumulate(equity), 1.0)
    return float(np.max(1.0 - equity / peak))


def t_statistic(returns: Returns) -> float:
    """Mean over its standard error. 0 with fewer than two returns or when they are all the same."""
    sample = np.asarray(returns, dtype=np.float64)
    if sample.size < 2:
        return 0.0
    spread = float(sample.std(ddof=1))
    # equal returns leave rounding noise in the deviation; a ratio to noise says nothing
    if spread <= 1e-12 * float(np.max(np.abs(sample))):
        return 0.0
    return float(sample.mean()) / spread * math.sqrt(sample.size)


def probabilistic_sharpe(returns: Returns, benchmark: float = 0.0) -> float:
    """The probability that the true Sharpe ratio per trade is above `benchmark`; 0.5 when the sample says nothing."""
    sample = np.asarray(returns, dtype=np.float64)
    ratio = t_statistic(sample) / math.sqrt(max(sample.size, 1))
    if sample.size < 3 or ratio == 0.0:
        return 0.5
    z = (sample - sample.mean()) / sample.std()
    skew, kurtosis = float(np.mean(z**3)), float(np.mean(z**4))
    variance = 1.0 - skew * ratio + (kurtosis - 1.0) / 4.0 * ratio * ratio
    if variance <= 0.0:
        return 0.5
    return NORMAL.cdf((ratio - benchmark) * math.sqrt(sample.size - 1) / math.sqrt(variance))


def expected_best_of(trials: float) -> float:
    """The t-statistic the best of `trials` worthless, independent ideas is expected to show; 0 below two of them."""
    if trials < 2.0:
        return 0.0
    return (1.0 - EULER_GAMMA) * NORMAL.inv_cdf(1.0 - 1.0 / trials) + EULER_GAMMA * NORMAL.inv_cdf(
        1.0 - 1.0 / (trials * math.e)
    )


def effective_trials(returns: NDArray[np.float64]) -> float:
    """How many independent ideas the rows (trials, periods) amount to: 1 when all agree, their number when none do.

    The participation ratio of their correlation matrix's eigenvalues; rows that never moved don't count.
    """
    moving = returns[returns.std(axis=1) > 0.0]
    if len(moving) < 2:
        return 1.0
    correlation = np.corrcoef(moving)
    return float(len(moving) ** 2 / np.sum(correlation * correlation))


def paired_difference(first: Returns, second: Returns) -> PairedDifference:
    """`first` less `second`, pair by pair. ValueError when their lengths differ."""
    left, right = np.asarray(first, dtype=np.float64), np.asarray(second, dtype=np.float64)
    if left.shape != right.shape:
        raise ValueError(f"paired samples differ in length: {left.size} and {right.size}")
    if left.size == 0:
        return PairedDifference(0, 0.0, 0.0, 0.0)
    difference = left - right
    error = float(difference.std(ddof=1)) / math.sqrt(left.size) if left.size > 1 else 0.0
    return PairedDifference(int(left.size), float(difference.mean()), error, t_statistic(difference))
