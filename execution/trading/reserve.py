"""What of the profit is put aside, never to be spent on entries again: `reinvest = "harvest"` keeps a share of every
new high of the realised profit; "compound" keeps nothing aside and lets all of it trade.

The rule is pure. What is kept is a fact of the ledger: it survives every start, and money that is taken out of the
account comes out of it first. Equity and loss limits still count it: it is the account's own money.
"""

from collections.abc import Callable
from decimal import Decimal

import msgspec

from execution.ledger.store import Ledger
from execution.runtime.settings import TradingConfig
from execution.vocabulary.money import ZERO, text

HARVEST = "harvest"


class Reserve(msgspec.Struct, frozen=True):
    """In the quote currency: what is put aside, the highest realised profit that was harvested, and what had been paid
    into the account, less what was taken out, at the last look."""

    amount: Decimal = ZERO
    mark: Decimal = ZERO
    paid_in: Decimal = ZERO


def harvested(reserve: Reserve | None, realised: Decimal, paid_in: Decimal, share: Decimal) -> Reserve:
    """The reserve after one look. The first look puts nothing aside: what was earned before stays in trade, and what
    was lost before must be won back first."""
    if reserve is None:
        return Reserve(ZERO, max(ZERO, realised), paid_in)
    taken_out = max(ZERO, reserve.paid_in - paid_in)
    gained = max(ZERO, realised - reserve.mark)
    left = max(ZERO, reserve.amount - taken_out)
    return Reserve(left + gained * share, max(reserve.mark, realised), paid_in)


class ReserveBook:
    """One account's reserve. `record` writes an audit line."""

    def __init__(self, config: TradingConfig, ledger: Ledger, record: Callable[..., None]) -> None:
        self._config = config
        self._ledger = ledger
        self._record = record
        self._seen = -1
        kept = ledger.reserve()
        self._kept = None if kept is None else msgspec.convert(kept, Reserve, strict=False)

    @property
    def amount(self) -> Decimal:
        """What may not be spent now; 0 where everything trades."""
        return ZERO if self._kept is None or self._config.reinvest != HARVEST else self._kept.amount

    def look(self) -> Decimal:
        """Take in what was earned and what was taken out; what is put aside then. Durable when this returns; raises
        sqlite's DatabaseError when it can't be."""
        if self._config.reinvest != HARVEST:
            if self._kept is not None:
                self._keep(None, "compound: all of it trades again")
            return ZERO
        quote = self._config.quote
        paid_in = self._ledger.balances().get(quote, ZERO) - self._ledger.traded().get(quote, ZERO)
        if self._seen == self._ledger.fills_count and self._kept is not None and self._kept.paid_in == paid_in:
            return self._kept.amount
        found = harvested(self._kept, self._realised(), paid_in, self._config.harvest_share)
        if found != self._kept:
            self._keep(found, "taken out of the account" if found.amount < self.amount else "a new high of the profit")
        self._seen = self._ledger.fills_count
        return found.amount

    def _realised(self) -> Decimal:
        """What all finished round trips against the quote currency have brought, fees included."""
        end = f"/{self._config.quote}"
        return sum((trade.pnl_quote for trade in self._ledger.closed_trades() if trade.symbol.endswith(end)), ZERO)

    def _keep(self, found: Reserve | None, why: str) -> None:
        before, after = ZERO if self._kept is None else self._kept.amount, ZERO if found is None else found.amount
        self._ledger.set_reserve(None if found is None else msgspec.to_builtins(found))
        self._kept = found
        if after != before:
            self._record("reserve", was=text(before), now=text(after), why=why)
