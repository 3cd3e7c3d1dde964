"""What an authenticated client can ask about order lists (OCO): place, cancel, look up. One function per request, the
same for REST and for the WebSocket API. No sockets."""

from secrets import token_hex

from execution.runtime.clock import Clock
from execution.venue import errors, shapes
from execution.venue.auth import Window
from execution.venue.book import Order
from execution.venue.exchange import Exchange
from execution.venue.limits import RateLimits
from execution.venue.list_entry import PAIR_PARAMETERS, STOP_PARAMETERS, read_limit_and_stop, read_pair
from execution.venue.parameters import CLIENT_ID_FORM, Parameters, read_page
from execution.venue.replies import cancelled

Values = dict[str, str]
CANCEL = frozenset(("symbol", "orderListId", "listClientOrderId", "newClientOrderId"))
QUERY = frozenset(("orderListId", "origClientOrderId"))
HISTORY = frozenset(("fromId", "startTime", "endTime", "limit"))


class ListTrading:
    """The requests. Each takes the account, its parameters and the request's time window; raises ApiError."""

    def __init__(self, exchange: Exchange, limits: RateLimits, clock: Clock) -> None:
        self._exchange = exchange
        self._limits = limits
        self._clock = clock

    def place_pair(self, account: str, values: Values, window: Window) -> object:
        """POST orderList/oco: an order above the market and one below, of which one cancels the other."""
        parameters = Parameters(values, PAIR_PARAMETERS)
        now_ms = self._counted(account)
        client_id, legs = read_pair(parameters, self._exchange.symbols, account, now_ms)
        return self._placed(client_id, legs, values, window, now_ms)

    def place_limit_and_stop(self, account: str, values: Values, window: Window) -> object:
        """POST order/oco: the same in its older form."""
        parameters = Parameters(values, STOP_PARAMETERS)
        now_ms = self._counted(account)
        client_id, legs = read_limit_and_stop(parameters, self._exchange.symbols, account, now_ms)
        return self._placed(client_id, legs, values, window, now_ms)

    def _counted(self, account: str) -> int:
        now_ms = self._clock.now_ms()
        self._limits.count_order(account, now_ms)
        self._limits.count_order(account, now_ms)
        return now_ms

    def _placed(
        self, client_id: str, legs: tuple[Order, Order], values: Values, window: Window, now_ms: int
    ) -> shapes.Json:
        outcome = self._exchange.place_list(client_id, legs, now_ms, lambda: window.check(self._clock.now_ms()))
        kind = values.get("newOrderRespType", "RESULT")
        records = [self._exchange.record(report.order) for report in outcome.reports]
        return shapes.list_reply(outcome.lists[0], [shapes.order_reply(record, [], kind) for record in records])

    def cancel_list(self, account: str, values: Values, window: Window) -> object:
        """DELETE orderList: both orders."""
        parameters = Parameters(values, CANCEL)
        symbol = parameters.symbol(self._exchange.symbols)
        list_id, client_id = _ids(parameters, "listClientOrderId")
        cancel_id = parameters.text("newClientOrderId", CLIENT_ID_FORM) or token_hex(11)
        pair = self._exchange.engine.open.find_list(account, list_id, client_id)
        window.check(self._clock.now_ms())
        if pair is None or pair.state.symbol != symbol:
            raise errors.unknown_order_to_cancel()
        (outcome,) = self._exchange.cancel([pair.legs[0]], self._clock.now_ms())
        return cancelled(self._exchange, outcome, cancel_id)

    def query_list(self, account: str, values: Values, window: Window) -> object:
        """GET orderList by orderListId or origClientOrderId."""
        found = self._exchange.store.order_list(account, *_ids(Parameters(values, QUERY), "origClientOrderId"))
        if found is None:
            raise errors.no_such_list()
        return shapes.order_list(found)

    def all_lists(self, account: str, values: Values, window: Window) -> object:
        """GET allOrderList."""
        parameters = Parameters(values, HISTORY)
        from_id = parameters.integer("fromId")
        if from_id is not None and ("startTime" in parameters or "endTime" in parameters):
            raise errors.bad_combination()
        page = read_page(parameters, from_id)
        return [shapes.order_list(state) for state in self._exchange.store.order_lists_of(account, page)]

    def open_lists(self, account: str, values: Values, window: Window) -> object:
        """GET openOrderList."""
        Parameters(values, ())
        return [shapes.order_list(pair.state) for pair in self._exchange.engine.open.lists(account)]


def _ids(parameters: Parameters, client_name: str) -> tuple[int | None, str | None]:
    list_id, client_id = parameters.integer("orderListId"), parameters.text(client_name, CLIENT_ID_FORM)
    if list_id is None and client_id is None:
        text = f"Param '{client_name}' or 'orderListId' must be sent, but both were empty/null!"
        raise errors.ApiError(-1102, text)
    return list_id, client_id
