"""How one account stands against its loss limits: what its trades have brought at the price of the moment, and the
marks it is measured from, kept in the ledger. Reads and remembers; what follows from a breach is for others to do."""

from collections.abc import Callable
from decimal import Decimal

import msgspec

from execution.exchange.loss_limits import LossMarks, advanced, begun_anew, breach
from execution.ledger.store import Ledger
from execution.runtime.settings import RiskConfig
from execution.vocabulary.market import Quote
from execution.vocabulary.money import ZERO

QuoteOf = Callable[[str], Quote | None]
SURE_AFTER_S = 1.0  # a breach counts once it has held this long: one wrong price must not halt an account


class LossRecord:
    """`currency` is what everything is counted in; `venue_now_ms` the venue's clock; `monotonic` ours."""

    def __init__(  # noqa: PLR0917
        self,
        ledger: Ledger,
        limits: RiskConfig,
        currency: str,
        quote: QuoteOf,
        venue_now_ms: Callable[[], int],
        monotonic: Callable[[], float],
    ) -> None:
        self._ledger = ledger
        self._limits = limits
        self._currency = currency
        self._quote = quote
        self._venue_now_ms = venue_now_ms
        self._monotonic = monotonic
        kept = ledger.loss_marks()
        self.marks = None if kept is None else msgspec.convert(kept, LossMarks, strict=False)
        self._kept = self.marks
        self._since: float | None = None
        self.said = ""

    def profit_and_capital(self) -> tuple[Decimal, Decimal]:
        """What trading has brought, and what was paid in: at the prices of the moment, or at cost without a price."""
        traded = self._ledger.traded()
        profit = self._worth(traded)
        paid_in = {name: total - traded.get(name, ZERO) for name, total in self._ledger.balances().items()}
        return profit, self._worth(paid_in)

    def _worth(self, amounts: dict[str, Decimal]) -> Decimal:
        total = ZERO
        for name, amount in amounts.items():
            if name == self._currency:
                total += amount
            elif amount:
                total += self._value(f"{name}/{self._currency}", amount)
        return total

    def _value(self, symbol: str, amount: Decimal) -> Decimal:
        if (quote := self._quote(symbol)) is not None:
            return amount * quote.bid
        position = self._ledger.positions().get(symbol)
        return ZERO if position is None else amount * position.entry_price

    def look(self) -> str:
        """Take the moment in; the limit that is reached, "" when none is or it isn't sure yet. DatabaseError when the
        marks can't be kept."""
        profit, capital = self.profit_and_capital()
        self.marks = advanced(self.marks, profit, self._venue_now_ms())
        self._keep()
        now, found = self._monotonic(), breach(self.marks, capital, self._limits)
        self._since = None if not found else now if self._since is None else self._since
        self.said = found if self._since is not None and now - self._since >= SURE_AFTER_S else ""
        return self.said

    def reached(self) -> str:
        """The limit that is reached at this very moment, sure or not: reason enough to buy nothing more."""
        profit, capital = self.profit_and_capital()
        return breach(advanced(self.marks, profit, self._venue_now_ms()), capital, self._limits)

    def begin_anew(self) -> None:
        """A person re-arms: losses so far are accepted."""
        if self.marks is not None:
            self.marks, self._since, self.said = begun_anew(self.marks), None, ""
            self._keep()

    def _keep(self) -> None:
        """Durably, when a mark has moved that a limit is measured from."""
        assert self.marks is not None, "after a look"
        if self._kept is None or msgspec.structs.replace(self.marks, last=self._kept.last) != self._kept:
            self._ledger.set_loss_marks(msgspec.to_builtins(self.marks, str_keys=True))
            self._kept = self.marks
