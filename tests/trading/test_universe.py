"""Which symbols may be traded, and why the others may not."""

from decimal import Decimal

import pytest

from execution.research.regime import Regime
from execution.runtime.clock import ManualClock
from execution.runtime.settings import TradingConfig
from execution.trading.assistants.data_analysis import DataAnalysisAssistant, exclusion
from execution.trading.bars import BarBook
from execution.vocabulary.market import Quote, SymbolRules
from tests.trading.world import Market, flat, jump, rules_of

GOOD = Quote("BTC/USDT", Decimal(100), Decimal("100.05"), 0.0)


@pytest.mark.parametrize(
    ("rules", "quote", "age_s", "traded", "reason"),
    [
        (rules_of(), GOOD, 0.0, "10000", None),
        (None, GOOD, 0.0, "10000", "no_rules"),
        (rules_of("BTC/EUR"), GOOD, 0.0, "10000", "other_quote_currency"),
        (rules_of(trading=False), GOOD, 0.0, "10000", "not_trading"),
        (rules_of(), None, 0.0, "10000", "no_quote"),
        (rules_of(), GOOD, 10.1, "10000", "old_quote"),
        (rules_of(), Quote("BTC/USDT", Decimal(0), Decimal(1), 0.0), 0.0, "10000", "bad_quote"),
        (rules_of(), Quote("BTC/USDT", Decimal(2), Decimal(1), 0.0), 0.0, "10000", "bad_quote"),
        (rules_of(), Quote("BTC/USDT", Decimal(100), Decimal(101), 0.0), 0.0, "10000", "wide_spread"),
        (rules_of(), GOOD, 0.0, "499", "thin"),
    ],
)
def test_a_symbol_is_left_out_for(
    rules: SymbolRules | None, quote: Quote | None, age_s: float, traded: str, reason: str | None
) -> None:
    found = exclusion(
        rules,
        quote,
        quote_age_s=age_s,
        traded_per_bar=Decimal(traded),
        config=TradingConfig(),
        order_value=Decimal(500),
    )
    assert found == reason


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
