"""What each order's end tells the rest of the trader: whether the venue takes orders at all (its breaker), and what
refusals and fills teach. And what that says of the next entry. Exits are never asked about."""

from execution.learning.order_failures import VENUES_OWN, refusal_of
from execution.ledger.store import Ledger
from execution.runtime.breaker import CircuitBreaker
from execution.trading.lessons import Lessons
from execution.trading.quarantine import Quarantine
from execution.vocabulary.order_states import OrderState
from execution.vocabulary.orders import OrderOutcome, OrderRequest
from execution.vocabulary.reasons import NoTradeReason


class OrderFeedback:
    """Between the order execution and what learns from it."""

    def __init__(self, ledger: Ledger, breaker: CircuitBreaker, lessons: Lessons, quarantine: Quarantine) -> None:
        self._ledger = ledger
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
        self._lessons.ordered(outcome.client_order_id)
