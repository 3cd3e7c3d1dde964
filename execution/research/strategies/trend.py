"""Trend: the fast average is above the slow one by some average true ranges, and price came straight, not wandering.

It says so on every rising bar for which it holds; it doesn't size, exit or look at costs.
"""

from execution.research.bars import Vector, is_bar
from execution.research.regime import Regime
from execution.research.strategies.registry import Param, Strategy
from execution.research.windows import HEADER, OWN_1, SEEN, TAPE, advance, mean_of, state_size, true_range, walked_over


def step(state: Vector, bar: Vector, params: Vector) -> float:
    """Params: fast, slow, gap_atr, efficiency, atr_window. Score: ATRs beyond the gap asked for, 0 without an entry."""
    if not is_bar(bar):
        return 0.0
    fast = int(params[0])
    slow = int(params[1])
    atr_window = int(params[4])
    close = bar[3]
    slot = HEADER + advance(state, 2)
    before = state[OWN_1] if state[SEEN] > 1.0 else close
    state[slot] = close
    state[slot + TAPE] = true_range(bar[1], bar[2], before)
    state[OWN_1] = close
    if state[SEEN] <= slow or state[SEEN] <= atr_window or close <= bar[0]:
        return 0.0
    came = close - state[slot - slow]
    if came <= 0.0:
        return 0.0
    apart = mean_of(state, slot + 1 - fast, slot + 1) - mean_of(state, slot + 1 - slow, slot + 1)
    atr = mean_of(state, slot + TAPE + 1 - atr_window, slot + TAPE + 1)
    if apart <= params[2] * atr or atr <= 0.0:
        return 0.0
    if came < params[3] * walked_over(state, slot - slow, slot + 1):
        return 0.0
    return apart / atr - params[2]


TREND = Strategy(
    name="trend",
    step=step,
    state_size=state_size(2),
    params=(
        Param("fast", 10, 3, 20, window=True),
        Param("slow", 30, 21, 100, window=True),
        Param("gap_atr", 1.25, 0.0, 4.0),
        Param("efficiency", 0.3, 0.0, 0.9),
        Param("atr_window", 14, 5, 30, window=True),
    ),
    enter_in=frozenset({Regime.TREND_UP, Regime.RANGE, Regime.VOLATILE}),
)
