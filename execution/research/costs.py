"""What a round trip costs, once, for the backtest and for the traders' fee-and-spread gate.

Shares are floats: they decide whether to trade, they never book money (the ledger does, from the venue's own fills).
"""

from dataclasses import dataclass
from decimal import Decimal


@dataclass(frozen=True)
class Costs:
    """Shares of the price, each paid once on the way in and once on the way out."""

    taker_fee: float = 0.001
    half_spread: float = 0.0001
    slippage: float = 0.0001

    def __post_init__(self) -> None:
        """ValueError names the share that can't be."""
        for name in ("taker_fee", "half_spread", "slippage"):
            share = getattr(self, name)
            if not 0.0 <= share < 0.5:
                raise ValueError(f"cost {name} = {share!r}: must be a share of at least 0 and below 0.5")

    @classmethod
    def of(cls, taker_fee: Decimal, spread_share: Decimal, slippage: Decimal = Decimal("0.0001")) -> "Costs":
        """From a symbol's fee and the quote's whole spread, as the traders know them."""
        return cls(float(taker_fee), float(spread_share) / 2.0, float(slippage))


def kept_share(costs: Costs) -> float:
    """What is left of the money after buying and selling at an unchanged mid price (0.9976 = 99.76 %)."""
    worse = costs.half_spread + costs.slippage
    kept = 1.0 - costs.taker_fee
    return kept * kept * (1.0 - worse) / (1.0 + worse)


def round_trip_share(costs: Costs) -> float:
    """What a round trip at an unchanged mid price loses (0.0024 = 0.24 %)."""
    return 1.0 - kept_share(costs)


def gross_target(net_target: float, costs: Costs) -> float:
    """The rise of the mid price that leaves `net_target` after all costs."""
    return (1.0 + net_target) / kept_share(costs) - 1.0


def clears_cost(target: float, cost: float, over: float = 1.0) -> bool:
    """Whether a hoped-for price move is worth its round-trip `cost`, `over` times. NaN never clears."""
    return target > cost * over
