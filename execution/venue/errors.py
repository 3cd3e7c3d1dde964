"""What the venue refuses, with Binance's own codes and HTTP statuses. Clients decide by these numbers, so they are
an interface. This module only names the refusals; it doesn't decide when they apply."""


class ApiError(Exception):
    """A refusal for the client: Binance code, message and HTTP status. Never a fault of the venue."""

    def __init__(self, code: int, message: str, status: int = 400, retry_after_s: int | None = None) -> None:
        super().__init__(f"{code} {message}")
        self.code = code
        self.message = message
        self.status = status
        self.retry_after_s = retry_after_s

    def body(self) -> dict[str, object]:
        """The JSON a REST client reads."""
        return {"code": self.code, "msg": self.message}


def unknown_outcome() -> ApiError:
    """The store failed half-way: the client must ask what became of its order."""
    return ApiError(-1006, "An unexpected response was received from the message bus. Execution status unknown.", 503)


def too_many_requests(limit: int, retry_after_s: int) -> ApiError:
    """More weight than a minute allows."""
    text = f"Too much request weight used; current limit is {limit} request weight per 1 MINUTE."
    return ApiError(-1003, text, 429, retry_after_s)


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


def market_closed() -> ApiError:
    """The symbol's market has ended."""
    return ApiError(-2010, "Market is closed.")


def unknown_order_to_cancel() -> ApiError:
    """Nothing open to cancel under that id."""
    return ApiError(-2011, "Unknown order sent.")


def no_such_order() -> ApiError:
    """The account never had such an order."""
    return ApiError(-2013, "Order does not exist.")


def malformed_key() -> ApiError:
    """What was sent can't be an API key."""
    return ApiError(-2014, "API-key format invalid.", 401)


def unknown_key() -> ApiError:
    """No account has this API key."""
    return ApiError(-2015, "Invalid API-key, IP, or permissions for action.", 401)
