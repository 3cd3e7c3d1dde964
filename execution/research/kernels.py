"""The one door to numba: the backtest's loop, compiled around a step function, on first use.

No fastmath and no cache: compiled and plain runs agree bit for bit, and nothing is written to disk. Importing this
module doesn't import numba. Compiled loops release the GIL, so a researcher's heartbeat goes on beside them.
"""

from functools import cache
from importlib.util import find_spec

from execution.research import bars, windows
from execution.research.exits import exit_step
from execution.research.loop import Loop, make_loop
from execution.research.strategies import trend
from execution.research.strategies.registry import Step

BLOCKS = (
    bars.is_bar,
    windows.advance,
    windows.mean_of,
    windows.highest_of,
    windows.deviation_of,
    windows.true_range,
    trend.gap_in_ranges,
)


def available() -> bool:
    """Whether numba is installed (it isn't on Intel Macs); without it research runs the same loop uncompiled."""
    return find_spec("numba") is not None


@cache
def compiled_loop(step: Step) -> Loop:
    """The loop around `step`, compiled when first called (about a second). ImportError without numba."""
    import numba  # noqa: PLC0415 - a trader must never pay for it

    leave = numba.njit(error_model="numpy")(exit_step)
    compiled: Loop = numba.njit(nogil=True, error_model="numpy")(make_loop(compiled_step(step), leave))
    return compiled


@cache
def compiled_step(step: Step) -> Step:
    """One step function, compiled: arrays in, the same float out as its plain source. ImportError without numba."""
    import numba  # noqa: PLC0415 - a trader must never pay for it

    _teach_blocks()
    compiled: Step = numba.njit(error_model="numpy")(step)
    return compiled


@cache
def _teach_blocks() -> None:
    """Let compiled code call the plain functions that step functions are built from."""
    from numba.extending import register_jitable  # noqa: PLC0415 - a trader must never pay for it

    for block in BLOCKS:
        register_jitable(error_model="numpy")(block)
