"""The exchange as a whole, behind its protocols: engine and store in step. What a call changed is in the open group of
`commits`; nobody is told before that is stored, and when the store refuses, memory goes back to what is stored. No
sockets, no JSON."""

import logging
from collections.abc import Callable, Iterable, Sequence
from decimal import Decimal

from execution.runtime.sqlite import DatabaseError
from execution.venue import errors
from execution.venue.accounts import MARKET_MAKER, Accounts, Balance
from execution.venue.book import BUY, EXPIRED, SELL, Order
from execution.venue.commits import Commits, Group, Touched
from execution.venue.engine import Engine
from execution.venue.listing import Listing
from execution.venue.outcome import ListState, Outcome, Report
from execution.venue.restoring import restore_orders, to_record
from execution.venue.store import OrderRecord, Store
from execution.venue.symbols import Symbol, quote_unit

log = logging.getLogger("nae.venue")

PAY_IN_BNB = "pay_in_bnb"
OPENING_STEP = Decimal("0.00000001")
Levels = list[tuple[int, int]]
Balances = dict[str, Balance]
Listener = Callable[[Outcome, dict[str, Balances]], None]


class Exchange:
    """Orders in, outcomes out. Listeners hear of an outcome after it is stored; they must not raise or block."""

    def __init__(
        self,
        symbols: Sequence[Symbol],
        accounts: Iterable[str],
        opening: Decimal,
        fees: tuple[Decimal, Decimal],
        later: Iterable[str] = (),
    ) -> None:
        """`fees` are (taker, maker) as shares; the markets named in `later` aren't listed until somebody says so."""
        self.symbols = {symbol.name: symbol for symbol in symbols}
        self.accounts = list(accounts)
        self.listing = Listing(self.symbols, later)
        self.listeners: list[Listener] = []
        self.commits = Commits(self._keep)
        self.store_errors = 0
        self.fees = fees
        self._opening = opening_balances(symbols, opening)
        self._store: Store | None = None
        self._closed = False
        self.engine = Engine(symbols, Accounts(), *fees)

    # life

    def open(self, store: Store, now_ms: int) -> None:
        """Take up where the store left off. Raises DatabaseError when it can't be read or written."""
        self._store = store
        self._load(now_ms)

    def close(self) -> None:
        """Store what was matched and let go of the store. What comes after that happens to nobody."""
        self.commits.commit()
        self._closed = True
        self.store.close()

    @property
    def store(self) -> Store:
        """The store; only after `open`."""
        assert self._store is not None, "the exchange has not been opened"
        return self._store

    def _load(self, now_ms: int) -> None:
        before = self.engine
        accounts = Accounts()
        engine = Engine(self.symbols.values(), accounts, *self.fees)
        engine.last_ticks.update(before.last_ticks)
        for name, book in before.books.items():
            engine.books[name].version = book.version + 1  # update ids never go back
        for account, asset, free, locked in self.store.balances():
            accounts.restore(account, asset, free, locked)
        for account in self.accounts:
            accounts.open(account, self._opening)
        self.listing.restore(self.store.market())
        last_order, last_trade, last_list = self.store.last_ids()
        engine.next_order_id, engine.next_list_id = last_order + 1, last_list + 1
        engine.next_match_id = self.store.prevented.last_id() + 1
        stored_trade = int(self.store.market().get("next_trade_id", 1))
        for name, before_id in before.next_trade_ids.items():
            engine.next_trade_ids[name] = max(last_trade + 1, stored_trade, before_id)
        payers = self.store.wishes(PAY_IN_BNB)
        engine.settlement.pay_in_bnb = {account for account, wish in payers.items() if wish == "true"}
        ended, ended_lists = restore_orders(engine, self.store, now_ms)
        self.engine = engine
        self._save(ended, Group(), ended_lists)

    # orders

    def place(self, order: Order, now_ms: int, still_good: Callable[[], None]) -> list[Report]:
        """Match a new order; what it did, in order. `still_good` is asked last and may refuse. Raises ApiError."""
        still_good()
        outcome = self.engine.submit(order, now_ms)
        self._settle([outcome], now_ms)
        return outcome.about(order.id)

    def test(self, order: Order) -> None:
        """Would the order be accepted? Nothing happens. Raises ApiError."""
        self.engine.admit(order)

    def place_list(
        self, client_id: str, legs: tuple[Order, Order], now_ms: int, still_good: Callable[[], None]
    ) -> Outcome:
        """Take in an OCO; `legs` are the order above the market and the one below. Raises ApiError."""
        still_good()
        outcome = self.engine.submit_list(client_id, legs, now_ms)
        self._settle([outcome], now_ms)
        return outcome

    def cancel(self, orders: Iterable[Order], now_ms: int) -> list[Outcome]:
        """Cancel open orders, all in one commit; an order of a list takes the other one with it."""
        outcomes = [self.engine.cancel(order, now_ms) for order in orders if order.is_open]
        self._settle(outcomes, now_ms)
        return outcomes

    def replace(
        self, gone: Order | None, order: Order, now_ms: int, still_good: Callable[[], None]
    ) -> tuple[Outcome | None, list[Report] | errors.ApiError]:
        """Cancel one order, if any, and place another in the same commit. When the new one is refused the cancel
        holds, and the refusal is returned. Raises ApiError when nothing happened."""
        still_good()
        cancelled = self.engine.cancel(gone, now_ms) if gone is not None else None
        outcomes = [cancelled] if cancelled is not None else []
        placed: list[Report] | errors.ApiError
        try:
            outcomes.append(self.engine.submit(order, now_ms))
            placed = outcomes[-1].about(order.id)
        except errors.ApiError as refusal:
            placed = refusal
        self._settle(outcomes, now_ms)
        return cancelled, placed

    def pay_fees_in_bnb(self, account: str, wish: bool) -> None:
        """From now on the account's fees are taken in BNB at a discount, or no longer. Raises ApiError."""
        try:
            self.store.save_wish(account, PAY_IN_BNB, "true" if wish else "false")
        except DatabaseError as error:
            self.store_errors += 1
            raise errors.unknown_outcome() from error
        payers = self.engine.settlement.pay_in_bnb
        payers.add(account) if wish else payers.discard(account)

    def record(self, order: Order) -> OrderRecord:
        """An order as it is stored and shown."""
        return to_record(self.symbols[order.symbol], order)

    def pay_in(self, account: str, asset: str, amount: Decimal, now_ms: int) -> None:
        """Somebody pays into an account from outside or, below 0, out of it. Raises ApiError."""
        if account not in self.accounts or (amount < 0 and self.engine.accounts.balance(account, asset).free < -amount):
            raise errors.insufficient_balance()
        giver, taker = (MARKET_MAKER, account) if amount >= 0 else (account, MARKET_MAKER)
        self.engine.accounts.move_free(giver, taker, asset, abs(amount))
        self.commits.add_now({}, now_ms)

    # the market

    @property
    def listed(self) -> dict[str, Symbol]:
        """The markets that are shown, of all there have ever been."""
        return self.listing.listed

    def show(self, name: str, wish: bool, now_ms: int) -> None:
        """List a market, or delist it: its open orders end (EXPIRED) and their money is free, in one commit with it.
        Raises ApiError; then nothing has changed."""
        if self.symbols[name].listed == wish:
            return
        self.commits.commit_now()
        outcomes: list[Outcome] = []
        if not wish:
            found = [order for account in self.accounts for order in self.engine.open_orders(account, name)]
            outcomes = [self.engine.cancel(order, now_ms, EXPIRED) for order in found if order.is_open]
            self.engine.clear_quotes(name)
        self.listing.show(name, wish)
        try:
            self.commits.add_now(self.listing.text(), now_ms, self._with_touched(outcomes))
        except errors.ApiError:
            self.listing.show(name, not wish)
            raise

    def move(self, name: str, ticks: int, reach_lots: int, quotes: tuple[Levels, Levels], now_ms: int) -> None:
        """The market goes to a price: orders it crosses fill, up to `reach_lots` a side; the book is quoted anew.
        All is stored when it returns, and nothing else is in the books. Raises ApiError when the store refuses."""
        engine = self.engine
        engine.last_ticks[name] = ticks
        engine.clear_quotes(name)
        outcomes = [
            engine.take(name, SELL, ticks, reach_lots, now_ms),
            engine.take(name, BUY, ticks, reach_lots, now_ms),
            engine.quote(name, BUY, quotes[0], now_ms),
            engine.quote(name, SELL, quotes[1], now_ms),
            engine.trigger(name, now_ms),
        ]
        self._settle([outcome for outcome in outcomes if outcome.reports], now_ms)
        self.commits.commit_now()

    def mirror_book(self, name: str, quotes: tuple[Levels, Levels], now_ms: int) -> None:
        """The market's orders are these from now on; one that crosses a customer's fills it. Raises ApiError."""
        engine = self.engine
        engine.clear_quotes(name)
        outcomes = [engine.quote(name, BUY, quotes[0], now_ms), engine.quote(name, SELL, quotes[1], now_ms)]
        self._settle([outcome for outcome in outcomes if outcome.reports], now_ms)
        self.commits.commit_now()

    def mirror_trade(self, name: str, ticks: int, lots: int, now_ms: int) -> None:
        """Others have traded at a price: it went through orders that are better, and stop orders hear of it."""
        engine = self.engine
        engine.last_ticks[name] = ticks
        outcomes = [engine.take(name, SELL, ticks + 1, lots, now_ms)]
        if ticks > 1:
            outcomes.append(engine.take(name, BUY, ticks - 1, lots, now_ms))
        outcomes.append(engine.trigger(name, now_ms))
        self._settle([outcome for outcome in outcomes if outcome.reports], now_ms)
        self.commits.commit_now()

    def remember_market(self, values: dict[str, str]) -> None:
        """Store the market's position. Raises ApiError when the store refuses."""
        self.commits.add_now(values, 0)

    # storing and telling

    def _settle(self, outcomes: list[Outcome], now_ms: int) -> None:
        if outcomes:
            self.commits.add(self._with_touched(outcomes), now_ms)

    def _with_touched(self, outcomes: list[Outcome]) -> list[tuple[Outcome, Touched]]:
        return [(outcome, {} if number else self._take_changed()) for number, outcome in enumerate(outcomes)]

    def _take_changed(self) -> Touched:
        """The balances that have changed since we last looked, as they are now."""
        accounts = self.engine.accounts
        touched: Touched = {}
        for account, asset in sorted(accounts.changed):
            touched.setdefault(account, {})[asset] = accounts.balance(account, asset)
        accounts.changed.clear()
        return touched

    def _keep(self, group: Group) -> bool:
        """Store a group, then tell of it. False when the store refused, or is closed."""
        if self._closed:
            return False
        try:
            latest = {report.order.id: report.order for outcome, _ in group.outcomes for report in outcome.reports}
            self._save([self.record(order) for order in latest.values()], group)
        except DatabaseError as error:
            self.store_errors += 1
            log.error("the store refused; back to what is stored", extra={"fields": {"error": str(error)}})
            self._reload(group.now_ms)
            return False
        for outcome, touched in group.outcomes:
            for listener in self.listeners:
                listener(outcome, touched)
        return True

    def _reload(self, now_ms: int) -> None:
        try:
            self._load(now_ms)
        except DatabaseError as error:
            # Memory may now hold what was never stored: nothing may be served from it, the process must end.
            raise SystemExit(f"the venue's store can't be read: {error}") from error

    def _save(self, orders: list[OrderRecord], group: Group, lists: Sequence[ListState] = ()) -> None:
        outcomes = [outcome for outcome, _ in group.outcomes]
        fills = [report.fill for outcome in outcomes for report in outcome.reports if report.fill]
        last: dict[tuple[str, str], Balance] = {}
        for touched in (*(touched for _, touched in group.outcomes), self._take_changed()):
            last |= {(account, asset): held for account, assets in touched.items() for asset, held in assets.items()}
        balances = [(account, asset, held) for (account, asset), held in last.items()]
        states = [*lists, *(state for outcome in outcomes for state in outcome.lists)]
        prevented = [match for outcome in outcomes for match in outcome.prevented]
        self.store.save(orders, fills, balances, group.market.items(), states, prevented=prevented)


def opening_balances(symbols: Sequence[Symbol], opening: Decimal) -> list[tuple[str, Decimal]]:
    """What a new account gets: dollars, and as much of every other quote currency."""
    quotes = dict.fromkeys(["USDT", *(symbol.quote for symbol in symbols)])
    return [(asset, (opening * quote_unit(asset)).quantize(OPENING_STEP)) for asset in quotes]


assert MARKET_MAKER.startswith("@"), "house accounts are told apart by their first letter"
