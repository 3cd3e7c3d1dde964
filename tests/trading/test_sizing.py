"""How much of the usual size an entry gets: what isn't known counts as bad, and nothing makes an order larger."""

from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from execution.research.regime import SIZE_SHARES, Regime
from execution.runtime.settings import TradingConfig
from execution.trading.assistants.data_analysis import Listing
from execution.trading.sizing import (
    LEAST,
    ONE,
    NoRecord,
    Shares,
    hopeless,
    kelly,
    numbers,
    shares,
    smallest_order,
    value_of,
    volatility_share,
)
from execution.trading.universe import Place, Tier
from execution.vocabulary.market import Quote
from tests.trading.world import rules_of

CONFIG = TradingConfig()
GOOD = NoRecord(trades=200, wins=140, mean_win=0.006, mean_loss=0.006)
BAD = NoRecord(trades=200, wins=60, mean_win=0.006, mean_loss=0.006)

numbers_of_all_kinds = st.floats()
counts = st.integers(-5, 500)
parts = st.decimals("0", "1", places=6)
amounts = st.decimals("0", "100000", places=2)


def listing(regime: Regime = Regime.RANGE, place: Place | None = None, volatility: float = 0.002) -> Listing:
    quote = Quote("BTC/USDT", Decimal("99.99"), Decimal(100), 0.0)
    return Listing("BTC/USDT", rules_of(), quote, 0, regime, place or Place(), volatility)


def test_a_strategy_without_a_record_gets_the_least_and_one_with_a_good_one_everything() -> None:
    assert shares(listing(), 1.0, NoRecord(), CONFIG, explore=True).all == LEAST
    assert shares(listing(), 1.0, GOOD, CONFIG, explore=True).all == ONE


def test_a_single_lucky_trade_convinces_nobody() -> None:
    lucky = NoRecord(trades=1, wins=1, mean_win=0.05, mean_loss=0.0)
    assert kelly(lucky, CONFIG) == 0.0 and shares(listing(), 1.0, lucky, CONFIG, explore=True).all == LEAST


def test_what_has_lost_often_enough_is_only_tried_where_trying_is_allowed() -> None:
    assert hopeless(BAD) and not hopeless(GOOD) and not hopeless(NoRecord(trades=5, wins=0, mean_loss=0.01))
    assert shares(listing(), 1.0, BAD, CONFIG, explore=True).record == LEAST
    assert shares(listing(), 1.0, BAD, CONFIG, explore=False).record == 0
    assert shares(listing(), 1.0, NoRecord(), CONFIG, explore=False).record == LEAST


def test_a_symbol_that_moves_twice_the_target_is_bought_half_as_much_of() -> None:
    assert volatility_share(0.0025, CONFIG) == volatility_share(0.005, CONFIG) == ONE
    assert volatility_share(0.01, CONFIG) == Decimal("0.5")


@pytest.mark.parametrize("unknown", [0.0, -1.0, float("nan"), float("inf"), float("-inf")])
def test_a_volatility_that_isnt_known_gives_the_least(unknown: float) -> None:
    assert volatility_share(unknown, CONFIG) == LEAST


def test_tier_and_regime_each_bound_the_size_and_the_smallest_is_named() -> None:
    second = Place(Tier.SECOND, Decimal("0.5"), "spread")
    found = shares(listing(Regime.RANGE, second), 1.0, GOOD, CONFIG, explore=True)
    assert (found.all, found.smallest) == (Decimal("0.5"), "tier")
    for regime in Regime:
        assert shares(listing(regime), 1.0, GOOD, CONFIG, explore=True).all == SIZE_SHARES[regime]
    assert SIZE_SHARES[Regime.CRASH] == 0


def test_every_share_and_what_it_came_from_is_told() -> None:
    told = numbers(shares(listing(), 1.0, GOOD, CONFIG, explore=True), GOOD, listing())
    assert told["share"] == "1" and told["smallest"] == ""
    assert set(told["shares"]) == {"record", "research", "volatility", "tier", "regime", "healing"}
    assert told["record"] == {"trades": 200, "wins": 140, "mean_win": 0.006, "mean_loss": 0.006}


@given(counts, counts, numbers_of_all_kinds, numbers_of_all_kinds, numbers_of_all_kinds, numbers_of_all_kinds)
def test_whatever_is_measured_no_share_is_below_nothing_or_above_one(
    trades: int, wins: int, win: float, loss: float, volatility: float, score: float
) -> None:
    record = NoRecord(trades, wins, win, loss)
    assert 0.0 <= kelly(record, CONFIG) <= 1.0
    for explore in (True, False):
        found = shares(listing(volatility=volatility), score, record, CONFIG, explore)
        assert all(0 <= getattr(found, name) <= 1 for name in found.__struct_fields__)
        assert found.all <= found.risk <= 1
        numbers(found, record, listing(volatility=volatility))


@given(st.integers(1, 400), st.data(), st.floats(0.0001, 0.2), st.floats(0.0001, 0.2))
def test_one_more_win_never_makes_a_size_smaller_and_one_more_loss_never_larger(
    trades: int, data: st.DataObject, win: float, loss: float
) -> None:
    wins = data.draw(st.integers(0, trades - 1))
    now = kelly(NoRecord(trades, wins, win, loss), CONFIG)
    assert kelly(NoRecord(trades, wins + 1, win, loss), CONFIG) >= now
    assert kelly(NoRecord(trades + 1, wins, win, loss), CONFIG) <= now + 1e-9


@given(st.floats(1e-6, 1.0), st.floats(1.0, 50.0))
def test_the_more_a_symbol_moves_the_less_of_it_is_bought(volatility: float, times: float) -> None:
    assert volatility_share(volatility * times, CONFIG) <= volatility_share(volatility, CONFIG)


@given(amounts, parts, parts, parts, parts, parts, amounts)
def test_no_value_exceeds_the_usual_one_nor_what_risk_allows(
    usual: Decimal, a: Decimal, b: Decimal, c: Decimal, d: Decimal, e: Decimal, smallest: Decimal
) -> None:
    found = Shares(a, b, c, d, e)
    value = value_of(usual, found, smallest)
    assert 0 <= value <= usual * found.risk <= usual
    assert value == 0 if found.all == 0 else value >= usual * found.all


@given(st.decimals("0.01", "100000", places=2), st.sampled_from(["1", "0.1", "0.001", "0.00001"]), amounts)
def test_the_smallest_order_can_be_sold_again_at_the_stop(price: Decimal, lot: str, learned: Decimal) -> None:
    rules = rules_of(lot_step=Decimal(lot), lot_min=Decimal(lot))
    value = smallest_order(rules, price, CONFIG, learned)
    left = (value / price) * (1 - rules.taker_fee) // rules.lot_step * rules.lot_step
    assert value >= max(learned, CONFIG.minimum_order, rules.notional_min)
    assert left >= rules.lot_min
    assert left * price * (1 - CONFIG.stop_loss) >= rules.notional_min
