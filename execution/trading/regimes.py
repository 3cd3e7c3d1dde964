"""Which regime each symbol's market was in after a given bar, worked out once per bar. It decides nothing."""

from execution.research.regime import Regime
from execution.research.regime_rules import REGIME_BARS, regime_of
from execution.trading.bars import BarBook


class RegimeBook:
    """The regimes of the bars in a book."""

    def __init__(self, bars: BarBook) -> None:
        self._bars = bars
        self._newest: dict[str, tuple[int, Regime]] = {}

    def now(self, symbol: str) -> Regime:
        """After the newest closed bar."""
        newest = self._bars.series(symbol).newest_ms
        known = self._newest.get(symbol)
        if known is not None and known[0] == newest:
            return known[1]
        found = regime_of(self._bars.series(symbol).last_rows(REGIME_BARS))
        self._newest[symbol] = (newest, found)
        return found

    def after(self, symbol: str, bar_ms: int) -> Regime | None:
        """After the bar that opened at `bar_ms`; None when it isn't kept any more, or hasn't closed."""
        series, age = self._bars.series(symbol), self._bars.age(symbol, bar_ms)
        rows = series.last_rows(REGIME_BARS + age)
        if age >= len(rows) or bar_ms > series.newest_ms:
            return None
        return regime_of(rows[: len(rows) - age])

    @property
    def known(self) -> dict[str, str]:
        """The last regime that was worked out, by symbol."""
        return {symbol: regime.value for symbol, (_, regime) in self._newest.items()}
