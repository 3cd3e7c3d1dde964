"""Trend: the fast average pulls away above the slow one by some average true ranges, and price leads.

It enters on the bar where the gap opens, not while it stays open; it doesn't size, exit or look at costs.
"""

from execution.research.bars import Vector, is_bar
from execution.research.strategies.registry import Param, Strategy
from execution.research.windows import HEADER, OWN_1, SEEN, TAPE, advance, mean_of, state_size, true_range


def gap_of(state: Vector, slot: int, fast: int, slow: int, atr_window: int) -> float:
    """How far the fast average of the closes up to `slot` is above the slow one, in average true ranges; 0 if below."""
    apart = mean_of(state, slot + 1 - fast, slot + 1) - mean_of(state, slot + 1 - slow, slot + 1)
    if apart <= 0.0:
        return 0.0
    atr = mean_of(state, slot + TAPE + 1 - atr_window, slot + TAPE + 1)
    return apart / atr if atr > 0.0 else 0.0


def step(state: Vector, bar: Vector, params: Vector) -> float:
    """Params: fast, slow, gap_atr, atr_window. Score: the gap in ATRs on the bar it opens, 0 when there is no entry."""
    if not is_bar(bar):
        return 0.0
    fast = int(params[0])
    slow = int(params[1])
    atr_window = int(params[3])
    close = bar[3]
    slot = HEADER + advance(state, 2)
    before = state[OWN_1] if state[SEEN] > 1.0 else close
    state[slot] = close
    state[slot + TAPE] = true_range(bar[1], bar[2], before)
    state[OWN_1] = close
    if state[SEEN] <= slow or state[SEEN] <= atr_window + 1 or close <= bar[0]:
        return 0.0
    gap = gap_of(state, slot, fast, slow, atr_window)
    if gap <= params[2] or gap_of(state, slot - 1, fast, slow, atr_window) > params[2]:
        return 0.0
    return gap


TREND = Strategy(
    name="trend",
    step=step,
    state_size=state_size(2),
    params=(
        Param("fast", 5, 3, 20, window=True),
        Param("slow", 36, 21, 100, window=True),
        Param("gap_atr", 0.6, 0.0, 3.0),
        Param("atr_window", 14, 5, 30, window=True),
    ),
)
