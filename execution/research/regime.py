"""What kind of market the last bars were, from plain sequences of prices. It describes; it doesn't trade.

Efficiency is Kaufman's ratio: how far price came, over how far it walked (1 = a straight line, near 0 = noise).
Volatility is the mean square of the bars' returns, now against the median of the same measure over the history.
"""

import itertools
import math
from collections.abc import Sequence
from decimal import Decimal
from enum import StrEnum
from statistics import median

from execution.research.bars import PRICE_MAX

WINDOW_BARS = 60
VOLATILITY_BARS = 30
TREND_EFFICIENCY = 0.3  # a random walk of 60 bars averages about 0.13
VOLATILE_RATIO = 2.0
CRASH_DEVIATIONS = 4.0  # a fall this many times what the window's usual volatility explains ...
CRASH_LEAST = 0.02  # ... and at least this share of the price


class Regime(StrEnum):
    """Kinds of market."""

    TREND_UP = "trend_up"
    TREND_DOWN = "trend_down"
    RANGE = "range"
    VOLATILE = "volatile"
    CRASH = "crash"


SIZE_SHARES = {  # how much of the usual size an entry gets; none in a crash
    Regime.TREND_UP: Decimal(1),
    Regime.RANGE: Decimal(1),
    Regime.TREND_DOWN: Decimal("0.5"),
    Regime.VOLATILE: Decimal("0.5"),
    Regime.CRASH: Decimal(0),
}


def classify(highs: Sequence[float], lows: Sequence[float], closes: Sequence[float]) -> Regime:
    """The regime of the newest bars, oldest first. The first that holds: crash, volatile, trend, range.

    Fewer than three fit bars are a range: nothing is known. Bars with unfit prices are left out. ValueError when the
    lengths differ.
    """
    fit = [
        (high, low, close)
        for high, low, close in zip(highs, lows, closes, strict=True)
        if 0.0 < low <= close <= high < PRICE_MAX
    ]
    if len(fit) < 3:
        return Regime.RANGE
    prices = [close for _, _, close in fit]
    usual, now = _volatilities(prices)
    window = fit[-WINDOW_BARS - 1 :]
    fall = 1.0 - window[-1][1] / max(high for high, _, _ in window)
    if fall >= max(CRASH_LEAST, CRASH_DEVIATIONS * usual * math.sqrt(len(window))):
        return Regime.CRASH
    if now > VOLATILE_RATIO * usual:
        return Regime.VOLATILE
    recent = [close for _, _, close in window]
    if efficiency(recent) < TREND_EFFICIENCY:
        return Regime.RANGE
    return Regime.TREND_UP if recent[-1] > recent[0] else Regime.TREND_DOWN


def efficiency(prices: Sequence[float]) -> float:
    """Net distance over walked distance, 0 to 1; 0 when price never moved."""
    walked = sum(abs(after - before) for before, after in itertools.pairwise(prices))
    return abs(prices[-1] - prices[0]) / walked if walked > 0.0 else 0.0


def _volatilities(prices: Sequence[float]) -> tuple[float, float]:
    """Per bar: the median over the history's stretches, and that of the newest stretch."""
    squares = [(math.log(after) - math.log(before)) ** 2 for before, after in itertools.pairwise(prices)]
    stretches = [
        math.sqrt(sum(part) / len(part))
        for end in range(len(squares), 0, -VOLATILITY_BARS)
        for part in [squares[max(0, end - VOLATILITY_BARS) : end]]
    ]
    return median(stretches), stretches[0]
