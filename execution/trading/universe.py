"""Which tier a symbol is in: how much of the usual size an entry there may have, and whether there may be one at all.

Pure: measures of one symbol in, its place and the numbers behind it out. The worst of the measures decides. A symbol
that is out still gets its exits: nobody is kept in a position by a rule about entries.
"""

from collections.abc import Mapping
from decimal import Decimal
from enum import StrEnum
from typing import Any

import msgspec

from execution.runtime.settings import TradingConfig, UniverseConfig
from execution.trading.entry_rules import quote_problem
from execution.vocabulary.limits import ENTRIES_OFF_AFTER_S
from execution.vocabulary.market import Quote, SymbolRules
from execution.vocabulary.money import ZERO, text

SHOWN = 8  # decimals of what is told
ORDER_SHARE_OF_BAR = Decimal(1)  # an order is never more than what a usual bar trades
DAY_MS = 86_400_000


class Tier(StrEnum):
    """From the most liquid to what isn't entered."""

    FIRST = "1"
    SECOND = "2"
    THIRD = "3"
    OUT = "out"


TIERS = tuple(Tier)


class Measures(msgspec.Struct, frozen=True):
    """What is known of a symbol now. Values in the quote currency; `bars`: how long it is known, at most what is kept;
    `quarantine`: why nobody may enter it, "" when one may."""

    quote: Quote | None
    quote_age_s: float
    traded_per_bar: Decimal
    traded_per_day: Decimal
    bars: int
    order_value: Decimal
    quarantine: str = ""


class Place(msgspec.Struct, frozen=True):
    """A symbol's tier, the share of the usual size that it allows, and why. `because` names the measure that put it
    there; for OUT it is the reason, and `numbers` is what it was judged by."""

    tier: Tier = Tier.FIRST
    size_share: Decimal = Decimal(1)
    because: str = ""
    numbers: Mapping[str, Any] = {}

    @property
    def entries(self) -> bool:
        """May a position be opened there?"""
        return self.tier is not Tier.OUT


def place(rules: SymbolRules | None, measures: Measures, trading: TradingConfig, universe: UniverseConfig) -> Place:
    """The tier of one symbol: the worst that any measure puts it in, of equals the first."""
    why = exclusion(rules, measures, trading, universe)
    if why:
        return Place(Tier.OUT, ZERO, why, _numbers(measures, trading, universe))
    tier, because = max(_graded(measures, universe), key=lambda found: TIERS.index(found[0]))
    return Place(tier, _shares(universe)[tier], "" if tier is Tier.FIRST else because)


def exclusion(rules: SymbolRules | None, measures: Measures, trading: TradingConfig, universe: UniverseConfig) -> str:
    """Why nobody may enter a symbol; "" when one may. The first that holds."""
    quote = measures.quote
    if rules is None:
        return "no_rules"
    if rules.quote != trading.quote:
        return "other_quote_currency"
    if not rules.trading:
        return "not_trading"
    if measures.quarantine:
        return "quarantine"
    if quote is None:
        return "no_quote"
    if unfit := quote_problem(quote, measures.quote_age_s, trading.spread_max):
        return unfit
    if measures.bars < universe.age_min_bars:
        return "too_new"
    if measures.traded_per_day < universe.day_value_min:
        return "little_volume"
    return "thin" if measures.traded_per_bar < measures.order_value * ORDER_SHARE_OF_BAR else ""


def _graded(measures: Measures, universe: UniverseConfig) -> list[tuple[Tier, str]]:
    """What each measure by itself says. Of a symbol that isn't excluded: there is a quote, and it is sound."""
    assert measures.quote is not None, "a symbol without a quote is excluded"
    spread = measures.quote.spread_share
    order = measures.order_value / measures.traded_per_bar if measures.traded_per_bar > 0 else Decimal(1)
    bars = Decimal(measures.bars)
    return [
        (_tier(order <= universe.tier1_order_share, order <= universe.tier2_order_share), "liquidity"),
        (_tier(spread <= universe.tier1_spread, spread <= universe.tier2_spread), "spread"),
        (_tier(bars >= universe.tier1_bars, bars >= universe.tier2_bars), "age"),
    ]


def _tier(first: bool, second: bool) -> Tier:
    return Tier.FIRST if first else Tier.SECOND if second else Tier.THIRD


def _shares(universe: UniverseConfig) -> dict[Tier, Decimal]:
    return {Tier.FIRST: Decimal(1), Tier.SECOND: universe.tier2_size, Tier.THIRD: universe.tier3_size}


def _numbers(measures: Measures, trading: TradingConfig, universe: UniverseConfig) -> dict[str, Any]:
    told: dict[str, Any] = {
        "traded_per_bar": text(round(measures.traded_per_bar, 2)),
        "traded_per_day": text(round(measures.traded_per_day, 2)),
        "order_value": text(round(measures.order_value, 2)),
        "bars": measures.bars,
        "age_min_bars": universe.age_min_bars,
    }
    if measures.quarantine:
        told["quarantine"] = measures.quarantine
    quote = measures.quote
    if quote is None:
        return told
    return told | {
        "bid": text(quote.bid),
        "ask": text(quote.ask),
        "spread": text(round(quote.spread_share, SHOWN)) if quote.bid > 0 else None,
        "spread_max": text(trading.spread_max),
        "quote_age_s": round(measures.quote_age_s, 3),
        "quote_age_max_s": ENTRIES_OFF_AFTER_S,
    }
