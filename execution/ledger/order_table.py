"""The orders of one ledger: rows on disk, the unsettled ones also in memory. Callers bring the transaction."""

from collections.abc import Iterable
from decimal import Decimal

import msgspec

from execution.ledger import rows
from execution.ledger.seal import Digest, Seal, row_hash
from execution.runtime.clock import Clock
from execution.runtime.sqlite import Connection
from execution.vocabulary.money import ZERO, text
from execution.vocabulary.order_states import SETTLED, UNSETTLED, OrderEvent, OrderState, advance
from execution.vocabulary.orders import Fill, OrderRow, Side


class OrderTable:
    """What we decided to send and what became of it."""

    def __init__(self, connection: Connection, clock: Clock, seal: Seal, before: "OrderTable | None" = None) -> None:
        """`before`: the same table, until a commit failed: what left us has left, whatever the disk says of it."""
        self._connection = connection
        self._digest, self.count = Digest(seal.orders_digest), seal.orders
        self._clock = clock
        self._unsettled = {order.client_order_id: order for order in self.select(UNSETTLED, limit=-1)}
        highest = connection.execute("SELECT MAX(number) FROM orders").fetchone()[0]
        self.next_number = (highest or 0) + 1
        self._left: set[str] = set()
        for client_order_id in before._left if before is not None else ():
            order = self._unsettled.get(client_order_id)
            if order is not None and order.state is OrderState.INTENT:
                self.hold_sent(client_order_id)

    def insert(self, order: OrderRow) -> None:
        """Add a new intent."""
        values = rows.order_values(order)
        hashed, marks = row_hash(values), ", ".join("?" * (len(values) + 1))
        self._connection.execute(
            f"INSERT INTO orders (number, {rows.ORDER_COLUMNS}, hash) VALUES ({self.next_number}, {marks})",  # noqa: S608
            (*values, hashed),
        )
        self._digest.turn(hashed)
        self.count += 1
        self._unsettled[order.client_order_id] = order
        self.next_number += 1

    def hold_sent(self, client_order_id: str) -> OrderRow:
        """SENT, in memory only: the next write of this order carries it to disk."""
        order = self.get(client_order_id)
        sent = msgspec.structs.replace(order, state=advance(order.state, OrderEvent.SENT))
        self._unsettled[client_order_id] = sent
        self._left = {client_order_id, *(self._left & self._unsettled.keys())}
        return sent

    def apply(
        self,
        order: OrderRow,
        event: OrderEvent,
        venue_order_id: str | None = None,
        note: str = "",
        filled: Decimal | None = None,
    ) -> OrderRow:
        """Move one order on by what was learned. ValueError when the table of states forbids it."""
        changed = msgspec.structs.replace(
            order,
            state=advance(order.state, event),
            venue_order_id=venue_order_id or order.venue_order_id,
            filled=order.filled if filled is None else filled,
            note=note or order.note,
        )
        if changed == order:
            return order
        changed = msgspec.structs.replace(changed, updated_ms=self._clock.now_ms())
        key, hashed = (changed.client_order_id,), row_hash(rows.order_values(changed))
        before = self._connection.execute("SELECT hash FROM orders WHERE client_order_id = ?", key).fetchone()
        self._digest.turn(before["hash"])
        self._digest.turn(hashed)
        self._connection.execute(
            "UPDATE orders SET state=?, venue_order_id=?, filled=?, updated_ms=?, note=?, hash=? "
            "WHERE client_order_id=?",
            (
                changed.state,
                changed.venue_order_id,
                text(changed.filled),
                changed.updated_ms,
                changed.note,
                hashed,
                changed.client_order_id,
            ),
        )
        if changed.state in SETTLED:
            self._unsettled.pop(changed.client_order_id, None)
        else:
            self._unsettled[changed.client_order_id] = changed
        return changed

    @property
    def digest(self) -> str:
        """What the hashes of all rows come to."""
        return self._digest.value

    def apply_fill(self, fill: Fill) -> None:
        """Move the order of a new fill of ours on."""
        if fill.client_order_id is None:
            return
        order = self.get(fill.client_order_id)
        filled = order.filled + fill.quantity
        event = OrderEvent.FILLED_IN_FULL if filled >= order.quantity else OrderEvent.PARTLY_FILLED
        self.apply(order, event, fill.venue_order_id, filled=filled)

    def unanswered(self) -> list[OrderRow]:
        """Orders that an earlier process left on their way."""
        return [order for order in self.unsettled() if order.state in (OrderState.INTENT, OrderState.SENT)]

    def get(self, client_order_id: str) -> OrderRow:
        """One order by our id. KeyError when there is none."""
        order = self.find(client_order_id)
        if order is None:
            raise KeyError(f"no order {client_order_id} in this ledger")
        return order

    def find(self, client_order_id: str) -> OrderRow | None:
        """One order by our id, or None."""
        return self._unsettled.get(client_order_id) or self._one("client_order_id = ?", (client_order_id,))

    def find_by_venue_id(self, symbol: str, venue_order_id: str) -> OrderRow | None:
        """One order by the venue's id, or None."""
        return self._one("symbol = ? AND venue_order_id = ?", (symbol, venue_order_id))

    def _one(self, condition: str, parameters: tuple[str, ...]) -> OrderRow | None:
        query = f"SELECT {rows.ORDER_COLUMNS} FROM orders WHERE {condition}"  # noqa: S608
        found = self._connection.execute(query, parameters).fetchone()
        return None if found is None else rows.order_of(found)

    def select(self, states: Iterable[OrderState] | None, limit: int) -> list[OrderRow]:
        """The newest first, of the given states only; `limit` -1 is all."""
        query, parameters = rows.orders_query(states, limit)
        return [rows.order_of(row) for row in self._connection.execute(query, parameters).fetchall()]

    def unsettled(self) -> list[OrderRow]:
        """Orders that may still change the account, oldest first."""
        return sorted(self._unsettled.values(), key=lambda order: (order.created_ms, order.client_order_id))

    def reserved_exposure(self) -> Decimal:
        """What buys that may still be filled would cost, UNKNOWN ones in full."""
        return sum((order.open_value for order in self._unsettled.values() if order.side is Side.BUY), ZERO)
