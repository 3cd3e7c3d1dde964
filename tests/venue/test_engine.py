"""The matching engine alone: price and time, fills, funds, and money that is neither made nor lost."""

from decimal import Decimal

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

from execution.venue.accounts import FEES, Accounts
from execution.venue.book import BUY, CANCELED, EXPIRED, EXPIRED_IN_MATCH, FILLED, NEW, PARTIALLY_FILLED, SELL, Order
from execution.venue.engine import Engine, Outcome
from execution.venue.errors import ApiError
from execution.venue.symbols import Symbol

D = Decimal
TAKER, MAKER = D("0.001"), D("0.0005")


def make_engine(dollars: str = "10000", coins: str = "10") -> Engine:
    accounts = Accounts()
    for name in ("ann", "bob"):
        accounts.open(name, [("USDT", D(dollars)), ("BTC", D(coins))])
    engine = Engine([Symbol("BTC", "USDT", 2, 3)], accounts, TAKER, MAKER)
    engine.last_ticks["BTCUSDT"] = 10_000
    return engine


def order(side: str, ticks: int, lots: int, account: str = "ann", kind: str = "LIMIT", tif: str = "GTC") -> Order:
    order.count += 1  # type: ignore[attr-defined]
    name = f"c{order.count}"  # type: ignore[attr-defined]
    return Order(0, account, "BTCUSDT", name, side, kind, tif, ticks, lots, 1)


order.count = 0  # type: ignore[attr-defined]


def market(side: str, lots: int, account: str = "ann", budget: str = "0") -> Order:
    made = order(side, 0, lots, account, "MARKET")
    made.quote_budget = D(budget)
    return made


def place(engine: Engine, new: Order) -> Outcome:
    return engine.submit(new, 1000)


def refused(engine: Engine, new: Order) -> int:
    before = (engine.accounts.balance("ann", "USDT"), engine.accounts.balance("ann", "BTC"), len(engine.open))
    with pytest.raises(ApiError) as error:
        place(engine, new)
    after = (engine.accounts.balance("ann", "USDT"), engine.accounts.balance("ann", "BTC"), len(engine.open))
    assert before == after, "a refused order has changed something"
    return error.value.code


def test_the_better_price_fills_first_and_at_one_price_the_older_order() -> None:
    engine = make_engine()
    worse, first, second = order(SELL, 10_100, 100), order(SELL, 10_000, 100), order(SELL, 10_000, 100)
    for new in (worse, first, second):
        place(engine, new)
    taker = order(BUY, 10_200, 150, "bob")
    fills = [r.fill for r in place(engine, taker).reports if r.fill and r.order.account == "ann"]
    assert [(f.order_id, f.price, f.quantity) for f in fills] == [
        (first.id, D("100.00"), D("0.100")),
        (second.id, D("100.00"), D("0.050")),
    ]
    assert (first.status, second.status, worse.status, taker.status) == (FILLED, PARTIALLY_FILLED, NEW, FILLED)


def test_each_side_pays_its_fee_from_what_it_receives() -> None:
    engine = make_engine()
    place(engine, order(SELL, 10_000, 1000))
    place(engine, order(BUY, 10_000, 1000, "bob"))
    assert engine.accounts.balance("bob", "BTC").free == D("10") + 1 - D("0.001")
    assert engine.accounts.balance("ann", "USDT").free == D("10000") + 100 - D("0.05")
    assert engine.accounts.balance(FEES, "BTC").free == D("0.001")
    assert engine.accounts.balance(FEES, "USDT").free == D("0.05")


def test_a_buyer_gets_back_what_a_better_price_saved() -> None:
    engine = make_engine()
    place(engine, order(SELL, 9_000, 1000))
    place(engine, order(BUY, 10_000, 2000, "bob"))
    assert engine.accounts.balance("bob", "USDT") == (D("10000") - 90 - 100, D("100"))


def test_a_cancelled_order_gives_everything_back() -> None:
    engine = make_engine()
    resting = order(BUY, 10_000, 1000)
    place(engine, resting)
    assert engine.accounts.balance("ann", "USDT") == (D("9900"), D("100"))
    engine.cancel(resting, 2000)
    assert engine.accounts.balance("ann", "USDT") == (D("10000"), D("0"))
    assert resting.status == CANCELED
    assert engine.books["BTCUSDT"].best_bid() is None


def test_a_market_order_takes_what_is_there_and_the_rest_expires() -> None:
    engine = make_engine()
    place(engine, order(SELL, 10_000, 100))
    taker = market(BUY, 500, "bob")
    place(engine, taker)
    assert (taker.status, taker.filled_lots) == (EXPIRED, 100)


def test_a_market_order_in_an_empty_book_expires() -> None:
    engine = make_engine()
    taker = market(BUY, 500)
    place(engine, taker)
    assert (taker.status, taker.filled_lots) == (EXPIRED, 0)


def test_a_market_order_sized_in_money_buys_whole_lots_within_it() -> None:
    engine = make_engine()
    place(engine, order(SELL, 10_000, 100))
    place(engine, order(SELL, 11_000, 1000))
    taker = market(BUY, 0, "bob", budget="20.10")
    place(engine, taker)
    assert (taker.status, taker.lots, taker.filled_quote) == (FILLED, 191, D("20.01"))


def test_ioc_takes_what_it_can_and_fok_all_or_nothing() -> None:
    engine = make_engine()
    place(engine, order(SELL, 10_000, 100))
    killed = order(BUY, 10_000, 200, "bob", tif="FOK")
    place(engine, killed)
    assert (killed.status, killed.filled_lots) == (EXPIRED, 0)
    taker = order(BUY, 10_000, 200, "bob", tif="IOC")
    place(engine, taker)
    assert (taker.status, taker.filled_lots) == (EXPIRED, 100)
    assert engine.accounts.balance("bob", "USDT").locked == 0


def test_a_limit_maker_is_refused_when_it_would_take() -> None:
    engine = make_engine()
    place(engine, order(SELL, 10_000, 100, "bob"))
    assert refused(engine, order(BUY, 10_000, 100, kind="LIMIT_MAKER")) == -2010
    place(engine, order(BUY, 9_999, 100, kind="LIMIT_MAKER"))


def test_an_order_that_cannot_be_paid_is_refused() -> None:
    engine = make_engine(dollars="50", coins="0.1")
    assert refused(engine, order(BUY, 10_000, 1000)) == -2010
    assert refused(engine, order(SELL, 10_000, 1000)) == -2010
    place(engine, order(SELL, 10_000, 100, "bob"))
    assert refused(engine, market(SELL, 1000)) == -2010
    assert refused(engine, market(BUY, 0, budget="50.01")) == -2010


def test_a_client_id_is_unique_among_open_orders_only() -> None:
    engine = make_engine()
    first, twin, third = (order(BUY, 9_000, 100) for _ in range(3))
    for new in (first, twin, third):
        new.client_id = "same"
    place(engine, first)
    assert refused(engine, twin) == -2010
    engine.cancel(first, 2000)
    place(engine, third)
    assert engine.find_open("ann", "BTCUSDT", None, "same") is third


def test_an_account_does_not_trade_with_itself_its_resting_order_ends_instead() -> None:
    engine = make_engine()
    own, other = order(SELL, 10_000, 100), order(SELL, 10_000, 100, "bob")
    place(engine, own)
    place(engine, other)
    taker = order(BUY, 10_000, 150)
    place(engine, taker)
    assert (own.status, other.status, taker.status) == (EXPIRED_IN_MATCH, FILLED, PARTIALLY_FILLED)
    assert engine.accounts.balance("ann", "BTC").locked == 0


@pytest.mark.parametrize(
    ("new", "code"),
    [
        (order(BUY, 10_000, 49), -1013),  # 4.90: below NOTIONAL
        (order(BUY, 50_001, 100), -1013),  # absurdly far from the market
        (order(SELL, 1_999, 3000), -1013),
        (market(BUY, 49), -1013),
    ],
)
def test_an_order_against_the_filters_is_refused(new: Order, code: int) -> None:
    assert refused(make_engine(), new) == code


def test_the_market_fills_resting_orders_when_its_price_crosses_them_and_no_earlier() -> None:
    engine = make_engine()
    resting = order(BUY, 9_900, 1000)
    place(engine, resting)
    engine.take("BTCUSDT", SELL, 9_901, 5000, 1)
    assert resting.filled_lots == 0
    outcome = engine.take("BTCUSDT", SELL, 9_900, 400, 1)
    assert resting.filled_lots == 400, "as much as is traded there, not more"
    assert outcome.reports[0].fill and outcome.reports[0].fill.is_maker
    engine.take("BTCUSDT", SELL, 9_850, 5000, 1)
    assert resting.status == FILLED
    assert resting.filled_quote == D("99.00"), "a maker gets its own price"


class Money(RuleBasedStateMachine):
    """Any sequence of requests and market moves: the sum of every asset stays what it was, to the last digit."""

    @initialize(dollars=st.integers(0, 3000), coins=st.integers(0, 30))
    def open(self, dollars: int, coins: int) -> None:
        self.engine = make_engine(str(dollars), str(coins))
        self.totals = {asset: self.engine.accounts.total(asset) for asset in ("USDT", "BTC")}

    @rule(
        account=st.sampled_from(["ann", "bob"]),
        side=st.sampled_from([BUY, SELL]),
        kind=st.sampled_from(["LIMIT", "LIMIT", "LIMIT_MAKER", "MARKET"]),
        tif=st.sampled_from(["GTC", "IOC", "FOK"]),
        ticks=st.integers(9_900, 10_100),
        lots=st.integers(1, 3000),
        budget=st.one_of(st.none(), st.decimals("0.00000001", "300", places=8)),
    )
    def submit(
        self, account: str, side: str, kind: str, tif: str, ticks: int, lots: int, budget: Decimal | None
    ) -> None:
        limit = kind != "MARKET"
        new = order(side, ticks if limit else 0, lots, account, kind, tif if kind == "LIMIT" else "GTC")
        if not limit and budget is not None:
            new.lots, new.quote_budget = 0, budget
        try:
            outcome = self.engine.submit(new, 1000)
        except ApiError as error:
            assert error.code in (-1013, -2010)
            return
        assert new.is_open == (new in self.engine.open)
        assert sum((r.fill.quote for r in outcome.reports if r.fill and r.order.id == new.id), D(0)) == new.filled_quote

    @rule(pick=st.integers(0, 50), account=st.sampled_from(["ann", "bob"]))
    def cancel(self, pick: int, account: str) -> None:
        found = self.engine.open_orders(account)
        if found:
            self.engine.cancel(found[pick % len(found)], 2000)

    @rule(ticks=st.integers(9_850, 10_150), lots=st.integers(1, 5000))
    def move(self, ticks: int, lots: int) -> None:
        engine = self.engine
        engine.clear_quotes("BTCUSDT")
        engine.take("BTCUSDT", SELL, ticks, lots, 1)
        engine.take("BTCUSDT", BUY, ticks, lots, 1)
        engine.quote("BTCUSDT", BUY, [(ticks - 2 * i - 1, lots) for i in range(4)], 1)
        engine.quote("BTCUSDT", SELL, [(ticks + 2 * i + 1, lots) for i in range(4)], 1)

    @invariant()
    def no_money_is_made_or_lost(self) -> None:
        if hasattr(self, "engine"):
            assert {asset: self.engine.accounts.total(asset) for asset in self.totals} == self.totals

    @invariant()
    def customers_never_owe_and_locks_are_what_open_orders_need(self) -> None:
        if not hasattr(self, "engine"):
            return
        symbol = self.engine.symbols["BTCUSDT"]
        for name in ("ann", "bob"):
            found = self.engine.open_orders(name)
            dollars = sum((symbol.value(o.ticks, o.left) for o in found if o.side == BUY), D(0))
            coins = sum((symbol.quantity(o.left) for o in found if o.side == SELL), D(0))
            assert self.engine.accounts.balance(name, "USDT").locked == dollars
            assert self.engine.accounts.balance(name, "BTC").locked == coins
            assert all(held.free >= 0 for held in self.engine.accounts.balances(name).values())

    @invariant()
    def the_book_is_never_crossed(self) -> None:
        if hasattr(self, "engine"):
            book = self.engine.books["BTCUSDT"]
            bid, ask = book.best_bid(), book.best_ask()
            assert not bid or not ask or bid[0] < ask[0]


TestMoney = Money.TestCase
TestMoney.settings = settings(max_examples=60, stateful_step_count=30, deadline=None)
