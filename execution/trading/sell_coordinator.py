"""UnifiedSellCoordinator: the only place that decides when a position is sold, and why.

Bars and the current quote go through research's own exit rule; the first reason by precedence (ExitReason) holds. What
a closed bar has decided stays decided until the position is gone. It sends nothing.
"""

from collections.abc import Collection, Iterable, Mapping
from decimal import Decimal
from typing import Any

import msgspec

from execution.research.bars import is_bar
from execution.research.exits import EXIT_REASONS, HOLD, Exits, exit_step
from execution.runtime.clock import Clock, iso
from execution.runtime.settings import TradingConfig
from execution.trading.bars import BarBook
from execution.trading.portfolio import Holding
from execution.vocabulary.health import ComponentHealth, ComponentStatus
from execution.vocabulary.market import Quote, SymbolRules
from execution.vocabulary.money import text
from execution.vocabulary.orders import OrderRequest, OrderType, Purpose, Side
from execution.vocabulary.reasons import ExitReason

PRECEDENCE = tuple(ExitReason)
SHOWN = 8  # decimals of what is told


class Decision(msgspec.Struct, frozen=True):
    """Sell all that can be sold of one position, now. `numbers`: what it was decided by, for the audit trail."""

    symbol: str
    reason: ExitReason
    quantity: Decimal
    price: Decimal
    numbers: dict[str, Any] = {}


class Exiting(msgspec.Struct, frozen=True):
    """One look at all positions: what to sell, and what is too little to sell (named once, then left in peace)."""

    decisions: list[Decision]
    new_dust: list[str]


class Watch(msgspec.Struct, frozen=True):
    """One position under watch: how far its bars have been looked at, how many there were, what they decided."""

    since_ms: int
    checked_ms: int
    bars_held: int = 0
    decided: ExitReason | None = None


def advanced(watch: Watch, newest_ms: int, rows: Iterable[list[float]], price_paid: float, exits: Exits) -> Watch:
    """The watch after the bars closed since, oldest first. The first reason stays; unfit bars don't count."""
    vector = exits.vector()
    held = watch.bars_held
    for row in rows:
        if watch.decided is not None:
            break
        if not is_bar(row):
            continue
        held += 1
        code, _ = exit_step(price_paid, row, held, vector)
        if code != HOLD:
            return Watch(watch.since_ms, newest_ms, held, EXIT_REASONS[code])
    return Watch(watch.since_ms, newest_ms, held, watch.decided)


def quote_reason(price_paid: float, bid: float, exits: Exits) -> ExitReason | None:
    """What the price of this moment asks for: stop or target, never time, which is counted in closed bars."""
    row = [bid, bid, bid, bid, 0.0]
    if not is_bar(row):
        return None
    code, _ = exit_step(price_paid, row, 0, exits.vector())
    return EXIT_REASONS.get(code)


def profitable(holding: Holding, bid: Decimal, taker_fee: Decimal) -> bool:
    """Would a sale at `bid` bring more than the position cost, all fees included?"""
    return bid * (1 - taker_fee) > holding.position.entry_price


def first_reason(found: Iterable[ExitReason | None]) -> ExitReason | None:
    """The one that comes first by precedence."""
    return min((reason for reason in found if reason is not None), key=PRECEDENCE.index, default=None)


class UnifiedSellCoordinator:
    """Looks at every position, on each closed bar and on the price of the moment."""

    def __init__(self, config: TradingConfig, bars: BarBook, clock: Clock) -> None:
        self._config = config
        self._bars = bars
        self._clock = clock
        self._exits = Exits(float(config.profit_target), float(config.stop_loss), config.time_exit_bars)
        self._watches: dict[str, Watch] = {}
        self._entered_ms: dict[str, int] = {}
        self._dust_said: dict[str, Decimal] = {}
        self._emergency: dict[str, str] = {}
        self._left: dict[str, float] = {}  # positions that the last look left as they are, and what was paid for them
        self._looked_ms: int | None = None
        self.decided = 0

    def entered(self, symbol: str, signal_bar_ms: int) -> None:
        """An entry was sent. When it joins dust of an older position, its time counts, not the dust's."""
        self._entered_ms[symbol] = max(signal_bar_ms, self._entered_ms.get(symbol, -1))

    def sell_all(self, symbols: Iterable[str], reason: str) -> list[str]:
        """Mark positions for immediate sale, whatever their price; the symbols marked. Holds until they are gone."""
        marked = sorted(symbols)
        self._emergency |= dict.fromkeys(marked, reason)
        return marked

    @property
    def emergencies(self) -> dict[str, str]:
        """Symbols marked for immediate sale, and why."""
        return dict(self._emergency)

    def ended_by(self, quote: Quote) -> bool:
        """Would this price end a position that the last look left as it was? Said once for each look."""
        paid = self._left.get(quote.symbol)
        if paid is None or quote_reason(paid, float(quote.bid), self._exits) is None:
            return False
        del self._left[quote.symbol]
        return True

    def look(
        self,
        holdings: Mapping[str, Holding],
        rules: Mapping[str, SymbolRules],
        quotes: Mapping[str, Quote | None],
        waiting: Collection[str] = (),
        quotes_old: bool = False,
    ) -> Exiting:
        """Which of all `holdings` to sell now. One without a price waits for one, save in an emergency; symbols
        `waiting` for the end of an order are looked at when it is known. `quotes_old`: the market hasn't been heard for
        a while (a process that was stopped and goes on): then only what closed bars have decided is done."""
        self._forget_gone(holdings)
        self._left = {}
        self._looked_ms = self._clock.now_ms()
        decisions: list[Decision] = []
        new_dust: list[str] = []
        for symbol, holding in holdings.items():
            if symbol in waiting:
                continue
            if holding.dust:
                if self._dust_said.get(symbol) != holding.position.quantity:
                    self._dust_said[symbol] = holding.position.quantity
                    new_dust.append(symbol)
                continue
            decision = self._decide(symbol, holding, rules.get(symbol), quotes.get(symbol), quotes_old)
            if decision is not None:
                decisions.append(decision)
            else:
                self._left[symbol] = float(holding.price_paid)
        self.decided += len(decisions)
        return Exiting(decisions, new_dust)

    def _decide(
        self, symbol: str, holding: Holding, rules: SymbolRules | None, quote: Quote | None, quotes_old: bool
    ) -> Decision | None:
        if rules is None or holding.sellable <= 0:
            return None
        if quote is None:
            if symbol not in self._emergency:
                return None
            price = self._last_price(symbol, holding)
            return Decision(symbol, ExitReason.EMERGENCY, holding.sellable, price, self._numbers(symbol, holding, None))
        reason = self._reason(symbol, holding, quote.bid, rules.taker_fee, quotes_old)
        if reason is None:
            return None
        return Decision(symbol, reason, holding.sellable, quote.bid, self._numbers(symbol, holding, quote))

    def _numbers(self, symbol: str, holding: Holding, quote: Quote | None) -> dict[str, Any]:
        watch, paid = self._watches.get(symbol), holding.price_paid
        told: dict[str, Any] = {
            "price_paid": text(round(paid, SHOWN)),
            "bid": None if quote is None else text(quote.bid),
            "stop": text(round(paid * (1 - self._config.stop_loss), SHOWN)),
            "target": text(round(paid * (1 + self._config.profit_target), SHOWN)),
            "bars_held": 0 if watch is None else watch.bars_held,
            "time_exit_bars": self._config.time_exit_bars,
            "by": "the price of the moment" if watch is None or watch.decided is None else "a closed bar",
        }
        if symbol in self._emergency:
            told |= {"by": "an order to sell everything", "why": self._emergency[symbol]}
        return told

    def _last_price(self, symbol: str, holding: Holding) -> Decimal:
        """What risk is counted at while nobody quotes."""
        bars = self._bars.series(symbol).candles
        return bars[-1].close if bars else holding.position.entry_price

    def _reason(
        self, symbol: str, holding: Holding, bid: Decimal, taker_fee: Decimal, quotes_old: bool
    ) -> ExitReason | None:
        paid = float(holding.price_paid)
        by_bars = self._watched(symbol, holding, paid).decided
        if by_bars is ExitReason.PROFIT_TARGET and not profitable(holding, bid, taker_fee):
            # a bar reached the target, we came too late, and no profit is left to take: go on watching
            watch = self._watches[symbol]
            self._watches[symbol] = Watch(watch.since_ms, watch.checked_ms, watch.bars_held)
            by_bars = None
        emergency = ExitReason.EMERGENCY if symbol in self._emergency else None
        by_quote = None if quotes_old else quote_reason(paid, float(bid), self._exits)
        return first_reason((emergency, by_bars, by_quote))

    def _watched(self, symbol: str, holding: Holding, paid: float) -> Watch:
        newest = self._bars.series(symbol).newest_ms
        since = max(holding.position.signal_bar_ms, self._entered_ms.get(symbol, -1))
        watch = self._watches.get(symbol)
        if watch is None or watch.since_ms != since:
            # a market that began anew may lie before the entry: then its bars count from now
            watch = Watch(since, min(since, newest))
        if watch.checked_ms < newest:
            watch = advanced(watch, newest, self._bars.rows_after(symbol, watch.checked_ms), paid, self._exits)
        self._watches[symbol] = watch
        return watch

    def _forget_gone(self, holdings: Mapping[str, Holding]) -> None:
        self._watches = {symbol: row for symbol, row in self._watches.items() if symbol in holdings}
        self._dust_said = {symbol: row for symbol, row in self._dust_said.items() if symbol in holdings}
        self._emergency = {symbol: row for symbol, row in self._emergency.items() if symbol in holdings}

    def get_health(self) -> ComponentHealth:
        """Degraded while an emergency sale isn't through."""
        return ComponentHealth(
            status=ComponentStatus.DEGRADED if self._emergency else ComponentStatus.HEALTHY,
            last_activity=None if self._looked_ms is None else iso(self._looked_ms),
            metrics={
                "decided": self.decided,
                "watched": len(self._watches),
                "emergencies": self.emergencies,
                "dust": sorted(self._dust_said),
            },
        )


def request_of(decision: Decision, holding: Holding, correlation_id: str) -> OrderRequest:
    """The order that carries a decision out."""
    return OrderRequest(
        symbol=decision.symbol,
        side=Side.SELL,
        type=OrderType.MARKET,
        quantity=decision.quantity,
        reference_price=decision.price,
        purpose=Purpose.EXIT,
        strategy=holding.position.strategy,
        reason=decision.reason.value,
        signal_bar_ms=holding.position.signal_bar_ms,
        correlation_id=correlation_id,
    )
