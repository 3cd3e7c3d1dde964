"""UnifiedSellCoordinator: the only place that decides when a position is sold, and why.

Closed bars, trades and the current quote go through exit_rules.py; the first reason by precedence (ExitReason) holds.
What a closed bar has decided stays decided until the position is gone. It sends nothing.
"""

from collections.abc import Collection, Iterable, Mapping
from decimal import Decimal
from typing import Any

import msgspec

from execution.research.costs import Costs
from execution.research.exit_terms import exits_of, leave_in
from execution.research.exits import Exits
from execution.runtime.clock import Clock, iso
from execution.runtime.settings import TradingConfig
from execution.trading.bars import BarBook
from execution.trading.exit_rules import Seen, first_reason, levels, price_reason, profitable
from execution.trading.portfolio import Holding
from execution.trading.watches import Watches
from execution.vocabulary.health import ComponentHealth, ComponentStatus
from execution.vocabulary.market import Quote, SymbolRules
from execution.vocabulary.money import ZERO, text
from execution.vocabulary.orders import OrderRequest, OrderType, Purpose, Side
from execution.vocabulary.reasons import ExitReason


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


class Case(msgspec.Struct, frozen=True):
    """One position to be judged. `prices`: the bid and all that was traded since the last look; None when the market
    hasn't been heard for a while."""

    symbol: str
    holding: Holding
    rules: SymbolRules
    quote: Quote | None
    exits: Exits
    prices: Seen | None


class Left(msgspec.Struct, frozen=True):
    """A position that the last look left as it was: by what it is judged until the next one."""

    price_paid: float
    peak: float
    exits: Exits
    said: bool = False

    def ended_by(self, low: float, high: float) -> bool:
        """Would these prices end it?"""
        return price_reason(self.price_paid, self.peak, low, high, self.exits) is not None


class UnifiedSellCoordinator:
    """Looks at every position, on each closed bar, on what is traded and on the price of the moment."""

    def __init__(self, config: TradingConfig, bars: BarBook, clock: Clock) -> None:
        self._config = config
        self._bars = bars
        self._clock = clock
        self._watches = Watches(bars, leave_in(config))
        self._terms: dict[tuple[str, Decimal], Exits] = {}
        self._dust_said: dict[str, Decimal] = {}
        self._emergency: dict[str, str] = {}
        self._given_up: dict[str, str] = {}
        self._left: dict[str, Left] = {}
        self._heeded: dict[str, int] = {}  # whose trades are kept for the next look, and since when each is held
        self._seen: dict[str, Seen] = {}
        self._looked_ms: int | None = None
        self.decided = 0

    def entered(self, symbol: str, signal_bar_ms: int) -> None:
        """An entry was sent. When it joins dust of an older position, its time counts, not the dust's."""
        self._watches.entered(symbol, signal_bar_ms)

    def sell_all(self, symbols: Iterable[str], reason: str) -> list[str]:
        """Mark positions for immediate sale, whatever their price; the symbols marked. Holds until they are gone."""
        marked = sorted(symbols)
        self._emergency |= dict.fromkeys(marked, reason)
        return marked

    def give_up(self, symbol: str, why: str) -> None:
        """Mark a position whose money is wanted for something better. Holds until it is gone."""
        self._given_up[symbol] = why

    @property
    def emergencies(self) -> dict[str, str]:
        """Symbols marked for immediate sale, and why."""
        return dict(self._emergency)

    def ended_by(self, quote: Quote) -> bool:
        """Would this price end a position that the last look left as it was? Said once for each look."""
        bid = float(quote.bid)
        return self._ended_by(quote.symbol, bid, bid)

    def ended_by_trades(self, symbol: str, low: Decimal, high: Decimal) -> bool:
        """Would these trades? They are kept for the next look, so that no touch of a stop is missed."""
        if symbol not in self._heeded:
            return False
        lowest, highest = float(low), float(high)
        known = self._seen.get(symbol)
        self._seen[symbol] = Seen(lowest, highest) if known is None else known.wider(lowest, highest)
        return self._ended_by(symbol, lowest, highest)

    def _ended_by(self, symbol: str, low: float, high: float) -> bool:
        left = self._left.get(symbol)
        if left is None or left.said or not left.ended_by(low, high):
            return False
        self._left[symbol] = msgspec.structs.replace(left, said=True)
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
            rule, quote = rules.get(symbol), quotes.get(symbol)
            if rule is None or holding.sellable <= 0:
                continue
            prices = None if quotes_old or quote is None else _prices(quote, self._seen.get(symbol))
            case = Case(symbol, holding, rule, quote, self._exits_of(holding, rule), prices)
            decision = self._decide(case)
            if decision is not None:
                decisions.append(decision)
            else:
                self._left[symbol] = self._left_as_it_is(case)
                self._seen.pop(symbol, None)  # a touched stop holds until it is sold: a sale may fail
        self.decided += len(decisions)
        return Exiting(decisions, new_dust)

    def _left_as_it_is(self, case: Case) -> Left:
        paid, watch = float(case.holding.price_paid), self._watches.last(case.symbol)
        return Left(paid, paid if watch is None else watch.highest(paid), case.exits)

    def _exits_of(self, holding: Holding, rules: SymbolRules) -> Exits:
        """What was paid holds the spread of the way in, the bid that of the way out: fees alone raise the target."""
        key = (holding.position.strategy, rules.taker_fee)
        if key not in self._terms:
            self._terms[key] = exits_of(self._config, key[0], Costs.of(rules.taker_fee, ZERO, ZERO))
        return self._terms[key]

    def _decide(self, case: Case) -> Decision | None:
        if case.quote is None:
            if case.symbol not in self._emergency:
                return None
            reason: ExitReason | None = ExitReason.EMERGENCY
            price = self._last_price(case)
        else:
            reason, price = self._reason(case, case.quote.bid), case.quote.bid
        if reason is None:
            return None
        return Decision(case.symbol, reason, case.holding.sellable, price, self._numbers(case, reason))

    def _numbers(self, case: Case, reason: ExitReason) -> dict[str, Any]:
        symbol, watch = case.symbol, self._watches.last(case.symbol)
        told: dict[str, Any] = {"bid": None if case.quote is None else text(case.quote.bid)}
        told |= levels(case.holding.price_paid, watch, case.exits)
        if case.prices is not None:
            told |= {"lowest": case.prices.low, "highest": case.prices.high}
        regime = self._watches.regime(symbol)
        if regime:
            told["regime"] = regime
        if reason is ExitReason.EMERGENCY:
            return told | {"by": "an order to sell everything", "why": self._emergency[symbol]}
        if reason is ExitReason.REALLOCATED:
            return told | {"by": "a better entry", "why": self._given_up[symbol]}
        by_bar = watch is not None and watch.decided is not None
        return told | {"by": "a closed bar" if by_bar else "the price of the moment"}

    def _last_price(self, case: Case) -> Decimal:
        """What risk is counted at while nobody quotes."""
        bars = self._bars.series(case.symbol).candles
        return bars[-1].close if bars else case.holding.position.entry_price

    def _reason(self, case: Case, bid: Decimal) -> ExitReason | None:
        symbol, paid = case.symbol, float(case.holding.price_paid)
        before = self._watches.last(symbol)
        watch = self._watches.of(symbol, case.holding, case.exits)
        by_bars, by_price = watch.decided, None
        if case.prices is not None:
            # what was traded since the last look may lie before the peak that a bar closed since then has raised
            same = before is not None and before.since_ms == watch.since_ms  # not of a position before this one
            known, now = before.highest(paid) if before is not None and same else paid, float(bid)
            traded = price_reason(paid, known, case.prices.low, case.prices.high, case.exits)
            by_price = first_reason((traded, price_reason(paid, watch.highest(paid), now, now, case.exits)))
        if not profitable(case.holding, bid, case.rules.taker_fee):
            # the target was reached, we came too late, and no profit is left to take: go on watching
            if by_bars is ExitReason.PROFIT_TARGET:
                self._watches.go_on(symbol)
                by_bars = None
            if by_price is ExitReason.PROFIT_TARGET:
                by_price = None
        ordered = ExitReason.EMERGENCY if symbol in self._emergency else None
        given_up = ExitReason.REALLOCATED if symbol in self._given_up else None
        return first_reason((ordered, given_up, by_bars, by_price))

    def _forget_gone(self, holdings: Mapping[str, Holding]) -> None:
        self._watches.forget_gone(holdings)
        heeded = {symbol: row.position.opened_ms for symbol, row in holdings.items() if not row.dust}
        same = {symbol for symbol, opened_ms in heeded.items() if self._heeded.get(symbol) == opened_ms}
        self._seen = {symbol: row for symbol, row in self._seen.items() if symbol in same}  # not of the one before it
        self._heeded = heeded
        self._dust_said = {symbol: row for symbol, row in self._dust_said.items() if symbol in holdings}
        # dust can't be sold: kept for it, a mark would sell what is bought later
        self._emergency = {symbol: row for symbol, row in self._emergency.items() if symbol in heeded}
        self._given_up = {symbol: row for symbol, row in self._given_up.items() if symbol in heeded}

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


def _prices(quote: Quote, seen: Seen | None) -> Seen:
    """The bid, and all that was traded since the last look."""
    bid = float(quote.bid)
    return Seen(bid, bid) if seen is None else seen.wider(bid, bid)


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
