"""The backtest's loop, written once. Python runs it as it is; numba compiles the very same lines.

It enters at the open after a signal, holds one position, and never reads a bar before its turn. It knows no costs.
"""

from collections.abc import Callable, Sequence
from typing import Any

from execution.research.bars import Vector, is_bar
from execution.research.exits import HOLD

# (candles, params, exits, state, entry_at, exit_at, entry_price, exit_price, reason) -> (trades, open entry or -1)
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
        for i in range(len(candles)):
            bar = row(candles, i)
            if not is_bar(bar):
                continue
            if held == 0 and score > 0.0:
                entry_at[trades] = i
                entry_price[trades] = bar[0]
                held = 1
            elif held > 0:
                held += 1
            if held > 0:
                code, price = leave(entry_price[trades], bar, held, exits)
                if code != HOLD:
                    exit_at[trades] = i
                    exit_price[trades] = price
                    reason[trades] = code
                    trades += 1
                    held = 0
            score = step(state, bar, params)
        return trades, (entry_at[trades] if held > 0 else -1)

    return loop
