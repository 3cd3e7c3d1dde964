"""What the closed bars have decided for each position, kept from look to look. It asks no price and sells nothing."""

from collections.abc import Container

import msgspec

from execution.research.exits import Exits
from execution.research.regime import Regime
from execution.research.regime_rules import severity
from execution.trading.bars import BarBook
from execution.trading.exit_rules import Watch, advanced
from execution.trading.portfolio import Holding
from execution.trading.regimes import RegimeBook


class Watches:
    """One watch for each position; `leave_in` are the regimes that positions are left in, least bad first."""

    def __init__(self, bars: BarBook, leave_in: tuple[Regime, ...]) -> None:
        self._bars = bars
        self._leave_in = leave_in
        self._regimes = RegimeBook(bars)
        self._watches: dict[str, Watch] = {}
        self._entered_ms: dict[str, int] = {}

    def __len__(self) -> int:
        """How many positions are watched."""
        return len(self._watches)

    def entered(self, symbol: str, signal_bar_ms: int) -> None:
        """An entry was sent. When it joins dust of an older position, its time counts, not the dust's."""
        self._entered_ms[symbol] = max(signal_bar_ms, self._entered_ms.get(symbol, -1))

    def of(self, symbol: str, holding: Holding, exits: Exits) -> Watch:
        """The watch of a position, after all bars that have closed."""
        newest = self._bars.series(symbol).newest_ms
        since = max(holding.position.signal_bar_ms, self._entered_ms.get(symbol, -1))
        watch = self._watches.get(symbol)
        if watch is None or watch.since_ms != since:
            # a market that began anew may lie before the entry: then its bars count from now
            watch = Watch(since, min(since, newest))
        if watch.checked_ms < newest:
            rows = self._bars.rows_after(symbol, watch.checked_ms)
            watch = advanced(watch, newest, rows, float(holding.price_paid), exits, worse=self._worse(symbol, since))
        self._watches[symbol] = watch
        return watch

    def last(self, symbol: str) -> Watch | None:
        """As it was when it was last asked for."""
        return self._watches.get(symbol)

    def go_on(self, symbol: str) -> None:
        """Take back what a bar had decided; the next ones decide anew."""
        self._watches[symbol] = msgspec.structs.replace(self._watches[symbol], decided=None)

    def forget_gone(self, held: Container[str]) -> None:
        """A position that is gone needs no watch."""
        self._watches = {symbol: row for symbol, row in self._watches.items() if symbol in held}

    def regime(self, symbol: str) -> str:
        """The kind of market now, where that matters to a position; else ''."""
        return self._regimes.now(symbol).value if self._leave_in else ""

    def _worse(self, symbol: str, since_ms: int) -> bool:
        """Is the market in a regime to leave in, and in a worse one than at the entry?"""
        now = severity(self._regimes.now(symbol), self._leave_in) if self._leave_in else 0
        if now == 0:
            return False
        then = self._regimes.after(symbol, since_ms)
        return then is None or now > severity(then, self._leave_in)
