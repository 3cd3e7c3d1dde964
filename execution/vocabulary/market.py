"""Market facts as every room sees them. Times are market time in milliseconds; prices and sizes are Decimal."""

from decimal import Decimal

import msgspec


class Candle(msgspec.Struct, frozen=True, array_like=True):
    """One closed bar. `open_ms` is market time; volume is in the base currency."""

    open_ms: int
    open: Decimal
    high: Decimal
    low: Decimal
    close: Decimal
    volume: Decimal


class Quote(msgspec.Struct, frozen=True):
    """Best bid and ask of a symbol. `received` is our monotonic clock, for staleness."""

    symbol: str
    bid: Decimal
    ask: Decimal
    received: float

    @property
    def mid(self) -> Decimal:
        """Halfway between bid and ask."""
        return (self.bid + self.ask) / 2

    @property
    def spread_share(self) -> Decimal:
        """The spread as a share of the mid price (0.001 = 0.1 %)."""
        return (self.ask - self.bid) / self.mid


class Trade(msgspec.Struct, frozen=True, gc=False):
    """One trade of the market, or several of one order at one price as the venue sums them up. `id`: the first of them,
    by the symbol's own count; `trade_ms` is market time, `received` our monotonic clock."""

    symbol: str
    id: int
    price: Decimal
    quantity: Decimal
    trade_ms: int
    received: float


class TradedRange(msgspec.Struct, frozen=True):
    """What one symbol's trades went through since the last one of these: nothing lower, nothing higher. `trade_ms` is
    the market time of the last of them, `received` when the first was heard, by our monotonic clock."""

    symbol: str
    low: Decimal
    high: Decimal
    last: Decimal
    count: int
    trade_ms: int
    received: float


class SymbolRules(msgspec.Struct, frozen=True):
    """What the venue demands of an order on this symbol (its filters and our fee). `stop_type`: the kind of stop that
    can stand there and wait for its price; "" when it takes none."""

    symbol: str
    base: str
    quote: str
    price_tick: Decimal
    lot_step: Decimal
    lot_min: Decimal
    notional_min: Decimal
    taker_fee: Decimal
    trading: bool = True
    stop_type: str = ""


class Condition(msgspec.Struct, frozen=True):
    """An armed entry with a time to live, counted in bars of the symbol's timeframe."""

    id: str
    symbol: str
    strategy: str
    params: dict[str, float]
    regime: str
    score: float
    created_bar_ms: int
    ttl_bars: int
