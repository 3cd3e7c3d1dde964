"""How much is bought: never above a limit, always whole lots, never so little that it can't be sold again."""

from decimal import Decimal

from hypothesis import given
from hypothesis import strategies as st

from execution.research.regime import Regime
from execution.runtime.settings import RiskConfig, TradingConfig
from execution.trading.assistants.data_analysis import Listing
from execution.trading.assistants.risk_management import RiskManagementAssistant, Room, size
from execution.trading.assistants.signal_generation import Proposal
from execution.trading.portfolio import Portfolio
from execution.vocabulary.market import Quote
from execution.vocabulary.orders import OrderRequest
from tests.trading.world import START_MS, condition, rules_of

CONFIG, LIMITS = TradingConfig(), RiskConfig()


def proposal(symbol: str = "BTC/USDT", ask: Decimal = Decimal(100), score: float = 1.0, **rules: object) -> Proposal:
    quote = Quote(symbol, ask * Decimal("0.9998"), ask, 0.0)
    listing = Listing(symbol, rules_of(symbol, **rules), quote, START_MS, Regime.RANGE)
    return Proposal(condition(0, symbol, score, name=f"c-{symbol}"), listing, START_MS, 1.0, 0.0024, score)


def room(**changes: Decimal | int) -> Room:
    values: dict[str, Decimal | int] = {
        "equity": Decimal(10_000),
        "free": Decimal(10_000),
        "exposure": Decimal(5_000),
        "positions": 8,
    }
    return Room(**(values | changes))  # type: ignore[arg-type]


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
    assert size(proposal(), room(), CONFIG, LIMITS, explore=True).quantity == Decimal("5.00000")


def test_the_smaller_of_the_two_value_limits_holds() -> None:
    small = RiskConfig(order_value_max=Decimal(300), position_value_max=Decimal(200))
    assert size(proposal(), room(), CONFIG, small, explore=True).quantity == Decimal(2)


def test_what_research_found_unprofitable_gets_a_quarter_or_nothing() -> None:
    doubtful = proposal(score=-0.5)
    assert size(doubtful, room(), CONFIG, LIMITS, explore=True).quantity == Decimal("1.25000")
    assert size(doubtful, room(), CONFIG, LIMITS, explore=False).refusal == "unprofitable_in_research"
    assert size(proposal(score=0.0), room(), CONFIG, LIMITS, explore=False).refusal == "unprofitable_in_research"


def test_each_way_of_having_no_room_is_named() -> None:
    assert size(proposal(), room(positions=0), CONFIG, LIMITS, explore=True).refusal == "open_positions_max"
    assert size(proposal(), room(free=Decimal(1)), CONFIG, LIMITS, explore=True).refusal == "free_balance"
    assert size(proposal(), room(exposure=Decimal(1)), CONFIG, LIMITS, explore=True).refusal == "exposure_max"
    assert size(proposal(), room(equity=Decimal(20)), CONFIG, LIMITS, explore=True).refusal == "minimum_order"
    assert size(proposal(), room(free=Decimal(-5)), CONFIG, LIMITS, explore=True).refusal == "free_balance"


def test_an_order_whose_rest_could_not_be_sold_at_the_stop_is_not_placed() -> None:
    just_enough = room(equity=Decimal("100.4"))  # 5.02 now, below 5 at the stop and after the fee
    assert size(proposal(), just_enough, CONFIG, LIMITS, explore=True).refusal == "too_small_to_sell_again"


money = st.decimals("0", "100000", places=2)
price = st.decimals("0.01", "100000", places=2)
step = st.sampled_from([Decimal(text) for text in ("1", "0.1", "0.001", "0.00001", "0.25")])


@given(money, money, money, price, step, st.booleans())
def test_no_size_exceeds_a_limit_and_each_is_whole_lots(
    equity: Decimal, free: Decimal, exposure: Decimal, ask: Decimal, lot: Decimal, exploratory: bool
) -> None:
    asked = proposal(ask=ask, score=-1.0 if exploratory else 1.0, lot_step=lot, lot_min=lot)
    sized = size(asked, room(equity=equity, free=free, exposure=exposure), CONFIG, LIMITS, explore=True)
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
