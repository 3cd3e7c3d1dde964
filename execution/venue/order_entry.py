"""From the parameters of an order request to an Order the engine understands. Pure; faults are ApiErrors."""

from collections.abc import Mapping
from secrets import token_hex

from execution.venue import errors, filters
from execution.venue.book import BUY, EXPIRE_MAKER, PREVENTION_MODES, SELL, STOP_LOSS, TAKE_PROFIT, Order
from execution.venue.parameters import CLIENT_ID_FORM, Parameters
from execution.venue.symbols import E8_DIGITS, MAX_ICEBERG_PARTS, ORDER_TYPES, Symbol

ORDER_PARAMETERS = frozenset(
    (
        *("symbol", "side", "type", "timeInForce", "quantity", "quoteOrderQty", "price", "newClientOrderId"),
        *("strategyId", "strategyType", "stopPrice", "trailingDelta", "icebergQty", "newOrderRespType"),
        *("selfTradePreventionMode", "pegPriceType", "pegOffsetValue", "pegOffsetType"),
    )
)
TEST_PARAMETERS = ORDER_PARAMETERS | {"computeCommissionRates"}
UNSUPPORTED = {
    "trailingDelta": "Trailing stop",
    **dict.fromkeys(("pegPriceType", "pegOffsetValue", "pegOffsetType"), "Pegged"),
}
RESPONSE_TYPES = ("ACK", "RESULT", "FULL")
TIMES_IN_FORCE = ("GTC", "IOC", "FOK")
NOT_ALLOWED_MODES = ("TRANSFER",)
STRATEGY_TYPE_LEAST = 1_000_000
TIMED = ("LIMIT", "STOP_LOSS_LIMIT", "TAKE_PROFIT_LIMIT")
PRICED = (*TIMED, "LIMIT_MAKER")
CONDITIONAL = (*STOP_LOSS, *TAKE_PROFIT)


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
    order.prevention = read_prevention(parameters)
    order.strategy_id, order.strategy_type = read_strategy(parameters, "strategyId", "strategyType")
    order.time_in_force = read_time_in_force(parameters, "timeInForce") if kind in TIMED else "GTC"
    if kind in CONDITIONAL:
        order.stop_ticks = read_steps(parameters, "stopPrice", symbol)
        order.waiting = True
    if kind == "MARKET":
        _read_market_size(parameters, symbol, order)
        return order
    if "quoteOrderQty" in parameters:
        raise errors.not_required("quoteOrderQty")
    if kind in PRICED:
        order.ticks = read_steps(parameters, "price", symbol)
    order.lots = read_steps(parameters, "quantity", symbol)
    if "icebergQty" in parameters:
        order.iceberg_lots = _read_iceberg(parameters, symbol, order)
    return order


def _read_iceberg(parameters: Parameters, symbol: Symbol, order: Order) -> int:
    """How much of an order the book shows at a time. Raises -1014, -1013, -2010."""
    if order.time_in_force != "GTC":
        raise errors.ApiError(-1014, "Unsupported order combination.")
    lots = read_steps(parameters, "icebergQty", symbol)
    if lots > order.lots:
        raise errors.ApiError(-2010, "IcebergQty exceeds QTY.")
    if -(-order.lots // lots) > MAX_ICEBERG_PARTS:
        raise errors.filter_failure("ICEBERG_PARTS")
    return lots


def _check_choices(parameters: Parameters, kind: str) -> None:
    refuse_unsupported(parameters, UNSUPPORTED)
    check_response_type(parameters)
    for name, kinds in (("price", PRICED), ("timeInForce", TIMED), ("stopPrice", CONDITIONAL), ("icebergQty", PRICED)):
        if name in parameters and kind not in kinds:
            raise errors.not_required(name)


def refuse_unsupported(parameters: Parameters, names: Mapping[str, str]) -> None:
    """Raises -2010 for what makes an order of a kind that isn't traded here; it is never just left out."""
    for name, what in names.items():
        if name in parameters:
            raise errors.not_supported(what)


def check_response_type(parameters: Parameters) -> None:
    """Raises -1100 for a form of reply that doesn't exist."""
    refusal = errors.illegal_characters("newOrderRespType", "|".join(RESPONSE_TYPES))
    parameters.choice("newOrderRespType", RESPONSE_TYPES, refusal)


def read_prevention(parameters: Parameters) -> str:
    """The mode of self-trade prevention. Raises -1130 for no mode at all, -1013 for one that isn't offered here."""
    refusal = errors.ApiError(-1130, "Data sent for parameter 'selfTradePreventionMode' is not valid.")
    mode = parameters.choice("selfTradePreventionMode", (*PREVENTION_MODES, *NOT_ALLOWED_MODES), refusal)
    if mode in NOT_ALLOWED_MODES:
        raise errors.prevention_not_allowed()
    return mode or EXPIRE_MAKER


def read_strategy(parameters: Parameters, id_name: str, type_name: str) -> tuple[int | None, int | None]:
    """Whose idea the order was, in the client's own numbers. Raises -1100, -1134."""
    kind = parameters.integer(type_name)
    if kind is not None and kind < STRATEGY_TYPE_LEAST:
        raise errors.ApiError(-1134, f"strategyType was less than {STRATEGY_TYPE_LEAST}.")
    return parameters.integer(id_name), kind


def read_time_in_force(parameters: Parameters, name: str) -> str:
    """How long a limit order stays. Raises -1102, -1115."""
    parameters.required(name)
    return parameters.choice(name, TIMES_IN_FORCE, errors.ApiError(-1115, "Invalid timeInForce.")) or "GTC"


def _read_market_size(parameters: Parameters, symbol: Symbol, order: Order) -> None:
    budget = parameters.amount("quoteOrderQty")
    if budget is None:
        order.lots = read_steps(parameters, "quantity", symbol)
        return
    if "quantity" in parameters:
        raise errors.bad_combination()
    if filters.decimals(budget) > E8_DIGITS:
        raise errors.too_precise("quoteOrderQty")
    if not budget:
        raise errors.ApiError(-1013, "Invalid quoteOrderQty.")
    order.quote_budget = budget


def read_steps(parameters: Parameters, name: str, symbol: Symbol) -> int:
    """A price in ticks or, by the names of quantities, a quantity in lots. Raises -1102, -1111, -1013."""
    value = parameters.amount(name)
    if value is None:
        raise errors.missing(name)
    if not value:
        raise errors.ApiError(-1013, f"Invalid {name}.")
    if name in ("quantity", "icebergQty"):
        return filters.to_steps(name, value, symbol.lot, symbol.most_lots, "LOT_SIZE")
    return filters.to_steps(name, value, symbol.tick, symbol.most_ticks, "PRICE_FILTER")
