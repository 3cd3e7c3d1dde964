"""From the parameters of an order request to an Order the engine understands. Pure; faults are ApiErrors."""

from collections.abc import Mapping
from secrets import token_hex

from execution.venue import errors, filters
from execution.venue.book import BUY, SELL, Order
from execution.venue.parameters import CLIENT_ID_FORM, Parameters
from execution.venue.symbols import E8_DIGITS, ORDER_TYPES, Symbol

ORDER_PARAMETERS = frozenset(
    (
        *("symbol", "side", "type", "timeInForce", "quantity", "quoteOrderQty", "price", "newClientOrderId"),
        *("strategyId", "strategyType", "stopPrice", "trailingDelta", "icebergQty", "newOrderRespType"),
        *("selfTradePreventionMode", "pegPriceType", "pegOffsetValue", "pegOffsetType", "computeCommissionRates"),
    )
)
UNSUPPORTED = ("stopPrice", "trailingDelta", "icebergQty", "pegPriceType", "pegOffsetValue", "pegOffsetType")
RESPONSE_TYPES = ("ACK", "RESULT", "FULL")
TIMES_IN_FORCE = ("GTC", "IOC", "FOK")


def read_order(parameters: Parameters, symbols: Mapping[str, Symbol], account: str, now_ms: int) -> Order:
    """The order that is asked for, not yet checked against filters of value, funds or the book."""
    symbol = symbols[parameters.symbol(symbols)]
    parameters.required("side")
    side = parameters.choice("side", (BUY, SELL), errors.ApiError(-1117, "Invalid side.")) or BUY
    parameters.required("type")
    kind = parameters.choice("type", ORDER_TYPES, errors.ApiError(-1116, "Invalid orderType.")) or "LIMIT"
    _check_choices(parameters, kind)
    client_id = parameters.text("newClientOrderId", CLIENT_ID_FORM) or token_hex(11)
    order = Order(0, account, symbol.name, client_id, side, kind, "GTC", 0, 0, now_ms)
    order.time_in_force = _time_in_force(parameters, kind)
    if kind == "MARKET":
        _read_market_size(parameters, symbol, order)
        return order
    if "quoteOrderQty" in parameters:
        raise errors.not_required("quoteOrderQty")
    order.ticks = _steps(parameters, "price", symbol)
    order.lots = _steps(parameters, "quantity", symbol)
    return order


def _check_choices(parameters: Parameters, kind: str) -> None:
    for name in UNSUPPORTED:
        if name in parameters:
            raise errors.not_required(name)
    parameters.integer("strategyId")
    parameters.integer("strategyType")
    response = errors.illegal_characters("newOrderRespType", "|".join(RESPONSE_TYPES))
    parameters.choice("newOrderRespType", RESPONSE_TYPES, response)
    prevention = errors.ApiError(-1130, "Data sent for parameter 'selfTradePreventionMode' is not valid.")
    parameters.choice("selfTradePreventionMode", ("EXPIRE_MAKER",), prevention)
    if kind == "MARKET" and "price" in parameters:
        raise errors.not_required("price")
    if kind != "LIMIT" and "timeInForce" in parameters:
        raise errors.not_required("timeInForce")


def _time_in_force(parameters: Parameters, kind: str) -> str:
    if kind != "LIMIT":
        return "GTC"
    parameters.required("timeInForce")
    refusal = errors.ApiError(-1115, "Invalid timeInForce.")
    return parameters.choice("timeInForce", TIMES_IN_FORCE, refusal) or "GTC"


def _read_market_size(parameters: Parameters, symbol: Symbol, order: Order) -> None:
    budget = parameters.amount("quoteOrderQty")
    if budget is None:
        order.lots = _steps(parameters, "quantity", symbol)
        return
    if "quantity" in parameters:
        raise errors.bad_combination()
    if filters.decimals(budget) > E8_DIGITS:
        raise errors.too_precise("quoteOrderQty")
    if not budget:
        raise errors.ApiError(-1013, "Invalid quoteOrderQty.")
    order.quote_budget = budget


def _steps(parameters: Parameters, name: str, symbol: Symbol) -> int:
    value = parameters.amount(name)
    if value is None:
        raise errors.missing(name)
    if not value:
        raise errors.ApiError(-1013, f"Invalid {name}.")
    if name == "price":
        return filters.to_steps(name, value, symbol.tick, symbol.most_ticks, "PRICE_FILTER")
    return filters.to_steps(name, value, symbol.lot, symbol.most_lots, "LOT_SIZE")
