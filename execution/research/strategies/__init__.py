"""The strategies by name. Importing them loads neither numpy nor numba, so a trader stays small."""

from execution.research.strategies.mean_reversion import MEAN_REVERSION
from execution.research.strategies.micro_profit import MICRO_PROFIT
from execution.research.strategies.momentum_breakout import MOMENTUM_BREAKOUT
from execution.research.strategies.registry import Param, Step, Strategy
from execution.research.strategies.trend import TREND

__all__ = ["STRATEGIES", "Param", "Step", "Strategy"]

STRATEGIES: dict[str, Strategy] = {
    strategy.name: strategy for strategy in (MOMENTUM_BREAKOUT, MEAN_REVERSION, TREND, MICRO_PROFIT)
}
