"""What an authenticated client can ask of its account: orders, cancels, look-ups, balances. One function per request,
the same for REST and for the WebSocket API. No sockets."""

from collections.abc import Callable, Sequence
from secrets import token_hex

from execution.runtime.clock import Clock
from execution.venue import errors, shapes
from execution.venue.archive import is_archived
from execution.venue.auth import Window
from execution.venue.book import Order
from execution.venue.exchange import Exchange
from execution.venue.limits import RateLimits, order_limits
from execution.venue.list_trading import ListTrading
from execution.venue.order_entry import ORDER_PARAMETERS, TEST_PARAMETERS, read_order
from execution.venue.parameters import CLIENT_ID_FORM, Parameters, read_page
from execution.venue.replacing import Replacing, may_cancel
from execution.venue.replies import cancelled, placed

Values = dict[str, str]
LOOK_UP = frozenset(("symbol", "orderId", "origClientOrderId"))
CANCEL = LOOK_UP | {"newClientOrderId", "cancelRestrictions"}
HISTORY = frozenset(("symbol", "orderId", "startTime", "endTime", "limit"))


class Trading:
    """The requests. Each takes the account, its parameters and the request's time window; raises ApiError."""

    def __init__(self, exchange: Exchange, limits: RateLimits, clock: Clock) -> None:
        self._exchange = exchange
        self._limits = limits
        self._clock = clock
        self.lists = ListTrading(exchange, limits, clock)
        self.replacing = Replacing(exchange, limits, clock)

    def place_order(self, account: str, values: Values, window: Window) -> object:
        """POST order. The window is checked again right before matching, so a delayed request never executes late."""
        parameters = Parameters(values, ORDER_PARAMETERS)
        now_ms = self._clock.now_ms()
        self._limits.count_order(account, now_ms)
        order = read_order(parameters, self._exchange.symbols, account, now_ms)
        reports = self._exchange.place(order, now_ms, lambda: window.check(self._clock.now_ms()))
        return placed(self._exchange, reports, values)

    def test_order(self, account: str, values: Values, window: Window) -> object:
        """POST order/test: every check, no order."""
        parameters = Parameters(values, TEST_PARAMETERS)
        order = read_order(parameters, self._exchange.symbols, account, self._clock.now_ms())
        wanted = parameters.flag("computeCommissionRates")
        self._exchange.test(order)
        in_bnb = account in self._exchange.engine.settlement.pay_in_bnb
        return shapes.commission_for_order(self._exchange.fees, in_bnb) if wanted else {}

    def query_order(self, account: str, values: Values, window: Window) -> object:
        """GET order by orderId or origClientOrderId; the newest when an id was used more than once."""
        symbol, order_id, client_id = self._ids(Parameters(values, LOOK_UP))
        found = self._exchange.store.order(account, symbol, order_id, client_id)
        if found is None:
            raise errors.no_such_order()
        reply = shapes.order_state(found)
        if is_archived(reply, self._clock.now_ms()):
            raise errors.archived_order()
        return reply

    def cancel_order(self, account: str, values: Values, window: Window) -> object:
        """DELETE order."""
        parameters = Parameters(values, CANCEL)
        symbol, order_id, client_id = self._ids(parameters)
        cancel_id = parameters.text("newClientOrderId", CLIENT_ID_FORM) or token_hex(11)
        order = self._exchange.engine.find_open(account, symbol, order_id, client_id)
        window.check(self._clock.now_ms())
        if order is None:
            raise errors.unknown_order_to_cancel()
        if not may_cancel(parameters, order):
            raise errors.restricted_cancel()
        return self._cancel([order], cancel_id)[0]

    def _ids(self, parameters: Parameters) -> tuple[str, int | None, str | None]:
        symbol = parameters.symbol(self._exchange.symbols)
        order_id = parameters.integer("orderId")
        client_id = parameters.text("origClientOrderId", CLIENT_ID_FORM)
        if order_id is None and client_id is None:
            text = "Param 'origClientOrderId' or 'orderId' must be sent, but both were empty/null!"
            raise errors.ApiError(-1102, text)
        return symbol, order_id, client_id

    def open_orders(self, account: str, values: Values, window: Window) -> object:
        """GET openOrders, of one symbol or of all."""
        orders = self._open(account, Parameters(values, ("symbol",)))
        return [shapes.order_state(self._exchange.record(order)) for order in orders]

    def cancel_all(self, account: str, values: Values, window: Window) -> object:
        """DELETE openOrders of one symbol, all in one commit."""
        parameters = Parameters(values, ("symbol",))
        parameters.required("symbol")
        orders = self._open(account, parameters)
        window.check(self._clock.now_ms())
        if not orders:
            raise errors.unknown_order_to_cancel()
        return self._cancel(orders, token_hex(11))

    def _cancel(self, orders: Sequence[Order], cancel_id: str) -> list[shapes.Json]:
        """Cancel, all in one commit; one reply for each order, one for each order list."""
        outcomes = self._exchange.cancel(orders, self._clock.now_ms())
        return [cancelled(self._exchange, outcome, cancel_id) for outcome in outcomes]

    def _open(self, account: str, parameters: Parameters) -> list[Order]:
        symbol = parameters.symbol(self._exchange.symbols) if "symbol" in parameters else None
        return self._exchange.engine.open_orders(account, symbol)

    def all_orders(self, account: str, values: Values, window: Window) -> object:
        """GET allOrders of a symbol."""
        parameters = Parameters(values, HISTORY)
        symbol = parameters.symbol(self._exchange.symbols)
        page = read_page(parameters, parameters.integer("orderId"))
        return [shapes.order_state(order) for order in self._exchange.store.orders(account, symbol, page)]

    def my_trades(self, account: str, values: Values, window: Window) -> object:
        """GET myTrades of a symbol. Raises -1128 for combinations that Binance refuses."""
        parameters = Parameters(values, HISTORY | {"fromId"})
        symbol = parameters.symbol(self._exchange.symbols)
        from_id, order_id = parameters.integer("fromId"), parameters.integer("orderId")
        timed = "startTime" in parameters or "endTime" in parameters
        if timed and (from_id is not None or order_id is not None):
            raise errors.bad_combination()
        page = read_page(parameters, from_id)._replace(order_id=order_id)
        return [shapes.my_trade(fill) for fill in self._exchange.store.fills(account, symbol, page)]

    def account(self, account: str, values: Values, window: Window) -> object:
        """GET account."""
        omit_zero = Parameters(values, ("omitZeroBalances",)).flag("omitZeroBalances")
        balances = self._exchange.engine.accounts.balances(account)
        uid = self._exchange.accounts.index(account) + 1
        return shapes.account(balances, self._exchange.fees, uid, self._clock.now_ms(), omit_zero)

    def order_rate(self, account: str, values: Values, window: Window) -> object:
        """GET rateLimit/order."""
        Parameters(values, ())
        counts = self._limits.order_counts(account, self._clock.now_ms())
        return [limit | {"count": count} for limit, count in zip(order_limits(), counts, strict=True)]

    def trade_fee(self, account: str, values: Values, window: Window) -> object:
        """GET sapi/v1/asset/tradeFee."""
        names = Parameters(values, ("symbol",)).symbol_list(self._exchange.symbols) or list(self._exchange.symbols)
        taker, maker = (str(fee) for fee in self._exchange.fees)
        return [{"symbol": name, "makerCommission": maker, "takerCommission": taker} for name in names]

    def fee_wish(self, account: str, values: Values, window: Window) -> object:
        """GET and POST sapi/v1/bnbBurn: does the account pay its fees in BNB?"""
        parameters = Parameters(values, ("spotBNBBurn", "interestBNBBurn"))
        if "spotBNBBurn" in parameters:
            self._exchange.pay_fees_in_bnb(account, parameters.flag("spotBNBBurn"))
        wish = account in self._exchange.engine.settlement.pay_in_bnb
        return {"spotBNBBurn": wish, "interestBNBBurn": False}


Request = Callable[[str, Values, Window], object]
