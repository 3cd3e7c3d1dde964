"""What the money rows of one ledger add up to, and how far they have been read and checked: the one place that folds.

Whoever keeps books reads on from where it stopped: the writer after each commit, a follower at each look, everybody
from the first row when books are new. Reads only; the caller brings the connection.
"""

from collections.abc import Mapping
from decimal import Decimal
from operator import itemgetter
from typing import Any

from execution.ledger import rows
from execution.ledger.fold import AccountFold, Origin
from execution.ledger.seal import Seal
from execution.ledger.seen_orders import SeenOrders
from execution.runtime.sqlite import Connection, Row
from execution.vocabulary.money import ZERO
from execution.vocabulary.orders import Fill

_CASH_ROWS = "SELECT number, currency, delta, kind, note, at_ms, hash FROM cash_flows WHERE number >= ? ORDER BY number"
Moved = tuple[tuple[int, str], Fill | rows.WriteOff, Origin | None]  # its place first
FillRow = tuple[Any, ...]  # of rows.FILLS_WITH_ORIGIN
NewRows = tuple[list[Row], list[FillRow]]  # cash flows and fills, each beginning with the last row that is known
_HASH, _NUMBER = rows.FILL_WIDTH, rows.FILL_WIDTH + 1  # their places in a FillRow


class BooksDiffer(Exception):
    """Books kept so far aren't the beginning of what the file holds now; begin anew, from the first row."""


class Books:
    """The fold of the rows up to `cash_number` and `fill_number`; `cash_chain` and `fill_chain` are their hashes."""

    def __init__(self, lot_steps: Mapping[str, Decimal]) -> None:
        self.fold = AccountFold(lot_steps=dict(lot_steps))
        self.fills_count = self.fill_number = self.cash_number = 0
        self.fill_chain = self.cash_chain = rows.CHAIN_START
        self.orders = SeenOrders()
        self._newest: dict[str, tuple[int, str]] = {}

    def suits(self, lot_steps: Mapping[str, Decimal]) -> bool:
        """Take these lot steps; False, and nothing taken, when they change what counts as dust in what is added up."""
        ours = self.fold.lot_steps
        if any(ours.get(symbol, ZERO) != lot_steps.get(symbol, ZERO) for symbol in self._newest):
            return False
        self.fold.lot_steps = dict(lot_steps)
        return True

    def new_rows(self, connection: Connection) -> NewRows:
        """What was recorded since, all of it fetched."""
        cash = connection.execute(_CASH_ROWS, (self.cash_number,)).fetchall()
        cursor = connection.cursor()
        cursor.row_factory = None  # plain tuples: there may be fifty thousand
        return cash, cursor.execute(rows.FILLS_WITH_ORIGIN, (self.fill_number,)).fetchall()

    def go_on(self, connection: Connection, lot_steps: Mapping[str, Decimal]) -> bool:
        """Take lot steps and new rows; False when books must be begun anew."""
        return self.suits(lot_steps) and self.take(self.new_rows(connection))

    def check(self, connection: Connection, seal: Seal) -> None:
        """Read the orders that are new, and compare all rows with what was sealed. LedgerDamaged when a first look
        doesn't agree, BooksDiffer when books kept so far don't."""
        first = not self.orders.number
        self.orders.look(connection)
        if wrong := self.unlike(seal):
            raise (rows.LedgerDamaged if first else BooksDiffer)(wrong)

    def unlike(self, seal: Seal) -> str:
        """Which rows aren't those that were sealed, in words; '' when all are."""
        agree = {
            "orders": self.orders.agrees(seal),
            "fills": self.fill_chain == seal.fill_chain,
            "cash flows": self.cash_chain == seal.cash_chain,
        }
        wrong = ", ".join(name for name, same in agree.items() if not same)
        return f"its {wrong} aren't those that were sealed: a row was lost, or is as it once was" if wrong else ""

    def take(self, new: NewRows) -> bool:
        """Check and add what is new. False, and nothing added, when these books must be begun anew: the last row known
        isn't there as it was, or a fill is older than one added already. LedgerDamaged names a row that doesn't fit.
        """
        cash, fills = new
        first_cash = [(row["number"], row["hash"]) for row in cash[:1]]
        first_fill = [(row[_NUMBER], row[_HASH]) for row in fills[:1]]
        if not _goes_on(first_cash, self.cash_number, self.cash_chain) or not _goes_on(
            first_fill, self.fill_number, self.fill_chain
        ):
            return False
        cash, fills = cash[self.cash_number > 0 :], fills[self.fill_number > 0 :]
        if not cash and not fills:
            return True
        cash_chain = _cash_chain(cash, self.cash_chain)
        fill_chain, moves = rows.checked_fills(fills, self.fill_chain)
        owned: list[Moved] = sorted([*moves, *_write_offs(cash)], key=itemgetter(0))
        newest = self._newest
        if newest and any(order < newest.get(moved.symbol, (0, "")) for order, moved, _ in owned):
            return False
        for row in cash:
            self.fold.apply_cash_flow(row["currency"], Decimal(row["delta"]))
        for order, moved, origin in owned:
            if isinstance(moved, Fill):
                self.fold.apply_fill(moved, origin)
            else:
                self.fold.write_off(moved.symbol, moved.quantity)
            newest[moved.symbol] = order
        self.fold.closed_in_time()
        self.fills_count += len(fills)
        self.cash_chain, self.cash_number = cash_chain, cash[-1]["number"] if cash else self.cash_number
        self.fill_chain, self.fill_number = fill_chain, fills[-1][_NUMBER] if fills else self.fill_number
        return True


def read_anew(connection: Connection, lot_steps: Mapping[str, Decimal]) -> Books:
    """Books of every row. LedgerDamaged names the first row that doesn't fit."""
    books = Books(lot_steps)
    books.go_on(connection, lot_steps)
    return books


def _goes_on(first: list[tuple[int, str]], number: int, chain: str) -> bool:
    """Is the last row we know still there, as it was? `first`: number and hash of the first one read, if any."""
    return not number or first == [(number, chain)]


def _cash_chain(new: list[Row], chain: str) -> str:
    for row in new:
        values = (row["currency"], row["delta"], row["kind"], row["note"], row["at_ms"])
        chain = rows.verified(chain, values, row["hash"], "cash flow", row["number"])
    return chain


def _write_offs(cash: list[Row]) -> list[Moved]:
    told = [rows.write_off_of(row["note"]) for row in cash if row["kind"] == rows.WRITTEN_OFF]
    return [(row.order, row, None) for row in told]
