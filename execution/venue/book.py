"""One symbol's order book: whole ticks, whole lots, price first, then time. It holds resting orders and finds who is
next; it neither trades nor knows money."""

from bisect import bisect_left, insort
from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass, fields
from decimal import Decimal
from operator import attrgetter

BUY = "BUY"
SELL = "SELL"

NEW = "NEW"
PARTIALLY_FILLED = "PARTIALLY_FILLED"
FILLED = "FILLED"
CANCELED = "CANCELED"
EXPIRED = "EXPIRED"
EXPIRED_IN_MATCH = "EXPIRED_IN_MATCH"
OPEN_STATUSES = (NEW, PARTIALLY_FILLED)

EXPIRE_MAKER = "EXPIRE_MAKER"
EXPIRE_TAKER = "EXPIRE_TAKER"
EXPIRE_BOTH = "EXPIRE_BOTH"
DECREMENT = "DECREMENT"
NO_PREVENTION = "NONE"
PREVENTION_MODES = (EXPIRE_TAKER, EXPIRE_MAKER, EXPIRE_BOTH, DECREMENT, NO_PREVENTION)

STOP_LOSS = ("STOP_LOSS", "STOP_LOSS_LIMIT")
TAKE_PROFIT = ("TAKE_PROFIT", "TAKE_PROFIT_LIMIT")
NO_LIST = -1
NOT_WORKING = -1
NO_MATCH = -1


@dataclass(slots=True, eq=False)
class Order:
    """One order. `ticks` is 0 for an order at any price; `quote_budget` is set when it was sized in the quote
    currency. A stop order is `waiting` until a trade reaches `stop_ticks`; then it works like any other order. An
    iceberg shows at most `iceberg_lots` at a time, of which `shown_lots` are left."""

    id: int
    account: str
    symbol: str
    client_id: str
    side: str
    type: str
    time_in_force: str
    ticks: int
    lots: int
    created_ms: int
    quote_budget: Decimal = Decimal(0)
    filled_lots: int = 0
    filled_quote: Decimal = Decimal(0)
    status: str = NEW
    updated_ms: int = 0
    stop_ticks: int = 0
    waiting: bool = False
    working_ms: int = NOT_WORKING
    prevention: str = EXPIRE_MAKER
    list_id: int = NO_LIST
    prevented_lots: int = 0
    prevented_match: int = NO_MATCH
    strategy_id: int | None = None
    strategy_type: int | None = None
    iceberg_lots: int = 0
    shown_lots: int = 0

    @property
    def left(self) -> int:
        """Lots neither filled nor taken by self-trade prevention."""
        return self.lots - self.filled_lots - self.prevented_lots

    @property
    def shown(self) -> int:
        """Lots that the book shows: all that is left, or what is left of an iceberg's present part."""
        return min(self.shown_lots, self.left) if self.iceberg_lots else self.left

    @property
    def is_open(self) -> bool:
        """Can it still fill?"""
        return self.status in OPEN_STATUSES

    @property
    def is_conditional(self) -> bool:
        """Is it a stop order, waiting or not?"""
        return self.stop_ticks > 0

    @property
    def has_locked(self) -> bool:
        """Is money reserved for it? An order that takes at any price pays out of what is free."""
        return self.ticks > 0 or self.waiting

    @property
    def waits_for_rise(self) -> bool:
        """Is a stop order set off by a price at or above its stop price, or by one at or below it?"""
        return (self.side == BUY) == (self.type in STOP_LOSS)

    def is_reached_by(self, ticks: int) -> bool:
        """Does a trade at this price set a stop order off?"""
        return ticks >= self.stop_ticks if self.waits_for_rise else ticks <= self.stop_ticks


_FIELDS = attrgetter(*(field.name for field in fields(Order)))


def copied(order: Order) -> Order:
    """The order as it is now."""
    return Order(*_FIELDS(order))


def house_order(account: str, name: str, side: str, ticks: int, lots: int) -> Order:
    """An order of the market itself: it has no number and nobody asks for it."""
    return Order(0, account, name, "", side, "LIMIT", "GTC", ticks, lots, 0)


class _Side:
    """The resting orders of one side; `sign` is 1 when the lowest price is the best (asks), -1 for bids."""

    def __init__(self, sign: int) -> None:
        self._sign = sign
        self._keys: list[int] = []  # sign * ticks, ascending: the best price comes first
        self._levels: dict[int, list[Order]] = {}

    def add(self, order: Order) -> None:
        key = self._sign * order.ticks
        level = self._levels.get(key)
        if level is None:
            self._levels[key] = [order]
            insort(self._keys, key)
        else:
            level.append(order)

    def remove(self, order: Order) -> None:
        key = self._sign * order.ticks
        level = self._levels[key]
        level.remove(order)
        if not level:
            del self._levels[key]
            del self._keys[bisect_left(self._keys, key)]

    def best(self) -> Order | None:
        return self._levels[self._keys[0]][0] if self._keys else None

    def best_level(self) -> tuple[int, int] | None:
        if not self._keys:
            return None
        key = self._keys[0]
        return self._sign * key, sum(order.shown for order in self._levels[key])

    def levels(self, most: int) -> list[tuple[int, int]]:
        return [(self._sign * key, sum(order.shown for order in self._levels[key])) for key in self._keys[:most]]

    def parts(self) -> Iterator[tuple[Order, int]]:
        """What a taker meets: at each price what is shown, then the hidden parts of icebergs in turn."""
        for key in self._keys:
            level = self._levels[key]
            for order in level:
                yield order, order.shown
            hidden = deque((order, order.left - order.shown) for order in level if order.left > order.shown)
            while hidden:
                order, left = hidden.popleft()
                lots = min(order.iceberg_lots, left)
                yield order, lots
                if left > lots:
                    hidden.append((order, left - lots))

    def requeue(self, order: Order) -> None:
        level = self._levels[self._sign * order.ticks]
        level.remove(order)
        level.append(order)


class OrderBook:
    """Both sides. `version` grows with every change and is the update id of depth messages."""

    def __init__(self) -> None:
        self.version = 1
        self._bids = _Side(-1)
        self._asks = _Side(1)

    def _side(self, side: str) -> _Side:
        return self._bids if side == BUY else self._asks

    def add(self, order: Order) -> None:
        """Rest an order behind those already at its price."""
        self.version += 1
        order.shown_lots = order.shown_lots or order.iceberg_lots
        self._side(order.side).add(order)

    def remove(self, order: Order) -> None:
        """Take a resting order out. Raises KeyError or ValueError when it isn't resting here (a bug)."""
        self.version += 1
        self._side(order.side).remove(order)

    def taken(self, order: Order, lots: int) -> None:
        """A resting order has this much less; when an iceberg shows nothing more, its next part stands behind all
        others at the price."""
        self.version += 1
        if order.iceberg_lots:
            order.shown_lots -= lots
            if order.shown_lots <= 0:
                order.shown_lots = order.iceberg_lots
                self._side(order.side).requeue(order)

    def next_maker(self, taker_side: str, limit_ticks: int) -> Order | None:
        """The order that a taker meets first, or None when nothing is at its limit or better (0 = any price)."""
        maker = (self._asks if taker_side == BUY else self._bids).best()
        if maker is None or not limit_ticks:
            return maker
        reachable = maker.ticks <= limit_ticks if taker_side == BUY else maker.ticks >= limit_ticks
        return maker if reachable else None

    def makers(self, taker_side: str, limit_ticks: int) -> Iterator[tuple[Order, int]]:
        """All that a taker could meet, best first: orders with lots, an iceberg more than once. The book must not
        change meanwhile."""
        for maker, lots in (self._asks if taker_side == BUY else self._bids).parts():
            reachable = maker.ticks <= limit_ticks if taker_side == BUY else maker.ticks >= limit_ticks
            if limit_ticks and not reachable:
                return
            yield maker, lots

    def best_bid(self) -> tuple[int, int] | None:
        """(ticks, lots) of the highest bid."""
        return self._bids.best_level()

    def best_ask(self) -> tuple[int, int] | None:
        """(ticks, lots) of the lowest ask."""
        return self._asks.best_level()

    def bids(self, most: int = 1000) -> list[tuple[int, int]]:
        """Bid levels as (ticks, lots), best first."""
        return self._bids.levels(most)

    def asks(self, most: int = 1000) -> list[tuple[int, int]]:
        """Ask levels as (ticks, lots), best first."""
        return self._asks.levels(most)
