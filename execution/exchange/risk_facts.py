"""Puts together what the risk gate needs to know of this moment: from the ledger, the quotes, and what was sent lately.

Decides nothing. An UNKNOWN order counts in full: as exposure when it buys, as already sold when it sells.
"""

from collections import deque
from collections.abc import Callable, Iterable
from decimal import Decimal

from execution.exchange.loss_limits import losses_in_row
from execution.exchange.loss_record import LossRecord
from execution.exchange.risk_gate import RiskFacts
from execution.ledger.store import Ledger
from execution.runtime.clock import Clock
from execution.vocabulary.market import Quote, SymbolRules
from execution.vocabulary.money import ZERO
from execution.vocabulary.order_states import OrderState
from execution.vocabulary.orders import OrderRequest, OrderRow, Position, Purpose, Side

QuoteOf = Callable[[str], Quote | None]
_SIGNALS_REMEMBERED = 500
TRADES_LOOKED_AT = 200
MINUTE_S = 60.0


class RiskRecord:
    """One account's view for the risk gate; remembers what was sent in the last minute and which signals were used."""

    def __init__(self, ledger: Ledger, clock: Clock, losses: LossRecord, venue_now_ms: Callable[[], int]) -> None:
        self._ledger = ledger
        self._clock = clock
        self._losses = losses
        self._venue_now_ms = venue_now_ms
        recent = ledger.orders(limit=_SIGNALS_REMEMBERED)[::-1]
        left_at = self._left_at(recent)
        self._sent_at = deque(left_at)  # a crash loop must not start each time with a clean slate
        self._entries = deque(
            (at, _likeness(order))
            for at, order in zip(left_at, recent[len(recent) - len(left_at) :], strict=True)
            if order.purpose is Purpose.ENTRY
        )
        self._signals = deque(
            ((order.symbol, order.strategy, order.signal_bar_ms) for order in recent if order.purpose is Purpose.ENTRY),
            maxlen=_SIGNALS_REMEMBERED,
        )

    def _left_at(self, orders: list[OrderRow]) -> list[float]:
        """When the last minute's orders left, on our monotonic clock, oldest first. One dated in the future, after a
        step of the wall clock, counts as just now: a limit never gets looser by it."""
        monotonic, now_ms = self._clock.monotonic(), self._clock.now_ms()
        ages_s = [max(0.0, (now_ms - order.created_ms) / 1000) for order in orders]
        return sorted(monotonic - age for age in ages_s if age <= MINUTE_S)

    def sent(self, request: OrderRequest) -> None:
        """An order is about to leave."""
        self._sent_at.append(self._clock.monotonic())
        if request.purpose is Purpose.ENTRY:
            self._signals.append(_signal(request))
            self._entries.append((self._sent_at[-1], _likeness(request)))

    def facts(self, request: OrderRequest, rules: SymbolRules | None, quote_of: QuoteOf) -> RiskFacts:
        """Everything as of now."""
        now = self._clock.monotonic()
        while self._sent_at and now - self._sent_at[0] > MINUTE_S:
            self._sent_at.popleft()
        while self._entries and now - self._entries[0][0] > MINUTE_S:
            self._entries.popleft()
        symbol, entry = request.symbol, request.purpose is Purpose.ENTRY
        lost, lost_ms = self._lost_in_row(symbol) if entry else (0, 0)
        positions = self._ledger.positions()
        unsettled = self._ledger.unsettled()
        buying = [order for order in unsettled if order.side is Side.BUY]
        open_symbols = positions.keys() | {order.symbol for order in buying}
        quote = quote_of(symbol)
        state, reason = self._ledger.trading_state()
        held = positions.get(symbol)
        return RiskFacts(
            trading_state=state,
            state_reason=reason,
            reconciled=self._ledger.reconciliation().reconciled,
            quote_mid=quote.mid if quote else None,
            quote_age_s=now - quote.received if quote else float("inf"),
            rules=rules,
            held=held.quantity if held else ZERO,
            selling=_total(order.remaining for order in unsettled if _sells(order.side) and order.symbol == symbol),
            position_value=_value(held, quote_of) + _total(o.open_value for o in buying if o.symbol == symbol),
            exposure=_total(_value(position, quote_of) for position in positions.values())
            + self._ledger.reserved_exposure(),
            open_positions=len(open_symbols),
            symbol_is_open=symbol in open_symbols,
            unknown_on_symbol=any(o.symbol == symbol and o.state is OrderState.UNKNOWN for o in unsettled),
            orders_last_minute=len(self._sent_at),
            signal_used=request.signal_bar_ms > 0 and _signal(request) in self._signals,
            spendable=self._spendable(symbol, unsettled),
            same_last_minute=sum(likeness == _likeness(request) for _, likeness in self._entries),
            loss_reached=self._losses.reached() if entry else "",
            losses_in_row=lost,
            since_loss_s=max(0.0, (self._venue_now_ms() - lost_ms) / 1000),
        )

    def _lost_in_row(self, symbol: str) -> tuple[int, int]:
        return losses_in_row(reversed(self._ledger.closed_trades(limit=TRADES_LOOKED_AT)), symbol)

    def _spendable(self, symbol: str, unsettled: list[OrderRow]) -> Decimal:
        base = symbol.partition("/")[0]
        selling = (row.remaining for row in unsettled if _sells(row.side) and row.symbol.partition("/")[0] == base)
        return self._ledger.balances().get(base, ZERO) - _total(selling)


def _signal(request: OrderRequest) -> tuple[str, str, int]:
    return request.symbol, request.strategy, request.signal_bar_ms


def _likeness(order: OrderRequest | OrderRow) -> tuple[str, Decimal]:
    """What two orders have in common that are the same one, sent again."""
    return order.symbol, order.quantity


def _sells(side: Side) -> bool:
    return side is Side.SELL


def _total(amounts: Iterable[Decimal]) -> Decimal:
    return sum(amounts, ZERO)


def _value(position: Position | None, quote_of: QuoteOf) -> Decimal:
    """What a position is worth now, or what it cost when that is more or nobody quotes it: risk never looks smaller."""
    if position is None:
        return ZERO
    quote = quote_of(position.symbol)
    return position.cost if quote is None else max(position.cost, position.quantity * quote.mid)
