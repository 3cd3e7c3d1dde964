"""Micro-profit capture: a short dip in a market that rises, and the bar that turns up out of it. It asks for little (a
small target, still above what it costs) and for that little soon; what doesn't come at once is left.

It doesn't size or look at costs; it says "enter long now" with a score in average true ranges beyond the dip asked for.
"""

from execution.research.bars import Vector, is_bar
from execution.research.regime import Regime
from execution.research.strategies.registry import OwnExits, Param, Strategy
from execution.research.windows import HEADER, OWN_1, SEEN, TAPE, advance, mean_of, state_size, true_range


def step(state: Vector, bar: Vector, params: Vector) -> float:
    """Params: dip, slow, depth_atr, rise_atr, atr_window. Score: ATRs that price fell beyond the depth asked for."""
    if not is_bar(bar):
        return 0.0
    dip = int(params[0])
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
    fell = state[slot - dip] - close
    if fell <= 0.0:
        return 0.0
    atr = mean_of(state, slot + TAPE + 1 - atr_window, slot + TAPE + 1)
    if atr <= 0.0:
        return 0.0
    middle = slot + 1 - slow // 2
    if mean_of(state, middle, slot + 1) - mean_of(state, slot + 1 - slow, middle) < params[3] * atr:
        return 0.0
    beyond = fell / atr - params[2]
    return beyond if beyond > 0.0 else 0.0


MICRO_PROFIT = Strategy(
    name="micro_profit",
    step=step,
    state_size=state_size(2),
    params=(
        Param("dip", 4, 2, 15, window=True),
        Param("slow", 40, 20, 120, window=True),
        Param("depth_atr", 0.75, 0.0, 4.0),
        Param("rise_atr", 0.5, 0.0, 4.0),
        Param("atr_window", 14, 5, 30, window=True),
    ),
    enter_in=frozenset({Regime.TREND_UP, Regime.RANGE}),
    own=OwnExits(target=0.004, stop=0.004, bars=15),
)
