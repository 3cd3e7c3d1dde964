"""The last word before an order leaves: the limits of [risk], checked against the facts of this moment. Pure.

Exits that only reduce what we hold pass whatever the state of the account; entries need every condition to hold. No
automatic change may loosen a limit, and nothing here can.
"""

import math
from decimal import Decimal

import msgspec

from execution.runtime.settings import RiskConfig
from execution.vocabulary.lifecycle import TradingState, entries_allowed
from execution.vocabulary.limits import ENTRIES_OFF_AFTER_S
from execution.vocabulary.market import SymbolRules
from execution.vocabulary.money import ZERO, floor_to_step
from execution.vocabulary.orders import STOPS, OrderRequest, OrderType, Purpose, Side


class RiskFacts(msgspec.Struct, frozen=True):
    """What is true now. Money in the quote currency, ages in seconds, times none: everything is as of this moment."""

    trading_state: TradingState
    state_reason: str
    reconciled: bool
    quote_mid: Decimal | None
    quote_age_s: float
    rules: SymbolRules | None
    held: Decimal  # base quantity of our position on this symbol
    selling: Decimal  # base quantity of our sells on this symbol that may still be filled
    position_value: Decimal  # on this symbol, buys that may still be filled included
    exposure: Decimal  # on all symbols, buys that may still be filled included
    open_positions: int  # symbols held or being bought
    symbol_is_open: bool  # this symbol is among them
    unknown_on_symbol: bool  # an order on this symbol has an unknown fate
    orders_last_minute: int
    signal_used: bool  # this signal bar has already led to an entry of this strategy on this symbol
    spendable: Decimal = ZERO  # the account's base currency, by our books, that isn't being sold already
    same_last_minute: int = 0  # entries of the last minute with this symbol and quantity
    loss_reached: str = ""  # the loss limit that the account has reached
    losses_in_row: int = 0  # on this symbol, the last trades
    since_loss_s: float = math.inf


def check(request: OrderRequest, facts: RiskFacts, limits: RiskConfig) -> str | None:
    """Why this order must not be sent; None when it may."""
    absurd = _absurd(request, facts)
    if absurd:
        return absurd
    if request.purpose is Purpose.EXIT:
        return _check_exit(request, facts)
    if request.purpose is Purpose.LIQUIDATION:
        return _check_liquidation(request, facts)
    return _check_state(facts) or _check_limits(request, facts, limits) or _check_price(request, facts, limits)


def _absurd(request: OrderRequest, facts: RiskFacts) -> str | None:
    """What no venue would accept, or no sane decision contain."""
    numbers = (request.quantity, request.reference_price, request.limit_price or Decimal(1))
    if not all(number.is_finite() and number > 0 for number in numbers):
        return "quantity and prices must be finite and more than zero"
    if request.type in (OrderType.LIMIT, OrderType.STOP_LOSS_LIMIT) and request.limit_price is None:
        return "a limit order needs a limit price"
    if request.type in STOPS and request.purpose is not Purpose.EXIT:
        return "a stop only ever ends a position"
    rules = facts.rules
    if rules is None:
        return f"{request.symbol} isn't traded on this venue"
    if request.quantity != floor_to_step(request.quantity, rules.lot_step):
        return f"quantity {request.quantity} isn't a multiple of the lot step {rules.lot_step}"
    stop_price = request.reference_price if request.type in STOPS else None
    for name, price in (("limit price", request.limit_price), ("stop price", stop_price)):
        if price is not None and price != floor_to_step(price, rules.price_tick):
            return f"{name} {price} isn't a multiple of the tick {rules.price_tick}"
    if request.quantity < rules.lot_min:
        return f"quantity {request.quantity} is below the venue's least, {rules.lot_min}"
    if request.value < rules.notional_min:
        return f"order value {request.value} is below the venue's least, {rules.notional_min}"
    return None


def _check_exit(request: OrderRequest, facts: RiskFacts) -> str | None:
    """An exit must only reduce: sell no more than is held and not being sold already."""
    if request.side is not Side.SELL:
        return "an exit must sell"
    free = max(ZERO, facts.held - facts.selling)
    if request.quantity > free:
        return f"an exit of {request.quantity} is more than the {free} held and not being sold already"
    return None


def _check_liquidation(request: OrderRequest, facts: RiskFacts) -> str | None:
    """A person's: it only sells, and never more than the account has and isn't selling already."""
    if request.side is not Side.SELL:
        return "a liquidation must sell"
    if request.quantity > facts.spendable:
        return f"a sale of {request.quantity} is more than the {facts.spendable} there and not being sold already"
    return None


def _check_state(facts: RiskFacts) -> str | None:
    if not entries_allowed(facts.trading_state):
        why = f": {facts.state_reason}" if facts.state_reason else ""
        return f"trading is {facts.trading_state}{why}"
    if not facts.reconciled:
        return "the account isn't reconciled with the venue"
    if facts.quote_mid is None or facts.quote_age_s > ENTRIES_OFF_AFTER_S:
        return f"the last quote is older than {ENTRIES_OFF_AFTER_S:g} s"
    if facts.unknown_on_symbol:
        return "an earlier order on this symbol has an unknown fate"
    if facts.rules is not None and not facts.rules.trading:
        return "the venue doesn't trade this symbol now"
    if facts.signal_used:
        return "this signal has already led to an order"
    return facts.loss_reached or None


def _check_limits(request: OrderRequest, facts: RiskFacts, limits: RiskConfig) -> str | None:
    if request.side is not Side.BUY:
        return "an entry must buy: this account holds no debts"
    if request.value > limits.order_value_max:
        return f"order value {request.value:.2f} is over risk.order_value_max {limits.order_value_max}"
    if facts.position_value + request.value > limits.position_value_max:
        return f"the position would be over risk.position_value_max {limits.position_value_max}"
    if facts.exposure + request.value > limits.exposure_max:
        return f"exposure would be over risk.exposure_max {limits.exposure_max}"
    if not facts.symbol_is_open and facts.open_positions >= limits.open_positions_max:
        return f"{facts.open_positions} positions are open, risk.open_positions_max is {limits.open_positions_max}"
    if facts.orders_last_minute >= limits.orders_per_minute_max:
        return f"{facts.orders_last_minute} orders in the last minute: risk.orders_per_minute_max"
    if facts.same_last_minute >= limits.repeated_orders_max:
        return f"the same order {facts.same_last_minute} times in the last minute: risk.repeated_orders_max"
    if facts.losses_in_row >= limits.losses_in_row_max and facts.since_loss_s < limits.cooldown_s:
        return f"{facts.losses_in_row} losses in a row here: risk.cooldown_s {limits.cooldown_s:g} isn't over"
    return None


def _check_price(request: OrderRequest, facts: RiskFacts, limits: RiskConfig) -> str | None:
    price = request.limit_price or request.reference_price
    mid = facts.quote_mid
    if mid is None or abs(price - mid) > limits.price_collar * mid:
        return f"price {price} is further than risk.price_collar {limits.price_collar} from the quote {mid}"
    return None
