"""The memory of a step function: a few numbers and some tapes of recent values, all in one flat vector.

Every window is summed afresh, oldest value first. That costs a loop per bar and buys this: a decision depends on the
last bars alone, bit for bit, so a trader restarted with a short history decides as one that ran for a month.
Functions here stay within what numba compiles; they know nothing of strategies.
"""

from math import sqrt

from execution.research.bars import Vector

WINDOW_MAX = 128  # the longest window a strategy may ask for
TAPE = 2 * WINDOW_MAX  # a tape is rewound when full, so a window is always one contiguous slice
HEADER = 4  # slot to write next, bars seen, and two numbers for the strategy itself
SLOT, SEEN, OWN_1, OWN_2 = 0, 1, 2, 3


def state_size(tapes: int) -> int:
    """Floats a state with this many tapes needs. A fresh state is all zeros."""
    return HEADER + tapes * TAPE


def advance(state: Vector, tapes: int) -> int:
    """Make room for one more value on every tape; the slot to write. Rewinds full tapes."""
    slot = int(state[SLOT])
    if slot == TAPE:
        for tape in range(tapes):
            base = HEADER + tape * TAPE
            for k in range(WINDOW_MAX):
                state[base + k] = state[base + WINDOW_MAX + k]
        slot = WINDOW_MAX
    state[SLOT] = slot + 1.0
    state[SEEN] += 1.0
    return slot


def mean_of(state: Vector, start: int, stop: int) -> float:
    """The mean of state[start:stop], which mustn't be empty.

    Four sums side by side: a processor adds them at once, and the order of additions is still one and the same.
    """
    a = b = c = d = 0.0
    whole = start + (stop - start) // 4 * 4
    for k in range(start, whole, 4):
        a += state[k]
        b += state[k + 1]
        c += state[k + 2]
        d += state[k + 3]
    for k in range(whole, stop):
        a += state[k]
    return ((a + b) + (c + d)) / (stop - start)


def highest_below(state: Vector, start: int, stop: int, bound: float) -> float:
    """The largest of state[start:stop] when all are below `bound`; else the newest that isn't. Mustn't be empty.

    Most bars break no record, and the search ends after one or two.
    """
    highest = state[stop - 1]
    for k in range(stop - 1, start - 1, -1):
        if state[k] >= bound:
            return state[k]
        highest = max(highest, state[k])
    return highest


def deviation_of(state: Vector, start: int, stop: int, mean: float) -> float:
    """The population standard deviation of state[start:stop] around its `mean`, summed as in `mean_of`."""
    a = b = 0.0
    whole = start + (stop - start) // 2 * 2
    for k in range(start, whole, 2):
        p = state[k] - mean
        q = state[k + 1] - mean
        a += p * p
        b += q * q
    for k in range(whole, stop):
        p = state[k] - mean
        a += p * p
    return sqrt((a + b) / (stop - start))


def walked_over(state: Vector, start: int, stop: int) -> float:
    """How far the values of state[start:stop] went in all, ups and downs added: never less than the way they came."""
    a = b = 0.0
    whole = start + 1 + (stop - start - 1) // 2 * 2
    for k in range(start + 1, whole, 2):
        a += abs(state[k] - state[k - 1])
        b += abs(state[k + 1] - state[k])
    for k in range(whole, stop):
        a += abs(state[k] - state[k - 1])
    return a + b


def true_range(high: float, low: float, previous_close: float) -> float:
    """How far a bar reached, the gap from the bar before included."""
    top = high if high > previous_close else previous_close
    bottom = low if low < previous_close else previous_close
    return top - bottom
