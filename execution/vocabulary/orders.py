"""What an order is, from the decision to the last fill. The states' transition table is in order_states.py."""

from decimal import Decimal
from enum import StrEnum

import msgspec

from execution.vocabulary.order_states import SETTLED, OrderState


class Side(StrEnum):
    """Buy or sell."""

    BUY = "buy"
    SELL = "sell"


class OrderType(StrEnum):
    """How an order meets the book."""

    MARKET = "market"
    LIMIT = "limit"
    STOP_LOSS = "stop_loss"  # waits at the venue for its stop price, then sells at market
    STOP_LOSS_LIMIT = "stop_loss_limit"  # the same, then sells at its limit or better


STOPS = frozenset({OrderType.STOP_LOSS, OrderType.STOP_LOSS_LIMIT})


class Purpose(StrEnum):
    """Why we trade: entries add risk, exits take it away and are always allowed."""

    ENTRY = "entry"
    EXIT = "exit"
    LIQUIDATION = "liquidation"  # a person turns what the account has into money, positions or not


class OrderRequest(msgspec.Struct, frozen=True):
    """A decision to trade, before it has an identity. `reference_price` is what risk and exposure are counted at; a
    stop's is its stop price. `immediate`: a limit order that never rests; what isn't filled at once is gone."""

    symbol: str
    side: Side
    type: OrderType
    quantity: Decimal
    reference_price: Decimal
    purpose: Purpose
    strategy: str
    reason: str
    signal_bar_ms: int
    limit_price: Decimal | None = None
    correlation_id: str = ""
    immediate: bool = False

    @property
    def value(self) -> Decimal:
        """Quantity at the reference price, in the quote currency."""
        return self.quantity * (self.limit_price or self.reference_price)


class Fill(msgspec.Struct, frozen=True):
    """One trade of ours as the venue tells it. (venue, symbol, trade_id) is its identity."""

    symbol: str
    trade_id: str
    venue_order_id: str
    client_order_id: str | None
    side: Side
    price: Decimal
    quantity: Decimal
    fee: Decimal
    fee_currency: str
    executed_ms: int


class Balance(msgspec.Struct, frozen=True):
    """What an account holds of one currency."""

    currency: str
    free: Decimal
    locked: Decimal

    @property
    def total(self) -> Decimal:
        """Free and locked together."""
        return self.free + self.locked


class Position(msgspec.Struct, frozen=True):
    """What our own fills add up to on one symbol. `quantity` is net of fees paid in the base currency."""

    symbol: str
    quantity: Decimal
    cost: Decimal  # quote currency paid for what is still held, fees included
    opened_ms: int
    strategy: str
    signal_bar_ms: int
    entry_fees: Decimal  # paid for what is still held, in the quote currency's worth

    @property
    def entry_price(self) -> Decimal:
        """Average price paid, fees included."""
        return self.cost / self.quantity


class OrderRow(msgspec.Struct, frozen=True):
    """An order as the ledger knows it. `sent_ms` is the timestamp its request carries, on the venue's clock."""

    client_order_id: str
    epoch: int
    symbol: str
    side: Side
    type: OrderType
    quantity: Decimal
    filled: Decimal
    reference_price: Decimal
    limit_price: Decimal | None
    purpose: Purpose
    strategy: str
    reason: str
    signal_bar_ms: int
    correlation_id: str
    state: OrderState
    venue_order_id: str | None
    created_ms: int
    sent_ms: int
    updated_ms: int
    note: str = ""

    @property
    def guards(self) -> bool:
        """Is it a stop that stands at the venue and waits for its price?"""
        return self.type in STOPS and self.state in (OrderState.OPEN, OrderState.PARTIALLY_FILLED)

    @property
    def settled(self) -> bool:
        """Is its end known?"""
        return self.state in SETTLED

    @property
    def remaining(self) -> Decimal:
        """What could still be filled."""
        return self.quantity - self.filled

    @property
    def open_value(self) -> Decimal:
        """What could still be filled, in the quote currency."""
        return self.remaining * (self.limit_price or self.reference_price)


class OrderOutcome(msgspec.Struct, frozen=True):
    """What became of one request. Refused: no id, no state. UNKNOWN: the symbol waits until the venue has told.
    `checked`: the numbers that the risk gate looked at."""

    client_order_id: str | None
    state: OrderState | None
    fills: list[Fill]
    refusal: str | None
    checked: dict[str, str | int | float | bool | None] = {}
