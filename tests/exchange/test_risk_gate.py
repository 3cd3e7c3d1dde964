"""No order passes over a limit, no state of the account stops an exit that only reduces."""

from decimal import Decimal
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from execution.exchange.risk_gate import RiskFacts, check
from execution.runtime.settings import RiskConfig
from execution.vocabulary.lifecycle import TradingState
from execution.vocabulary.market import SymbolRules
from execution.vocabulary.orders import OrderRequest, OrderType, Purpose, Side

D = Decimal
RULES = SymbolRules("BTC/USDT", "BTC", "USDT", D("0.01"), D("0.001"), D("0.001"), D(5), D("0.001"))
LIMITS = RiskConfig()
CALM = RiskFacts(
    trading_state=TradingState.ACTIVE,
    state_reason="",
    reconciled=True,
    quote_mid=D(100),
    quote_age_s=0.1,
    rules=RULES,
    held=D(0),
    selling=D(0),
    position_value=D(0),
    exposure=D(0),
    open_positions=0,
    symbol_is_open=False,
    unknown_on_symbol=False,
    orders_last_minute=0,
    signal_used=False,
)


def entry(quantity: str = "1", price: str = "100", **changes: Any) -> OrderRequest:
    request = OrderRequest(
        "BTC/USDT", Side.BUY, OrderType.MARKET, D(quantity), D(price), Purpose.ENTRY, "trend", "signal", 60_000
    )
    return msgspec.structs.replace(request, **changes)


def leave(quantity: str) -> OrderRequest:
    return entry(quantity, side=Side.SELL, purpose=Purpose.EXIT)


def facts(**changes: Any) -> RiskFacts:
    return msgspec.structs.replace(CALM, **changes)


def test_a_calm_account_may_buy() -> None:
    assert check(entry(), CALM, LIMITS) is None


@pytest.mark.parametrize(
    ("request_", "situation", "why"),
    [
        (entry("11"), {}, "order_value_max"),
        (entry("6"), {"position_value": D(1000), "symbol_is_open": True}, "position_value_max"),
        (entry("6"), {"exposure": D(4900)}, "exposure_max"),
        (entry(), {"open_positions": 8}, "open_positions_max"),
        (entry(), {"orders_last_minute": 60}, "orders_per_minute_max"),
        (entry(), {"same_last_minute": 5}, "repeated_orders_max"),
        (entry(), {"loss_reached": "the account lost 6.00% today"}, "lost 6.00% today"),
        (entry(), {"losses_in_row": 5, "since_loss_s": 10.0}, "cooldown_s 300"),
        (entry(type=OrderType.STOP_LOSS), {}, "only ever ends a position"),
        (entry(price="103"), {}, "price_collar"),
        (entry(price="97"), {}, "price_collar"),
        (entry(), {"quote_mid": None}, "quote is older"),
        (entry(), {"quote_age_s": 10.5}, "quote is older"),
        (entry(), {"reconciled": False}, "reconciled"),
        (entry(), {"trading_state": TradingState.PAUSED}, "paused"),
        (entry(), {"trading_state": TradingState.REDUCE_ONLY}, "reduce_only"),
        (entry(), {"trading_state": TradingState.HALTED, "state_reason": "loss"}, "halted: loss"),
        (entry(), {"unknown_on_symbol": True}, "unknown fate"),
        (entry(), {"signal_used": True}, "already led"),
        (entry(), {"rules": msgspec.structs.replace(RULES, trading=False)}, "doesn't trade"),
        (entry(), {"rules": None}, "isn't traded"),
        (entry("0.0015"), {}, "lot step"),
        (entry("0.04"), {}, "below the venue's least"),
        (entry("0"), {}, "more than zero"),
        (entry("-1"), {}, "more than zero"),
        (entry("NaN"), {}, "finite"),
        (entry("Infinity"), {}, "finite"),
        (entry(side=Side.SELL), {}, "must buy"),
        (entry(type=OrderType.LIMIT), {}, "needs a limit price"),
        (entry(type=OrderType.LIMIT, limit_price=D("100.001")), {}, "tick"),
    ],
)
def test_each_limit_refuses_and_names_itself(request_: OrderRequest, situation: dict[str, Any], why: str) -> None:
    assert why in (check(request_, facts(**situation), LIMITS) or "passed")


amounts = st.decimals(0, 20_000, places=2)


@given(
    quantity=st.integers(1, 200_000).map(lambda lots: D(lots).scaleb(-3)),
    price=st.integers(1, 50_000).map(lambda cents: D(cents).scaleb(-2)),
    position=amounts,
    exposure=amounts,
    count=st.integers(0, 20),
    sent=st.integers(0, 100),
)
def test_whatever_passes_is_within_every_limit(
    quantity: D, price: D, position: D, exposure: D, count: int, sent: int
) -> None:
    situation = facts(position_value=position, exposure=exposure, open_positions=count, orders_last_minute=sent)
    request = entry(str(quantity), str(price))
    if check(request, situation, LIMITS) is None:
        assert request.value <= LIMITS.order_value_max
        assert position + request.value <= LIMITS.position_value_max
        assert exposure + request.value <= LIMITS.exposure_max
        assert count + 1 <= LIMITS.open_positions_max
        assert sent + 1 <= LIMITS.orders_per_minute_max
        assert abs(price - 100) <= LIMITS.price_collar * 100


anything_wrong = st.fixed_dictionaries(
    {
        "trading_state": st.sampled_from(TradingState),
        "reconciled": st.booleans(),
        "quote_mid": st.none() | st.just(D(100)),
        "quote_age_s": st.floats(0, 1e6),
        "unknown_on_symbol": st.booleans(),
        "orders_last_minute": st.integers(0, 10_000),
        "exposure": amounts,
        "open_positions": st.integers(0, 100),
    }
)


@given(anything_wrong, st.integers(50, 5_000), st.integers(0, 5_000), st.integers(0, 5_000))
def test_an_exit_passes_exactly_when_it_only_reduces(wrong: dict[str, Any], sell: int, held: int, selling: int) -> None:
    situation = facts(**wrong, held=D(held).scaleb(-3), selling=D(selling).scaleb(-3))
    passed = check(leave(str(D(sell).scaleb(-3))), situation, LIMITS) is None
    assert passed == (sell <= held - selling)


def test_a_liquidation_sells_what_the_account_has_and_no_more_in_every_state() -> None:
    sale = entry("2", side=Side.SELL, purpose=Purpose.LIQUIDATION)
    for state in TradingState:
        assert check(sale, facts(trading_state=state, spendable=D(2), reconciled=False), LIMITS) is None
        assert "more than the 1.999 there" in (
            check(sale, facts(trading_state=state, spendable=D("1.999")), LIMITS) or ""
        )
    assert check(entry("2", purpose=Purpose.LIQUIDATION), facts(spendable=D(5)), LIMITS) == "a liquidation must sell"
