"""A symbol's rules applied to one order, before anything happens to it. Pure: raises the refusal or returns."""

from decimal import Decimal

from execution.venue import errors
from execution.venue.book import BUY, Order
from execution.venue.symbols import E8_DIGITS, MAX_CONDITIONAL_ORDERS, MAX_OPEN_ORDERS, Symbol


def decimals(value: Decimal) -> int:
    """How many decimals an amount really has, whatever its size (rounding functions refuse long numbers)."""
    _, digits, exponent = value.as_tuple()
    zeros = next((place for place, digit in enumerate(reversed(digits)) if digit), len(digits))
    return max(0, -int(exponent) - zeros)


def to_steps(name: str, value: Decimal, step: Decimal, most: int, filter_name: str) -> int:
    """An amount as a whole number of steps. Raises -1111 past eight decimals, -1013 off the step or out of range."""
    if decimals(value) > E8_DIGITS:
        raise errors.too_precise(name)
    steps = value / step
    if steps != steps.to_integral_value() or not 1 <= steps <= most:
        raise errors.filter_failure(filter_name)
    return int(steps)


def reference(symbol: Symbol, last_ticks: int) -> Decimal:
    """What an order's price is held against: the average price of the last minutes, else the last."""
    return symbol.average or Decimal(last_ticks)


def check_price(symbol: Symbol, order: Order, average: Decimal) -> None:
    """PERCENT_PRICE_BY_SIDE: a limit may not be absurdly far from the market."""
    if not order.ticks or not average:
        return
    down, up = symbol.percent_by_side[order.side]
    if not average * down <= order.ticks <= average * up:
        raise errors.filter_failure("PERCENT_PRICE_BY_SIDE")


def check_steps(symbol: Symbol, order: Order) -> None:
    """PRICE_FILTER and LOT_SIZE, where their steps are coarser than the market's own."""
    if order.ticks % symbol.tick_size or order.stop_ticks % symbol.tick_size:
        raise errors.filter_failure("PRICE_FILTER")
    if order.lots % symbol.step_size:
        raise errors.filter_failure("LOT_SIZE")


def check_market_lots(symbol: Symbol, order: Order) -> None:
    """MARKET_LOT_SIZE: the most that may be taken at any price."""
    if not order.ticks and order.lots > symbol.most_market_lots:
        raise errors.filter_failure("MARKET_LOT_SIZE")


def check_notional(symbol: Symbol, order: Order, average: Decimal) -> None:
    """NOTIONAL: the order must be worth something, and a limit order not more than the most. One at any price counts at
    the average price."""
    worth = order.quote_budget or (order.ticks or order.stop_ticks or average) * symbol.value(1, order.lots)
    if worth < symbol.notional_min or (order.ticks and worth > symbol.notional_max):
        raise errors.filter_failure("NOTIONAL")


def check_order_count(open_orders: int) -> None:
    """MAX_NUM_ORDERS: open orders of one account on one symbol."""
    if open_orders >= MAX_OPEN_ORDERS:
        raise errors.filter_failure("MAX_NUM_ORDERS")


def check_conditional_count(open_orders: int) -> None:
    """MAX_NUM_ALGO_ORDERS: open stop orders of one account on one symbol."""
    if open_orders >= MAX_CONDITIONAL_ORDERS:
        raise errors.filter_failure("MAX_NUM_ALGO_ORDERS")


def needed(symbol: Symbol, order: Order) -> tuple[str, Decimal]:
    """What must be locked for all that is left of an order: (asset, amount). One that waits to buy at any price needs
    what its stop price says."""
    if order.side == BUY:
        return symbol.quote, symbol.value(order.ticks or order.stop_ticks, order.left)
    return symbol.base, symbol.quantity(order.left)
