"""How well orders are executed, from their own numbers."""

from decimal import Decimal

import pytest

from execution.learning.execution_quality import Quality, quality_after, sample_of
from execution.vocabulary.order_states import OrderState
from execution.vocabulary.orders import Fill, OrderRow, OrderType, Purpose, Side


def order(side: Side = Side.BUY, quantity: str = "2", reference: str = "100") -> OrderRow:
    return OrderRow(
        client_order_id="1-1-abcd",
        epoch=1,
        symbol="BTC/USDT",
        side=side,
        type=OrderType.MARKET,
        quantity=Decimal(quantity),
        filled=Decimal(0),
        reference_price=Decimal(reference),
        limit_price=None,
        purpose=Purpose.ENTRY,
        strategy="s",
        reason="",
        signal_bar_ms=0,
        correlation_id="",
        state=OrderState.FILLED,
        venue_order_id="v1",
        created_ms=900,
        sent_ms=1_000,
        updated_ms=1_100,
    )


def fill(price: str, quantity: str, at_ms: int = 1_030) -> Fill:
    amounts = (Decimal(price), Decimal(quantity))
    return Fill("BTC/USDT", f"{price}{at_ms}", "v1", "1-1-abcd", Side.BUY, *amounts, Decimal(0), "BTC", at_ms)


def test_slippage_is_what_it_cost_on_either_side() -> None:
    bought = sample_of(order(), [fill("100", "1"), fill("101", "1", 1_040)])
    assert bought is not None and bought.slippage == pytest.approx(0.005) and bought.latency_ms == 40
    sold = sample_of(order(Side.SELL), [fill("99", "2")])
    assert sold is not None and sold.slippage == pytest.approx(0.01)


def test_an_order_of_which_nothing_was_filled_says_so_and_nothing_of_its_price() -> None:
    empty = sample_of(order(), [])
    assert empty is not None and empty.filled == 0.0 and empty.slippage is None
    known = quality_after(Quality(orders=1, slippage=0.01, latency_ms=5, filled=1.0), empty)
    assert (known.slippage, known.latency_ms, known.filled) == (0.01, 5, 0.5)


def test_numbers_without_sense_say_nothing() -> None:
    assert sample_of(order(reference="0"), [fill("100", "2")]) is None
    assert sample_of(order(quantity="0"), []) is None


def test_recent_orders_weigh_most() -> None:
    known = Quality()
    for price in ["100"] * 30 + ["101"] * 30:
        sample = sample_of(order(), [fill(price, "2")])
        assert sample is not None
        known = quality_after(known, sample)
    assert known.orders == 60 and known.slippage > 0.007
