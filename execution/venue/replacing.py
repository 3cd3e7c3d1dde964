"""Cancel an order and place another in one request (order/cancelReplace). One commit holds both; what was done and what
wasn't is in the reply, as Binance gives it. No sockets."""

from secrets import token_hex

from execution.runtime.clock import Clock
from execution.venue import errors
from execution.venue.auth import Window
from execution.venue.book import NEW, PARTIALLY_FILLED, Order
from execution.venue.exchange import Exchange
from execution.venue.limits import RateLimits
from execution.venue.order_entry import ORDER_PARAMETERS, read_order
from execution.venue.parameters import CLIENT_ID_FORM, Parameters
from execution.venue.replies import cancelled, placed

Values = dict[str, str]
MODES = ("STOP_ON_FAILURE", "ALLOW_FAILURE")
RESTRICTIONS = {"ONLY_NEW": NEW, "ONLY_PARTIALLY_FILLED": PARTIALLY_FILLED}
REPLACE = ORDER_PARAMETERS | {
    *("cancelReplaceMode", "cancelNewClientOrderId", "cancelOrigClientOrderId", "cancelOrderId"),
    *("cancelRestrictions", "orderRateLimitExceededMode"),
}


class Replacing:
    """The request. It takes the account, its parameters and the request's time window; raises ApiError."""

    def __init__(self, exchange: Exchange, limits: RateLimits, clock: Clock) -> None:
        self._exchange = exchange
        self._limits = limits
        self._clock = clock

    def replace_order(self, account: str, values: Values, window: Window) -> object:
        """POST order/cancelReplace. What is wrong with the request itself is refused before anything is cancelled."""
        parameters = Parameters(values, REPLACE)
        parameters.required("cancelReplaceMode")
        refusal = errors.illegal_characters("cancelReplaceMode", "|".join(MODES))
        must_cancel = parameters.choice("cancelReplaceMode", MODES, refusal) == MODES[0]
        now_ms = self._clock.now_ms()
        self._limits.count_order(account, now_ms)
        order = read_order(parameters, self._exchange.symbols, account, now_ms)
        cancel_id = parameters.text("cancelNewClientOrderId", CLIENT_ID_FORM) or token_hex(11)
        gone = self._to_cancel(account, parameters, order.symbol)
        if isinstance(gone, errors.ApiError) and must_cancel:
            window.check(self._clock.now_ms())
            raise errors.replacing_failed(_result("FAILURE", "NOT_ATTEMPTED", gone.body(), None), partly=False)
        found = gone if isinstance(gone, Order) else None
        outcome, reports = self._exchange.replace(found, order, now_ms, lambda: window.check(self._clock.now_ms()))
        if isinstance(gone, errors.ApiError):
            cancel, cancel_body = "FAILURE", gone.body()
        else:
            assert outcome is not None, "a found order is cancelled"
            cancel, cancel_body = "SUCCESS", cancelled(self._exchange, outcome, cancel_id)
        if isinstance(reports, errors.ApiError):
            data = _result(cancel, "FAILURE", cancel_body, reports.body())
            raise errors.replacing_failed(data, partly=cancel == "SUCCESS")
        reply = placed(self._exchange, reports, values)
        data = _result(cancel, "SUCCESS", cancel_body, reply)
        if cancel == "FAILURE":
            raise errors.replacing_failed(data, partly=True)
        return data

    def _to_cancel(self, account: str, parameters: Parameters, symbol: str) -> Order | errors.ApiError:
        order_id = parameters.integer("cancelOrderId")
        client_id = parameters.text("cancelOrigClientOrderId", CLIENT_ID_FORM)
        if order_id is None and client_id is None:
            text = "Param 'cancelOrigClientOrderId' or 'cancelOrderId' must be sent, but both were empty/null!"
            raise errors.ApiError(-1102, text)
        found = self._exchange.engine.find_open(account, symbol, order_id, client_id)
        if found is None:
            return errors.unknown_order_to_cancel()
        return found if may_cancel(parameters, found) else errors.restricted_cancel()


def may_cancel(parameters: Parameters, order: Order) -> bool:
    """Has the order the status that `cancelRestrictions` asks for? Raises -1145."""
    only = parameters.choice("cancelRestrictions", tuple(RESTRICTIONS), errors.invalid_restriction())
    return only is None or order.status == RESTRICTIONS[only]


def _result(cancel: str, new: str, cancel_body: object, new_body: object) -> dict[str, object]:
    return {
        "cancelResult": cancel,
        "newOrderResult": new,
        "cancelResponse": cancel_body,
        "newOrderResponse": new_body,
    }
