"""A strategy on past candles, after costs: the trades it would have made and what they are worth.

The loop is loop.py's, compiled or plain, with the same trades bit for bit. A position still open at the end is
reported as open and counted in nothing. No number leaves here before costs.
"""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from execution.research import kernels, statistics
from execution.research.candles import CandleArray
from execution.research.costs import Costs, kept_share
from execution.research.exits import Exits, exit_step
from execution.research.loop import make_loop
from execution.research.strategies import Strategy

Indexes = NDArray[np.int64]
Prices = NDArray[np.float64]


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
    compiled: bool = True,
) -> BacktestResult:
    """Run `strategy` over candles of shape (n, 5). ValueError when the shape or a parameter is unfit.

    `compiled` uses numba where it is installed; without it, or with False, plain Python runs the same lines.
    """
    if candles.ndim != 2 or candles.shape[1] != 5:
        raise ValueError(f"candles have shape {candles.shape}: must be (n, 5), open to volume")
    vector = strategy.vector(params)
    if compiled and kernels.available():
        return _run_compiled(candles, strategy, vector, exits, costs)
    return _run_plain(candles, strategy, vector, exits, costs)


def _run_compiled(
    candles: CandleArray, strategy: Strategy, vector: list[float], exits: Exits, costs: Costs
) -> BacktestResult:
    bars = len(candles)
    places = np.empty((3, bars), dtype=np.int64)
    prices = np.empty((2, bars), dtype=np.float64)
    trades, open_entry = kernels.compiled_loop(strategy.step)(
        np.ascontiguousarray(candles, dtype=np.float64),
        np.array(vector),
        np.array(exits.vector()),
        np.zeros(strategy.state_size),
        places[0],
        places[1],
        prices[0],
        prices[1],
        places[2],
    )
    return _judge(places[:, :trades].copy(), prices[:, :trades].copy(), int(open_entry), costs)


def _run_plain(
    candles: CandleArray, strategy: Strategy, vector: list[float], exits: Exits, costs: Costs
) -> BacktestResult:
    rows = candles.tolist()
    entry_at, exit_at, reason = [0] * len(rows), [0] * len(rows), [0] * len(rows)
    entry_price, exit_price = [0.0] * len(rows), [0.0] * len(rows)
    trades, open_entry = make_loop(strategy.step, exit_step)(
        rows, vector, exits.vector(), strategy.fresh_state(), entry_at, exit_at, entry_price, exit_price, reason
    )
    places = np.array([entry_at[:trades], exit_at[:trades], reason[:trades]], dtype=np.int64)
    prices = np.array([entry_price[:trades], exit_price[:trades]], dtype=np.float64)
    return _judge(places, prices, open_entry, costs)


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
