"""From the parameters of an OCO request to its two orders, in both forms Binance knows: above and below the market, and
the older one of a limit and a stop. Pure; faults are ApiErrors."""

from collections.abc import Mapping
from secrets import token_hex
from typing import NamedTuple

from execution.venue import errors
from execution.venue.book import BUY, SELL, Order
from execution.venue.order_entry import (
    CONDITIONAL,
    PRICED,
    TIMED,
    UNSUPPORTED,
    check_response_type,
    read_prevention,
    read_steps,
    read_strategy,
    read_time_in_force,
    refuse_unsupported,
)
from execution.venue.parameters import CLIENT_ID_FORM, Parameters
from execution.venue.symbols import ORDER_TYPES, Symbol

LEG_TYPES = ("LIMIT_MAKER", *CONDITIONAL)
COMMON = (*("symbol", "listClientOrderId", "side", "quantity", "newOrderRespType", "selfTradePreventionMode"),)
PARTS = ("Type", "ClientOrderId", "Price", "StopPrice", "TimeInForce", "StrategyId", "StrategyType")
LEGS = ("above", "below")
NOT_IN_LISTS = UNSUPPORTED | {"icebergQty": "Iceberg"}
PAIR_UNSUPPORTED = {leg + name[0].upper() + name[1:]: what for leg in LEGS for name, what in NOT_IN_LISTS.items()}
PAIR_PARAMETERS = frozenset((*COMMON, *(leg + part for leg in LEGS for part in PARTS), *PAIR_UNSUPPORTED))
STOP_UNSUPPORTED = dict.fromkeys(("limitIcebergQty", "stopIcebergQty"), NOT_IN_LISTS["icebergQty"]) | {
    "trailingDelta": UNSUPPORTED["trailingDelta"]
}
STOP_PARAMETERS = frozenset(
    (
        *COMMON,
        *("limitClientOrderId", "price", "limitStrategyId", "limitStrategyType"),
        *("stopClientOrderId", "stopPrice", "stopLimitPrice", "stopLimitTimeInForce"),
        *("stopStrategyId", "stopStrategyType"),
        *STOP_UNSUPPORTED,
    )
)


class _Leg(NamedTuple):
    """How the parameters of one order are called."""

    client_id: str
    price: str
    stop_price: str
    time_in_force: str
    strategy: tuple[str, str]


def read_pair(
    parameters: Parameters, symbols: Mapping[str, Symbol], account: str, now_ms: int
) -> tuple[str, tuple[Order, Order]]:
    """orderList/oco: the list's client id, the order above the market and the one below."""
    above, below = _blank(parameters, symbols, account, now_ms)
    refuse_unsupported(parameters, PAIR_UNSUPPORTED)
    for order, leg in ((above, "above"), (below, "below")):
        name = f"{leg}Type"
        parameters.required(name)
        kind = parameters.choice(name, ORDER_TYPES, errors.ApiError(-1116, "Invalid orderType."))
        if kind not in LEG_TYPES:
            raise errors.not_for_lists()
        order.type = kind
        strategy = (f"{leg}StrategyId", f"{leg}StrategyType")
        parts = _Leg(f"{leg}ClientOrderId", f"{leg}Price", f"{leg}StopPrice", f"{leg}TimeInForce", strategy)
        _read_leg(parameters, symbols[order.symbol], order, parts)
    return _client_id(parameters, "listClientOrderId"), (above, below)


def read_limit_and_stop(
    parameters: Parameters, symbols: Mapping[str, Symbol], account: str, now_ms: int
) -> tuple[str, tuple[Order, Order]]:
    """order/oco: the same, from a limit order and a stop order."""
    limit, stop = _blank(parameters, symbols, account, now_ms)
    refuse_unsupported(parameters, STOP_UNSUPPORTED)
    symbol = symbols[limit.symbol]
    limit.type = "LIMIT_MAKER"
    stop.type = "STOP_LOSS_LIMIT" if "stopLimitPrice" in parameters else "STOP_LOSS"
    of_limit, of_stop = (("limitStrategyId", "limitStrategyType"), ("stopStrategyId", "stopStrategyType"))
    _read_leg(parameters, symbol, limit, _Leg("limitClientOrderId", "price", "", "", of_limit))
    names = _Leg("stopClientOrderId", "stopLimitPrice", "stopPrice", "stopLimitTimeInForce", of_stop)
    _read_leg(parameters, symbol, stop, names)
    legs = (limit, stop) if limit.side == SELL else (stop, limit)
    return _client_id(parameters, "listClientOrderId"), legs


def _blank(parameters: Parameters, symbols: Mapping[str, Symbol], account: str, now_ms: int) -> tuple[Order, Order]:
    symbol = symbols[parameters.symbol(symbols)]
    parameters.required("side")
    side = parameters.choice("side", (BUY, SELL), errors.ApiError(-1117, "Invalid side.")) or BUY
    lots = read_steps(parameters, "quantity", symbol)
    check_response_type(parameters)
    prevention = read_prevention(parameters)
    first, second = (
        Order(0, account, symbol.name, "", side, "", "GTC", 0, lots, now_ms, prevention=prevention) for _ in range(2)
    )
    return first, second


def _read_leg(parameters: Parameters, symbol: Symbol, order: Order, names: _Leg) -> None:
    order.client_id = _client_id(parameters, names.client_id)
    order.strategy_id, order.strategy_type = read_strategy(parameters, *names.strategy)
    for name, kinds in ((names.price, PRICED), (names.time_in_force, TIMED), (names.stop_price, CONDITIONAL)):
        if name in parameters and order.type not in kinds:
            raise errors.not_required(name)
    if order.type in PRICED:
        order.ticks = read_steps(parameters, names.price, symbol)
    if order.type in TIMED:
        order.time_in_force = read_time_in_force(parameters, names.time_in_force)
    if order.type in CONDITIONAL:
        order.stop_ticks = read_steps(parameters, names.stop_price, symbol)
        order.waiting = True


def _client_id(parameters: Parameters, name: str) -> str:
    return parameters.text(name, CLIENT_ID_FORM) or token_hex(11)
