"""A venue of one account, in memory and by seed: matching, partial fills, fees, lagging reads, other people's doings.

Written apart from the embedded venue, after Binance's published rules alone: an error of one isn't an error of both.
`log` is everything that happened on it, in its order; the checker reads nothing else of it.
"""

import random
from collections.abc import Callable
from dataclasses import dataclass, field
from decimal import ROUND_DOWN, Decimal
from typing import Any, NamedTuple

D = Decimal
ZERO = D(0)
STEP, TICK = D("0.0001"), D("0.01")
RECV_WINDOW_MAX_MS = 60_000
OPEN = ("NEW", "PARTIALLY_FILLED")
OURS, STRANGER = "ours", "stranger"
FEE_SHARE = D("0.001")
Event = dict[str, Any]


class Accepted(NamedTuple):
    """The venue took an order in."""

    at_ms: int
    order_id: int
    client_id: str
    symbol: str
    side: str
    timestamp_ms: int


class Traded(NamedTuple):
    """A trade of the account."""

    at_ms: int
    trade_id: int
    order_id: int
    client_id: str
    symbol: str
    side: str
    price: Decimal
    quantity: Decimal
    fee: Decimal
    fee_asset: str


class Flowed(NamedTuple):
    """Money came or went without a trade."""

    at_ms: int
    asset: str
    delta: Decimal


Entry = Accepted | Traded | Flowed


class Refusal(Exception):
    """The venue says no."""

    def __init__(self, code: int, message: str, status: int = 400) -> None:
        super().__init__(message)
        self.code, self.message, self.status = code, message, status


@dataclass
class Order:
    id: int
    client_id: str
    symbol: str
    side: str
    type: str
    quantity: Decimal
    price: Decimal | None
    owner: str
    stop: Decimal | None = None  # it waits for this price
    executed: Decimal = ZERO
    status: str = "NEW"
    trades: list[Traded] = field(default_factory=list)
    seen: list[tuple[int, str, Decimal]] = field(default_factory=list)  # (since, status, executed), for lagging reads

    @property
    def is_open(self) -> bool:
        return self.status in OPEN

    @property
    def left(self) -> Decimal:
        return self.quantity - self.executed


class SimVenue:
    """`now_ms` is its clock; `publish` hears the account's events. `lag_ms`: how old its reads may be."""

    def __init__(self, chance: random.Random, now_ms: Callable[[], int], fee_in: str) -> None:
        self.chance = chance
        self.now_ms = now_ms
        self.fee_in = fee_in
        self.lag_ms = 0
        self.archives_ms = 0  # how long it tells of an order that ended without a trade; 0: always
        self.publish: Callable[[Event], None] = lambda event: None
        self.log: list[Entry] = []
        self.orders: dict[int, Order] = {}
        self.open_orders: dict[int, Order] = {}
        self.trades: dict[str, list[Traded]] = {}
        self.prices = {"BTCUSDT": D("40000.00"), "ETHUSDT": D("2000.00")}
        self.opening = {"USDT": D(100_000), "BNB": D(50), "BTC": D("0.5")}
        self.changes: list[tuple[int, str, Decimal]] = []  # by time: the venue's clock doesn't go back
        self._held = dict(self.opening)
        self._next_order, self._next_trade = chance.randrange(1, 10_000), chance.randrange(1, 10_000)

    # money

    def total(self, asset: str, as_of_ms: int | None = None) -> Decimal:
        return self.totals(as_of_ms).get(asset, ZERO)

    def totals(self, as_of_ms: int | None = None) -> dict[str, Decimal]:
        if as_of_ms is None or not self.changes or as_of_ms >= self.changes[-1][0]:
            return dict(self._held)
        held = dict(self.opening)
        for at, asset, delta in self.changes:
            if at <= as_of_ms:
                held[asset] = held.get(asset, ZERO) + delta
        return held

    def _move(self, asset: str, delta: Decimal) -> None:
        self.changes.append((self.now_ms(), asset, delta))
        self._held[asset] = self._held.get(asset, ZERO) + delta

    def flow(self, asset: str, delta: Decimal) -> None:
        """Somebody pays in or out."""
        self._move(asset, delta)
        self.log.append(Flowed(self.now_ms(), asset, delta))
        self.publish({"e": "balanceUpdate", "E": self.now_ms(), "a": asset, "d": text(delta), "T": self.now_ms()})

    # orders

    def quote(self, symbol: str) -> tuple[Decimal, Decimal]:
        middle = self.prices[symbol]
        return middle - TICK, middle + TICK

    def locked(self, as_of_ms: int) -> dict[str, Decimal]:
        """What open orders held back."""
        held: dict[str, Decimal] = {}
        for order in self.orders.values():
            known = [row for row in order.seen if row[0] <= as_of_ms] if order.price or order.stop else []
            if known and known[-1][1] in OPEN:
                left = order.quantity - known[-1][2]
                base = order.symbol.removesuffix("USDT")
                asset, amount = (base, left) if order.side == "SELL" else ("USDT", left * (order.price or ZERO))
                held[asset] = held.get(asset, ZERO) + amount
        return held

    def place(
        self,
        symbol: str,
        side: str,
        kind: str,
        quantity: Decimal,
        price: Decimal | None,
        client_id: str,
        stamp_ms: int,
        stop: Decimal | None = None,
        immediate: bool = False,
    ) -> Order:
        """Take an order in and match it. Refusal."""
        if any(order.client_id == client_id for order in self.open_orders.values()):
            raise Refusal(-2010, "Duplicate order sent.")
        if quantity <= 0 or quantity % STEP or (price is not None and price % TICK):
            raise Refusal(-1013, "Filter failure: LOT_SIZE")
        self._check_funds(symbol, side, quantity, price)
        if stop is not None and stop >= self.prices[symbol]:
            raise Refusal(-2010, "Stop price would trigger immediately.")
        owner = STRANGER if client_id.startswith("web_") else OURS
        order = Order(self._next_order, client_id, symbol, side, kind, quantity, price, owner, stop)
        self._next_order += self.chance.randrange(1, 5)
        self.orders[order.id] = order
        self.log.append(Accepted(self.now_ms(), order.id, client_id, symbol, side, stamp_ms))
        self._note(order, "NEW")
        bid, ask = self.quote(symbol)
        if kind == "MARKET":
            self._fill_in_parts(order, ask if side == "BUY" else bid, dry=self.chance.random() < 0.06)
            if order.left:
                self._end(order, "EXPIRED")
        elif price is not None and (price >= ask if side == "BUY" else price <= bid):
            self._fill(order, price, self._part_of(order.left))
        if immediate and order.is_open:
            self._end(order, "EXPIRED")
        return order

    def _check_funds(self, symbol: str, side: str, quantity: Decimal, price: Decimal | None) -> None:
        base = symbol.removesuffix("USDT")
        waiting = [order for order in self.open_orders.values() if order.side == side]
        if side == "SELL":
            free = self.total(base) - sum((order.left for order in waiting if order.symbol == symbol), ZERO)
            enough = free >= quantity
        else:
            free = self.total("USDT") - sum((order.left * (order.price or ZERO) for order in waiting), ZERO)
            enough = free >= quantity * (price or self.prices[symbol]) * D("1.01")
        if not enough:
            raise Refusal(-2010, "Account has insufficient balance for requested action.")

    def _part_of(self, quantity: Decimal) -> Decimal:
        if self.chance.random() < 0.4:
            return quantity
        part = (quantity * D(self.chance.randrange(1, 100)) / 100 / STEP).to_integral_value(ROUND_DOWN) * STEP
        return max(part, min(STEP, quantity))

    def _fill_in_parts(self, order: Order, price: Decimal, dry: bool) -> None:
        away = TICK if order.side == "BUY" else -TICK
        for number in range(self.chance.randrange(1, 4)):
            if order.left:
                self._fill(order, price + away * number, self._part_of(order.left))
        if order.left and not dry:
            self._fill(order, price + away * 3, order.left)

    def _fill(self, order: Order, price: Decimal, quantity: Decimal) -> None:
        base, at_ms = order.symbol.removesuffix("USDT"), self.now_ms()
        sign = 1 if order.side == "BUY" else -1
        fee, fee_asset = self._fee(order, base, price, quantity)
        trade = Traded(
            at_ms,
            self._next_trade,
            order.id,
            order.client_id,
            order.symbol,
            order.side,
            price,
            quantity,
            fee,
            fee_asset,
        )
        self._next_trade += self.chance.randrange(1, 4)
        order.executed += quantity
        order.trades.append(trade)
        self.trades.setdefault(order.symbol, []).append(trade)
        self.log.append(trade)
        self._move(base, sign * quantity)
        self._move("USDT", -sign * quantity * price)
        self._move(fee_asset, -fee)
        self._note(order, "PARTIALLY_FILLED" if order.left else "FILLED", trade)

    def _fee(self, order: Order, base: str, price: Decimal, quantity: Decimal) -> tuple[Decimal, str]:
        received = base if order.side == "BUY" else "USDT"
        asset = {"received": received, "quote": "USDT", "bnb": "BNB"}[self.fee_in]
        worth = quantity if asset == base else quantity * price / (300 if asset == "BNB" else 1)
        return (worth * FEE_SHARE).quantize(D("1e-8")), asset

    def _end(self, order: Order, status: str) -> None:
        self._note(order, status)

    def _note(self, order: Order, status: str, trade: Traded | None = None) -> None:
        order.status = status
        if order.is_open:
            self.open_orders[order.id] = order
        else:
            self.open_orders.pop(order.id, None)
        order.seen.append((self.now_ms(), status, order.executed))
        self.publish(self._event(order, trade))

    def cancel(self, symbol: str, client_id: str) -> Order:
        """Take an open order out. Refusal."""
        for order in self.open_orders.values():
            if (order.symbol, order.client_id) == (symbol, client_id):
                self._end(order, "CANCELED")
                return order
        raise Refusal(-2011, "Unknown order sent.")

    def move_market(self) -> None:
        """A moment passes: prices walk, resting orders are met, in part or in full."""
        for symbol, price in self.prices.items():
            walk = D(self.chance.randrange(-15, 16)) / 10_000
            self.prices[symbol] = (price * (1 + walk)).quantize(TICK)
            bid, ask = self.quote(symbol)
            for order in [order for order in self.open_orders.values() if order.symbol == symbol]:
                if order.stop is not None and bid <= order.stop:
                    self._fill_in_parts(order, bid, dry=self.chance.random() < 0.06)
                    if order.left:
                        self._end(order, "EXPIRED")
                elif order.price is not None:
                    met = order.price >= ask if order.side == "BUY" else order.price <= bid
                    if met or self.chance.random() < 0.08:
                        self._fill(order, order.price, self._part_of(order.left))

    def archived(self, order: Order) -> bool:
        """Did it end without a trade, long ago as this venue sees it?"""
        long_ago = 0 < self.archives_ms < self.now_ms() - order.seen[-1][0]
        return long_ago and not order.is_open and not order.executed

    # looking

    def as_of(self) -> int:
        """The moment a read is of: now, or a little ago."""
        return self.now_ms() - (self.chance.randrange(0, self.lag_ms + 1) if self.lag_ms else 0)

    def find(
        self, symbol: str, client_id: str | None, order_id: int | None, as_of_ms: int
    ) -> tuple[Order, str, Decimal]:
        """An order as it was: with its status and what was executed. The newest of that id. Refusal."""
        for order in reversed(self.orders.values()):
            if order.symbol == symbol and client_id in (None, order.client_id) and order_id in (None, order.id):
                known = [row for row in order.seen if row[0] <= as_of_ms]
                if self.archived(order):
                    raise Refusal(-2026, "Order was canceled or expired with no executed qty and has been archived.")
                if known:
                    return order, known[-1][1], known[-1][2]
        raise Refusal(-2013, "Order does not exist.")

    def _event(self, order: Order, trade: Traded | None) -> Event:
        kind = "TRADE" if trade else {"NEW": "NEW", "CANCELED": "CANCELED"}.get(order.status, "EXPIRED")
        return {
            "e": "executionReport", "E": self.now_ms(), "s": order.symbol, "i": order.id, "T": self.now_ms(),
            "c": f"cancel{order.id}" if kind == "CANCELED" else order.client_id,
            "C": order.client_id if kind == "CANCELED" else "",
            "S": order.side, "x": kind, "X": order.status, "z": text(order.executed),
            "t": trade.trade_id if trade else -1, "l": text(trade.quantity) if trade else "0",
            "L": text(trade.price) if trade else "0", "n": text(trade.fee) if trade else "0",
            "N": trade.fee_asset if trade else None,
        }  # fmt: skip


def text(amount: Decimal) -> str:
    return f"{amount:.8f}"
