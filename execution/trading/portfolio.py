"""What the account holds at one moment, priced: the ledger's folds and the market's quotes put side by side.

Pure: it reads nothing by itself. Prices come from the bid, because that is what a holding would bring.
"""

from collections.abc import Callable, Iterable, Mapping
from decimal import Decimal

import msgspec

from execution.vocabulary.market import Quote, SymbolRules
from execution.vocabulary.money import ZERO, floor_to_step
from execution.vocabulary.orders import OrderRow, Position, Purpose


class Holding(msgspec.Struct, frozen=True):
    """A position and what can be done with it. `sellable` is whole lots; `dust` is too little for any order.

    `price_paid` is the average price of the buys themselves, without fees: what exits are measured from.
    """

    position: Position
    price_paid: Decimal
    sellable: Decimal
    value: Decimal
    dust: bool


class Portfolio(msgspec.Struct, frozen=True):
    """Money in the quote currency. `unsettled` are symbols with an order whose end isn't known, stops that stand at the
    venue left out. `reserve` is put aside: part of `equity`, never of `free`."""

    equity: Decimal
    free: Decimal
    exposure: Decimal
    holdings: dict[str, Holding]
    unsettled: frozenset[str]
    entries_open: int
    reserve: Decimal = ZERO

    @property
    def tradable(self) -> Decimal:
        """The equity that positions are sized by."""
        return max(ZERO, self.equity - self.reserve)

    @property
    def open_positions(self) -> int:
        """Positions worth the name, and entries that may become one."""
        return sum(not holding.dust for holding in self.holdings.values()) + self.entries_open


def is_dust(quantity: Decimal, price: Decimal, rules: SymbolRules) -> bool:
    """Would the venue refuse to sell this much?"""
    return quantity < rules.lot_min or quantity <= ZERO or quantity * price < rules.notional_min


def hold(position: Position, owned: Decimal, price: Decimal | None, rules: SymbolRules | None) -> Holding:
    """A position priced. `owned` is the balance: somebody may have taken from it by hand. Without a price the position
    counts at cost; without rules nothing of it can be sold."""
    worth = position.quantity * price if price is not None else position.cost
    if rules is None:
        return Holding(position, position.entry_price, ZERO, worth, dust=False)
    sellable = floor_to_step(max(ZERO, min(position.quantity, owned)), rules.lot_step)
    dust = price is not None and is_dust(sellable, price, rules)
    return Holding(position, price_paid(position), sellable, worth, dust)


def price_paid(position: Position) -> Decimal:
    """The mean price that the buys of what is still held were made at, without their fees."""
    return (position.cost - position.entry_fees) / position.quantity


def portfolio(
    currency: str,
    *,
    balances: Mapping[str, Decimal],
    positions: Mapping[str, Position],
    unsettled: Iterable[OrderRow],
    rules: Mapping[str, SymbolRules],
    quote: Callable[[str], Quote | None],
    reserve: Decimal = ZERO,
) -> Portfolio:
    """The account now. Currencies without a pair against `currency` count nothing towards equity."""
    orders = list(unsettled)
    holdings = {
        symbol: hold(position, balances.get(symbol.partition("/")[0], ZERO), _bid(quote, symbol), rules.get(symbol))
        for symbol, position in positions.items()
    }
    worth = sum((_worth(name, total, currency, quote) for name, total in balances.items()), ZERO)
    entries = [order for order in orders if order.purpose is Purpose.ENTRY]
    reserved = sum((order.open_value for order in entries), ZERO)
    return Portfolio(
        equity=worth,
        free=balances.get(currency, ZERO) - reserved - reserve,
        exposure=sum((holding.value for holding in holdings.values()), ZERO) + reserved,
        holdings=holdings,
        unsettled=frozenset(order.symbol for order in orders if not order.guards),
        entries_open=len({order.symbol for order in entries} - set(holdings)),
        reserve=reserve,
    )


def _bid(quote: Callable[[str], Quote | None], symbol: str) -> Decimal | None:
    found = quote(symbol)
    return None if found is None else found.bid


def _worth(name: str, total: Decimal, currency: str, quote: Callable[[str], Quote | None]) -> Decimal:
    if name == currency:
        return total
    price = _bid(quote, f"{name}/{currency}")
    return ZERO if price is None else total * price
