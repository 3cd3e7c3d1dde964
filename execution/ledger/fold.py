"""Balances, positions and closed trades as the fold of cash flows and fills, in the order they were recorded.

Pure: no I/O, no clock. A fill whose order isn't ours (`origin` None) moves balances but never a position of ours.
What is left below one lot step can't be sold: it is dust, kept visible, and joins the next position on that symbol.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from decimal import Decimal
from functools import cache

import msgspec

from execution.vocabulary.money import ZERO
from execution.vocabulary.orders import Fill, Position, Side
from execution.vocabulary.performance import ClosedTrade
from execution.vocabulary.reasons import ExitReason

_EXIT_REASONS = {str(reason): reason for reason in ExitReason}


class Origin(msgspec.Struct, frozen=True):
    """What the ledger knows about the order behind a fill."""

    strategy: str
    signal_bar_ms: int
    reason: str


@dataclass
class _Holding:
    """One symbol's running round trip. Money in the quote currency."""

    quantity: Decimal = ZERO
    cost: Decimal = ZERO
    entry_fees: Decimal = ZERO  # of all that was bought
    held_fees: Decimal = ZERO  # of what is still held; part of its cost, as quantity or as money
    opened_ms: int = 0
    strategy: str = ""
    signal_bar_ms: int = 0
    bought: Decimal = ZERO
    bought_value: Decimal = ZERO
    sold: Decimal = ZERO
    sold_value: Decimal = ZERO
    exit_fees: Decimal = ZERO
    profit: Decimal = ZERO

    def start(self, opened_ms: int, origin: Origin) -> None:
        """Begin a new round trip; dust of the last one stays in quantity, cost and their fees."""
        self.opened_ms, self.strategy, self.signal_bar_ms = opened_ms, origin.strategy, origin.signal_bar_ms
        self.entry_fees = self.bought = self.bought_value = ZERO
        self.sold = self.sold_value = self.exit_fees = self.profit = ZERO

    def release(self, gone: Decimal) -> Decimal:
        """Let so much of what is held go; what it had cost."""
        released, released_fees = self.cost * gone / self.quantity, self.held_fees * gone / self.quantity
        self.quantity -= gone
        self.cost = self.cost - released if self.quantity else ZERO
        self.held_fees = self.held_fees - released_fees if self.quantity else ZERO
        return released


@dataclass
class AccountFold:
    """The account after everything applied so far. `lot_steps` decide what is dust; an unknown step is zero."""

    lot_steps: Mapping[str, Decimal] = field(default_factory=dict)
    balances: dict[str, Decimal] = field(default_factory=dict)
    traded: dict[str, Decimal] = field(default_factory=dict)  # the part of the balances that trades alone have changed
    closed: list[ClosedTrade] = field(default_factory=list)
    _holdings: dict[str, _Holding] = field(default_factory=dict)
    _in_time: int = 0

    def apply_cash_flow(self, currency: str, delta: Decimal) -> None:
        """Money that came or went without a trade."""
        self.balances[currency] = self.balances.get(currency, ZERO) + delta

    def apply_fill(self, fill: Fill, origin: Origin | None) -> None:
        """One trade of the account."""
        base, quote = currencies(fill.symbol)
        gained, paid = fill.quantity, fill.quantity * fill.price
        if fill.side is not Side.BUY:
            gained, paid = -gained, -paid
        for money in (self.balances, self.traded):
            money[base] = money.get(base, ZERO) + gained
            money[quote] = money.get(quote, ZERO) - paid
            money[fill.fee_currency] = money.get(fill.fee_currency, ZERO) - fill.fee
        if origin is None:
            return
        holding = self._holdings.get(fill.symbol)
        if holding is None:
            holding = self._holdings[fill.symbol] = _Holding()
        if fill.side is Side.BUY:
            self._buy(holding, fill, origin)
        elif holding.quantity > 0:
            self._sell(holding, fill, origin)

    def write_off(self, symbol: str, quantity: Decimal) -> None:
        """So much of a position is gone without an order of ours: at what it cost, and its round trip is no trade."""
        holding = self._holdings.get(symbol)
        if holding is None or holding.quantity <= 0:
            return
        holding.release(min(quantity, holding.quantity))
        if self._is_flat(symbol, holding.quantity):
            holding.bought = ZERO

    def _buy(self, holding: _Holding, fill: Fill, origin: Origin) -> None:
        if self._is_flat(fill.symbol, holding.quantity):
            holding.start(fill.executed_ms, origin)
        base_fee, quote_fee, fee_value = _fees(fill)
        value = fill.quantity * fill.price
        holding.quantity += fill.quantity - base_fee
        holding.cost += value + quote_fee
        holding.entry_fees += fee_value
        holding.held_fees += fee_value
        holding.bought += fill.quantity
        holding.bought_value += value

    def _sell(self, holding: _Holding, fill: Fill, origin: Origin) -> None:
        base_fee, quote_fee, fee_value = _fees(fill)
        whole = fill.quantity + base_fee
        gone = min(whole, holding.quantity)
        sold, brought = fill.quantity, fill.quantity * fill.price - quote_fee
        if gone < whole:  # the account sold more than this position: only so much of it is the position's
            share = gone / whole
            sold, brought, fee_value = sold * share, brought * share, fee_value * share
        released = holding.release(gone)
        holding.exit_fees += fee_value
        holding.sold += sold
        holding.sold_value += sold * fill.price
        holding.profit += brought - released
        if self._is_flat(fill.symbol, holding.quantity) and holding.bought:
            self.closed.append(_closed_trade(holding, fill, origin))
            holding.bought = ZERO  # closed once, even when a last crumb is sold later

    def closed_in_time(self) -> None:
        """Put the closed trades of all symbols in the order of their time: fills are taken in symbol by symbol. The
        order is the same however many fills came at a time; where only the end is new and in order, it costs nothing.
        """
        end = [_closing(trade) for trade in self.closed[max(0, self._in_time - 1) :]]
        if end != sorted(end):
            self.closed.sort(key=_closing)
        self._in_time = len(self.closed)

    def _is_flat(self, symbol: str, quantity: Decimal) -> bool:
        return quantity <= ZERO or quantity < self.lot_steps.get(symbol, ZERO)

    def positions(self) -> dict[str, Position]:
        """What we hold by our own fills, dust left out."""
        return {
            symbol: Position(
                symbol=symbol,
                quantity=holding.quantity,
                cost=holding.cost,
                opened_ms=holding.opened_ms,
                strategy=holding.strategy,
                signal_bar_ms=holding.signal_bar_ms,
                entry_fees=holding.held_fees,
            )
            for symbol, holding in self._holdings.items()
            if not self._is_flat(symbol, holding.quantity)
        }

    def dust(self) -> dict[str, Decimal]:
        """What is too little to sell, in base currency, by symbol."""
        return {
            symbol: holding.quantity
            for symbol, holding in self._holdings.items()
            if holding.quantity > 0 and self._is_flat(symbol, holding.quantity)
        }


@cache
def currencies(symbol: str) -> tuple[str, str]:
    """Base and quote of 'BTC/USDT'."""
    base, _, quote = symbol.partition("/")
    return base, quote


def _closing(trade: ClosedTrade) -> tuple[int, str]:
    return trade.closed_ms, trade.symbol


def _fees(fill: Fill) -> tuple[Decimal, Decimal, Decimal]:
    """The fee as base quantity, as quote money, and its value in quote (zero for a third currency: no price here)."""
    base, quote = currencies(fill.symbol)
    if fill.fee_currency == base:
        return fill.fee, ZERO, fill.fee * fill.price
    if fill.fee_currency == quote:
        return ZERO, fill.fee, fill.fee
    return ZERO, ZERO, ZERO


def _closed_trade(holding: _Holding, last: Fill, origin: Origin) -> ClosedTrade:
    return ClosedTrade(
        symbol=last.symbol,
        strategy=holding.strategy,
        signal_bar_ms=holding.signal_bar_ms,
        entry_price=holding.bought_value / holding.bought,
        exit_price=holding.sold_value / holding.sold,
        quantity=holding.sold,
        fees_quote=holding.entry_fees + holding.exit_fees,
        pnl_quote=holding.profit,
        opened_ms=holding.opened_ms,
        closed_ms=last.executed_ms,
        exit_reason=_exit_reason(origin.reason),
    )


def _exit_reason(reason: str) -> ExitReason:
    """The order's reason as an exit reason; a person's or a tool's own words count as an emergency exit."""
    return _EXIT_REASONS.get(reason, ExitReason.EMERGENCY)
