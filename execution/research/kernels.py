"""The one door to numba: the backtest's loop, compiled around a step function, on first use.

No fastmath and no cache: compiled and plain runs agree bit for bit, and nothing is written to disk. Importing this
module doesn't import numba. Compiled loops release the GIL, so a researcher's heartbeat goes on beside them.
"""

from collections.abc import Callable
from functools import cache
from importlib.util import find_spec
from typing import Any, TypeVar, cast

from execution.research import bars, windows
from execution.research.exits import exit_step, trail_level
from execution.research.loop import Loop, make_loop
from execution.research.strategies.registry import Step

Function = TypeVar("Function", bound=Callable[..., Any])

# no reference counting (_nrt): nothing here allocates, and counting each array passed on doubled the time of a bar
OPTIONS: dict[str, Any] = {"nogil": True, "error_model": "numpy", "_nrt": False}
# every plain function that a step function or the exit rule calls; a new one is named here
BLOCKS = (
    bars.is_bar,
    windows.advance,
    windows.mean_of,
    windows.highest_below,
    windows.deviation_of,
    windows.walked_over,
    windows.true_range,
    trail_level,
)


@cache
def available() -> bool:
    """Whether numba is installed (it isn't on Intel Macs); without it research runs the same loop uncompiled."""
    return find_spec("numba") is not None


@cache
def compiled_loop(step: Step) -> Loop:
    """The loop around `step`, compiled when first called (about a second). ImportError without numba."""
    loop: Loop = compiled(make_loop(compiled(step), compiled(exit_step), compiled(_row_of)))
    return loop


@cache
def compiled(function: Function) -> Function:
    """One plain function, compiled: arrays in, the same numbers out as its source. ImportError without numba."""
    import numba  # noqa: PLC0415 - a trader must never pay for it

    _teach_blocks()
    done: Any = numba.njit(**OPTIONS)(function)
    return cast(Function, done)


def _row_of(candles: Any, at: int) -> Any:
    """A bar as five numbers that stay in registers; a view of the row would be counted, freed and slower."""
    return candles[at, 0], candles[at, 1], candles[at, 2], candles[at, 3], candles[at, 4]


@cache
def _teach_blocks() -> None:
    """Let compiled code call the plain functions that step functions are built from."""
    from numba.extending import register_jitable  # noqa: PLC0415 - a trader must never pay for it

    for block in BLOCKS:
        register_jitable(**OPTIONS)(block)
