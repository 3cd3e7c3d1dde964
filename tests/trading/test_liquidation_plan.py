"""The way into the quote currency: what brings more, of what every step of it can take."""

from decimal import Decimal

from hypothesis import given, settings
from hypothesis import strategies as st

from execution.trading.liquidation_plan import RESERVE, plan, unfinished
from execution.vocabulary.market import Quote, SymbolRules
from execution.vocabulary.order_states import OrderState
from execution.vocabulary.orders import Fill, OrderRow, OrderType, Purpose, Side
from tests.trading.world import rules_of

D = Decimal
RULES = {
    "BTC/USDT": rules_of("BTC/USDT"),
    "SOL/USDT": rules_of("SOL/USDT", lot_step=D("0.01"), lot_min=D("0.01")),
    "SOL/BTC": rules_of("SOL/BTC", lot_step=D("0.01"), lot_min=D("0.01"), notional_min=D("0.0001")),
    "ADA/BTC": rules_of("ADA/BTC", lot_step=D("1"), lot_min=D("1"), notional_min=D("0.0001")),
}


def quoted(**bids: str) -> dict[str, Quote]:
    names = {name.replace("_", "/"): D(bid) for name, bid in bids.items()}
    return {name: Quote(name, bid, bid * D("1.001"), 0.0) for name, bid in names.items()}


QUOTES = quoted(BTC_USDT="60000", SOL_USDT="150", SOL_BTC="0.0025", ADA_BTC="0.00001")


def test_the_direct_way_is_taken_when_it_brings_as_much() -> None:
    (route,) = plan({"SOL": D(10)}, RULES, QUOTES, "USDT").routes
    assert [step.symbol for step in route.steps] == ["SOL/USDT"]
    assert route.proceeds == D(10) * 150 * D("0.999")


def test_two_sales_are_taken_where_they_bring_more_and_where_there_is_no_other_way() -> None:
    dear = QUOTES | quoted(SOL_BTC="0.003")
    (route,) = plan({"SOL": D(10)}, RULES, dear, "USDT").routes
    assert [step.symbol for step in route.steps] == ["SOL/BTC", "BTC/USDT"]
    (route,) = plan({"ADA": D("1000.5")}, RULES, QUOTES, "USDT").routes
    assert [(step.symbol, step.quantity) for step in route.steps] == [("ADA/BTC", D(1000)), ("BTC/USDT", D("0.00999"))]


def test_a_way_whose_second_sale_would_be_too_small_is_not_begun() -> None:
    least = D("5") / 60000 / D("0.00001") / D("0.999")  # so much ADA that its BTC is worth just five dollars
    assert plan({"ADA": least * D("1.2")}, RULES, QUOTES, "USDT").routes
    found = plan({"ADA": least * (1 + RESERVE / 2)}, RULES, QUOTES, "USDT")
    assert not found.routes and found.left["ADA"].startswith("dust")


def test_what_has_a_position_is_sold_on_its_own_market_or_not_at_all() -> None:
    dear = QUOTES | quoted(SOL_BTC="0.003")
    (route,) = plan({"SOL": D(10)}, RULES, dear, "USDT", positions=["SOL/USDT"]).routes
    assert [step.symbol for step in route.steps] == ["SOL/USDT"]
    halted = RULES | {"SOL/USDT": rules_of("SOL/USDT", trading=False)}
    assert plan({"SOL": D(10)}, halted, dear, "USDT", positions=["SOL/USDT"]).left == {
        "SOL": "SOL/USDT doesn't trade now"
    }


def test_dust_what_nobody_trades_and_the_quote_itself_stay_with_their_reason() -> None:
    found = plan({"SOL": D("0.001"), "XYZ": D(5), "USDT": D(100), "ADA": D(0)}, RULES, QUOTES, "USDT")
    assert not found.routes and sorted(found.left) == ["SOL", "XYZ"]
    assert "dust" in found.left["SOL"] and "nobody trades it" in found.left["XYZ"]
    assert plan({"SOL": D(1), "BTC": D(1)}, RULES, QUOTES, "USDT", only=["BTC"]).routes[0].currency == "BTC"


amounts = st.decimals(D("0.00000001"), D(1000), places=8)


@settings(deadline=None)
@given(st.dictionaries(st.sampled_from(["BTC", "SOL", "ADA", "XYZ"]), amounts, min_size=1))
def test_every_step_of_every_way_is_one_the_venue_takes_and_everything_is_accounted_for(
    free: dict[str, Decimal],
) -> None:
    found = plan(free, RULES, QUOTES, "USDT")
    assert {route.currency for route in found.routes} | set(found.left) == set(free)
    for route in found.routes:
        available = free[route.currency]
        for step in route.steps:
            rule: SymbolRules = RULES[step.symbol]
            assert rule.lot_min <= step.quantity <= available and step.quantity % rule.lot_step == 0
            assert step.quantity * step.price >= rule.notional_min
            available = step.proceeds
        assert route.steps[-1].symbol.endswith("/USDT")


def order(name: str, symbol: str, quantity: str, reason: str, **changes: object) -> OrderRow:
    values: dict[str, object] = {
        "client_order_id": name,
        "epoch": 1,
        "symbol": symbol,
        "side": Side.SELL,
        "type": OrderType.MARKET,
        "quantity": D(quantity),
        "filled": D(quantity),
        "reference_price": D(1),
        "limit_price": None,
        "purpose": Purpose.LIQUIDATION,
        "strategy": "liquidation",
        "reason": reason,
        "signal_bar_ms": 0,
        "correlation_id": "c",
        "state": OrderState.FILLED,
        "venue_order_id": "1",
        "created_ms": int(name),
        "sent_ms": 0,
        "updated_ms": 0,
    }
    return OrderRow(**(values | changes))  # type: ignore[arg-type]


def sold(name: str, symbol: str, price: str, quantity: str, fee: str, currency: str) -> Fill:
    return Fill(symbol, name, "1", name, Side.SELL, D(price), D(quantity), D(fee), currency, 0)


def test_what_is_between_two_sales_is_what_the_first_brought_less_what_the_second_has_taken_or_may_take() -> None:
    first = order("1", "ADA/BTC", "1000", "first of two: ADA > BTC > USDT")
    fills = [sold("1", "ADA/BTC", "0.00001", "1000", "0.00001", "BTC")]
    (found,) = unfinished([first], fills, RULES, QUOTES, "USDT")
    assert (found.symbol, found.quantity, found.currency) == ("BTC/USDT", D("0.00999"), "ADA")
    under_way = order(
        "2", "BTC/USDT", "0.00999", "second of two", correlation_id="1", state=OrderState.UNKNOWN, filled=D(0)
    )
    assert unfinished([under_way, first], fills, RULES, QUOTES, "USDT") == []
    rejected = order(
        "2", "BTC/USDT", "0.00999", "second of two", correlation_id="1", state=OrderState.REJECTED, filled=D(0)
    )
    assert unfinished([rejected, first], fills, RULES, QUOTES, "USDT") == [found]
    half = order(
        "2", "BTC/USDT", "0.00999", "second of two", correlation_id="1", state=OrderState.EXPIRED, filled=D("0.005")
    )
    (rest,) = unfinished([half, first], fills, RULES, QUOTES, "USDT")
    assert rest.quantity == D("0.00499")
    assert unfinished([first], fills, RULES, quoted(BTC_USDT="100"), "USDT") == [], "dust now"
    assert unfinished([first], [], RULES, QUOTES, "USDT") == [], "nothing came of it"
