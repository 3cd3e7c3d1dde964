"""The stop orders of one symbol that wait for their price. It knows which of them a trade sets off; it neither trades
nor knows money."""

from bisect import insort

from execution.venue.book import Order


class StopBook:
    """Waiting orders, by the price that sets them off; at one price the older first."""

    def __init__(self) -> None:
        self._rising: list[tuple[int, int, Order]] = []
        self._falling: list[tuple[int, int, Order]] = []

    def add(self, order: Order) -> None:
        """Wait for the order's stop price."""
        if order.waits_for_rise:
            insort(self._rising, (order.stop_ticks, order.id, order))
        else:
            insort(self._falling, (-order.stop_ticks, order.id, order))

    def remove(self, order: Order) -> None:
        """Wait no longer. Raises ValueError when the order isn't waiting here (a bug)."""
        waiting = self._rising if order.waits_for_rise else self._falling
        key = order.stop_ticks if order.waits_for_rise else -order.stop_ticks
        waiting.remove((key, order.id, order))

    def due(self, ticks: int) -> list[Order]:
        """The orders that a trade at this price sets off, the one with the nearest stop price first."""
        found: list[Order] = []
        for waiting, reach in ((self._rising, ticks), (self._falling, -ticks)):
            for key, _, order in waiting:
                if key > reach:
                    break
                found.append(order)
        return found
