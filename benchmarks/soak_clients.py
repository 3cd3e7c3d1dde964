"""Seeded clients of a venue that send every kind of request which moves money or locks it, as parameters like those on
the wire. They judge nothing; refusals are counted."""

from collections import Counter
from decimal import Decimal
from random import Random

from execution.runtime.clock import Clock
from execution.venue.auth import Window
from execution.venue.book import BUY, PREVENTION_MODES, SELL, Order
from execution.venue.errors import ApiError
from execution.venue.exchange import Exchange
from execution.venue.limits import RateLimits
from execution.venue.symbols import ORDER_TYPES, Symbol
from execution.venue.trading import Trading

WAYS = (
    *(("order", 60), ("cancel", 12), ("cancel all", 1), ("oco", 8), ("replace", 10), ("quote order", 8)),
    *(("bnb", 1),),
)
TIMED = ("LIMIT", "STOP_LOSS_LIMIT", "TAKE_PROFIT_LIMIT")
NEAR = 0.0004  # how far from the market, as a share, orders stand: some inside the spread, some beyond the next minutes
WORTH_MOST = 400
Values = dict[str, str]


class Clients:
    """All accounts of an exchange."""

    def __init__(self, exchange: Exchange, clock: Clock, random: Random, requests: float) -> None:
        """`requests`: how many at each step, on average."""
        self.exchange = exchange
        self.sent: Counter[str] = Counter()
        self.refused: Counter[int] = Counter()
        self._clock = clock
        self._random = random
        self._requests = requests

    def act(self) -> None:
        """A few requests."""
        count = int(self._requests) + (self._random.random() < self._requests % 1)
        for _ in range(count):
            way = self._random.choices([name for name, _ in WAYS], [weight for _, weight in WAYS])[0]
            account = self._random.choice(self.exchange.accounts)
            symbol = self._random.choice(list(self.exchange.symbols.values()))
            try:
                self._send(way, account, symbol)
            except ApiError as refusal:
                self.refused[refusal.code] += 1

    def _send(self, way: str, account: str, symbol: Symbol) -> None:
        trading = Trading(self.exchange, RateLimits(), self._clock)
        window = Window(self._clock.now_ms(), Decimal(5000))
        found = self.exchange.engine.open_orders(account, symbol.name)
        values: Values = {"symbol": symbol.name}
        kind = self._random.choice(ORDER_TYPES)
        if way == "order":
            self.sent[kind] += 1
            trading.place_order(account, values | self._order(symbol, kind), window)
            return
        self.sent[way] += 1
        if way == "quote order":
            budget = f"{self._random.uniform(5, WORTH_MOST):.2f}"
            values |= {"side": self._side(), "type": "MARKET", "quoteOrderQty": budget}
            trading.place_order(account, values, window)
        elif way == "cancel" and found:
            trading.cancel_order(account, values | {"orderId": str(self._random.choice(found).id)}, window)
        elif way == "cancel all" and found:
            trading.cancel_all(account, values, window)
        elif way == "oco":
            trading.lists.place_pair(account, values | self._pair(symbol), window)
        elif way == "replace" and found:
            self._replace(trading, account, self._random.choice(found), symbol, window)
        elif way == "bnb":
            trading.fee_wish(account, {"spotBNBBurn": self._random.choice(("true", "false"))}, window)

    def _replace(self, trading: Trading, account: str, gone: Order, symbol: Symbol, window: Window) -> None:
        mode = self._random.choice(("STOP_ON_FAILURE", "ALLOW_FAILURE"))
        values = {"symbol": symbol.name, "cancelOrderId": str(gone.id), "cancelReplaceMode": mode}
        kind = self._random.choice(("LIMIT", "MARKET", "LIMIT_MAKER"))
        trading.replacing.replace_order(account, values | self._order(symbol, kind), window)

    def _side(self) -> str:
        return self._random.choice((BUY, SELL))

    def _ticks(self, symbol: Symbol, share: float) -> str:
        last = self.exchange.engine.last_ticks[symbol.name]
        return symbol.price_text(max(1, round(last * (1 + share))))

    def _quantity(self, symbol: Symbol) -> str:
        last = self.exchange.engine.last_ticks[symbol.name]
        worth = self._random.uniform(1, WORTH_MOST) * float(self._unit(symbol))
        return symbol.quantity_text(max(1, int(worth / float(symbol.value(last, 1)))))

    @staticmethod
    def _unit(symbol: Symbol) -> float:
        return float(symbol.notional_min) / 5

    def _order(self, symbol: Symbol, kind: str) -> Values:
        side = self._side()
        values = {"side": side, "type": kind, "quantity": self._quantity(symbol)}
        values["selfTradePreventionMode"] = self._random.choice(PREVENTION_MODES)
        off = self._random.gauss(0.0, NEAR * self._random.choice((0.3, 1, 5)))
        if kind in TIMED or kind == "LIMIT_MAKER":
            values["price"] = self._ticks(symbol, off)
        if kind in TIMED:
            values["timeInForce"] = self._random.choices(("GTC", "IOC", "FOK"), (4, 1, 1))[0]
        if kind.startswith(("STOP", "TAKE")):
            up = (side == BUY) == kind.startswith("STOP")
            away = abs(off) + NEAR / 4
            values["stopPrice"] = self._ticks(symbol, away if up else -away)
        return values

    def _pair(self, symbol: Symbol) -> Values:
        side = self._side()
        near, far = (self._random.uniform(1, 8) * NEAR for _ in range(2))
        values = {"side": side, "quantity": self._quantity(symbol)}
        limit, stop = ("above", "below") if side == SELL else ("below", "above")
        up = 1 if side == SELL else -1
        values |= {f"{limit}Type": "LIMIT_MAKER", f"{limit}Price": self._ticks(symbol, up * near)}
        return values | {f"{stop}Type": "STOP_LOSS", f"{stop}StopPrice": self._ticks(symbol, -up * far)}
