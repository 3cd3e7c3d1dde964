"""Momentum breakout: a rising bar closes above every high of the last bars, by a margin counted in average ranges.

It doesn't size, exit or look at costs; it says "enter long now" with a score in average true ranges above the margin.
"""

from execution.research.bars import Vector, is_bar
from execution.research.regime import Regime
from execution.research.strategies.registry import Param, Strategy
from execution.research.windows import (
    HEADER,
    OWN_1,
    SEEN,
    TAPE,
    advance,
    highest_below,
    mean_of,
    state_size,
    true_range,
)


def step(state: Vector, bar: Vector, params: Vector) -> float:
    """Params: lookback, margin_atr, atr_window. Score: ATRs above the margin, 0 when there is no entry."""
    if not is_bar(bar):
        return 0.0
    lookback = int(params[0])
    atr_window = int(params[2])
    close = bar[3]
    slot = HEADER + advance(state, 2)
    before = state[OWN_1] if state[SEEN] > 1.0 else close
    state[slot] = bar[1]
    state[slot + TAPE] = true_range(bar[1], bar[2], before)
    state[OWN_1] = close
    if state[SEEN] <= lookback or state[SEEN] <= atr_window or close <= bar[0]:
        return 0.0
    level = highest_below(state, slot - lookback, slot, close)
    if close <= level:
        return 0.0
    atr = mean_of(state, slot + TAPE + 1 - atr_window, slot + TAPE + 1)
    if atr <= 0.0:
        return 0.0
    above = (close - level) / atr - params[1]
    return above if above > 0.0 else 0.0


MOMENTUM_BREAKOUT = Strategy(
    name="momentum_breakout",
    step=step,
    state_size=state_size(2),
    params=(
        Param("lookback", 30, 5, 60, window=True),
        Param("margin_atr", 0.5, 0.0, 2.0),
        Param("atr_window", 14, 5, 30, window=True),
    ),
    enter_in=frozenset({Regime.TREND_UP, Regime.RANGE, Regime.VOLATILE}),
)
