"""Which orders of a ledger have been read and checked, kept as one digest, so that a next look reads only the new ones
and those that may have changed. Reads only; the caller brings the connection, and says against which seal.
"""

from hashlib import sha256
from typing import Any

from execution.ledger import rows
from execution.ledger.seal import LETTERS, Digest, Seal, check_order, encode
from execution.runtime.sqlite import Connection
from execution.vocabulary.order_states import UNSETTLED

AT_ONCE = 1000  # rows: more would fill the memory of a process that only checks them
_CHECKED = f"SELECT {rows.ORDER_COLUMNS}, hash, number FROM orders"  # noqa: S608
_WIDTH = rows.ORDER_COLUMNS.count(",") + 1
_STATE = rows.ORDER_COLUMNS.split(", ").index("state")


class SeenOrders:
    """Everything up to order `number`; orders that weren't settled then are read again at the next look."""

    def __init__(self) -> None:
        self.count = self.number = 0
        self._digest = Digest()
        self._open: dict[int, str] = {}

    @property
    def digest(self) -> str:
        return self._digest.value

    def look(self, connection: Connection) -> None:
        """Read what is new and what may have changed. LedgerDamaged names a row that doesn't fit."""
        cursor = connection.cursor()
        cursor.row_factory = None
        again = ", ".join(map(str, self._open))
        for row in cursor.execute(f"{_CHECKED} WHERE number IN ({again})").fetchall():
            self._digest.turn(self._open.pop(row[-1]))
            self._take(row)
        cursor.execute(f"{_CHECKED} WHERE number > ? ORDER BY number", (self.number,))
        while some := cursor.fetchmany(AT_ONCE):
            self._take_new(some)

    def _take_new(self, some: list[tuple[Any, ...]]) -> None:
        """As `_take` for each, in one go: there may be a hundred thousand."""
        read = 0
        for row in some:
            hashed = sha256(encode(row[:_WIDTH])).hexdigest()[:LETTERS]
            if hashed != row[_WIDTH]:
                check_order(row[:_WIDTH], row[_WIDTH], row[-1])  # says so
            read ^= int(hashed, 16)
            if row[_STATE] in UNSETTLED:
                self._open[row[-1]] = hashed
        self._digest.turn(f"{read:x}")
        self.number, self.count = some[-1][-1], self.count + len(some)

    def _take(self, row: tuple[Any, ...]) -> None:
        number, stored = row[-1], row[_WIDTH]
        self._digest.turn(hashed := check_order(row[:_WIDTH], stored, number))
        if row[_STATE] in UNSETTLED:
            self._open[number] = hashed

    def agrees(self, seal: Seal) -> bool:
        """Are these the orders that were sealed?"""
        return (self.count, self.digest) == (seal.orders, seal.orders_digest)
