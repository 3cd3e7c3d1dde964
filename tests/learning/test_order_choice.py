"""Which kind of order an entry is: market, until that was seen to be dear and another kind to be cheaper."""

from hypothesis import given
from hypothesis import strategies as st

from execution.learning.execution_quality import Quality
from execution.learning.order_choice import TRY_EVERY, choose
from execution.vocabulary.orders import OrderType

DEAR = Quality(orders=20, slippage=0.002, filled=1.0)
CHEAP = Quality(orders=20, slippage=0.0001, filled=1.0)
NONE = Quality()


def kinds(market: Quality, limit: Quality, edge: float = 0.0, turns: int = 40) -> list[OrderType]:
    return [choose(market, limit, edge, turn).kind for turn in range(1, turns + 1)]


def test_it_stays_a_market_order_while_that_is_cheap_or_hardly_known() -> None:
    assert set(kinds(CHEAP, NONE)) == set(kinds(Quality(orders=4, slippage=0.01), NONE)) == {OrderType.MARKET}


def test_where_it_is_dear_one_entry_in_four_tries_the_other_kind() -> None:
    assert kinds(DEAR, NONE).count(OrderType.LIMIT) == 40 // TRY_EVERY


def test_then_the_cheaper_one_is_taken_and_the_dearer_one_tried_now_and_then() -> None:
    assert kinds(DEAR, CHEAP).count(OrderType.LIMIT) == 38
    assert kinds(DEAR, Quality(orders=20, slippage=0.003, filled=1.0)).count(OrderType.MARKET) == 38


def test_what_is_not_filled_costs_what_the_entry_would_have_brought() -> None:
    half = Quality(orders=20, slippage=0.0, filled=0.5)
    assert choose(DEAR, half, 0.0, 1).kind is OrderType.LIMIT
    assert choose(DEAR, half, 0.01, 1).kind is OrderType.MARKET
    assert "50% filled" in choose(DEAR, half, 0.01, 1).why


numbers = st.floats(allow_nan=True, allow_infinity=True)


@given(numbers, numbers, numbers, st.floats(0, 1), st.integers(0, 1000), st.integers(0, 30))
def test_no_number_makes_it_anything_else(
    market: float, limit: float, edge: float, filled: float, turn: int, orders: int
) -> None:
    found = choose(
        Quality(orders=30, slippage=market), Quality(orders=orders, slippage=limit, filled=filled), edge, turn
    )
    assert found.kind in (OrderType.MARKET, OrderType.LIMIT) and found.why
