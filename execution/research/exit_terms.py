"""The exits of one strategy's positions: what nae.toml says of the account, what the strategy asks for, and the costs,
made into what `exit_step` reads. Research and the traders both take them from here.
"""

from execution.research.costs import Costs, gross_target
from execution.research.exits import Exits
from execution.research.regime import Regime
from execution.research.strategies import STRATEGIES
from execution.research.strategies.registry import OwnExits
from execution.runtime.settings import TradingConfig

NOTHING_ASKED = OwnExits()


def net_target(trading: TradingConfig, strategy: str) -> float:
    """What a position is to bring after all costs, as a share; no more than the account's own target."""
    return _least(float(trading.profit_target), _own(strategy).target)


def stop_share(trading: TradingConfig, strategy: str) -> float:
    """How far below what was paid a position is sold, as a share; no further than the account's own stop."""
    return _least(float(trading.stop_loss), _own(strategy).stop)


def time_exit_bars(trading: TradingConfig, strategy: str) -> int:
    """After how many closed bars a position is sold; no later than the account's own."""
    return int(_least(trading.time_exit_bars, _own(strategy).bars))


def exits_of(trading: TradingConfig, strategy: str, costs: Costs) -> Exits:
    """Never looser than the account's own: the nearer stop, the earlier end, the smaller target. `costs` are what the
    net target must be raised by to become a price."""
    return Exits(
        target=gross_target(net_target(trading, strategy), costs),
        stop=stop_share(trading, strategy),
        bars=time_exit_bars(trading, strategy),
        trail_after=float(trading.trailing_start),
        trail_distance=float(trading.trailing_distance),
    )


def leave_in(trading: TradingConfig) -> tuple[Regime, ...]:
    """The regimes that positions are left in, least bad first."""
    return tuple(map(Regime, trading.exit_regimes))


def _own(strategy: str) -> OwnExits:
    known = STRATEGIES.get(strategy)  # what a person bought by hand has no strategy of ours
    return NOTHING_ASKED if known is None else known.own


def _least(account: float, asked: float | None) -> float:
    return account if asked is None else min(account, asked)
