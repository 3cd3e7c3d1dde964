"""DataAnalysisAssistant: which symbols may be traded right now, and what kind of market each is in.

It looks at quotes, bars and the venue's rules. It proposes nothing and knows nothing of the account's holdings.
"""

from collections.abc import Mapping
from decimal import Decimal
from typing import Any

import msgspec

from execution.research.regime import Regime, classify
from execution.runtime.clock import Clock, iso
from execution.runtime.settings import TradingConfig
from execution.trading.bars import BarBook, Series
from execution.trading.ports import Feed
from execution.vocabulary.health import ComponentHealth, ComponentStatus
from execution.vocabulary.limits import ENTRIES_OFF_AFTER_S
from execution.vocabulary.market import Quote, SymbolRules
from execution.vocabulary.money import ZERO, text

REGIME_BARS = 240
LIQUIDITY_BARS = 60
ORDER_SHARE_OF_BAR = 1  # an order is never more than what a usual bar trades


class Listing(msgspec.Struct, frozen=True):
    """One symbol that may be traded now. `bar_ms` opened the newest closed bar, market time."""

    symbol: str
    rules: SymbolRules
    quote: Quote
    bar_ms: int
    regime: Regime


class Universe(msgspec.Struct, frozen=True):
    """What may be traded, and why the others may not. `numbers`: by symbol, what each left out was judged by."""

    listings: dict[str, Listing]
    excluded: dict[str, str]
    numbers: dict[str, dict[str, Any]] = {}


def exclusion(
    rules: SymbolRules | None,
    quote: Quote | None,
    *,
    quote_age_s: float,
    traded_per_bar: Decimal,
    config: TradingConfig,
    order_value: Decimal,
) -> str | None:
    """Why a symbol isn't in the universe, or None. Values in the quote currency."""
    if rules is None:
        return "no_rules"
    if rules.quote != config.quote:
        return "other_quote_currency"
    if not rules.trading:
        return "not_trading"
    if quote is None:
        return "no_quote"
    if quote_age_s > ENTRIES_OFF_AFTER_S:
        return "old_quote"
    if not ZERO < quote.bid <= quote.ask:
        return "bad_quote"
    if quote.spread_share > config.spread_max:
        return "wide_spread"
    if traded_per_bar < order_value * ORDER_SHARE_OF_BAR:
        return "thin"
    return None


def _quote_numbers(quote: Quote | None, age_s: float, config: TradingConfig) -> dict[str, Any]:
    if quote is None:
        return {}
    return {
        "bid": text(quote.bid),
        "ask": text(quote.ask),
        "spread": text(round(quote.spread_share, 8)) if quote.bid > 0 else None,
        "spread_max": text(config.spread_max),
        "quote_age_s": round(age_s, 3),
        "quote_age_max_s": ENTRIES_OFF_AFTER_S,
    }


class DataAnalysisAssistant:
    """Looks at the market for one cycle."""

    def __init__(self, config: TradingConfig, bars: BarBook, feed: Feed, clock: Clock) -> None:
        self._config = config
        self._bars = bars
        self._feed = feed
        self._clock = clock
        self._regimes: dict[str, tuple[int, Regime]] = {}
        self._looked_ms: int | None = None
        self._seen = 0

    def universe(self, rules: Mapping[str, SymbolRules], order_value: Decimal) -> Universe:
        """The symbols fit for an order of `order_value` quote currency now."""
        now = self._clock.monotonic()
        listings: dict[str, Listing] = {}
        excluded: dict[str, str] = {}
        numbers: dict[str, dict[str, Any]] = {}
        for symbol in self._config.symbols or [name for name, row in rules.items() if row.quote == self._config.quote]:
            rule, quote, series = rules.get(symbol), self._feed.quote(symbol), self._bars.series(symbol)
            age = 0.0 if quote is None else now - quote.received
            traded = series.mean_value(LIQUIDITY_BARS)
            reason = exclusion(
                rule,
                quote,
                quote_age_s=age,
                traded_per_bar=traded,
                config=self._config,
                order_value=order_value,
            )
            if reason is not None or rule is None or quote is None:
                excluded[symbol] = reason or "no_rules"
                numbers[symbol] = {"traded_per_bar": text(round(traded, 2)), "order_value": text(round(order_value, 2))}
                numbers[symbol] |= _quote_numbers(quote, age, self._config)
                continue
            listings[symbol] = Listing(symbol, rule, quote, series.newest_ms, self.regime(symbol, series))
        self._looked_ms, self._seen = self._clock.now_ms(), len(listings)
        return Universe(listings, excluded, numbers)

    def regime(self, symbol: str, series: Series) -> Regime:
        """The kind of market, worked out once per closed bar."""
        known = self._regimes.get(symbol)
        if known is not None and known[0] == series.newest_ms:
            return known[1]
        rows = series.last_rows(REGIME_BARS)
        found = classify([row[1] for row in rows], [row[2] for row in rows], [row[3] for row in rows])
        self._regimes[symbol] = (series.newest_ms, found)
        return found

    @property
    def regimes(self) -> dict[str, str]:
        """The last known regime of every symbol."""
        return {symbol: regime.value for symbol, (_, regime) in self._regimes.items()}

    def get_health(self) -> ComponentHealth:
        """Degraded when the last look found no symbol to trade."""
        if self._looked_ms is None:
            return ComponentHealth(ComponentStatus.STARTING)
        return ComponentHealth(
            status=ComponentStatus.HEALTHY if self._seen else ComponentStatus.DEGRADED,
            last_activity=iso(self._looked_ms),
            metrics={"universe": self._seen, "flat_bars": self._bars.flat_bars, "ignored_bars": self._bars.ignored},
        )
