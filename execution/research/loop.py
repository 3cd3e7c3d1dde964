"""The backtest's loop, written once. Python runs it as it is; numba compiles the very same lines.

It enters at the open after a signal, holds one position, and never reads a bar before its turn. It knows no costs.
"""

from collections.abc import Callable, Sequence
from typing import Any

from execution.research.bars import Vector, is_bar
from execution.research.exits import HOLD
from execution.research.regime_rules import KINDS

# (candles, params, exits, regimes, manners, state, entry_at, exit_at, entry_price, exit_price, reason)
# -> (trades, open entry or -1)
Loop = Callable[..., tuple[int, int]]


def row_of(candles: Sequence[Any], at: int) -> Any:
    """One bar out of a list of rows."""
    return candles[at]


def make_loop(
    step: Callable[..., float],
    leave: Callable[..., tuple[int, float]],
    row: Callable[[Any, int], Any] = row_of,
) -> Loop:
    """The loop over one step function and one exit rule; `row` takes a bar out of the candles."""

    def loop(  # noqa: PLR0917 - numba takes arrays, not objects
        candles: Sequence[Any],
        params: Vector,
        exits: Vector,
        regimes: Any,
        manners: Vector,
        state: Vector,
        entry_at: Any,
        exit_at: Any,
        entry_price: Vector,
        exit_price: Vector,
        reason: Any,
    ) -> tuple[int, int]:
        trades = 0
        held = 0
        score = 0.0
        peak = 0.0
        entered_in = 0.0
        for i in range(len(candles)):
            bar = row(candles, i)
            if not is_bar(bar):
                continue
            if held == 0 and score > 0.0:
                entry_at[trades] = i
                entry_price[trades] = bar[0]
                peak = bar[0]
                held = 1
            elif held > 0:
                held += 1
            if held > 0:
                worse = manners[KINDS + regimes[i]] > entered_in
                code, price = leave(entry_price[trades], peak, bar, held, worse, exits)
                if code != HOLD:
                    exit_at[trades] = i
                    exit_price[trades] = price
                    reason[trades] = code
                    trades += 1
                    held = 0
                elif bar[1] > peak:
                    peak = bar[1]
            score = step(state, bar, params)
            if held == 0 and score > 0.0:
                score *= manners[regimes[i]]
                entered_in = manners[KINDS + regimes[i]]
        return trades, (entry_at[trades] if held > 0 else -1)

    return loop
