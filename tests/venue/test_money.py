"""No sequence of requests, market moves and restarts makes or loses money, to the last digit; and every lock is what
the open orders need."""

from collections.abc import Callable
from contextlib import suppress
from decimal import Decimal
from pathlib import Path
from tempfile import TemporaryDirectory

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

from execution.venue import filters
from execution.venue.accounts import FEES
from execution.venue.book import BUY, NO_LIST, PREVENTION_MODES, SELL, Order
from execution.venue.errors import ApiError
from execution.venue.exchange import Exchange
from execution.venue.store import Page, Store
from execution.venue.symbols import ORDER_TYPES, Symbol

D = Decimal
ACCOUNTS = ("ann", "bob")
MARKETS = {"BTCUSDT": 10_000, "BNBUSDT": 500, "BTCBNB": 2_000}
KINDS = [*ORDER_TYPES, "LIMIT", "LIMIT", "STOP_LOSS_LIMIT"]
REFUSALS = (-1013, -1121, -1165, -1166, -1168, -1196, -1197, -1198, -1199, -2010)

sides = st.sampled_from([BUY, SELL])
names = st.sampled_from(list(MARKETS))
owners = st.sampled_from(ACCOUNTS)
offsets = st.integers(-60, 60)
stops = st.integers(-3, 40)
gaps = st.integers(1, 60)
sizes = st.integers(1, 2_000)
kinds = st.sampled_from(KINDS)
modes = st.sampled_from(PREVENTION_MODES)
lives = st.sampled_from(["GTC", "IOC", "FOK"])
budgets = st.one_of(st.none(), st.decimals("0.00000001", "300", places=8))


def good() -> None:
    """The request's time window is still open."""


class Money(RuleBasedStateMachine):
    """A whole exchange on a real store: three markets, two accounts, every kind of order."""

    def __init__(self) -> None:
        super().__init__()
        self.folder = TemporaryDirectory()
        self.count = 0
        self.totals: dict[str, Decimal] = {}

    def teardown(self) -> None:
        self.exchange.store.close()
        self.folder.cleanup()

    @initialize(coins=st.integers(0, 30), bnb=st.integers(0, 200))
    def opened(self, coins: int, bnb: int) -> None:
        self.exchange = self.start()
        for account in ACCOUNTS:
            for asset, amount in (("BTC", coins), ("BNB", bnb)):
                self.exchange.pay_in(account, asset, D(amount), 1)
        for name, ticks in MARKETS.items():
            self.go(name, ticks, 1_000)
        self.totals = self.sums()

    def start(self) -> Exchange:
        symbols = [Symbol("BTC", "USDT", 2, 3), Symbol("BNB", "USDT", 1, 2), Symbol("BTC", "BNB", 3, 3)]
        exchange = Exchange(symbols, ACCOUNTS, D(3000), (D("0.001"), D("0.0005")))
        exchange.open(Store(Path(self.folder.name) / "venue.db"), 1)
        return exchange

    def sums(self) -> dict[str, Decimal]:
        return {asset: self.exchange.engine.accounts.total(asset) for asset in ("USDT", "BTC", "BNB")}

    def go(self, name: str, ticks: int, lots: int) -> None:
        bids = [(ticks - 2 * i - 1, lots) for i in range(4)]
        asks = [(ticks + 2 * i + 1, lots) for i in range(4)]
        self.exchange.move(name, ticks, lots, (bids, asks), 5)

    def order(self, account: str, name: str, side: str, kind: str, ticks: int, stop: int, lots: int) -> Order:
        self.count += 1
        made = Order(0, account, name, f"c{self.count}", side, kind, "GTC", 0, lots, 2)
        last = self.exchange.engine.last_ticks[name]
        if kind in ("LIMIT", "LIMIT_MAKER", "STOP_LOSS_LIMIT", "TAKE_PROFIT_LIMIT"):
            made.ticks = max(1, last + ticks)
        if kind.startswith(("STOP", "TAKE")):
            away = stop if made.waits_for_rise else -stop
            made.stop_ticks, made.waiting = max(1, last + away), True
        return made

    def attempt(self, act: Callable[[], object]) -> None:
        with suppress(ApiError):
            try:
                act()
            except ApiError as error:
                assert error.code in REFUSALS, error
                raise

    @rule(account=owners, name=names, side=sides, kind=kinds, ticks=offsets, stop=stops, lots=sizes, mode=modes,
          life=lives, parts=st.integers(1, 12), budget=budgets)  # fmt: skip
    def place(
        self,
        account: str,
        name: str,
        side: str,
        kind: str,
        ticks: int,
        stop: int,
        lots: int,
        mode: str,
        life: str,
        parts: int,
        budget: Decimal | None,
    ) -> None:
        made = self.order(account, name, side, kind, ticks, stop, lots)
        made.prevention = mode
        if kind in ("LIMIT", "STOP_LOSS_LIMIT", "TAKE_PROFIT_LIMIT"):
            made.time_in_force = life
            made.iceberg_lots = lots // parts if life == "GTC" else 0
        if kind == "MARKET" and budget is not None:
            made.lots, made.quote_budget = 0, budget

        def place() -> None:
            reports = self.exchange.place(made, 3, good)
            assert made.is_open == (made in self.exchange.engine.open)
            paid = sum((report.fill.quote for report in reports if report.fill), D(0))
            assert paid == made.filled_quote or mode == "NONE"

        self.attempt(place)

    @rule(account=owners, name=names, side=sides, limit=gaps, stop=gaps, worse=st.integers(-20, 20), lots=sizes,
          shape=st.sampled_from(["limit", "profit"]), loss=st.booleans())  # fmt: skip
    def place_pair(
        self, account: str, name: str, side: str, limit: int, stop: int, worse: int, lots: int, shape: str, loss: bool
    ) -> None:
        sign = 1 if side == SELL else -1
        kind = "LIMIT_MAKER" if shape == "limit" else "TAKE_PROFIT"
        near = self.order(account, name, side, kind, sign * limit, limit, lots)
        far = self.order(
            account, name, side, "STOP_LOSS" if loss else "STOP_LOSS_LIMIT", -sign * stop + worse, stop, lots
        )
        legs = (near, far) if side == SELL else (far, near)
        self.attempt(lambda: self.exchange.place_list(f"l{self.count}", legs, 3, good))

    @rule(pick=st.integers(0, 50), account=owners)
    def cancel(self, pick: int, account: str) -> None:
        found = self.exchange.engine.open_orders(account)
        if found:
            self.exchange.cancel([found[pick % len(found)]], 4)

    @rule(account=owners, name=names)
    def cancel_all(self, account: str, name: str) -> None:
        self.exchange.cancel(self.exchange.engine.open_orders(account, name), 4)

    @rule(pick=st.integers(0, 50), account=owners, side=sides, kind=kinds, ticks=offsets, stop=stops, lots=sizes)
    def replace(self, pick: int, account: str, side: str, kind: str, ticks: int, stop: int, lots: int) -> None:
        found = self.exchange.engine.open_orders(account)
        if found:
            gone = found[pick % len(found)]
            fresh = self.order(account, gone.symbol, side, kind, ticks, stop, lots)
            self.attempt(lambda: self.exchange.replace(gone, fresh, 4, good))

    @rule(account=owners, wish=st.booleans())
    def wish_fees_in_bnb(self, account: str, wish: bool) -> None:
        self.exchange.pay_fees_in_bnb(account, wish)

    @rule(name=names, wish=st.booleans())
    def delist_or_list(self, name: str, wish: bool) -> None:
        self.exchange.show(name, wish, 4)
        if not wish:
            assert [order for one in ACCOUNTS for order in self.exchange.engine.open_orders(one, name)] == []

    @rule(name=names, by=st.integers(-80, 80), lots=st.integers(1, 3000))
    def move(self, name: str, by: int, lots: int) -> None:
        self.go(name, max(60, self.exchange.engine.last_ticks[name] + by), lots)

    @rule(by=st.integers(-80, 80), lots=st.integers(1, 3000))
    def move_all(self, by: int, lots: int) -> None:
        for name in MARKETS:
            self.move(name, by, lots)

    @rule()
    def killed_and_started_again(self) -> None:
        """Nothing is closed in order: the new exchange knows only what was committed."""
        before = self.shown()
        last = self.exchange.engine.last_ticks
        self.exchange.store.close()
        self.exchange = self.start()
        assert self.shown() == before
        for name, ticks in last.items():
            self.go(name, ticks, 500)

    def shown(self) -> list[object]:
        """All that a client can see of orders and money."""
        engine = self.exchange.engine
        orders = [self.exchange.record(order) for name in ACCOUNTS for order in engine.open_orders(name)]
        lists = [pair.state for name in ACCOUNTS for pair in engine.open.lists(name)]
        held = [engine.accounts.balances(name) for name in ACCOUNTS]
        return [orders, lists, held, engine.settlement.pay_in_bnb, list(self.exchange.listed)]

    @invariant()
    def no_money_is_made_or_lost(self) -> None:
        if self.totals:
            assert self.sums() == self.totals

    @invariant()
    def locks_are_what_open_orders_need_and_nobody_owes(self) -> None:
        if not self.totals:
            return
        engine = self.exchange.engine
        for account in ACCOUNTS:
            needs = dict.fromkeys(("USDT", "BTC", "BNB"), D(0))
            pairs: dict[int, list[tuple[str, Decimal]]] = {}
            for order in engine.open_orders(account):
                asset, amount = filters.needed(engine.symbols[order.symbol], order)
                tied = order.list_id != NO_LIST and engine.open.find_list(account, order.list_id, None)
                if tied:
                    pairs.setdefault(order.list_id, []).append((asset, amount))
                else:
                    needs[asset] += amount
            for legs in pairs.values():
                assert len(legs) == 2, "both orders of an open list are open"
                needs[legs[0][0]] += max(amount for _, amount in legs)
            held = engine.accounts.balances(account)
            assert {asset: engine.accounts.balance(account, asset).locked for asset in needs} == needs
            assert all(balance.free >= 0 for balance in held.values())

    @invariant()
    def what_was_paid_in_fees_is_what_the_fills_say(self) -> None:
        if not self.totals:
            return
        store = self.exchange.store
        paid = dict.fromkeys(("USDT", "BTC", "BNB"), D(0))
        for account in ACCOUNTS:
            for name in MARKETS:
                for fill in store.fills(account, name, Page(1000, 0)):
                    paid[fill.commission_asset] += fill.commission
        fees = self.exchange.engine.accounts
        assert {asset: fees.balance(FEES, asset).free for asset in paid} == paid

    @invariant()
    def no_book_is_crossed_and_no_stop_has_been_passed(self) -> None:
        if not self.totals:
            return
        engine = self.exchange.engine
        for name, book in engine.books.items():
            bid, ask = book.best_bid(), book.best_ask()
            assert not bid or not ask or bid[0] < ask[0]
            assert engine.stops[name].due(engine.last_ticks[name]) == []


TestMoney = Money.TestCase
TestMoney.settings = settings(max_examples=40, stateful_step_count=30, deadline=None)
