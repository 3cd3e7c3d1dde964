"""What each order's end tells the rest of the trader: whether the venue takes orders at all (its breaker), and what
refusals and fills teach. And what that says of the next entry. Exits are never asked about."""

from collections.abc import Callable
from decimal import Decimal
from http import HTTPStatus

import msgspec

from execution.exchange.classify import Failure, VenueError, classify
from execution.learning.order_choice import LIMIT_ABOVE_ASK, choose
from execution.learning.order_failures import VENUES_OWN, refusal_of
from execution.ledger.store import Ledger
from execution.runtime.breaker import CircuitBreaker
from execution.runtime.errors import about
from execution.runtime.settings import TradingConfig
from execution.trading.lessons import Lessons
from execution.trading.quarantine import Quarantine
from execution.trading.sizing import smallest_order
from execution.vocabulary.market import SymbolRules
from execution.vocabulary.money import ZERO, floor_to_step
from execution.vocabulary.order_states import OrderState
from execution.vocabulary.orders import OrderOutcome, OrderRequest, OrderRow, OrderType
from execution.vocabulary.reasons import NoTradeReason


class OrderFeedback:
    """Between the order execution and what learns from it."""

    def __init__(
        self,
        config: TradingConfig,
        ledger: Ledger,
        breaker: CircuitBreaker,
        lessons: Lessons,
        quarantine: Quarantine,
        *,
        rules: Callable[[str], SymbolRules | None] = lambda symbol: None,
        note_error: Callable[[BaseException], object] = lambda error: None,
    ) -> None:
        self._config = config
        self._ledger = ledger
        self._rules = rules
        self._note_error = note_error
        self._turns: dict[str, int] = {}
        self._breaker = breaker
        self._lessons = lessons
        self._quarantine = quarantine

    def holds_back(self, request: OrderRequest) -> str:
        """Why this entry mustn't leave, or ''. The last question before it does: a yes may be the breaker's one try."""
        if why := self._quarantine.why(request.symbol):
            return f"quarantined: {why}"
        least = self._lessons.minimum(request.symbol)
        if request.value < least:
            return f"learned_minimum: {request.value:.2f} is below {least:.2f}"
        return "" if self._breaker.can_execute() else NoTradeReason.BREAKER_OPEN

    def shaped(self, request: OrderRequest) -> OrderRequest:
        """The same entry as the kind of order that has proved cheapest there; its reason says by what numbers. Never
        larger, and never so that it costs more."""
        rules = self._rules(request.symbol)
        if request.type is not OrderType.MARKET or rules is None:
            return request
        turn = self._turns[request.symbol] = self._turns.get(request.symbol, 0) + 1
        market = self._lessons.quality(request.symbol, OrderType.MARKET)
        limit = self._lessons.quality(request.symbol, OrderType.LIMIT)
        choice = choose(market, limit, self._edge(request.strategy), turn)
        if choice.kind is OrderType.MARKET:
            return request
        learned = self._lessons.minimum(request.symbol)
        least = smallest_order(rules, request.reference_price, self._config, learned)
        return as_immediate(request, rules, choice.why, least)

    def _edge(self, strategy: str) -> float:
        """What a trade of the strategy has brought on the average, as a share."""
        record = self._lessons.record(strategy)
        won = record.wins / record.trades if record.trades else 0.0
        return won * record.mean_win - (1.0 - won) * record.mean_loss

    def heard(self, outcome: OrderOutcome) -> None:
        """An order has left, and this is what came of it so far."""
        if outcome.client_order_id is None:
            return
        order = self._ledger.order(outcome.client_order_id)
        if outcome.state is OrderState.UNKNOWN:
            self._breaker.record_failure(order.note if order else "no clear answer")
        elif outcome.state is OrderState.REJECTED and order is not None and refusal_of(order.note) in VENUES_OWN:
            self._breaker.record_failure(order.note)
        else:
            self._breaker.record_success()  # a refusal by a filter is an answer, too
        if outcome.state is OrderState.REJECTED and order is not None:
            self._tell(order)
        self._lessons.ordered(outcome.client_order_id)

    def _tell(self, order: OrderRow) -> None:
        """The venue has refused what our checks let pass: an error counted, its kind by the venue's number alone."""
        code, _, words = order.note.partition(" ")
        if not code.removeprefix("-").isdecimal():
            return  # the line's own failure, which whoever else asks meets, too
        try:
            with about(symbol=order.symbol, strategy=order.strategy, operation=order.purpose.value):
                raise VenueError(classify(Failure("order", HTTPStatus.BAD_REQUEST, int(code), words)))
        except VenueError as error:
            self._note_error(error)


def as_immediate(request: OrderRequest, rules: SymbolRules, why: str, least: Decimal = ZERO) -> OrderRequest:
    """A market order as a limit order a little above the ask that is filled at once or not at all; so much smaller that
    it is worth no more. As it was, when that would be too small: `least` is what can be sold again at its stop. Where
    lots are coarse, a little smaller is a whole lot less."""
    price = floor_to_step(request.reference_price * (1 + Decimal(repr(LIMIT_ABOVE_ASK))), rules.price_tick)
    if price < request.reference_price:
        return request
    quantity = floor_to_step(request.value / price, rules.lot_step)
    if quantity < rules.lot_min or quantity * request.reference_price < max(least, rules.notional_min):
        return request
    return msgspec.structs.replace(
        request,
        type=OrderType.LIMIT,
        limit_price=price,
        quantity=quantity,
        immediate=True,
        reason=f"{request.reason}; {why}",
    )
