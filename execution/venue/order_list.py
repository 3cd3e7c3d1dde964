"""Two orders of which one cancels the other (OCO): which belongs to which. What happens to them is the engine's."""

from execution.venue.book import Order
from execution.venue.outcome import Leg, ListState


class OrderList:
    """An open list and its two open orders, which share the money that the dearer of them needs."""

    def __init__(self, state: ListState, legs: tuple[Order, Order]) -> None:
        self.state = state
        self.legs = legs

    @classmethod
    def of(cls, list_id: int, client_id: str, legs: tuple[Order, Order], now_ms: int) -> "OrderList":
        """A new list of two orders that have their ids."""
        first, second = legs
        names = (Leg(first.id, first.client_id), Leg(second.id, second.client_id))
        return cls(ListState(list_id, first.account, first.symbol, client_id, names, True, now_ms, now_ms), legs)

    def other(self, order: Order) -> Order:
        """The order that ends when this one acts."""
        first, second = self.legs
        return second if order is first else first

    def ended(self, now_ms: int) -> ListState:
        """The list as it is from now on."""
        return self.state._replace(open=False, updated_ms=now_ms)
