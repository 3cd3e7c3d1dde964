"""What self-trade prevention does to the two orders of one account that would have met: what each loses, and the record
of it. It changes an order and frees its money; books and lists are the engine's."""

from execution.venue import filters
from execution.venue.accounts import Accounts
from execution.venue.book import EXPIRED_IN_MATCH, Order
from execution.venue.outcome import Outcome, Prevented
from execution.venue.plan import Meeting
from execution.venue.symbols import Symbol


def recorded(match_id: int, symbol: Symbol, taker: Order, meeting: Meeting, outcome: Outcome) -> Prevented:
    """The trade that isn't made, now in the outcome."""
    maker = meeting.maker
    owner = (match_id, taker.account, symbol.name, taker.id, maker.id, taker.prevention, symbol.price(maker.ticks))
    losses = (symbol.quantity(meeting.taker_loses), symbol.quantity(meeting.maker_loses))
    outcome.prevented.append(prevented := Prevented(*owner, *losses, outcome.now_ms))
    return prevented


def lose(accounts: Accounts, symbol: Symbol, order: Order, lots: int, prevented: Prevented) -> None:
    """The order can trade this much less; when that is all it had left, it has ended."""
    asset, before = filters.needed(symbol, order)
    order.prevented_lots += lots
    order.prevented_match, order.updated_ms = prevented.id, prevented.time_ms
    if order.has_locked:
        accounts.unlock(order.account, asset, before - filters.needed(symbol, order)[1])
    if not order.left:
        order.status = EXPIRED_IN_MATCH
