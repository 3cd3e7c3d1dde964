"""DataAnalysisAssistant: which symbols may be entered right now, in which tier, and what kind of market each is in.

It looks at quotes, bars and the venue's rules; the rules of the tiers are in trading/universe.py. It proposes nothing
and knows nothing of the account's holdings.
"""

import itertools
import math
from collections.abc import Callable, Mapping
from decimal import Decimal
from typing import Any

import msgspec

from execution.research.costs import Costs
from execution.research.regime import Regime, classify
from execution.research.windows import true_range
from execution.runtime.clock import Clock, iso
from execution.runtime.settings import TradingConfig, UniverseConfig
from execution.trading.bars import BARS_KEPT, BarBook, Series
from execution.trading.ports import Feed
from execution.trading.universe import DAY_MS, Measures, Place, place
from execution.vocabulary.health import ComponentHealth, ComponentStatus
from execution.vocabulary.market import Quote, SymbolRules

REGIME_BARS = 240
LIQUIDITY_BARS = 60
VOLATILITY_BARS = 30
SLIPPAGE_MAX = 0.1  # whatever was measured


class Listing(msgspec.Struct, frozen=True):
    """One symbol that may be entered now. `bar_ms` opened the newest closed bar, market time; `volatility` is how far a
    usual bar of it reaches, as a share of the price, 0 when nothing is known. `slippage` is what our own orders were
    seen to lose against the quote, as a share, None while too few tell."""

    symbol: str
    rules: SymbolRules
    quote: Quote
    bar_ms: int
    regime: Regime
    place: Place = Place()
    volatility: float = 0.0
    slippage: float | None = None

    @property
    def costs(self) -> Costs:
        """What trading it costs now: its fee, the spread of the moment, and the slippage measured, where it is."""
        fee, spread = self.rules.taker_fee, self.quote.spread_share
        if self.slippage is None or not math.isfinite(self.slippage):
            return Costs.of(fee, spread)
        return Costs.of(fee, spread, Decimal(repr(min(SLIPPAGE_MAX, max(0.0, self.slippage)))))


class Universe(msgspec.Struct, frozen=True):
    """What may be entered, and why the others may not. `numbers`: by symbol, what each left out was judged by."""

    listings: dict[str, Listing]
    excluded: dict[str, str]
    numbers: dict[str, dict[str, Any]] = {}


class Known(msgspec.Struct, frozen=True):
    """What the bars of one symbol say, worked out once per closed bar. Values in the quote currency."""

    bar_ms: int
    regime: Regime
    volatility: float
    traded_per_bar: Decimal
    traded_per_day: Decimal
    bars: int


def usual_reach(rows: list[list[float]]) -> float:
    """The mean true range of the bars, as a share of the last close; 0 when it can't be told."""
    if len(rows) < 2 or not rows[-1][3] > 0.0:
        return 0.0
    ranges = [true_range(row[1], row[2], before[3]) for before, row in itertools.pairwise(rows)]
    reach = sum(ranges) / len(ranges) / rows[-1][3]
    return reach if math.isfinite(reach) and reach > 0.0 else 0.0


class DataAnalysisAssistant:
    """Looks at the market for one cycle. `quarantined` says why nobody may enter a symbol, "" when one may; `slippage`
    what orders on it were seen to lose, None while too few tell."""

    def __init__(
        self,
        config: TradingConfig,
        bars: BarBook,
        feed: Feed,
        clock: Clock,
        *,
        universe: UniverseConfig | None = None,
        quarantined: Callable[[str], str] = lambda symbol: "",
        slippage: Callable[[str], float | None] = lambda symbol: None,
    ) -> None:
        self._config = config
        self._universe = universe or UniverseConfig()
        self._quarantined = quarantined
        self._slippage = slippage
        self._bars = bars
        self._feed = feed
        self._clock = clock
        self._known: dict[str, Known] = {}
        self._places: dict[str, Place] = {}
        self._looked_ms: int | None = None
        self._seen = 0

    def universe(self, rules: Mapping[str, SymbolRules], order_value: Decimal) -> Universe:
        """The symbols fit for an order of `order_value` quote currency now."""
        now = self._clock.monotonic()
        listings: dict[str, Listing] = {}
        places: dict[str, Place] = {}
        for symbol in self._config.symbols or [name for name, row in rules.items() if row.quote == self._config.quote]:
            rule, quote, series = rules.get(symbol), self._feed.quote(symbol), self._bars.series(symbol)
            known = self.known(symbol, series)
            measures = Measures(
                quote=quote,
                quote_age_s=0.0 if quote is None else now - quote.received,
                traded_per_bar=known.traded_per_bar,
                traded_per_day=known.traded_per_day,
                bars=known.bars,
                order_value=order_value,
                quarantine=self._quarantined(symbol),
            )
            found = places[symbol] = place(rule, measures, self._config, self._universe)
            if found.entries and rule is not None and quote is not None:
                listings[symbol] = Listing(
                    symbol, rule, quote, series.newest_ms, known.regime, found, known.volatility, self._slippage(symbol)
                )
        self._places, self._looked_ms, self._seen = places, self._clock.now_ms(), len(listings)
        out = {symbol: row for symbol, row in places.items() if symbol not in listings}
        return Universe(
            listings,
            {symbol: row.because for symbol, row in out.items()},
            {symbol: dict(row.numbers) for symbol, row in out.items()},
        )

    def known(self, symbol: str, series: Series) -> Known:
        """What the bars say; asked again only when one has closed."""
        known = self._known.get(symbol)
        if known is not None and known.bar_ms == series.newest_ms:
            return known
        rows = series.last_rows(REGIME_BARS)
        known = self._known[symbol] = Known(
            bar_ms=series.newest_ms,
            regime=classify([row[1] for row in rows], [row[2] for row in rows], [row[3] for row in rows]),
            volatility=usual_reach(rows[-VOLATILITY_BARS:]),
            traded_per_bar=series.mean_value(LIQUIDITY_BARS),
            traded_per_day=series.mean_value(BARS_KEPT) * DAY_MS / self._bars.step_ms,
            bars=len(series.candles),
        )
        return known

    def regime(self, symbol: str, series: Series) -> Regime:
        """The kind of market."""
        return self.known(symbol, series).regime

    @property
    def regimes(self) -> dict[str, str]:
        """The last known regime of every symbol that has bars."""
        return {symbol: known.regime.value for symbol, known in self._known.items() if known.bars}

    @property
    def places(self) -> dict[str, dict[str, Any]]:
        """Every symbol's tier at the last look, its share of the usual size, and what put it there."""
        return {
            symbol: {
                "tier": row.tier.value,
                "size_share": str(row.size_share),
                "because": row.because,
                **({"quarantine": row.numbers["quarantine"]} if "quarantine" in row.numbers else {}),
            }
            for symbol, row in self._places.items()
        }

    def get_health(self) -> ComponentHealth:
        """Degraded when the last look found no symbol to trade."""
        if self._looked_ms is None:
            return ComponentHealth(ComponentStatus.STARTING)
        return ComponentHealth(
            status=ComponentStatus.HEALTHY if self._seen else ComponentStatus.DEGRADED,
            last_activity=iso(self._looked_ms),
            metrics={"universe": self._seen, "flat_bars": self._bars.flat_bars, "ignored_bars": self._bars.ignored},
        )
