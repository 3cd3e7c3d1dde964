"""The matching engine: takes an order, matches it by price and time, settles every fill exactly, and says what
happened. No I/O: whoever calls it stores the outcome before anybody hears of it."""

import copy
from collections.abc import Iterable
from dataclasses import dataclass, field
from decimal import ROUND_DOWN, Decimal
from typing import NamedTuple

from execution.venue import book as status
from execution.venue import errors, filters
from execution.venue.accounts import FEES, MARKET_MAKER, Accounts
from execution.venue.book import BUY, SELL, Order, OrderBook
from execution.venue.symbols import TRADING, Symbol

COMMISSION_STEP = Decimal("0.00000001")
Plan = list[tuple[Order, int]]


class Fill(NamedTuple):
    """One order's side of a trade."""

    trade_id: int
    order_id: int
    account: str
    symbol: str
    side: str
    price: Decimal
    quantity: Decimal
    quote: Decimal
    commission: Decimal
    commission_asset: str
    time_ms: int
    is_maker: bool


class Report(NamedTuple):
    """What happened to an order: NEW, TRADE, CANCELED or EXPIRED, with the order as it was right after."""

    kind: str
    order: Order
    fill: Fill | None


class Print(NamedTuple):
    """A trade as the public sees it."""

    id: int
    ticks: int
    lots: int
    buyer_is_maker: bool


@dataclass(slots=True)
class Outcome:
    """All that one request or one market step did. Reports tell of customers' orders only."""

    symbol: str
    now_ms: int
    reports: list[Report] = field(default_factory=list)
    prints: list[Print] = field(default_factory=list)


class Engine:
    """Books, accounts and open orders. Every public call either refuses with ApiError and changes nothing, or works."""

    def __init__(self, symbols: Iterable[Symbol], accounts: Accounts, taker_fee: Decimal, maker_fee: Decimal) -> None:
        self.symbols = {symbol.name: symbol for symbol in symbols}
        self.books = {name: OrderBook() for name in self.symbols}
        self.last_ticks = dict.fromkeys(self.symbols, 0)
        self.accounts = accounts
        self.next_order_id = 1
        self.next_trade_id = 1
        self._fees = {False: taker_fee, True: maker_fee}
        self._open: dict[int, Order] = {}
        self._open_by_client: dict[tuple[str, str, str], Order] = {}
        self._quotes: dict[str, list[Order]] = {name: [] for name in self.symbols}

    # what is open

    def open_orders(self, account: str, symbol: str | None = None) -> list[Order]:
        """An account's resting orders, oldest first."""
        return [o for o in self._open.values() if o.account == account and symbol in (None, o.symbol)]

    def find_open(self, account: str, symbol: str, order_id: int | None, client_id: str | None) -> Order | None:
        """One resting order by either id (both must fit when both are given)."""
        found = self._open.get(order_id) if order_id is not None else None
        if order_id is None and client_id is not None:
            found = self._open_by_client.get((account, symbol, client_id))
        if found is None or (found.account, found.symbol) != (account, symbol):
            return None
        return found if client_id in (None, found.client_id) else None

    def restore(self, order: Order) -> None:
        """Put a stored open order back into its book. Its money is already locked in the stored balances."""
        self._rest(order)

    # customers

    def submit(self, order: Order, now_ms: int) -> Outcome:
        """Match a new order. Raises ApiError when it is refused; then nothing has changed."""
        symbol = self.symbols[order.symbol]
        plan = self.admit(order)
        outcome = Outcome(order.symbol, now_ms)
        order.id, self.next_order_id = self.next_order_id, self.next_order_id + 1
        order.updated_ms = now_ms
        if order.quote_budget:
            order.lots = sum(lots for _, lots in plan)
        if order.ticks:
            self.accounts.lock(order.account, *filters.needed(symbol, order))
        self._report(outcome, "NEW", order)
        if order.time_in_force != "FOK" or sum(lots for _, lots in plan) == order.lots:
            self._expire_own(symbol, order, plan, outcome)
            self._execute(symbol, order, plan, outcome)
        if order.left and order.time_in_force == "GTC" and order.ticks:
            self._rest(order)
        elif order.left or not order.lots:
            self._end(symbol, order, status.EXPIRED, outcome)
        return outcome

    def cancel(self, order: Order, now_ms: int) -> Outcome:
        """Take a resting order out and give its money back."""
        outcome = Outcome(order.symbol, now_ms)
        self._unrest(order)
        self._end(self.symbols[order.symbol], order, status.CANCELED, outcome)
        return outcome

    def admit(self, order: Order) -> Plan:
        """Whom the order would meet. Raises ApiError when it must be refused. Changes nothing."""
        symbol = self.symbols[order.symbol]
        if symbol.status != TRADING:
            raise errors.market_closed()
        last = self.last_ticks[symbol.name]
        filters.check_price(order, last)
        filters.check_notional(symbol, order, last)
        filters.check_order_count(len(self.open_orders(order.account, order.symbol)))
        if (order.account, order.symbol, order.client_id) in self._open_by_client:
            raise errors.duplicate_order()
        plan = self._plan(symbol, order)
        if order.type == "LIMIT_MAKER" and self.books[symbol.name].next_maker(order.side, order.ticks):
            raise errors.would_match()
        self._check_funds(symbol, order, plan)
        if order.quote_budget and not plan and self.books[symbol.name].next_maker(order.side, 0):
            raise errors.filter_failure("LOT_SIZE")  # the budget doesn't buy a single lot
        return plan

    def _check_funds(self, symbol: Symbol, order: Order, plan: Plan) -> None:
        if order.ticks:
            asset, amount = filters.needed(symbol, order)
        elif order.side == BUY:
            asset, amount = symbol.quote, sum((symbol.value(m.ticks, lots) for m, lots in plan), Decimal(0))
            amount = max(amount, order.quote_budget)
        else:
            asset = symbol.base
            amount = symbol.quantity(max(order.lots, sum(lots for _, lots in plan)))
        if self.accounts.balance(order.account, asset).free < amount:
            raise errors.insufficient_balance()

    def _plan(self, symbol: Symbol, order: Order) -> Plan:
        """Who would be met and for how many lots; an account's own orders are passed over."""
        plan: Plan = []
        left, budget = order.lots, order.quote_budget
        for maker in self.books[order.symbol].makers(order.side, order.ticks):
            if maker.account == order.account:
                continue
            lots = min(maker.left, left)
            if order.quote_budget:
                lots = min(maker.left, int(budget // symbol.value(maker.ticks, 1)))
                budget -= symbol.value(maker.ticks, lots)
            if not lots:
                break
            plan.append((maker, lots))
            left -= lots
        return plan

    # the market maker: unlimited credit, no fees, not stored

    def clear_quotes(self, name: str) -> None:
        """Withdraw the market maker's orders."""
        book = self.books[name]
        for order in self._quotes[name]:
            if order.is_open:
                book.remove(order)
        self._quotes[name] = []

    def take(self, name: str, side: str, ticks: int, lots: int, now_ms: int) -> Outcome:
        """The market trades up (or down) to a price: resting orders there or better are filled, the rest forgotten."""
        outcome = Outcome(name, now_ms)
        order = self._house_order(name, side, ticks, lots)
        self._execute(self.symbols[name], order, self._plan(self.symbols[name], order), outcome)
        return outcome

    def quote(self, name: str, side: str, levels: Iterable[tuple[int, int]], now_ms: int) -> Outcome:
        """Place the market maker's orders as (ticks, lots), best first; one that crosses a customer's trades first."""
        outcome = Outcome(name, now_ms)
        book, symbol = self.books[name], self.symbols[name]
        for ticks, lots in levels:
            order = self._house_order(name, side, ticks, lots)
            if book.next_maker(side, ticks):
                self._execute(symbol, order, self._plan(symbol, order), outcome)
            if order.left:
                book.add(order)
                self._quotes[name].append(order)
        return outcome

    def print_trade(self, ticks: int, lots: int, buyer_is_maker: bool) -> Print:
        """A trade between two other market participants: a number on the tape."""
        trade_id, self.next_trade_id = self.next_trade_id, self.next_trade_id + 1
        return Print(trade_id, ticks, lots, buyer_is_maker)

    @staticmethod
    def _house_order(name: str, side: str, ticks: int, lots: int) -> Order:
        return Order(0, MARKET_MAKER, name, "", side, "LIMIT", "GTC", ticks, lots, 0)

    # fills

    def _execute(self, symbol: Symbol, taker: Order, plan: Plan, outcome: Outcome) -> None:
        for maker, lots in plan:
            self._fill(symbol, taker, maker, lots, outcome)

    def _expire_own(self, symbol: Symbol, taker: Order, plan: Plan, outcome: Outcome) -> None:
        """Self-trade prevention EXPIRE_MAKER: own orders that the taker would have met end."""
        complete = bool(plan) and sum(lots for _, lots in plan) == taker.lots
        reach = plan[-1][0].ticks if complete else taker.ticks
        met = [o for o in self.books[symbol.name].makers(taker.side, reach) if o.account == taker.account]
        for order in met:
            self._unrest(order)
            self._end(symbol, order, status.EXPIRED_IN_MATCH, outcome)

    def _fill(self, symbol: Symbol, taker: Order, maker: Order, lots: int, outcome: Outcome) -> None:
        trade = self.print_trade(maker.ticks, lots, taker.side == SELL)
        outcome.prints.append(trade)
        quote, quantity = symbol.value(maker.ticks, lots), symbol.quantity(lots)
        buyer, seller = (taker, maker) if taker.side == BUY else (maker, taker)
        base_fee = self._commission(buyer, quantity, buyer is maker)
        quote_fee = self._commission(seller, quote, seller is maker)
        self._pay(symbol.quote, buyer, seller, quote, quote_fee)
        self._pay(symbol.base, seller, buyer, quantity, base_fee)
        if buyer.ticks and buyer.account != MARKET_MAKER:
            self.accounts.unlock(buyer.account, symbol.quote, symbol.value(buyer.ticks, lots) - quote)
        for order in (maker, taker):
            order.filled_lots += lots
            order.filled_quote += quote
            order.updated_ms = outcome.now_ms
            order.status = status.PARTIALLY_FILLED if order.left else status.FILLED
        if maker.left:
            self.books[symbol.name].filled()
        else:
            self._unrest(maker)
        for order in (maker, taker):
            if order.account != MARKET_MAKER:
                fee, asset = (base_fee, symbol.base) if order is buyer else (quote_fee, symbol.quote)
                owner = (trade.id, order.id, order.account, order.symbol, order.side)
                money = (symbol.price(maker.ticks), quantity, quote, fee, asset)
                self._report(outcome, "TRADE", order, Fill(*owner, *money, outcome.now_ms, order is maker))

    def _commission(self, receiver: Order, amount: Decimal, is_maker: bool) -> Decimal:
        if receiver.account == MARKET_MAKER:
            return Decimal(0)
        return (amount * self._fees[is_maker]).quantize(COMMISSION_STEP, ROUND_DOWN)

    def _pay(self, asset: str, giver: Order, receiver: Order, amount: Decimal, fee: Decimal) -> None:
        """`amount` leaves the giver; the receiver gets it less its fee."""
        locked = giver.ticks and giver.account != MARKET_MAKER
        move = self.accounts.move_locked if locked else self.accounts.move_free
        move(giver.account, receiver.account, asset, amount - fee)
        if fee:
            move(giver.account, FEES, asset, fee)

    # bookkeeping

    def _rest(self, order: Order) -> None:
        self.books[order.symbol].add(order)
        self._open[order.id] = order
        self._open_by_client[order.account, order.symbol, order.client_id] = order

    def _unrest(self, order: Order) -> None:
        self.books[order.symbol].remove(order)
        if order.account != MARKET_MAKER:
            del self._open[order.id]
            del self._open_by_client[order.account, order.symbol, order.client_id]

    def _end(self, symbol: Symbol, order: Order, how: str, outcome: Outcome) -> None:
        if order.ticks:
            self.accounts.unlock(order.account, *filters.needed(symbol, order))
        order.status = how
        order.updated_ms = outcome.now_ms
        self._report(outcome, "CANCELED" if how == status.CANCELED else "EXPIRED", order)

    @staticmethod
    def _report(outcome: Outcome, kind: str, order: Order, fill: Fill | None = None) -> None:
        outcome.reports.append(Report(kind, copy.copy(order), fill))
