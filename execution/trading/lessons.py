"""What an account's own trades and orders have taught its trader, learned the moment a trade is closed or an order's
end is known, and kept in its knowledge file.

The ledger has it all: after a kill, or with a file that is lost, what is missing is learned again from there. A file
that can't be written costs nothing but that; it is tried again. Decides no trade: who sizes and sends asks.
"""

import logging
from collections.abc import Callable, Iterable, Sequence
from decimal import Decimal
from typing import Any

from execution.learning import order_failures as failures
from execution.learning.execution_quality import ORDERS_LEAST, Quality, quality_after, sample_of
from execution.learning.knowledge import Score, learned, value_at
from execution.ledger.knowledge_file import KnowledgeFile
from execution.ledger.store import Ledger
from execution.runtime.breaker import CircuitBreaker
from execution.runtime.clock import Clock, iso
from execution.trading.kept_knowledge import KeptKnowledge, Learned, Mark
from execution.trading.quarantine import Quarantine
from execution.vocabulary.health import ComponentHealth, ComponentStatus
from execution.vocabulary.order_states import OrderState
from execution.vocabulary.orders import STOPS, Fill, OrderRow, OrderType
from execution.vocabulary.performance import ClosedTrade

log = logging.getLogger("nae.trading")

ORDERS_LOOKED_AT = 20  # at a start: as a rule the file knows all but the last one or two
ORDERS_LEARNED_ANEW = 500
FILLS_PER_ORDER = 5  # read back, on the average
PENDING_MAX = 200


class Lessons:
    """`least`: the least order value that is known beforehand, by symbol. `doubted` is called when the venue refuses an
    order by a filter: the rules we have may be old."""

    def __init__(
        self,
        ledger: Ledger,
        file: KnowledgeFile,
        quarantine: Quarantine,
        breaker: CircuitBreaker,
        clock: Clock,
        *,
        least: Callable[[str], Decimal],
        note_error: Callable[[BaseException], object] = lambda error: None,
        doubted: Callable[[], object] = lambda: None,
    ) -> None:
        self._ledger = ledger
        self._quarantine = quarantine
        self._clock = clock
        self._least = least
        self._doubted = doubted
        self._kept = KeptKnowledge(file, breaker, note_error)
        self._loaded = False
        self._pending: dict[str, None] = {}
        self._learned_ms: int | None = None

    # what it is asked

    def standing(self, symbol: str, strategy: str) -> float:
        """What closed trades say for this coin and this strategy together, -1 to 1; older ones less."""
        known, now = self._all(), self._clock.now_ms()
        return (
            value_at(known.coin.get(symbol, Score()), now) + value_at(known.strategy.get(strategy, Score()), now)
        ) / 2

    def coin(self, symbol: str) -> Score:
        """What closed trades taught of a coin."""
        return self._all().coin.get(symbol, Score())

    def record(self, strategy: str) -> Score:
        """What closed trades taught of a strategy."""
        return self._all().strategy.get(strategy, Score())

    def scores(self) -> tuple[dict[str, Score], dict[str, Score]]:
        """Of all coins and all strategies."""
        return self._all().coin, self._all().strategy

    def minimum(self, symbol: str) -> Decimal:
        """The least order value that refusals taught; 0 when they taught nothing that still holds."""
        return failures.minimum_at(self._all().minimum.get(symbol), self._clock.now_ms())

    def quality(self, symbol: str, kind: OrderType) -> Quality:
        """How orders of a kind were executed."""
        return self._all().execution.get(f"{symbol} {kind.value}", Quality())

    def slippage(self, symbol: str) -> float | None:
        """What a market order loses against the quote it was decided at, as a share; None while too few say so."""
        known = self.quality(symbol, OrderType.MARKET)
        return known.slippage if known.orders >= ORDERS_LEAST else None

    # what it is told

    def ordered(self, client_order_id: str) -> None:
        """An order has left: it teaches something as soon as its end is known."""
        self._pending[client_order_id] = None
        while len(self._pending) > PENDING_MAX:
            del self._pending[next(iter(self._pending))]
        self._learn_orders()

    def catch_up(self, trades: Sequence[ClosedTrade]) -> None:
        """Learn what is new among all closed trades of the ledger, and keep it."""
        self._all()
        if not _goes_on(self._mark, trades):
            self.forget_trades()
        for trade in trades[self._mark.trades :]:
            self._put("coin", trade.symbol, learned(self.coin(trade.symbol), trade))
            self._put("strategy", trade.strategy, learned(self.record(trade.strategy), trade))
            self._kept.move_mark(trades=self._mark.trades + 1, last_trade=_key(trade))
        self._learn_orders()
        self.save()

    def forget_trades(self) -> None:
        """Nothing is known of closed trades: the next look learns from the first."""
        for kind in ("coin", "strategy"):
            for name in list(self._all().take(kind)):
                self._put(kind, name, None)
        self._kept.move_mark(trades=0, last_trade="")

    def _learn_orders(self) -> None:
        for order_id in list(self._pending):
            order = self._ledger.order(order_id)
            if order is None or order.settled:
                del self._pending[order_id]
            if order is not None and order.settled:
                fills = [fill for fill in self._ledger.fills(FILLS_PER_ORDER * 20) if fill.client_order_id == order_id]
                self._learn_order(order, fills)

    def _learn_order(self, order: OrderRow, fills: Sequence[Fill]) -> None:
        if order.type in STOPS:
            return
        if order.state is OrderState.REJECTED and not fills:
            self._learn_refusal(order)
        elif (sample := sample_of(order, fills)) is not None:
            name = f"{order.symbol} {order.type.value}"
            self._put("execution", name, quality_after(self._all().execution.get(name, Quality()), sample))
            if order.symbol in self._all().refusals:
                self._put("refusals", order.symbol, None)
            before = self._all().minimum.get(order.symbol)
            if before is not None and failures.minimum_unless(before, _value(order)) is None:
                self._put("minimum", order.symbol, None)
        self._kept.move_mark(order_ms=max(order.created_ms, self._mark.order_ms))

    def _learn_refusal(self, order: OrderRow) -> None:
        why, symbol = failures.refusal_of(order.note), order.symbol
        if why not in failures.SYMBOLS_OWN:
            return
        self._doubted()
        if why is failures.Refusal.TOO_SMALL:
            before = self._all().minimum.get(symbol)
            after = failures.minimum_after(before, _value(order), self._least(symbol), order.updated_ms)
            if after is not before:
                self._put("minimum", symbol, after)
        refused, alone_ms = failures.refused_again(self._all().refusals.get(symbol, failures.Refusals()))
        self._put("refusals", symbol, refused)
        until_ms = order.updated_ms + alone_ms
        if alone_ms and until_ms > self._clock.now_ms():
            self._quarantine.put(symbol, f"{refused.in_row} orders in a row refused, the last: {order.note}", until_ms)
            log.warning("left alone", extra={"fields": {"symbol": symbol, "until": iso(until_ms), "why": order.note}})

    def save(self) -> None:
        """Keep what is new; what couldn't be kept before is tried again."""
        self._kept.save()

    def close(self) -> None:
        """Keep what is left, and let go of the file."""
        self._kept.close()

    def _all(self) -> Learned:
        if not self._loaded:
            self._loaded = True
            self._kept.load()
            self._learn_missed()
        return self._kept.known

    def _learn_missed(self) -> None:
        """The ledger's orders beyond what the file had; the newest of all when it is new."""
        found = self._ledger.orders(limit=ORDERS_LOOKED_AT)
        if len(found) == ORDERS_LOOKED_AT and found[-1].created_ms > self._mark.order_ms:
            found = self._ledger.orders(limit=ORDERS_LEARNED_ANEW)
        orders = [row for row in found if row.created_ms > self._mark.order_ms]
        fills = _by_order(self._ledger.fills(len(orders) * FILLS_PER_ORDER)) if orders else {}
        for order in reversed(orders):
            if order.settled:
                self._learn_order(order, fills.get(order.client_order_id, []))
            else:
                self._pending[order.client_order_id] = None

    @property
    def _mark(self) -> Mark:
        return self._kept.mark

    def _put(self, kind: str, name: str, value: Any) -> None:
        self._kept.put(kind, name, value)
        self._learned_ms = self._clock.now_ms()

    def get_health(self) -> ComponentHealth:
        """Degraded while something learned isn't in the file yet for a failure of it."""
        known = self._kept.known
        return ComponentHealth(
            status=ComponentStatus.DEGRADED if self._kept.failing else ComponentStatus.HEALTHY,
            last_activity=None if self._learned_ms is None else iso(self._learned_ms),
            error_count=self._kept.errors,
            metrics={
                "coins": len(known.coin),
                "strategies": len(known.strategy),
                "minimums": len(known.minimum),
                "trades_learned": self._mark.trades,
                "not_kept_yet": self._kept.waiting,
            },
        )


def _goes_on(mark: Mark, trades: Sequence[ClosedTrade]) -> bool:
    """Are the trades learned so far still the ledger's first? (A lot step that changed moves where a trade ends.)"""
    return mark.trades <= len(trades) and (mark.trades == 0 or _key(trades[mark.trades - 1]) == mark.last_trade)


def _key(trade: ClosedTrade) -> str:
    return f"{trade.symbol} {trade.closed_ms} {trade.quantity}"


def _value(order: OrderRow) -> Decimal:
    return order.quantity * (order.limit_price or order.reference_price)


def _by_order(fills: Iterable[Fill]) -> dict[str, list[Fill]]:
    found: dict[str, list[Fill]] = {}
    for fill in fills:
        if fill.client_order_id:
            found.setdefault(fill.client_order_id, []).append(fill)
    return found
