"""What a signal is on its way to an order: a strategy's trigger, and the proposal that the rules made of it. Data."""

import msgspec

from execution.trading.assistants.data_analysis import Listing
from execution.vocabulary.market import Condition


class Trigger(msgspec.Struct, frozen=True):
    """An armed strategy's entry signal. `strength` is what the step function returned, in its own unit."""

    condition: Condition
    bar_ms: int
    strength: float


class Proposal(msgspec.Struct, frozen=True):
    """A buy worth weighing. `cost` is the round trip's share of the price; `rank` orders proposals, best first."""

    condition: Condition
    listing: Listing
    bar_ms: int
    strength: float
    cost: float
    rank: float

    @property
    def symbol(self) -> str:
        """What to buy."""
        return self.condition.symbol
