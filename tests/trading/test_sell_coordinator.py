"""When a position is sold, and why: tables for the precedence, properties for what must never happen."""

from decimal import Decimal

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from execution.research.costs import Costs
from execution.research.exit_terms import exits_of, net_target
from execution.research.exits import EXIT_REASONS, HOLD, Exits, exit_step
from execution.research.strategies import STRATEGIES
from execution.runtime.clock import ManualClock
from execution.runtime.settings import TradingConfig
from execution.trading.bars import BarBook
from execution.trading.exit_rules import Watch, advanced, first_reason, levels, price_reason
from execution.trading.portfolio import Holding, hold
from execution.trading.sell_coordinator import Exiting, UnifiedSellCoordinator
from execution.vocabulary.market import Quote
from execution.vocabulary.orders import Position
from execution.vocabulary.reasons import EXIT_RULES, ExitReason
from tests.trading.world import MINUTE, START_MS, candle, flat, rules_of

EXITS = Exits(0.006, 0.006, 45, 0.006, 0.003)
SYMBOL = "BTC/USDT"
RULES = {SYMBOL: rules_of()}


def position(quantity: str = "4.995", cost: str = "500", bar: int = 0) -> Position:
    """Bought at 100 with 0.1 % taken from what was bought."""
    fees = Decimal(cost) * Decimal("0.001")
    return Position(SYMBOL, Decimal(quantity), Decimal(cost), 0, "momentum_breakout", START_MS + bar * MINUTE, fees)


def holding(bid: str | None = "100", **changes: str) -> Holding:
    held = position(**changes)  # type: ignore[arg-type]
    return hold(held, held.quantity, Decimal(bid) if bid else None, rules_of())


class Desk:
    """A coordinator, its bars, and a price."""

    def __init__(self) -> None:
        self.bars = BarBook("1m")
        self.coordinator = UnifiedSellCoordinator(TradingConfig(), self.bars, ManualClock())
        self.bars.add(SYMBOL, flat(0))

    def look(self, bid: str | None, held: Holding | None = None) -> Exiting:
        quotes = {SYMBOL: None if bid is None else Quote(SYMBOL, Decimal(bid), Decimal(bid) + Decimal("0.01"), 0.0)}
        return self.coordinator.look({SYMBOL: held or holding(bid)}, RULES, quotes)

    def reason(self, bid: str | None) -> str | None:
        decisions = self.look(bid).decisions
        return decisions[0].reason.value if decisions else None


@pytest.mark.parametrize(
    ("bar", "bid", "reason"),
    [
        (None, "100", None),
        (None, "100.80", None),
        (None, "100.81", "profit_target"),  # 0.6 % is left of it when both fees are paid
        (None, "99.41", None),
        (None, "99.40", "stop_loss"),
        (("100", "100.1", "99.9", "100"), "100", None),
        (("100", "100.1", "99.3", "100"), "100", "stop_loss"),  # the bar touched the stop, the price came back
        (("100", "100.9", "99.9", "100.5"), "100.5", "profit_target"),  # touched the target, still worth it
        (("100", "100.9", "99.9", "100.1"), "100.1", None),  # touched the target, no profit after cost is left
        (("100", "100.9", "99.3", "100.5"), "100.5", "stop_loss"),  # touched both: its inside is unknown
        (("100", "100.9", "99.9", "100.5"), "99.3", "stop_loss"),  # target by the bar, stop by the price: stop first
        (("100", "100.59", "99.9", "100.1"), "100.0", None),  # it never rose far enough for a trailing stop
        (("100", "100.7", "99.9", "100.6"), "100.4", None),
        (("100", "100.7", "99.9", "100.6"), "100.39", "trailing_stop"),  # 0.3 % below the highest bar
    ],
)
def test_a_position_bought_at_100_is_sold_for(
    bar: tuple[str, str, str, str] | None, bid: str, reason: str | None
) -> None:
    desk = Desk()
    if bar is not None:
        desk.bars.add(SYMBOL, candle(1, *bar))
    assert desk.reason(bid) == reason


def test_reasons_hold_by_precedence() -> None:
    order = list(ExitReason)
    assert [reason.value for reason in order] == [
        "emergency",
        "protective_stop",
        "stop_loss",
        "trailing_stop",
        "profit_target",
        "regime_change",
        "reallocated",
        "time_exit",
    ]
    assert list(EXIT_RULES) == order
    for index, reason in enumerate(order):
        assert first_reason([None, *reversed(order[index:])]) is reason
    assert first_reason([None, None]) is None


@given(st.lists(st.none() | st.sampled_from(list(ExitReason)), max_size=8))
def test_the_table_alone_decides_between_reasons(found: list[ExitReason | None]) -> None:
    named = [reason for reason in found if reason is not None]
    assert first_reason(found) == (sorted(named, key=list(ExitReason).index)[0] if named else None)


@pytest.mark.parametrize(("closed", "reason"), [(44, None), (45, "time_exit"), (46, "time_exit")])
def test_time_is_up_after_45_closed_bars_never_before(closed: int, reason: str | None) -> None:
    desk = Desk()
    for number in range(1, closed + 1):
        desk.bars.add(SYMBOL, flat(number))
    assert desk.reason("100") == reason


def test_time_is_counted_the_same_when_looked_at_bar_by_bar() -> None:
    desk = Desk()
    for number in range(1, 45):
        desk.bars.add(SYMBOL, flat(number))
        assert desk.reason("100") is None
    desk.bars.add(SYMBOL, flat(45))
    assert desk.reason("100") == "time_exit"


def test_missing_bars_count_as_bars() -> None:
    desk = Desk()
    desk.bars.add(SYMBOL, flat(45))
    assert desk.reason("100") == "time_exit"


def test_what_a_bar_decided_stays_decided_until_the_position_is_gone() -> None:
    desk = Desk()
    desk.bars.add(SYMBOL, candle(1, "100", "100.1", "99.3", "100"))
    assert desk.reason("100") == "stop_loss"
    desk.bars.add(SYMBOL, flat(2))
    assert desk.reason("100") == "stop_loss"
    desk.coordinator.look({}, RULES, {})
    desk.bars.add(SYMBOL, flat(3))
    later = holding(bar=3)  # type: ignore[arg-type]
    assert desk.look("100", later).decisions == []


def test_an_emergency_sells_at_any_price_and_is_over_when_the_position_is_gone() -> None:
    desk = Desk()
    assert desk.coordinator.sell_all([SYMBOL], "operator") == [SYMBOL]
    assert desk.reason("100") == "emergency"
    assert desk.coordinator.get_health().status == "degraded"
    desk.coordinator.look({}, RULES, {})
    assert desk.coordinator.emergencies == {}
    assert desk.reason("100") is None


def test_an_emergency_of_which_dust_is_left_is_over_and_sells_nothing_that_is_added_later() -> None:
    desk = Desk()
    desk.coordinator.sell_all([SYMBOL], "operator")
    desk.coordinator.give_up(SYMBOL, "something better")
    dust = hold(position(quantity="0.02", cost="2"), Decimal("0.02"), Decimal(100), rules_of())
    assert desk.look("100", dust).decisions == []
    assert desk.coordinator.emergencies == {} and desk.reason("100") is None


def test_an_emergency_outlives_an_order_whose_end_is_not_known() -> None:
    desk = Desk()
    desk.coordinator.sell_all([SYMBOL], "operator")
    quotes = {SYMBOL: Quote(SYMBOL, Decimal(100), Decimal(101), 0.0)}
    assert desk.coordinator.look({SYMBOL: holding()}, RULES, quotes, {SYMBOL}).decisions == []
    assert desk.reason("100") == "emergency"


def test_dust_is_named_once_and_never_sold() -> None:
    desk = Desk()
    dust = hold(position(quantity="0.02", cost="2"), Decimal("0.02"), Decimal(100), rules_of())
    assert dust.dust
    assert desk.look("100", dust) == Exiting([], [SYMBOL])
    assert desk.look("90", dust) == Exiting([], [])


def test_without_a_price_nothing_is_decided() -> None:
    assert Desk().look(None, holding(None)).decisions == []


def test_an_emergency_does_not_wait_for_a_price() -> None:
    desk = Desk()
    desk.coordinator.sell_all([SYMBOL], "operator")
    (decision,) = desk.look(None, holding(None)).decisions
    assert decision.reason is ExitReason.EMERGENCY and decision.price == Decimal(100)


def test_an_entry_that_joins_older_dust_counts_its_own_time() -> None:
    desk = Desk()
    for number in range(1, 101):
        desk.bars.add(SYMBOL, flat(number))
    desk.coordinator.entered(SYMBOL, START_MS + 90 * MINUTE)
    assert desk.reason("100") is None


def test_a_market_that_began_anew_before_the_entry_counts_its_bars_from_now() -> None:
    desk = Desk()
    late = holding(bar=10_000)  # type: ignore[arg-type]
    assert desk.look("100", late).decisions == []
    for number in range(1, 46):
        desk.bars.add(SYMBOL, flat(number))
    assert [row.reason for row in desk.look("100", late).decisions] == [ExitReason.TIME_EXIT]


prices = st.floats(min_value=98.0, max_value=102.0)


@st.composite
def rows(draw: st.DrawFn) -> list[list[float]]:
    made = []
    for _ in range(draw(st.integers(0, 60))):
        four = sorted(draw(st.tuples(prices, prices, prices, prices)))
        made.append([four[1], four[3], four[0], four[2], 1.0])
    return made


@given(rows(), st.data())
def test_looking_bar_by_bar_or_after_a_gap_decides_what_research_decides(
    bars: list[list[float]], data: st.DataObject
) -> None:
    expected: ExitReason | None = None
    peak = 100.0
    for held, bar in enumerate(bars, 1):
        code, _ = exit_step(100.0, peak, bar, held, False, EXITS.vector())
        if code != HOLD:
            expected = EXIT_REASONS[code]
            break
        peak = max(peak, bar[1])
    watch, left = Watch(0, 0), bars
    while left:
        size = data.draw(st.integers(1, len(left)))
        watch = advanced(watch, watch.checked_ms + size, left[:size], 100.0, EXITS)
        left = left[size:]
    assert watch.decided is expected


@given(st.floats(0.01, 1000), st.floats(0.01, 1000), st.floats(100, 110))
def test_prices_alone_never_mean_what_is_counted_in_bars(one: float, other: float, peak: float) -> None:
    found = price_reason(100.0, peak, min(one, other), max(one, other), EXITS)
    assert found in (None, ExitReason.STOP_LOSS, ExitReason.TRAILING_STOP, ExitReason.PROFIT_TARGET)


@given(st.lists(st.tuples(prices, prices), min_size=1, max_size=30))
def test_the_levels_that_are_told_never_fall(pairs: list[tuple[float, float]]) -> None:
    watch, stands, wide = Watch(0, 0), Decimal(0), Exits(0.5, 0.5, 1000, 0.0, 0.2)
    for number, (one, other) in enumerate(pairs, 1):
        row = [min(one, other), max(one, other), min(one, other), max(one, other), 1.0]
        watch = advanced(watch, number, [row], 100.0, wide)
        told = Decimal(levels(Decimal(100), watch, wide)["trailing_stop"])
        assert told >= stands
        stands = told


def test_a_stop_that_was_touched_between_two_quotes_is_not_missed() -> None:
    desk = Desk()
    assert desk.reason("100") is None
    assert desk.coordinator.ended_by_trades(SYMBOL, Decimal("99.3"), Decimal(100))
    assert not desk.coordinator.ended_by_trades(SYMBOL, Decimal("99.3"), Decimal(100)), "said once for each look"
    assert desk.reason("100") == "stop_loss"
    assert desk.reason("100") == "stop_loss", "a sale may fail: it holds until the position is gone"
    desk.coordinator.look({}, RULES, {})
    assert desk.reason("100") is None


def test_a_touch_that_ended_nothing_is_judged_once() -> None:
    desk = Desk()
    assert desk.reason("100") is None
    desk.coordinator.ended_by_trades(SYMBOL, Decimal(100), Decimal("100.9"))
    assert desk.reason("100.1") is None, "the target was touched, and no profit is left to take"
    assert desk.reason("100.5") is None, "and that touch is over"


def test_what_was_traded_before_a_position_was_looked_at_concerns_it_not() -> None:
    desk = Desk()
    assert not desk.coordinator.ended_by_trades(SYMBOL, Decimal("90"), Decimal(100))
    assert desk.reason("100") is None
    assert desk.reason("100") is None


def test_a_target_touched_by_a_trade_is_taken_only_at_a_profit() -> None:
    desk = Desk()
    assert desk.reason("100") is None
    desk.coordinator.ended_by_trades(SYMBOL, Decimal(100), Decimal("100.9"))
    assert desk.reason("100.1") is None
    desk.coordinator.ended_by_trades(SYMBOL, Decimal(100), Decimal("100.9"))
    assert desk.reason("100.5") == "profit_target"


def falling(first: int, count: int, start: float, step: float) -> list[tuple[int, str, str]]:
    return [(first + k, f"{start - k * step:.2f}", f"{start - (k + 1) * step:.2f}") for k in range(count)]


def test_what_was_traded_before_a_purchase_ends_nothing() -> None:
    """While nothing is held nobody looks, and trades go on."""
    desk = Desk()
    first = holding()
    assert desk.look("100", first).decisions == []
    desk.coordinator.ended_by_trades(SYMBOL, Decimal(90), Decimal(100))  # sold meanwhile, and the price fell
    later = msgspec.structs.replace(first, position=msgspec.structs.replace(first.position, opened_ms=60_000))
    assert desk.look("100", later).decisions == []
    desk.coordinator.ended_by_trades(SYMBOL, Decimal(90), Decimal(100))
    assert [row.reason for row in desk.look("100", later).decisions] == [ExitReason.STOP_LOSS]


def test_a_position_is_left_when_its_market_turns_down_and_not_when_it_was_so_at_the_entry() -> None:
    config = TradingConfig(stop_loss=Decimal("0.5"), time_exit_bars=500, exit_regimes=("trend_down",))
    for signal_bar, reason in ((120, "regime_change"), (195, None)):
        desk = Desk()
        desk.coordinator = UnifiedSellCoordinator(config, desk.bars, ManualClock())
        for number in range(1, 140):
            desk.bars.add(SYMBOL, flat(number, "100.02" if number % 2 else "100"))
        for number, opened, closed in falling(140, 60, 100.0, 0.02):
            desk.bars.add(SYMBOL, candle(number, opened, opened, closed, closed))
        late = holding("98", bar=signal_bar)  # type: ignore[arg-type]
        decisions = desk.look("98.8", late).decisions
        assert [row.reason for row in decisions] == ([] if reason is None else [reason])
        if decisions:
            assert decisions[0].numbers["regime"] == "trend_down"


def test_what_is_given_up_for_a_better_entry_says_so_and_a_stop_comes_first() -> None:
    desk = Desk()
    desk.coordinator.give_up(SYMBOL, "ETH/USDT with 0.9 more score")
    (decision,) = desk.look("100").decisions
    assert decision.reason is ExitReason.REALLOCATED and decision.numbers["why"] == "ETH/USDT with 0.9 more score"
    assert desk.reason("99") == "stop_loss"
    desk.coordinator.look({}, RULES, {})
    assert desk.reason("100") is None


@pytest.mark.parametrize("strategy", [*STRATEGIES, "bought by hand"])
@given(
    target=st.decimals("0.001", "0.1", places=4),
    stop=st.decimals("0.001", "0.1", places=4),
    bars=st.integers(1, 500),
)
def test_a_strategy_never_makes_the_exits_of_an_account_looser(
    strategy: str, target: Decimal, stop: Decimal, bars: int
) -> None:
    config = TradingConfig(profit_target=target, stop_loss=stop, time_exit_bars=bars)
    costs = Costs()
    own = exits_of(config, strategy, costs)
    account = exits_of(config, "bought by hand", costs)
    assert net_target(config, strategy) <= float(target)
    assert own.target <= account.target and own.stop <= account.stop == float(stop) and own.bars <= bars
    assert (1 + own.target) * (1 - 0.001) ** 2 > 1 + net_target(config, strategy), "net of both fees"


@given(st.decimals("0.00001", "50", places=8), st.decimals("0", "50", places=8), st.decimals("1", "200", places=2))
def test_never_more_is_sold_than_is_owned_and_always_whole_lots_worth_selling(
    quantity: Decimal, owned: Decimal, bid: Decimal
) -> None:
    held = position(quantity=str(quantity), cost=str(quantity * 100))
    desk = Desk()
    desk.coordinator.sell_all([SYMBOL], "operator")
    for row in desk.look(str(bid), hold(held, owned, bid, rules_of())).decisions:
        assert row.quantity <= min(quantity, owned)
        assert row.quantity % rules_of().lot_step == 0
        assert row.quantity * bid >= rules_of().notional_min


@given(st.lists(prices, min_size=1, max_size=20))
def test_a_profit_target_is_never_taken_at_a_loss(bids: list[float]) -> None:
    desk = Desk()
    for number, price in enumerate(bids, 1):
        low, high = min(price, 100.0), max(price, 100.9)
        desk.bars.add(SYMBOL, candle(number, "100", str(high), str(low), str(price)))
        for row in desk.look(f"{price:.2f}").decisions:
            if row.reason is ExitReason.PROFIT_TARGET:
                assert row.price * Decimal("0.999") > position().entry_price


def test_a_low_from_before_the_peak_touches_no_trailing_stop_that_the_peak_has_raised() -> None:
    desk = Desk()
    assert desk.reason("100.2") is None
    desk.coordinator.ended_by_trades(SYMBOL, Decimal("100.1"), Decimal("100.7"))  # all of it within the next bar
    desk.bars.add(SYMBOL, candle(1, "100.2", "100.7", "100.1", "100.65"))
    assert desk.reason("100.65") is None, "its low came first"
    desk.coordinator.ended_by_trades(SYMBOL, Decimal("100.38"), Decimal("100.6"))  # after it
    assert desk.reason("100.65") == "trailing_stop"
