"""Stop orders, order lists, cancel-replace and self-trade prevention in the engine: what waits, what sets it off, what
ends with it."""

from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from execution.venue.book import BUY, CANCELED, EXPIRED, EXPIRED_IN_MATCH, FILLED, NEW, PREVENTION_MODES, SELL, Order
from execution.venue.engine import Engine, Outcome
from execution.venue.errors import ApiError
from execution.venue.stops import StopBook
from tests.venue.test_engine import D, make_engine, market, order, place

BTC = "BTCUSDT"


def stop(side: str, stop_ticks: int, lots: int, ticks: int = 0, account: str = "ann", profit: bool = False) -> Order:
    kind = ("TAKE_PROFIT" if profit else "STOP_LOSS") + ("_LIMIT" if ticks else "")
    made = order(side, ticks, lots, account, kind)
    made.stop_ticks, made.waiting = stop_ticks, True
    return made


def quoted(engine: Engine, ticks: int, lots: int = 5_000) -> Outcome:
    """The market trades at a price and is quoted one tick on both sides."""
    engine.last_ticks[BTC] = ticks
    engine.clear_quotes(BTC)
    engine.take(BTC, SELL, ticks, lots, 1)
    engine.take(BTC, BUY, ticks, lots, 1)
    engine.quote(BTC, BUY, [(ticks - 1, lots)], 1)
    engine.quote(BTC, SELL, [(ticks + 1, lots)], 1)
    return engine.trigger(BTC, 2_000)


def code(engine: Engine, *new: Order) -> int:
    with pytest.raises(ApiError) as error:
        place(engine, new[0]) if len(new) == 1 else engine.submit_list("list", (new[0], new[1]), 1000)
    return error.value.code


@pytest.mark.parametrize(
    ("side", "profit", "sets_off", "does_not"),
    [
        (SELL, False, 9_900, 9_901),
        (BUY, False, 10_100, 10_099),
        (SELL, True, 10_100, 10_099),
        (BUY, True, 9_900, 9_901),
    ],
)
def test_a_stop_order_waits_until_a_trade_reaches_its_price(
    side: str, profit: bool, sets_off: int, does_not: int
) -> None:
    engine = make_engine()
    waiting = stop(side, sets_off, 1_000, profit=profit)
    place(engine, waiting)
    assert (waiting.status, waiting.waiting, waiting.working_ms) == (NEW, True, -1)
    assert engine.books[BTC].best_bid() is None and engine.books[BTC].best_ask() is None, "it stands in no book"
    assert quoted(engine, does_not).reports == []
    outcome = quoted(engine, sets_off)
    assert [report.kind for report in outcome.reports] == ["NEW", "TRADE"]
    assert (waiting.status, waiting.working_ms) == (FILLED, 2_000)
    assert engine.accounts.balance("ann", "USDT").locked == engine.accounts.balance("ann", "BTC").locked == 0


def test_a_stop_limit_that_the_price_has_gone_through_rests_at_its_limit() -> None:
    engine = make_engine()
    waiting = stop(SELL, 9_900, 1_000, ticks=9_890)
    place(engine, waiting)
    assert engine.accounts.balance("ann", "BTC").locked == 1
    quoted(engine, 9_800)
    assert (waiting.status, waiting.waiting) == (NEW, False)
    assert engine.books[BTC].best_ask() == (9_801, 5_000), "the market is far below it"
    quoted(engine, 9_890)
    assert waiting.status == FILLED
    assert waiting.filled_quote == D("98.90"), "as a maker at its own price"


def test_a_stop_that_buys_locks_what_its_stop_price_says_and_ends_when_the_gap_costs_more_than_there_is() -> None:
    engine = make_engine(dollars="102")
    waiting = stop(BUY, 10_100, 1_000)
    place(engine, waiting)
    assert engine.accounts.balance("ann", "USDT") == (D("1"), D("101"))
    quoted(engine, 11_000)
    assert (waiting.status, waiting.filled_lots) == (EXPIRED, 0)
    assert engine.accounts.balance("ann", "USDT") == (D("102"), D("0"))


def test_a_stop_order_that_would_go_off_at_once_is_refused_and_so_is_the_sixth() -> None:
    engine = make_engine()
    assert code(engine, stop(SELL, 10_000, 1_000)) == -2010
    assert code(engine, stop(BUY, 10_000, 1_000)) == -2010
    assert code(engine, stop(SELL, 10_000, 1_000, profit=True)) == -2010
    for _ in range(5):
        place(engine, stop(SELL, 9_900, 600))
    with pytest.raises(ApiError, match="MAX_NUM_ALGO_ORDERS"):
        place(engine, stop(SELL, 9_900, 600))
    place(engine, order(SELL, 10_500, 600))


def test_the_trade_of_one_stop_sets_the_next_one_off() -> None:
    engine = make_engine()
    quoted(engine, 10_000, lots=1_000)
    engine.quote(BTC, BUY, [(9_950, 1_000), (9_900, 1_000)], 1)
    first, second = stop(SELL, 9_999, 1_900), stop(SELL, 9_960, 1_000, account="bob")
    place(engine, first)
    place(engine, second)
    engine.last_ticks[BTC] = 9_999
    outcome = engine.trigger(BTC, 2_000)
    assert (first.status, second.status) == (FILLED, FILLED)
    assert [fill.price for fill in (report.fill for report in outcome.reports) if fill] == [
        D("99.99"),
        D("99.50"),
        D("99.50"),
        D("99.00"),
    ]


def test_a_customers_trade_sets_stops_off_too() -> None:
    engine = make_engine()
    place(engine, order(SELL, 10_010, 1_000, "bob"))
    waiting = stop(SELL, 10_005, 500, profit=True)
    place(engine, waiting)
    outcome = place(engine, order(BUY, 10_010, 2_000))
    assert waiting.status == EXPIRED, "a market order into a book that holds its own account's order only"
    assert waiting.id in {report.order.id for report in outcome.reports}


def pair(side: str = SELL, limit: int = 10_500, stop_ticks: int = 9_500, ticks: int = 9_400) -> tuple[Order, Order]:
    resting = order(side, limit, 1_000, kind="LIMIT_MAKER")
    waiting = stop(side, stop_ticks, 1_000, ticks)
    return (resting, waiting) if side == SELL else (waiting, resting)


def test_the_two_orders_of_a_list_lock_what_one_needs_and_a_fill_of_one_ends_the_other() -> None:
    engine = make_engine()
    limit, waiting = pair()
    outcome = engine.submit_list("list", (limit, waiting), 1_000)
    assert engine.accounts.balance("ann", "BTC") == (D("9"), D("1"))
    assert (outcome.lists[0].open, limit.list_id, waiting.list_id) == (True, 1, 1)
    outcome = engine.take(BTC, BUY, 10_500, 400, 2_000)
    assert (limit.filled_lots, waiting.status) == (400, EXPIRED)
    assert outcome.lists[0].open is False
    assert engine.accounts.balance("ann", "BTC").locked == D("0.6")
    engine.cancel(limit, 3_000)
    assert engine.accounts.balance("ann", "BTC") == (D("9.6"), D("0"))


def test_a_stop_that_goes_off_ends_the_limit_order_of_its_list_before_it_trades() -> None:
    engine = make_engine()
    waiting, limit = pair(BUY, limit=9_500, stop_ticks=10_500, ticks=10_600)
    engine.submit_list("list", (waiting, limit), 1_000)
    assert engine.accounts.balance("ann", "USDT") == (D("9894"), D("106")), "the dearer of the two"
    outcome = quoted(engine, 10_500)
    assert (limit.status, waiting.status, waiting.filled_quote) == (EXPIRED, FILLED, D("105.01"))
    assert [report.kind for report in outcome.reports] == ["EXPIRED", "NEW", "TRADE"]
    assert engine.accounts.balance("ann", "USDT") == (D("10000") - D("105.01"), D("0"))


@pytest.mark.parametrize("cancelled", [0, 1])
def test_cancelling_one_order_of_a_list_cancels_both(cancelled: int) -> None:
    engine = make_engine()
    legs = pair()
    engine.submit_list("list", legs, 1_000)
    outcome = engine.cancel(legs[cancelled], 2_000)
    assert [leg.status for leg in legs] == [CANCELED, CANCELED]
    assert len(outcome.reports) == 2 and not outcome.lists[0].open
    assert engine.accounts.balance("ann", "BTC") == (D("10"), D("0"))
    engine.submit_list("list", pair(), 3_000)


@pytest.mark.parametrize(
    ("legs", "refusal"),
    [
        (pair(limit=9_990), -2010),  # below the market
        (pair(stop_ticks=10_100), -2010),  # above it
        ((order(SELL, 10_500, 1_000, kind="LIMIT_MAKER"), order(SELL, 9_500, 1_000, kind="LIMIT_MAKER"))[::-1], -1168),
        ((stop(SELL, 10_500, 1_000, profit=True), order(SELL, 9_500, 1_000, kind="LIMIT_MAKER")), -1166),
        (tuple(reversed(pair(BUY, limit=9_500, stop_ticks=10_500, ticks=10_600))), -1165),
        ((stop(SELL, 10_500, 1_000), stop(SELL, 9_500, 1_000, profit=True)), -1197),
        ((stop(BUY, 10_500, 1_000, profit=True), stop(BUY, 9_500, 1_000)), -1198),
        ((stop(SELL, 10_500, 1_000, profit=True), stop(SELL, 9_500, 1_000, profit=True)), -1199),
        ((stop(BUY, 10_500, 1_000), stop(BUY, 9_500, 1_000)), -1196),
        ((order(SELL, 10_500, 1_000, kind="LIMIT_MAKER"), order(SELL, 9_500, 1_000, kind="LIMIT_MAKER")), -1168),
        ((order(SELL, 10_500, 11_000, kind="LIMIT_MAKER"), stop(SELL, 9_500, 11_000)), -2010),  # not enough coins
    ],
)
def test_a_list_whose_orders_do_not_fit_together_is_refused(legs: tuple[Order, Order], refusal: int) -> None:
    engine = make_engine()
    before = dict(engine.accounts.balances("ann"))
    assert code(engine, *legs) == refusal
    assert (engine.accounts.balances("ann"), len(engine.open)) == (before, 0)


@pytest.mark.parametrize(
    ("mode", "own", "taker", "others_lots"),
    [
        ("EXPIRE_MAKER", EXPIRED_IN_MATCH, FILLED, 100),
        ("EXPIRE_TAKER", NEW, EXPIRED_IN_MATCH, 0),
        ("EXPIRE_BOTH", EXPIRED_IN_MATCH, EXPIRED_IN_MATCH, 0),
        ("NONE", FILLED, FILLED, 0),
    ],
)
def test_the_takers_mode_says_what_happens_when_an_account_meets_itself(
    mode: str, own: str, taker: str, others_lots: int
) -> None:
    engine = make_engine()
    better, mine, other = order(SELL, 9_999, 60, "bob"), order(SELL, 10_000, 100), order(SELL, 10_000, 100, "bob")
    for new in (better, mine, other):
        place(engine, new)
    mover = order(BUY, 10_000, 160)
    mover.prevention = mode
    place(engine, mover)
    assert (mine.status, mover.status, better.status) == (own, taker, FILLED)
    assert other.filled_lots == others_lots
    assert engine.accounts.total("USDT") == 20_000


def test_fees_are_taken_in_bnb_at_a_discount_when_asked_for_and_else_from_what_is_received() -> None:
    engine = make_engine()
    engine.symbols["BNBUSDT"] = type(engine.symbols[BTC])("BNB", "USDT", 1, 2)
    engine.last_ticks["BNBUSDT"] = 5_000  # 500.0
    engine.accounts.open("bob", [("BNB", D("0.0002"))])
    engine.settlement.pay_in_bnb.add("bob")
    place(engine, order(SELL, 10_000, 10_000))
    place(engine, order(BUY, 10_000, 1_000, "bob"))
    assert engine.accounts.balance("bob", "BNB").free == D("0.0002") - D("0.00015"), "100 × 0.001 × 0.75 / 500"
    assert engine.accounts.balance("bob", "BTC").free == 11, "nothing is taken from the coins"
    place(engine, order(BUY, 10_000, 1_000, "bob"))
    assert engine.accounts.balance("bob", "BNB").free == D("0.00005"), "not enough of it left"
    assert engine.accounts.balance("bob", "BTC").free == D("11.999")


def test_whoever_sells_all_its_bnb_at_market_pays_its_fee_from_the_money_it_gets() -> None:
    engine = make_engine()
    symbol = type(engine.symbols[BTC])("BNB", "USDT", 1, 2)
    engine = Engine([symbol], engine.accounts, D("0.001"), D("0.001"))
    engine.last_ticks["BNBUSDT"] = 5_000
    for name in ("ann", "bob"):
        engine.accounts.open(name, [("BNB", D("1"))])
        engine.settlement.pay_in_bnb.add(name)
    for ticks in (5_000, 4_999):
        engine.submit(Order(0, "bob", "BNBUSDT", f"b{ticks}", BUY, "LIMIT", "GTC", ticks, 50, 1), 1)
    engine.submit(Order(0, "ann", "BNBUSDT", "all", SELL, "MARKET", "GTC", 0, 100, 1), 1)
    assert engine.accounts.balance("ann", "BNB") == (D(0), D(0))
    assert engine.accounts.balance("ann", "USDT").free == D("10000") + (D("500.0") + D("499.9")) / 2 * D("0.999")
    assert engine.accounts.balance("bob", "BNB").free == 2 - D("0.00075"), "what is received in BNB pays in it"


def test_what_may_be_taken_at_any_price_has_its_own_limit() -> None:
    engine = make_engine()
    engine.symbols[BTC].most_market_lots = 500
    with pytest.raises(ApiError, match="MARKET_LOT_SIZE"):
        place(engine, market(BUY, 501))
    place(engine, order(SELL, 10_000, 900, "bob"))
    with pytest.raises(ApiError, match="MARKET_LOT_SIZE"):
        place(engine, market(BUY, 0, budget="80"))
    place(engine, order(BUY, 10_000, 600))


def test_each_side_has_its_own_distance_from_the_market_and_no_limit_order_is_worth_more_than_the_most() -> None:
    engine = make_engine()
    symbol = engine.symbols[BTC]
    symbol.percent_by_side = {BUY: (D("0.5"), D("1.1")), SELL: (D("0.9"), D("2"))}
    for new in (order(BUY, 11_001, 100), order(BUY, 4_999, 100), order(SELL, 8_999, 100), order(SELL, 20_001, 100)):
        with pytest.raises(ApiError, match="PERCENT_PRICE_BY_SIDE"):
            place(engine, new)
    symbol.notional_max = D("20")
    with pytest.raises(ApiError, match="NOTIONAL"):
        place(engine, order(BUY, 10_000, 201))
    place(engine, market(BUY, 201))


@given(
    st.lists(st.tuples(st.sampled_from([BUY, SELL]), st.booleans(), st.integers(1, 30)), max_size=20),
    st.integers(0, 31),
    st.sets(st.integers(0, 19)),
)
def test_the_stop_book_finds_exactly_those_that_a_price_reaches(
    asked: list[tuple[str, bool, int]], ticks: int, taken: set[int]
) -> None:
    book = StopBook()
    made = [stop(side, at, 100, profit=profit) for side, profit, at in asked]
    for number, one in enumerate(made):
        one.id = number
        book.add(one)
    for number in taken & set(range(len(made))):
        book.remove(made[number])
    due = book.due(ticks)
    assert {one.id for one in due} == {one.id for one in made if one.id not in taken and one.is_reached_by(ticks)}
    for rising in (True, False):
        nearest = [(abs(one.stop_ticks), one.id) for one in due if one.waits_for_rise is rising]
        assert nearest == sorted(nearest, key=lambda found: (found[0] if rising else -found[0], found[1]))


@given(st.lists(st.tuples(st.integers(9_990, 10_010), st.integers(51, 300)), min_size=1, max_size=12), st.data())
def test_whoever_is_better_or_earlier_is_filled_first_and_nobody_behind_before(
    asked: list[tuple[int, int]], data: st.DataObject
) -> None:
    engine = make_engine(coins="100")
    made = [order(SELL, ticks, lots) for ticks, lots in asked]
    for one in made:
        place(engine, one)
    taker = order(BUY, data.draw(st.integers(9_990, 10_010)), data.draw(st.integers(51, 2_000)), "bob")
    taker.prevention = data.draw(st.sampled_from(PREVENTION_MODES))
    outcome = place(engine, taker)
    queue = [one for one in sorted(made, key=lambda one: (one.ticks, one.id)) if one.ticks <= taker.ticks]
    left = taker.lots
    expected: list[tuple[int, Decimal, int]] = []
    for one in queue:
        lots = min(left, one.lots)
        if lots:
            expected.append((one.id, engine.symbols[BTC].price(one.ticks), lots))
        left -= lots
    fills = [report.fill for report in outcome.reports if report.fill and report.fill.account == "ann"]
    assert [(fill.order_id, fill.price, int(fill.quantity * 1000)) for fill in fills] == expected
