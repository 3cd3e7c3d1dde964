"""May an order come in? The symbol's rules, the account's open orders and its funds, asked before anything happens.
Pure: raises the refusal or returns."""

from collections.abc import Sequence
from decimal import Decimal

from execution.venue import errors, filters
from execution.venue.accounts import Accounts
from execution.venue.book import BUY, SELL, STOP_LOSS, TAKE_PROFIT, Order, OrderBook
from execution.venue.plan import Plan
from execution.venue.symbols import TRADING, Symbol


def check_rules(symbol: Symbol, order: Order, last_ticks: int) -> None:
    """The market is open and the order within its filters."""
    if not symbol.listed:
        raise errors.invalid_symbol()
    if symbol.status != TRADING:
        raise errors.market_closed()
    average = filters.reference(symbol, last_ticks)
    filters.check_steps(symbol, order)
    filters.check_price(symbol, order, average)
    filters.check_market_lots(symbol, order)
    filters.check_notional(symbol, order, average)


def check_counts(order: Order, open_orders: Sequence[Order], count: int) -> None:
    """The account's open orders on the symbol, with `count` more; `order` is one of these."""
    filters.check_order_count(len(open_orders) + count - 1)
    if order.is_conditional:
        filters.check_conditional_count(sum(one.is_conditional for one in open_orders))


def check_pair(legs: tuple[Order, Order], last_ticks: int) -> None:
    """The two orders of an OCO stand on both sides of the market, the first above it. Raises -2010, -1165 and on."""
    above, below = legs
    side = above.side
    if not above.is_conditional and not below.is_conditional:
        raise errors.no_conditional_order()
    for leg in legs:
        if not leg.is_conditional and (leg is above) != (side == SELL):
            raise errors.limit_on_wrong_side(side)
        if leg.type in STOP_LOSS and (leg is above) != (side == BUY):
            raise errors.stop_loss_on_wrong_side(side)
        if leg.type in TAKE_PROFIT and (leg is above) != (side == SELL):
            raise errors.take_profit_on_wrong_side(side)
    high, low = (leg.stop_ticks or leg.ticks for leg in legs)
    if high <= low or (last_ticks and not low < last_ticks < high):
        raise errors.prices_unrelated()


def cost(symbol: Symbol, order: Order, plan: Plan) -> tuple[str, Decimal]:
    """What the order must be able to pay: (asset, amount)."""
    if order.has_locked:
        return filters.needed(symbol, order)
    if order.side == BUY:
        amount = sum((symbol.value(maker.ticks, lots) for maker, lots in plan.fills), Decimal(0))
        return symbol.quote, max(amount, order.quote_budget)
    return symbol.base, symbol.quantity(max(order.left, plan.lots))


def check_funds(accounts: Accounts, account: str, asset: str, amount: Decimal) -> None:
    """The account can pay."""
    if accounts.balance(account, asset).free < amount:
        raise errors.insufficient_balance()


def check_budget(symbol: Symbol, book: OrderBook, order: Order, plan: Plan) -> None:
    """An order sized in money buys at least a lot, and not more than a market order may."""
    if not order.quote_budget:
        return
    if plan.lots > symbol.most_market_lots:
        raise errors.filter_failure("MARKET_LOT_SIZE")
    if not plan.meetings and book.next_maker(order.side, 0):
        raise errors.filter_failure("LOT_SIZE")
