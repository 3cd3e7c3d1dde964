"""What the venue refuses, with Binance's own codes and HTTP statuses. Clients decide by these numbers, so they are
an interface. This module only names the refusals; it doesn't decide when they apply."""


class ApiError(Exception):
    """A refusal for the client: Binance code, message and HTTP status. Never a fault of the venue."""

    def __init__(
        self,
        code: int,
        message: str,
        status: int = 400,
        retry_after_s: int | None = None,
        data: dict[str, object] | None = None,
    ) -> None:
        super().__init__(f"{code} {message}")
        self.code = code
        self.message = message
        self.status = status
        self.retry_after_s = retry_after_s
        self.data = data

    def body(self) -> dict[str, object]:
        """The JSON a REST client reads."""
        body: dict[str, object] = {"code": self.code, "msg": self.message}
        return body if self.data is None else body | {"data": self.data}


def unknown_outcome() -> ApiError:
    """The store failed half-way: the client must ask what became of its order."""
    return ApiError(-1006, "An unexpected response was received from the message bus. Execution status unknown.", 503)


def too_many_requests(limit: int, retry_after_s: int) -> ApiError:
    """More weight than a minute allows."""
    text = f"Too much request weight used; current limit is {limit} request weight per 1 MINUTE."
    return ApiError(-1003, text, 429, retry_after_s)


def too_many(limit: int, what: str, retry_after_s: int) -> ApiError:
    """More requests or connections than five minutes allow."""
    return ApiError(-1003, f"Too many requests; current limit is {limit} {what} per 5 MINUTE.", 429, retry_after_s)


def banned(retry_after_s: int, until_ms: int) -> ApiError:
    """The address went on asking after it was told to stop."""
    text = (
        f"Way too much request weight used; IP banned until {until_ms}. Please use WebSocket Streams for live updates."
    )
    return ApiError(-1003, text, 418, retry_after_s)


def too_many_orders() -> ApiError:
    """More orders than ten seconds or a day allow."""
    return ApiError(-1015, "Too many new orders.", 429)


def outside_window(ahead: bool) -> ApiError:
    """The request's timestamp is too old, or from the future."""
    if ahead:
        return ApiError(-1021, "Timestamp for this request was 1000ms ahead of the server's time.")
    return ApiError(-1021, "Timestamp for this request is outside of the recvWindow.")


def bad_signature() -> ApiError:
    """The signature isn't the key's over this request."""
    return ApiError(-1022, "Signature for this request is not valid.")


def illegal_characters(name: str, legal: str) -> ApiError:
    """A parameter holds what it can't hold."""
    return ApiError(-1100, f"Illegal characters found in parameter '{name}'; legal range is '{legal}'.")


def duplicate_parameter(name: str) -> ApiError:
    """A parameter was sent twice."""
    return ApiError(-1101, f"Duplicate values for parameter '{name}'.")


def missing(name: str) -> ApiError:
    """A mandatory parameter isn't there, or can't be read."""
    return ApiError(-1102, f"Mandatory parameter '{name}' was not sent, was empty/null, or malformed.")


def unread_parameters(read: int, sent: int) -> ApiError:
    """The request holds parameters that this endpoint doesn't know."""
    return ApiError(-1104, f"Not all sent parameters were read; read '{read}' parameter(s) but was sent '{sent}'.")


def empty_parameter(name: str) -> ApiError:
    """A parameter without a value."""
    return ApiError(-1105, f"Parameter '{name}' was empty.")


def not_required(name: str) -> ApiError:
    """A parameter that doesn't belong to this kind of request."""
    return ApiError(-1106, f"Parameter '{name}' sent when not required.")


def too_precise(name: str) -> ApiError:
    """More decimals than the symbol has."""
    return ApiError(-1111, f"Parameter '{name}' has too much precision.")


def other_status() -> ApiError:
    """The symbol that is asked for hasn't the status that is asked for."""
    return ApiError(-1220, "The symbol's status does not match the requested symbolStatus.")


def no_reference_price() -> ApiError:
    """Nothing has been traded yet that a reference could be the mean of."""
    return ApiError(-2043, "This symbol doesn't have a reference price.")


def invalid_symbol() -> ApiError:
    """No such market."""
    return ApiError(-1121, "Invalid symbol.")


def bad_combination() -> ApiError:
    """Parameters that don't go together."""
    return ApiError(-1128, "Combination of optional parameters invalid.")


def window_too_large() -> ApiError:
    """recvWindow above a minute."""
    return ApiError(-1131, "recvWindow must be less than 60000.")


def filter_failure(name: str) -> ApiError:
    """An order that the symbol's rules don't allow."""
    return ApiError(-1013, f"Filter failure: {name}")


def insufficient_balance() -> ApiError:
    """The account can't pay for the order."""
    return ApiError(-2010, "Account has insufficient balance for requested action.")


def duplicate_order() -> ApiError:
    """An open order already has this client order id."""
    return ApiError(-2010, "Duplicate order sent.")


def would_match() -> ApiError:
    """A LIMIT_MAKER order that would take."""
    return ApiError(-2010, "Order would immediately match and take.")


def would_trigger() -> ApiError:
    """A stop order whose price has come already."""
    return ApiError(-2010, "Stop price would trigger immediately.")


def prices_unrelated() -> ApiError:
    """The orders of an OCO don't stand on both sides of the market."""
    return ApiError(-2010, "The relationship of the prices for the orders is not correct.")


def no_conditional_order() -> ApiError:
    """An OCO of two limit orders."""
    return ApiError(-1168, "At least one OCO order must be contingent.")


def limit_on_wrong_side(side: str) -> ApiError:
    """An OCO whose limit order is where it would take."""
    if side == "BUY":
        return ApiError(-1165, "A limit order in a buy OCO must be below.")
    return ApiError(-1166, "A limit order in a sell OCO must be above.")


def stop_loss_on_wrong_side(side: str) -> ApiError:
    """An OCO whose stop loss is where it would profit."""
    if side == "BUY":
        return ApiError(-1196, "A stop loss order in a buy OCO must be above.")
    return ApiError(-1197, "A stop loss order in a sell OCO must be below.")


def take_profit_on_wrong_side(side: str) -> ApiError:
    """An OCO whose take profit is where it would lose."""
    if side == "BUY":
        return ApiError(-1198, "A take profit order in a buy OCO must be below.")
    return ApiError(-1199, "A take profit order in a sell OCO must be above.")


def not_for_lists() -> ApiError:
    """An order type that an OCO can't hold."""
    return ApiError(-1158, "Order type not supported in OCO.")


def prevention_not_allowed() -> ApiError:
    """A mode of self-trade prevention that the symbol doesn't have."""
    return ApiError(-1013, "This symbol does not allow the specified self-trade prevention mode.")


def invalid_restriction() -> ApiError:
    """A condition for a cancel that doesn't exist."""
    return ApiError(-1145, "Invalid cancelRestrictions")


def restricted_cancel() -> ApiError:
    """The order to be cancelled has not the status the request asks for."""
    return ApiError(-2011, "Order was not canceled due to cancel restrictions.")


def replacing_failed(data: dict[str, object], partly: bool) -> ApiError:
    """A cancel-replace of which one half, or nothing, was done; `data` says what."""
    if partly:
        return ApiError(-2021, "Order cancel-replace partially failed.", 409, data=data)
    return ApiError(-2022, "Order cancel-replace failed.", data=data)


def not_supported(what: str) -> ApiError:
    """A kind of order that the symbol doesn't have, as exchangeInfo says."""
    return ApiError(-2010, f"{what} orders are not supported for this symbol.")


def market_closed() -> ApiError:
    """The symbol's market has ended."""
    return ApiError(-2010, "Market is closed.")


def unknown_order_to_cancel() -> ApiError:
    """Nothing open to cancel under that id."""
    return ApiError(-2011, "Unknown order sent.")


def no_such_order() -> ApiError:
    """The account never had such an order."""
    return ApiError(-2013, "Order does not exist.")


def archived_order() -> ApiError:
    """It ended long ago, and nothing of it was filled."""
    text = "Order was canceled or expired with no executed qty over 90 days ago and has been archived."
    return ApiError(-2026, text)


def no_such_list() -> ApiError:
    """The account never had such an order list."""
    return ApiError(-2018, "Order list does not exist.")


def malformed_key() -> ApiError:
    """What was sent can't be an API key."""
    return ApiError(-2014, "API-key format invalid.", 401)


def unknown_key() -> ApiError:
    """No account has this API key."""
    return ApiError(-2015, "Invalid API-key, IP, or permissions for action.", 401)
