"""Which symbols may be traded, and why the others may not."""

from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from execution.research.regime import Regime
from execution.runtime.clock import ManualClock
from execution.runtime.settings import TradingConfig, UniverseConfig
from execution.trading.assistants.data_analysis import DataAnalysisAssistant, usual_reach
from execution.trading.bars import BarBook
from execution.trading.universe import TIERS, Measures, Tier, place
from execution.vocabulary.market import Quote, SymbolRules
from tests.trading.world import Market, flat, jump, rules_of

GOOD = Quote("BTC/USDT", Decimal(100), Decimal("100.02"), 0.0)
TRADING, UNIVERSE = TradingConfig(), UniverseConfig()
ORDER = Decimal(500)


def measured(**changes: object) -> Measures:
    values: dict[str, object] = {
        "quote": GOOD,
        "quote_age_s": 0.0,
        "traded_per_bar": Decimal(20_000),
        "traded_per_day": Decimal(28_000_000),
        "bars": 600,
        "order_value": ORDER,
    }
    return Measures(**(values | changes))  # type: ignore[arg-type]


def quoted(bid: str, ask: str) -> Quote:
    return Quote("BTC/USDT", Decimal(bid), Decimal(ask), 0.0)


@pytest.mark.parametrize(
    ("rules", "changes", "reason"),
    [
        (None, {}, "no_rules"),
        (rules_of("BTC/EUR"), {}, "other_quote_currency"),
        (rules_of(trading=False), {}, "not_trading"),
        (rules_of(), {"quarantine": "refused 5 times in a row"}, "quarantine"),
        (rules_of(), {"quote": None}, "no_quote"),
        (rules_of(), {"quote_age_s": 10.1}, "old_quote"),
        (rules_of(), {"quote_age_s": float("nan")}, "old_quote"),
        (rules_of(), {"quote": quoted("0", "1")}, "bad_quote"),
        (rules_of(), {"quote": quoted("2", "1")}, "bad_quote"),
        (rules_of(), {"quote": quoted("100", "101")}, "wide_spread"),
        (rules_of(), {"bars": 29}, "too_new"),
        (rules_of(), {"traded_per_bar": Decimal(499)}, "thin"),
    ],
)
def test_a_symbol_is_left_out_for(rules: SymbolRules | None, changes: dict[str, object], reason: str) -> None:
    found = place(rules, measured(**changes), TRADING, UNIVERSE)
    assert (found.tier, found.because, found.size_share, found.entries) == (Tier.OUT, reason, Decimal(0), False)


def test_a_symbol_with_little_volume_is_left_out_where_a_least_one_is_set() -> None:
    calm = measured(traded_per_day=Decimal(900_000))
    assert place(rules_of(), calm, TRADING, UNIVERSE).tier is Tier.FIRST
    found = place(rules_of(), calm, TRADING, UniverseConfig(day_value_min=Decimal(1_000_000)))
    assert (found.tier, found.because) == (Tier.OUT, "little_volume")


@pytest.mark.parametrize(
    ("changes", "tier", "share", "because"),
    [
        ({}, "1", "1", ""),
        ({"traded_per_bar": Decimal(9_000)}, "2", "0.5", "liquidity"),
        ({"traded_per_bar": Decimal(1_000)}, "3", "0.25", "liquidity"),
        ({"quote": quoted("100", "100.08")}, "2", "0.5", "spread"),
        ({"quote": quoted("100", "100.15")}, "3", "0.25", "spread"),
        ({"bars": 100}, "2", "0.5", "age"),
        ({"bars": 40}, "3", "0.25", "age"),
        ({"bars": 100, "quote": quoted("100", "100.15")}, "3", "0.25", "spread"),  # the worst decides
    ],
)
def test_the_worst_measure_decides_the_tier(changes: dict[str, object], tier: str, share: str, because: str) -> None:
    found = place(rules_of(), measured(**changes), TRADING, UNIVERSE)
    assert (found.tier, str(found.size_share), found.because, found.entries) == (tier, share, because, True)


amounts = st.decimals("0", "1000000", places=2)


@given(amounts, amounts, st.integers(0, 600), st.decimals("0", "3", places=2), st.decimals("1", "100000", places=2))
def test_more_trade_a_narrower_spread_or_a_longer_life_never_make_a_tier_worse(
    traded: Decimal, more: Decimal, bars: int, spread: Decimal, order: Decimal
) -> None:
    def tier(**better: object) -> int:
        values = {
            "traded_per_bar": traded,
            "bars": bars,
            "quote": quoted("100", str(100 + spread)),
            "order_value": order,
        }
        return TIERS.index(place(rules_of(), measured(**(values | better)), TRADING, UNIVERSE).tier)

    now = tier()
    assert tier(traded_per_bar=traded + more) <= now
    assert tier(bars=bars + 50) <= now
    assert tier(quote=quoted("100", str(100 + spread / 2))) <= now
    assert tier(order_value=order / 2) <= now


def test_the_place_says_by_what_numbers_a_symbol_got_there() -> None:
    told = place(rules_of(), measured(quarantine="by hand"), TRADING, UNIVERSE).numbers
    assert told["quarantine"] == "by hand" and told["traded_per_bar"] == "20000" and told["bars"] == 600


def test_a_symbol_in_quarantine_is_no_listing_and_a_market_that_is_too_new_neither() -> None:
    clock, bars = ManualClock(), BarBook("1m")
    market = Market(clock, bars)
    names = ("BTC/USDT", "ETH/USDT", "NEW/USDT")
    for symbol, count in zip(names, (60, 60, 10), strict=True):
        market.price(symbol, "100")
        for number in range(count):
            bars.add(symbol, flat(number))
    desk = DataAnalysisAssistant(
        TRADING, bars, market, clock, quarantined=lambda symbol: "by hand" if symbol == "ETH/USDT" else ""
    )
    found = desk.universe({name: rules_of(name) for name in names}, ORDER)
    assert list(found.listings) == ["BTC/USDT"]
    assert found.excluded == {"ETH/USDT": "quarantine", "NEW/USDT": "too_new"}
    assert found.listings["BTC/USDT"].volatility == pytest.approx(0.002)
    assert desk.places["ETH/USDT"] == {
        "tier": "out",
        "size_share": "0",
        "because": "quarantine",
        "quarantine": "by hand",
    }


@given(st.lists(st.lists(st.floats(), min_size=5, max_size=5), max_size=5))
def test_the_reach_of_whatever_bars_is_a_number_that_is_never_below_nothing(rows: list[list[float]]) -> None:
    assert 0.0 <= usual_reach(rows) < float("inf")


def test_only_configured_symbols_are_looked_at_and_each_has_its_regime() -> None:
    clock, bars = ManualClock(), BarBook("1m")
    market = Market(clock, bars)
    for symbol in ("BTC/USDT", "ETH/USDT"):
        market.price(symbol, "100")
        for number in range(60):
            bars.add(symbol, flat(number))
    rules = {symbol: rules_of(symbol) for symbol in ("BTC/USDT", "ETH/USDT")}
    desk = DataAnalysisAssistant(TradingConfig(symbols=("ETH/USDT", "XRP/USDT")), bars, market, clock)
    found = desk.universe(rules, Decimal(500))
    assert list(found.listings) == ["ETH/USDT"] and found.excluded == {"XRP/USDT": "no_rules"}
    assert found.listings["ETH/USDT"].regime is Regime.RANGE
    assert desk.get_health().status == "healthy"


def test_symbols_of_other_quote_currencies_are_not_even_looked_at() -> None:
    clock, bars = ManualClock(), BarBook("1m")
    desk = DataAnalysisAssistant(TradingConfig(), bars, Market(clock, bars), clock)
    found = desk.universe({name: rules_of(name) for name in ("BTC/USDT", "ETH/EUR")}, Decimal(500))
    assert found.excluded == {"BTC/USDT": "no_quote"} and desk.get_health().status == "degraded"


def test_the_regime_follows_the_bars() -> None:
    clock, bars = ManualClock(), BarBook("1m")
    desk = DataAnalysisAssistant(TradingConfig(), bars, Market(clock, bars), clock)
    for number in range(100):
        bars.add("BTC/USDT", jump(number, str(100 + number), str(101 + number)))
    assert desk.regime("BTC/USDT", bars.series("BTC/USDT")) is Regime.TREND_UP
    bars.add("BTC/USDT", jump(100, "100", "150"))
    assert desk.regimes == {"BTC/USDT": "trend_up"}
