"""A finished trade as every room sees it. Money is Decimal; what it's worth beyond that is for others to judge."""

from decimal import Decimal

import msgspec

from execution.vocabulary.reasons import ExitReason


class ClosedTrade(msgspec.Struct, frozen=True):
    """One position from entry to exit. `pnl_quote` is after `fees_quote`; `signal_bar_ms` is the market time of the bar
    whose close gave the signal (it pairs the same decision on two accounts); opened and closed are wall-clock times."""

    symbol: str
    strategy: str
    signal_bar_ms: int
    entry_price: Decimal
    exit_price: Decimal
    quantity: Decimal
    fees_quote: Decimal
    pnl_quote: Decimal
    opened_ms: int
    closed_ms: int
    exit_reason: ExitReason

    @property
    def return_share(self) -> Decimal:
        """The net profit as a share of the money put in (0.004 = 0.4 %); 0 when none was."""
        invested = self.entry_price * self.quantity
        return self.pnl_quote / invested if invested > 0 else Decimal(0)
