"""One strategy over many parameter sets, and the small grid that a researcher tries by default.

It runs and reports; choosing among the results, and doubting the best of many, is learning's.
"""

from collections.abc import Iterable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from itertools import product

from execution.research.backtest import BacktestResult, RegimeRules, backtest
from execution.research.candles import CandleArray
from execution.research.costs import Costs
from execution.research.exits import Exits
from execution.research.strategies import Param, Strategy

GRID_MAX = 30
GRID_STEP = 0.35  # how far a grid reaches from the default towards each bound


@dataclass(frozen=True, eq=False)
class SweepResult:
    """What one parameter set of one strategy did."""

    strategy: str
    params: dict[str, float]
    result: BacktestResult


def sweep(
    candles: CandleArray,
    strategy: Strategy,
    param_sets: Iterable[Mapping[str, float]],
    exits: Exits = Exits(),  # noqa: B008 - frozen
    costs: Costs = Costs(),  # noqa: B008 - frozen
    *,
    regimes: RegimeRules | None = None,
    compiled: bool = True,
    threads: int = 1,
) -> list[SweepResult]:
    """Backtest every set, in the given order. ValueError names the first unfit parameter.

    Compiled loops release the GIL, so more threads use more cores; plain ones gain nothing from them.
    """

    def run(params: dict[str, float]) -> SweepResult:
        found = backtest(candles, strategy, params, exits, costs, regimes=regimes, compiled=compiled)
        return SweepResult(strategy.name, params, found)

    sets = [dict(params) for params in param_sets]
    if threads == 1 or len(sets) < 2:
        return [run(params) for params in sets]
    first = run(sets[0])  # compiles, once
    with ThreadPoolExecutor(threads) as pool:
        return [first, *pool.map(run, sets[1:])]


def grid(strategy: Strategy, at_most: int = GRID_MAX) -> list[dict[str, float]]:
    """Combinations of lower, default and higher values, the nearest to the defaults first, up to `at_most`."""
    defaults = strategy.defaults()
    combinations = product(*(_levels(param) for param in strategy.params))
    sets = [dict(zip(defaults, values, strict=True)) for values in combinations]
    sets.sort(key=lambda params: sum(params[name] != value for name, value in defaults.items()))
    return sets[:at_most]


def _levels(param: Param) -> tuple[float, ...]:
    lower = param.default - GRID_STEP * (param.default - param.low)
    higher = param.default + GRID_STEP * (param.high - param.default)
    if param.window:
        lower, higher = float(round(lower)), float(round(higher))
    return tuple(dict.fromkeys((float(param.default), lower, higher)))
