"""What an account's committed rows add up to, as its ledger tells it: the part of the ledger that only reads."""

from decimal import Decimal

from execution.ledger.money_table import MoneyTable
from execution.vocabulary.orders import Fill, Position
from execution.vocabulary.performance import ClosedTrade


class AccountBooks:
    """Fills, balances, positions, closed trades."""

    _money: MoneyTable

    @property
    def fills_count(self) -> int:
        """How many trades are booked."""
        return self._money.fills_count

    def fills(self, limit: int = 20) -> list[Fill]:
        """The last recorded fills, newest first."""
        return self._money.newest_fills(limit)

    def balances(self) -> dict[str, Decimal]:
        """What the account must hold of each currency, by our books."""
        return dict(self._money.fold.balances)

    def traded(self) -> dict[str, Decimal]:
        """How much of each currency trades alone have brought or taken, fees included."""
        return dict(self._money.fold.traded)

    def positions(self) -> dict[str, Position]:
        """What our own fills add up to, by symbol; less than a lot step is dust and not listed."""
        return self._money.fold.positions()

    def dust(self) -> dict[str, Decimal]:
        """What is too little to sell, in base currency, by symbol."""
        return self._money.fold.dust()

    def closed_trades(self, since_ms: int | None = None, limit: int | None = None) -> list[ClosedTrade]:
        """Finished round trips, oldest first; the newest `limit` of those closed at or after `since_ms`."""
        trades = self._money.fold.closed
        chosen = trades if since_ms is None else [trade for trade in trades if trade.closed_ms >= since_ms]
        return list(chosen if limit is None else chosen[max(0, len(chosen) - limit) :])
