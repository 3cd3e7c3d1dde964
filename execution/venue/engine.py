"""The matching engine: takes an order, matches it by price and time, settles every fill exactly, and says what
happened. No I/O: whoever calls it stores the outcome before anybody hears of it."""

from collections.abc import Iterable
from decimal import Decimal

from execution.venue import admission, errors, filters
from execution.venue import book as status
from execution.venue.accounts import MARKET_MAKER, Accounts
from execution.venue.book import SELL, Order, OrderBook, house_order
from execution.venue.open_orders import OpenOrders
from execution.venue.order_list import OrderList
from execution.venue.outcome import Fill, ListState, Outcome, Print, Report
from execution.venue.plan import Meeting, Plan, make_plan
from execution.venue.prevention import lose, recorded
from execution.venue.settlement import Settlement
from execution.venue.stops import StopBook
from execution.venue.symbols import Symbol

__all__ = ["Engine", "Fill", "Outcome", "Print", "Report"]


class Engine:
    """Books, accounts and open orders. Every public call either refuses with ApiError and changes nothing, or works."""

    def __init__(self, symbols: Iterable[Symbol], accounts: Accounts, taker_fee: Decimal, maker_fee: Decimal) -> None:
        self.symbols = {symbol.name: symbol for symbol in symbols}
        self.books = {name: OrderBook() for name in self.symbols}
        self.stops = {name: StopBook() for name in self.symbols}
        self.last_ticks = dict.fromkeys(self.symbols, 0)
        self.accounts = accounts
        self.settlement = Settlement(accounts, self.symbols, self.last_ticks, taker_fee, maker_fee)
        self.open = OpenOrders()
        self.next_order_id = 1
        self.next_trade_ids = dict.fromkeys(self.symbols, 1)
        self.next_list_id = 1
        self.next_match_id = 1
        self._quotes: dict[str, list[Order]] = {name: [] for name in self.symbols}

    def open_orders(self, account: str, symbol: str | None = None) -> list[Order]:
        """An account's resting and waiting orders, oldest first."""
        return self.open.of(account, symbol)

    def find_open(self, account: str, symbol: str, order_id: int | None, client_id: str | None) -> Order | None:
        """One open order by either id (both must fit when both are given)."""
        return self.open.find(account, symbol, order_id, client_id)

    def restore(self, order: Order) -> None:
        """Put a stored open order back into its book. Its money is already locked in the stored balances."""
        self._rest(order)

    def restore_list(self, state: ListState, legs: tuple[Order, Order]) -> None:
        """Tie two restored orders together again."""
        self.open.add_list(OrderList(state, legs))

    # customers

    def submit(self, order: Order, now_ms: int) -> Outcome:
        """Match a new order, or let it wait for its stop price. Raises ApiError when it is refused; then nothing has
        changed."""
        plan = self.admit(order)
        outcome = Outcome(order.symbol, now_ms)
        self._take_in(order, outcome)
        if order.has_locked:
            self.accounts.lock(order.account, *filters.needed(self.symbols[order.symbol], order))
        outcome.report("NEW", order)
        if order.waiting:
            self._rest(order)
        else:
            self._match(order, plan, outcome)
            self._set_off(outcome)
        return outcome

    def submit_list(self, client_id: str, legs: tuple[Order, Order], now_ms: int) -> Outcome:
        """Take in two orders of which one cancels the other (OCO). Raises ApiError; then nothing has changed."""
        first = legs[0]
        symbol = self.symbols[first.symbol]
        admission.check_pair(legs, self.last_ticks[symbol.name])
        for order in legs:
            self._admit(order, count=len(legs))
        if self.open.find_list(first.account, None, client_id) or legs[0].client_id == legs[1].client_id:
            raise errors.duplicate_order()
        asset, amount = max(filters.needed(symbol, order) for order in legs)
        admission.check_funds(self.accounts, first.account, asset, amount)
        outcome = Outcome(first.symbol, now_ms)
        self.accounts.lock(first.account, asset, amount)
        list_id, self.next_list_id = self.next_list_id, self.next_list_id + 1
        for order in legs:
            self._take_in(order, outcome)
            order.list_id = list_id
            outcome.report("NEW", order)
            self._rest(order)
        pair = OrderList.of(list_id, client_id, legs, now_ms)
        self.open.add_list(pair)
        outcome.lists.append(pair.state)
        return outcome

    def cancel(self, order: Order, now_ms: int, how: str = status.CANCELED) -> Outcome:
        """Take a resting or waiting order out and give its money back; the other order of its list goes with it."""
        outcome = Outcome(order.symbol, now_ms)
        self._dissolve(order, how, outcome)
        self._unrest(order)
        self._end(order, how, outcome)
        return outcome

    def admit(self, order: Order) -> Plan:
        """Whom the order would meet. Raises ApiError when it must be refused. Changes nothing."""
        self._admit(order, count=1)
        symbol, book = self.symbols[order.symbol], self.books[order.symbol]
        plan = Plan() if order.waiting else make_plan(symbol, book, order)
        asset, amount = admission.cost(symbol, order, plan)
        admission.check_funds(self.accounts, order.account, asset, amount)
        admission.check_budget(symbol, book, order, plan)
        return plan

    def _admit(self, order: Order, count: int) -> None:
        symbol, last = self.symbols[order.symbol], self.last_ticks[order.symbol]
        admission.check_rules(symbol, order, last)
        admission.check_counts(order, self.open.of(order.account, order.symbol), count)
        if self.open.find(order.account, order.symbol, None, order.client_id) is not None:
            raise errors.duplicate_order()
        if order.type == "LIMIT_MAKER" and self.books[symbol.name].next_maker(order.side, order.ticks):
            raise errors.would_match()
        if order.waiting and last and order.is_reached_by(last):
            raise errors.would_trigger()

    def _take_in(self, order: Order, outcome: Outcome) -> None:
        order.id, self.next_order_id = self.next_order_id, self.next_order_id + 1
        order.updated_ms = outcome.now_ms
        order.working_ms = status.NOT_WORKING if order.waiting else outcome.now_ms

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
        order = house_order(MARKET_MAKER, name, side, ticks, lots)
        self._execute(order, make_plan(self.symbols[name], self.books[name], order), outcome)
        return outcome

    def quote(self, name: str, side: str, levels: Iterable[tuple[int, int]], now_ms: int) -> Outcome:
        """Place the market maker's orders as (ticks, lots), best first; one that crosses a customer's trades first."""
        outcome = Outcome(name, now_ms)
        book, symbol = self.books[name], self.symbols[name]
        for ticks, lots in levels:
            order = house_order(MARKET_MAKER, name, side, ticks, lots)
            if book.next_maker(side, ticks):
                self._execute(order, make_plan(symbol, book, order), outcome)
            if order.left:
                book.add(order)
                self._quotes[name].append(order)
        return outcome

    def trigger(self, name: str, now_ms: int) -> Outcome:
        """The market has traded at its last price: the stop orders that this sets off go to work."""
        outcome = Outcome(name, now_ms)
        self._wake(self.last_ticks[name], outcome)
        self._set_off(outcome)
        return outcome

    def print_trade(self, name: str, ticks: int, lots: int, buyer_is_maker: bool) -> Print:
        """A trade between two other market participants: the symbol's next number on the tape."""
        trade_id, self.next_trade_ids[name] = self.next_trade_ids[name], self.next_trade_ids[name] + 1
        return Print(trade_id, ticks, lots, buyer_is_maker)

    # matching

    def _match(self, order: Order, plan: Plan, outcome: Outcome) -> None:
        """Trade as planned; what is left rests or ends."""
        if order.quote_budget:
            order.lots = plan.lots + plan.lost
        if order.time_in_force != "FOK" or plan.lots == order.left:
            self._execute(order, plan, outcome)
        elif plan.blocked:
            self._prevent(order, plan.meetings[-1]._replace(maker_loses=0, taker_loses=order.left), outcome)
        if order.left and order.time_in_force == "GTC" and order.ticks:
            self._rest(order)
        elif order.is_open and (order.left or not order.lots):
            self._end(order, status.EXPIRED, outcome)

    def _set_off(self, outcome: Outcome) -> None:
        """Every trade may set stop orders off, whose trades may set off others."""
        seen = 0
        while seen < len(outcome.prints):
            self._wake(outcome.prints[seen].ticks, outcome)
            seen += 1

    def _wake(self, ticks: int, outcome: Outcome) -> None:
        for order in self.stops[outcome.symbol].due(ticks):
            if order.waiting and order.is_open:  # an earlier one may have ended it
                self._work(order, outcome)

    def _work(self, order: Order, outcome: Outcome) -> None:
        """A stop order's price has come: from now on it is the limit or market order it stands for."""
        symbol = self.symbols[order.symbol]
        self._dissolve(order, status.EXPIRED, outcome)
        self._unrest(order)
        if not order.ticks:
            self.accounts.unlock(order.account, *filters.needed(symbol, order))
        order.waiting = False
        order.working_ms = order.updated_ms = outcome.now_ms
        outcome.report("NEW", order)
        plan = make_plan(symbol, self.books[order.symbol], order)
        asset, amount = admission.cost(symbol, order, plan)
        if not order.ticks and self.accounts.balance(order.account, asset).free < amount:
            self._end(order, status.EXPIRED, outcome)  # the price has gone through the stop by more than there is
        else:
            self._match(order, plan, outcome)

    def _execute(self, taker: Order, plan: Plan, outcome: Outcome) -> None:
        symbol = self.symbols[taker.symbol]
        for meeting in plan.meetings:
            if meeting.lots:
                self._dissolve(meeting.maker, status.EXPIRED, outcome)
                self._fill(symbol, taker, meeting.maker, meeting.lots, outcome)
            else:
                self._prevent(taker, meeting, outcome)

    def _prevent(self, taker: Order, meeting: Meeting, outcome: Outcome) -> None:
        """The two don't trade: each loses what the plan says, and ends when that is all it had left."""
        symbol, maker = self.symbols[taker.symbol], meeting.maker
        prevented = recorded(self.next_match_id, symbol, taker, meeting, outcome)
        self.next_match_id += 1
        for order, lots in ((maker, meeting.maker_loses), (taker, meeting.taker_loses)):
            if lots:
                self._dissolve(order, status.EXPIRED, outcome)
                lose(self.accounts, symbol, order, lots, prevented)
                if order is maker:
                    self.books[symbol.name].taken(order, lots) if order.left else self._unrest(order)
                outcome.report("TRADE_PREVENTION", order, prevented=prevented)

    def _fill(self, symbol: Symbol, taker: Order, maker: Order, lots: int, outcome: Outcome) -> None:
        trade = self.print_trade(symbol.name, maker.ticks, lots, taker.side == SELL)
        outcome.prints.append(trade)
        buyers_fee, sellers_fee = self.settlement.settle(symbol, taker, maker, lots)
        price, quantity = symbol.price(maker.ticks), symbol.quantity(lots)
        quote = price * quantity
        for order in (maker, taker):
            order.filled_lots += lots
            order.filled_quote += quote
            order.updated_ms = outcome.now_ms
            order.status = status.PARTIALLY_FILLED if order.left else status.FILLED
        if maker.left:
            self.books[symbol.name].taken(maker, lots)
        else:
            self._unrest(maker)
        for order in (maker, taker):
            if order.account != MARKET_MAKER:
                fee = sellers_fee if order.side == SELL else buyers_fee
                owner = (trade.id, order.id, order.account, order.symbol, order.side)
                fill = Fill(*owner, price, quantity, quote, *fee, outcome.now_ms, order is maker, order.list_id)
                outcome.report("TRADE", order, fill)

    # bookkeeping

    def _dissolve(self, order: Order, how: str, outcome: Outcome) -> None:
        """One order of a list acts or ends: the other ends, and the money they shared is this one's alone."""
        pair = self.open.take_list(order.list_id)
        if pair is None:
            return
        symbol, other = self.symbols[order.symbol], pair.other(order)
        asset, amount = filters.needed(symbol, order)
        shared = max(amount, filters.needed(symbol, other)[1])
        self.accounts.unlock(order.account, asset, shared - amount)
        self._unrest(other)
        other.status = how
        other.updated_ms = outcome.now_ms
        outcome.report("CANCELED" if how == status.CANCELED else "EXPIRED", other)
        outcome.lists.append(pair.ended(outcome.now_ms))

    def _rest(self, order: Order) -> None:
        if order.waiting:
            self.stops[order.symbol].add(order)
        else:
            self.books[order.symbol].add(order)
        self.open.add(order)

    def _unrest(self, order: Order) -> None:
        if order.waiting:
            self.stops[order.symbol].remove(order)
        else:
            self.books[order.symbol].remove(order)
        if order.account != MARKET_MAKER:
            self.open.remove(order)

    def _end(self, order: Order, how: str, outcome: Outcome) -> None:
        if order.has_locked:
            self.accounts.unlock(order.account, *filters.needed(self.symbols[order.symbol], order))
        order.status = how
        order.updated_ms = outcome.now_ms
        outcome.report("CANCELED" if how == status.CANCELED else "EXPIRED", order)
