"""How much is bought: never above a limit, always whole lots, never so little that it can't be sold again."""

from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from execution.research.regime import Regime
from execution.runtime.settings import RiskConfig, TradingConfig
from execution.trading.assistants.data_analysis import Listing
from execution.trading.assistants.risk_management import REFUSALS, Assessment, RiskManagementAssistant, Room, size
from execution.trading.assistants.signal_generation import Proposal
from execution.trading.portfolio import Portfolio
from execution.trading.sizing import LEAST, NoRecord, Record, Shares
from execution.vocabulary.market import Quote
from execution.vocabulary.orders import OrderRequest
from tests.trading.world import START_MS, condition, rules_of

CONFIG, LIMITS = TradingConfig(), RiskConfig()


def proposal(symbol: str = "BTC/USDT", ask: Decimal = Decimal(100), score: float = 1.0, **rules: object) -> Proposal:
    quote = Quote(symbol, ask * Decimal("0.9998"), ask, 0.0)
    listing = Listing(symbol, rules_of(symbol, **rules), quote, START_MS, Regime.RANGE, volatility=0.002)
    return Proposal(condition(0, symbol, score, name=f"c-{symbol}"), listing, START_MS, 1.0, 0.0024, score)


def room(**changes: Decimal | int) -> Room:
    values: dict[str, Decimal | int] = {
        "equity": Decimal(10_000),
        "free": Decimal(10_000),
        "exposure": Decimal(5_000),
        "positions": 8,
    }
    return Room(**(values | changes))  # type: ignore[arg-type]


def proven(_: str) -> Record:
    """A strategy with a record that deserves the full size."""
    return NoRecord(trades=200, wins=140, mean_win=0.006, mean_loss=0.006)


def account(**changes: object) -> Portfolio:
    values: dict[str, object] = {
        "equity": Decimal(10_000),
        "free": Decimal(10_000),
        "exposure": Decimal(0),
        "holdings": {},
        "unsettled": frozenset(),
        "entries_open": 0,
    }
    return Portfolio(**(values | changes))  # type: ignore[arg-type]


def test_the_usual_order_is_five_percent_of_the_account() -> None:
    assert size(proposal(), room(), CONFIG, LIMITS, Shares()).quantity == Decimal("5.00000")


def test_the_smaller_of_the_two_value_limits_holds() -> None:
    small = RiskConfig(order_value_max=Decimal(300), position_value_max=Decimal(200))
    assert size(proposal(), room(), CONFIG, small, Shares()).quantity == Decimal(2)


def test_what_research_found_unprofitable_gets_a_quarter_or_nothing() -> None:
    def assessed(score: float, explore: bool) -> Assessment:
        return RiskManagementAssistant(CONFIG, LIMITS, explore, proven).assess([proposal(score=score)], account(), "x")

    assert assessed(-0.5, explore=True).approved[0].quantity == Decimal("1.25000")
    assert assessed(0.5, explore=True).approved[0].quantity == Decimal("5.00000")
    assert assessed(-0.5, explore=False).refused == {"c-BTC/USDT": "unprofitable_in_research"}
    assert assessed(0.0, explore=False).refused == {"c-BTC/USDT": "unprofitable_in_research"}


def test_each_way_of_having_no_room_is_named() -> None:
    def refusal(**left: Decimal | int) -> str:
        return size(proposal(), room(**left), CONFIG, LIMITS, Shares()).refusal

    assert refusal(positions=0) == "open_positions_max"
    assert refusal(free=Decimal(1)) == "free_balance"
    assert refusal(exposure=Decimal(1)) == "exposure_max"
    assert refusal(equity=Decimal(20)) == "minimum_order"
    assert refusal(free=Decimal(-5)) == "free_balance"


@pytest.mark.parametrize("name", Shares.__struct_fields__)
def test_each_share_that_is_nothing_is_a_refusal_with_its_own_name(name: str) -> None:
    nothing = replace(Shares(), **{name: Decimal(0)})
    assert size(proposal(), room(), CONFIG, LIMITS, nothing).refusal == REFUSALS[name]


def test_an_order_whose_rest_could_not_be_sold_at_the_stop_is_not_placed() -> None:
    just_enough = room(equity=Decimal("100.4"))  # 5.02 now, below 5 at the stop and after the fee
    assert size(proposal(), just_enough, CONFIG, LIMITS, Shares()).refusal == "too_small_to_sell_again"


def test_what_the_venue_was_seen_to_take_at_least_is_the_minimum_when_it_is_more() -> None:
    def refusal(learned: int) -> str:
        left = room(equity=Decimal(1_000))  # 50 at most
        return size(proposal(), left, CONFIG, LIMITS, Shares(), learned=Decimal(learned)).refusal

    assert (refusal(0), refusal(45), refusal(60)) == ("", "", "minimum_order")


def test_a_small_account_can_still_prove_a_strategy_with_the_least_order() -> None:
    unproven, small = Shares(record=LEAST), room(equity=Decimal(110))  # the usual order is 5.50, a quarter of it 1.38
    sized = size(proposal(), small, CONFIG, LIMITS, unproven)
    assert Decimal(5) <= sized.quantity * 100 <= Decimal("5.5")
    assert size(proposal(), small, CONFIG, LIMITS, Shares(volatility=LEAST)).refusal == "minimum_order"


money = st.decimals("0", "100000", places=2)
price = st.decimals("0.01", "100000", places=2)
step = st.sampled_from([Decimal(text) for text in ("1", "0.1", "0.001", "0.00001", "0.25")])


@given(money, money, money, price, step, st.booleans())
def test_no_size_exceeds_a_limit_and_each_is_whole_lots(
    equity: Decimal, free: Decimal, exposure: Decimal, ask: Decimal, lot: Decimal, exploratory: bool
) -> None:
    asked = proposal(ask=ask, score=-1.0 if exploratory else 1.0, lot_step=lot, lot_min=lot)
    found = Shares(research=LEAST if exploratory else Decimal(1))
    sized = size(asked, room(equity=equity, free=free, exposure=exposure), CONFIG, LIMITS, found)
    value = sized.quantity * ask
    assert sized.quantity >= 0 and sized.quantity % lot == 0
    assert (sized.quantity == 0) == bool(sized.refusal)
    assert value <= LIMITS.order_value_max and value <= LIMITS.position_value_max
    assert value <= free and value <= exposure and value <= equity * CONFIG.position_share
    if sized.quantity:
        assert value >= CONFIG.minimum_order and value >= Decimal(5)
        left = sized.quantity * Decimal("0.999") // lot * lot
        assert left * ask * (1 - CONFIG.stop_loss) >= Decimal(5)


@given(st.lists(st.tuples(price, st.floats(-1, 1)), max_size=15), money, money)
def test_a_round_of_orders_together_stays_within_money_exposure_and_positions(
    wanted: list[tuple[Decimal, float]], free: Decimal, exposure: Decimal
) -> None:
    proposals = [proposal(f"C{number}/USDT", ask, score) for number, (ask, score) in enumerate(wanted)]
    held = account(equity=Decimal(100_000), free=free, exposure=exposure)
    found = RiskManagementAssistant(CONFIG, LIMITS, explore=True).assess(proposals, held, "x")
    spent = sum((order.value for order in found.approved), Decimal(0))
    assert spent <= free
    assert not found.approved or spent + exposure <= LIMITS.exposure_max
    assert len(found.approved) <= LIMITS.open_positions_max
    assert len(found.approved) + len(found.refused) == len(proposals)


def test_the_approved_order_says_what_it_is() -> None:
    found = RiskManagementAssistant(CONFIG, LIMITS, explore=True).assess([proposal()], account(), "sandbox-1-7")
    (order,) = found.approved
    assert isinstance(order, OrderRequest)
    assert (order.strategy, order.signal_bar_ms, order.correlation_id) == ("momentum_breakout", START_MS, "sandbox-1-7")
    assert order.reference_price == Decimal(100)
