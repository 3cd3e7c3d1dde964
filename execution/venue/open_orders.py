"""Which orders and order lists of customers are open, by whatever they are asked for by. It decides nothing."""

from execution.venue.book import Order
from execution.venue.order_list import OrderList


class OpenOrders:
    """Resting and waiting orders, and the lists they belong to."""

    def __init__(self) -> None:
        self._orders: dict[int, Order] = {}
        self._by_client: dict[tuple[str, str, str], Order] = {}
        self._by_owner: dict[tuple[str, str], dict[int, Order]] = {}
        self._lists: dict[int, OrderList] = {}

    def __contains__(self, order: Order) -> bool:
        return self._orders.get(order.id) is order

    def __len__(self) -> int:
        return len(self._orders)

    def add(self, order: Order) -> None:
        """An order is open from now on."""
        self._orders[order.id] = order
        self._by_client[order.account, order.symbol, order.client_id] = order
        self._by_owner.setdefault((order.account, order.symbol), {})[order.id] = order

    def remove(self, order: Order) -> None:
        """An order is no longer open. Raises KeyError when it wasn't (a bug)."""
        del self._orders[order.id]
        del self._by_client[order.account, order.symbol, order.client_id]
        del self._by_owner[order.account, order.symbol][order.id]

    def of(self, account: str, symbol: str | None = None) -> list[Order]:
        """An account's open orders, oldest first."""
        if symbol is not None:
            found = list(self._by_owner.get((account, symbol), {}).values())
        else:
            found = [order for order in self._orders.values() if order.account == account]
        return sorted(found, key=lambda order: order.id)

    def find(self, account: str, symbol: str, order_id: int | None, client_id: str | None) -> Order | None:
        """One open order by either id (both must fit when both are given)."""
        found = self._orders.get(order_id) if order_id is not None else None
        if order_id is None and client_id is not None:
            found = self._by_client.get((account, symbol, client_id))
        if found is None or (found.account, found.symbol) != (account, symbol):
            return None
        return found if client_id in (None, found.client_id) else None

    # order lists

    def add_list(self, pair: OrderList) -> None:
        """A list is open from now on."""
        self._lists[pair.state.id] = pair

    def take_list(self, list_id: int) -> OrderList | None:
        """A list that is open no longer, or None when there is none of that number."""
        return self._lists.pop(list_id, None)

    def lists(self, account: str) -> list[OrderList]:
        """An account's open lists, oldest first."""
        return [pair for pair in self._lists.values() if pair.state.account == account]

    def find_list(self, account: str, list_id: int | None, client_id: str | None) -> OrderList | None:
        """One open list by either id (both must fit when both are given)."""
        if list_id is not None:
            pair = self._lists.get(list_id)
            found = [pair] if pair is not None and pair.state.account == account else []
        else:
            found = [pair for pair in self.lists(account) if pair.state.client_id == client_id]
        return next((pair for pair in found if client_id in (None, pair.state.client_id)), None)
