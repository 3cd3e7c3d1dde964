"""A strategy on past candles, after costs: the trades it would have made and what they are worth.

The loop is loop.py's, compiled or plain, with the same trades bit for bit. A position still open at the end is
reported as open and counted in nothing. No number leaves here before costs.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from execution.research import kernels, statistics
from execution.research.candles import CandleArray
from execution.research.costs import Costs, kept_share
from execution.research.exits import Exits, exit_step
from execution.research.loop import make_loop
from execution.research.regime import Regime
from execution.research.regime_rules import KINDS, manners
from execution.research.strategies import Strategy

Indexes = NDArray[np.int64]
Prices = NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class RegimeRules:
    """The regime after each bar (`regime_codes`), and in which of them positions are left, least bad first."""

    codes: Sequence[int]
    leave_in: Sequence[Regime] = ()


@dataclass(frozen=True, eq=False)
class BacktestResult:
    """Shares of the money put into each trade. Arrays have one row per trade; `reason` holds the codes of exits.py."""

    trades: int
    net_return: float  # compounded over all trades
    win_rate: float
    expectancy: float  # mean net return per trade
    t_statistic: float
    max_drawdown: float
    entry_index: Indexes
    exit_index: Indexes
    entry_price: Prices
    exit_price: Prices
    reason: Indexes
    net: Prices
    open_entry_index: int | None


def backtest(
    candles: CandleArray,
    strategy: Strategy,
    params: Mapping[str, float] | None = None,
    exits: Exits = Exits(),  # noqa: B008 - frozen
    costs: Costs = Costs(),  # noqa: B008 - frozen
    *,
    regimes: RegimeRules | None = None,
    compiled: bool = True,
) -> BacktestResult:
    """Run `strategy` over candles of shape (n, 5). ValueError when the shape or a parameter is unfit. Without `regimes`
    it enters and stays in any.

    `compiled` uses numba where it is installed; without it, or with False, plain Python runs the same lines.
    """
    if candles.ndim != 2 or candles.shape[1] != 5:
        raise ValueError(f"candles have shape {candles.shape}: must be (n, 5), open to volume")
    if regimes is not None and len(regimes.codes) != len(candles):
        raise ValueError(f"{len(regimes.codes)} regimes for {len(candles)} candles: one after each bar is needed")
    vector = strategy.vector(params)
    manner = [1.0] * KINDS + [0.0] * KINDS if regimes is None else manners(strategy.enter_in, regimes.leave_in)
    codes = None if regimes is None else regimes.codes
    run = _run_compiled if compiled and kernels.available() else _run_plain
    places, prices, open_entry = run(candles, strategy, vector, exits.vector(), codes, manner)
    return _judge(places, prices, open_entry, costs)


def _run_compiled(  # noqa: PLR0917 - the loop's own arguments
    candles: CandleArray,
    strategy: Strategy,
    params: list[float],
    exits: list[float],
    codes: Sequence[int] | None,
    manner: list[float],
) -> tuple[Indexes, Prices, int]:
    bars = len(candles)
    places = np.empty((3, bars), dtype=np.int64)
    prices = np.empty((2, bars), dtype=np.float64)
    trades, open_entry = kernels.compiled_loop(strategy.step)(
        np.ascontiguousarray(candles, dtype=np.float64),
        np.array(params),
        np.array(exits),
        np.zeros(bars, dtype=np.int8) if codes is None else np.asarray(codes, dtype=np.int8),
        np.array(manner),
        np.zeros(strategy.state_size),
        places[0],
        places[1],
        prices[0],
        prices[1],
        places[2],
    )
    return places[:, :trades].copy(), prices[:, :trades].copy(), int(open_entry)


def _run_plain(  # noqa: PLR0917 - the loop's own arguments
    candles: CandleArray,
    strategy: Strategy,
    params: list[float],
    exits: list[float],
    codes: Sequence[int] | None,
    manner: list[float],
) -> tuple[Indexes, Prices, int]:
    rows = candles.tolist()
    regimes = [0] * len(rows) if codes is None else codes
    places = [[0] * len(rows) for _ in range(3)]
    prices = [[0.0] * len(rows) for _ in range(2)]
    trades, open_entry = make_loop(strategy.step, exit_step)(
        rows, params, exits, regimes, manner, strategy.fresh_state(), places[0], places[1], *prices, places[2]
    )
    kept = np.array([column[:trades] for column in places], dtype=np.int64)
    return kept, np.array([column[:trades] for column in prices], dtype=np.float64), open_entry


def _judge(places: Indexes, prices: Prices, open_entry: int, costs: Costs) -> BacktestResult:
    net = prices[1] / prices[0] * kept_share(costs) - 1.0
    trades = len(net)
    return BacktestResult(
        trades=trades,
        net_return=statistics.net_return(net),
        win_rate=float(np.mean(net > 0.0)) if trades else 0.0,
        expectancy=float(net.mean()) if trades else 0.0,
        t_statistic=statistics.t_statistic(net),
        max_drawdown=statistics.max_drawdown(net),
        entry_index=places[0],
        exit_index=places[1],
        entry_price=prices[0],
        exit_price=prices[1],
        reason=places[2],
        net=net,
        open_entry_index=open_entry if open_entry >= 0 else None,
    )
