"""Balances are conserved to the last digit; positions and closed trades are what the fills say."""

from decimal import Decimal

from hypothesis import given
from hypothesis import strategies as st

from execution.ledger.fold import AccountFold, Origin
from execution.vocabulary.orders import Side
from execution.vocabulary.reasons import ExitReason
from tests.ledger.builders import BTC, fill

ENTRY = Origin("trend", 60_000, "signal")
EXIT = Origin("trend", 60_000, "stop_loss")
STEP = {BTC: Decimal("0.00001")}

lots = st.integers(1, 10**6).map(lambda n: str(Decimal(n).scaleb(-5)))
prices = st.integers(1, 10**9).map(lambda n: str(Decimal(n).scaleb(-2)))
trades = st.tuples(st.sampled_from(Side), lots, prices, st.booleans())


@given(st.lists(trades, max_size=30))
def test_balances_are_the_exact_sum_of_what_moved(rows: list[tuple[Side, str, str, bool]]) -> None:
    fold = AccountFold(lot_steps=STEP)
    base = quote = Decimal(0)
    for number, (side, quantity, price, fee_in_base) in enumerate(rows):
        fee = (Decimal(quantity) if fee_in_base else Decimal(quantity) * Decimal(price)) / 1000
        one = fill(number, "x", side, quantity, price, str(fee), "BTC" if fee_in_base else "USDT")
        fold.apply_fill(one, ENTRY)
        sign = 1 if side is Side.BUY else -1
        base += sign * one.quantity - (fee if fee_in_base else 0)
        quote -= sign * one.quantity * one.price + (0 if fee_in_base else fee)
    assert fold.balances.get("BTC", 0) == base
    assert fold.balances.get("USDT", 0) == quote


@given(st.lists(trades, max_size=30))
def test_a_position_is_never_negative_and_never_both_dust_and_position(rows: list[tuple[Side, str, str, bool]]) -> None:
    fold = AccountFold(lot_steps=STEP)
    for number, (side, quantity, price, _) in enumerate(rows):
        fold.apply_fill(fill(number, "x", side, quantity, price), ENTRY)
    assert all(position.quantity > 0 and position.cost >= 0 for position in fold.positions().values())
    assert not fold.positions().keys() & fold.dust().keys()


def test_a_fee_paid_in_base_makes_dust_that_is_shown_and_joins_the_next_position() -> None:
    fold = AccountFold(lot_steps=STEP)
    fold.apply_fill(fill(1, "a", quantity="0.01", fee="0.0000101", fee_currency="BTC"), ENTRY)
    assert fold.positions()[BTC].quantity == Decimal("0.0099899")
    fold.apply_fill(fill(2, "b", Side.SELL, "0.00998"), EXIT)
    assert fold.positions() == {}
    assert fold.dust() == {BTC: Decimal("0.0000099")}
    assert len(fold.closed) == 1
    fold.apply_fill(fill(3, "c", quantity="0.01"), ENTRY)
    assert fold.positions()[BTC].quantity == Decimal("0.0100099")


def test_a_round_trip_is_closed_once_with_its_net_result() -> None:
    fold = AccountFold(lot_steps=STEP)
    fold.apply_fill(fill(1, "a", quantity="1", price="100", fee="0.1"), ENTRY)
    fold.apply_fill(fill(2, "b", Side.SELL, "0.4", "110", "0.044"), EXIT)
    assert fold.closed == []
    fold.apply_fill(fill(3, "b", Side.SELL, "0.6", "110", "0.066"), EXIT)
    (trade,) = fold.closed
    assert trade.pnl_quote == Decimal("110") - Decimal("0.11") - Decimal("100.1")
    assert (trade.entry_price, trade.exit_price, trade.quantity) == (Decimal(100), Decimal(110), Decimal(1))
    assert trade.fees_quote == Decimal("0.21")
    assert trade.exit_reason is ExitReason.STOP_LOSS
    assert fold.balances["USDT"] == trade.pnl_quote


def test_somebody_elses_trade_moves_the_money_but_is_no_position_of_ours() -> None:
    fold = AccountFold(lot_steps=STEP)
    fold.apply_fill(fill(1, None, quantity="1", price="100"), None)
    assert fold.balances == {"BTC": Decimal(1), "USDT": Decimal(-100)}
    assert fold.positions() == {}


@given(
    st.lists(st.tuples(lots, prices, st.booleans()), min_size=1, max_size=5), st.lists(st.integers(1, 99), max_size=5)
)
def test_what_is_still_held_carries_its_own_part_of_the_entry_fees(
    buys: list[tuple[str, str, bool]], sold_percent: list[int]
) -> None:
    fold, paid = AccountFold(), Decimal(0)
    for number, (quantity, price, in_base) in enumerate(buys):
        fee = (Decimal(quantity) if in_base else Decimal(quantity) * Decimal(price)) / 1000
        paid += fee * Decimal(price) if in_base else fee
        fold.apply_fill(fill(number, "x", Side.BUY, quantity, price, str(fee), "BTC" if in_base else "USDT"), ENTRY)
    bought = fold.positions()[BTC]
    assert bought.entry_fees == paid
    for number, percent in enumerate(sold_percent, len(buys)):
        sold = fold.positions()[BTC].quantity * percent / 100
        fold.apply_fill(fill(number, "x", Side.SELL, str(sold), "7", "0.01"), EXIT)
    left = fold.positions()[BTC]
    assert close(left.entry_fees / paid, left.quantity / bought.quantity)
    assert close(left.entry_fees / paid, left.cost / bought.cost)


def close(one: Decimal, other: Decimal) -> bool:
    return abs(one - other) < Decimal("1e-15")


def test_the_fees_of_a_closed_trade_are_those_of_all_that_was_bought() -> None:
    fold = AccountFold(lot_steps=STEP)
    fold.apply_fill(fill(1, "a", quantity="1", price="100", fee="0.1"), ENTRY)
    fold.apply_fill(fill(2, "b", Side.SELL, "0.5", "110", "0.05"), EXIT)
    assert fold.positions()[BTC].entry_fees == Decimal("0.05")
    fold.apply_fill(fill(3, "b", Side.SELL, "0.5", "110", "0.05"), EXIT)
    (trade,) = fold.closed
    assert trade.fees_quote == Decimal("0.20")


def test_what_is_sold_beyond_a_position_is_no_profit_of_it() -> None:
    fold = AccountFold(lot_steps=STEP)
    fold.apply_cash_flow("BTC", Decimal(9))
    fold.apply_fill(fill(1, "a", quantity="1", price="100"), ENTRY)
    fold.apply_fill(fill(2, "b", Side.SELL, "10", "110", "11"), Origin("liquidation", 0, "direct: BTC > USDT"))
    (trade,) = fold.closed
    assert (trade.quantity, trade.exit_price, trade.fees_quote) == (Decimal(1), Decimal(110), Decimal("1.1"))
    assert trade.pnl_quote == Decimal(110) - Decimal("1.1") - Decimal(100)
    assert fold.balances["BTC"] == 0 and fold.positions() == {} and trade.exit_reason is ExitReason.EMERGENCY
