"""Mean reversion: the close is far below its average, the bar turned up, and the average itself isn't sinking.

Distances are counted in standard deviations; a market that falls all the way isn't one that comes back.

It doesn't size, exit or look at costs; it says "enter long now" with a score in deviations beyond the entry distance.
"""

from execution.research.bars import Vector, is_bar
from execution.research.regime import Regime
from execution.research.strategies.registry import Param, Strategy
from execution.research.windows import HEADER, SEEN, advance, deviation_of, mean_of, state_size


def step(state: Vector, bar: Vector, params: Vector) -> float:
    """Params: window, entry_z, sag. Score: deviations below the entry distance, 0 when there is no entry."""
    if not is_bar(bar):
        return 0.0
    window = int(params[0])
    close = bar[3]
    slot = HEADER + advance(state, 1)
    state[slot] = close
    if state[SEEN] <= window or close <= bar[0]:
        return 0.0
    mean = mean_of(state, slot + 1 - window, slot + 1)
    if mean <= close:
        return 0.0
    deviation = deviation_of(state, slot + 1 - window, slot + 1, mean)
    if deviation <= 0.0:
        return 0.0
    middle = slot + 1 - window // 2
    if mean_of(state, slot + 1 - window, middle) - mean_of(state, middle, slot + 1) > params[2] * deviation:
        return 0.0
    below = (mean - close) / deviation - params[1]
    return below if below > 0.0 else 0.0


MEAN_REVERSION = Strategy(
    name="mean_reversion",
    step=step,
    state_size=state_size(1),
    params=(
        Param("window", 40, 10, 120, window=True),
        Param("entry_z", 1.25, 0.5, 4.0),
        Param("sag", 0.75, 0.0, 2.0),
    ),
    enter_in=frozenset({Regime.TREND_UP, Regime.RANGE}),
)
