"""Whatever the venue sends, it is either read exactly or refused as unreadable; nothing in between."""

from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from execution.exchange import translate
from execution.exchange.classify import BadReply
from execution.vocabulary.order_states import OrderEvent
from execution.vocabulary.orders import OrderRequest, OrderType, Purpose, Side

REPLY = {
    "symbol": "BTCUSDT",
    "orderId": 7,
    "clientOrderId": "1-1-abcd",
    "transactTime": 1,
    "side": "BUY",
    "status": "FILLED",
    "executedQty": "0.00300000",
    "fills": [
        {"price": "1.10", "qty": "0.001", "commission": "0.000001", "commissionAsset": "BTC", "tradeId": 5},
        {"price": "1.20", "qty": "0.002", "commission": "0.000002", "commissionAsset": "BTC", "tradeId": 6},
    ],
}
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
    max_leaves=10,
)


def test_a_full_reply_is_read_exactly() -> None:
    report = translate.order_report_of(REPLY, "BTC/USDT")
    assert (report.event, report.executed) == (OrderEvent.FILLED_IN_FULL, Decimal("0.003"))
    assert [fill.trade_id for fill in report.fills] == ["5", "6"]
    assert report.fills[1].fee == Decimal("0.000002")


@given(JSON)
def test_garbage_is_refused_and_never_raises_anything_else(garbage: Any) -> None:
    readers = (
        lambda: translate.order_report_of(garbage, "BTC/USDT"),
        lambda: translate.trades_of([garbage], "BTC/USDT"),
        lambda: translate.execution_report_of(garbage, "BTC/USDT"),
        lambda: translate.balances_of(garbage),
        lambda: translate.rules_of(garbage, Decimal(0)),
        lambda: translate.candles_of([garbage]),
        lambda: translate.quote_of("BTC/USDT", garbage, garbage, 0.0),
    )
    for read in readers:
        with pytest.raises(BadReply):
            read()


@given(st.sampled_from(sorted(REPLY.keys() - {"symbol", "fills"})), JSON)
def test_one_wrong_field_is_never_read_as_something_else(field: str, value: Any) -> None:
    try:
        report = translate.order_report_of({**REPLY, field: value}, "BTC/USDT")
    except BadReply:
        return
    assert report.executed.is_finite()


@pytest.mark.parametrize(
    ("bid", "ask"), [("0", "1"), ("1", "0"), ("NaN", "1"), ("1", "Infinity"), ("2", "1"), ("-1", "1"), (1.5, 2.5)]
)
def test_a_quote_that_makes_no_sense_is_refused(bid: Any, ask: Any) -> None:
    with pytest.raises(BadReply):
        translate.quote_of("BTC/USDT", bid, ask, 0.0)


@pytest.mark.parametrize(
    "row", [[0, "1", "0.5", "2", "1", "1"], [0, "0", "1", "0", "1", "1"], [0, "1", "2", "1", "1", "-1"]]
)
def test_a_candle_whose_prices_contradict_each_other_is_refused(row: list[Any]) -> None:
    with pytest.raises(BadReply):
        translate.candles_of([row])


@given(st.decimals("1e-12", 10**9, allow_nan=False, places=12))
def test_amounts_leave_as_the_same_number_in_plain_digits(quantity: Decimal) -> None:
    request = OrderRequest(
        "BTC/USDT", Side.BUY, OrderType.LIMIT, quantity, quantity, Purpose.ENTRY, "t", "r", 0, limit_price=quantity
    )
    sent = translate.order_parameters(request, "1-1-a", 5)
    assert Decimal(sent["quantity"]) == Decimal(sent["price"]) == quantity
    assert "e" not in sent["quantity"].lower()
