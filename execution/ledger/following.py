"""Keeping the books of a ledger that another process writes, so that who takes it over reads only what came last.

Reads only, and each look is finished at once. Between looks a standing follower keeps its connection, idle: that spares
the one who takes over the recovery of the write-ahead log. Holds no lock, decides nothing.
"""

from pathlib import Path

from execution.ledger import rows
from execution.ledger.books import Books, NewRows
from execution.ledger.facts import lot_steps_of
from execution.ledger.schema import FORMAT, format_of
from execution.ledger.seal import Seal, seal_of
from execution.runtime.sqlite import Connection, DatabaseError, one_look, open_reader
from execution.vocabulary.order_states import UNSETTLED
from execution.vocabulary.orders import OrderRow, Position


class LedgerFollower:
    """The books of the ledger at `path` as of the last look. One call at a time; the first look at a long ledger takes
    a second, so let a thread do it. `standing`: keep the connection, and have SQLite look the file over once."""

    def __init__(self, path: Path, standing: bool = True) -> None:
        self.path = path
        self._standing = standing
        self._connection: Connection | None = None
        self._begin_anew(None)

    def _begin_anew(self, identity: tuple[int, int] | None) -> None:
        self.close()
        self._identity = identity
        self._looked_over = False
        self.books = Books({})
        self.facts: dict[str, str] = {}
        self.unsettled: list[OrderRow] = []

    def catch_up(self) -> bool:
        """Take in what is new. False when there is no ledger yet; one that was replaced is read from its beginning.

        Raises LedgerDamaged, ValueError or ArithmeticError for rows that can't be trusted (what was known stays known),
        and sqlite's DatabaseError.
        """
        if (identity := _identity(self.path)) != self._identity:
            self._begin_anew(identity)
        if identity is None:
            return False
        try:
            self._take(self._connected())
        except FileNotFoundError:  # gone since, or its tables are still being made
            self._begin_anew(None)
            return False
        except DatabaseError:
            self.close()
            raise
        finally:
            if not self._standing:
                self.close()
        return True

    def _connected(self) -> Connection:
        if self._connection is None:
            self._connection = open_reader(self.path)
        if self._standing and not self._looked_over:
            look_over(self._connection)
            self._looked_over = True
        return self._connection

    def _take(self, connection: Connection) -> None:
        new, seal = self._look(connection)
        steps = lot_steps_of(self.facts.get("lot_steps"))
        if not self.books.suits(steps) or not self.books.take(new) or self._unlike(seal):
            self.books = Books(steps)
            new, seal = self._look(connection)
            self.books.take(new)
            if wrong := self._unlike(seal):
                raise rows.LedgerDamaged(wrong)

    def _unlike(self, seal: Seal | None) -> str:
        return "" if seal is None else self.books.unlike(seal)

    def _look(self, connection: Connection) -> tuple[NewRows, Seal | None]:
        with one_look(connection):
            ours = format_of(connection) == FORMAT  # of another one, only the money rows are known to be checked so
            found = connection.execute("SELECT name, value FROM facts").fetchall()
            unsettled = connection.execute(*rows.orders_query(UNSETTLED, -1)).fetchall()
            new = self.books.new_rows(connection)
            if ours:
                self.books.orders.look(connection)
        facts: dict[str, str] = dict(map(tuple, found))
        seal = seal_of(facts) if ours else None
        self.facts = facts
        self.unsettled = [rows.order_of(row) for row in unsettled]
        return new, seal

    def positions(self) -> dict[str, Position]:
        """What our own fills add up to, by symbol."""
        return self.books.fold.positions()

    def hand_over(self) -> Books | None:
        """The books, to whoever writes the ledger from now on; None when the file was never looked over, or isn't the
        one at `path` any more. After that the follower has none: a next look begins anew."""
        books, trusted = self.books, self._looked_over and _identity(self.path) == self._identity
        self.books, self._looked_over = Books({}), False
        return books if trusted else None

    def close(self) -> None:
        """Let go of the file. The books stay, and a next look goes on from them."""
        if self._connection is not None:
            self._connection.close()
            self._connection = None


def look_over(connection: Connection) -> None:
    """SQLite's own look at every page and every index. LedgerDamaged tells what it found."""
    told = str(connection.execute("PRAGMA integrity_check(1)").fetchone()[0])
    if told != "ok":
        raise rows.LedgerDamaged(told)


def _identity(path: Path) -> tuple[int, int] | None:
    try:
        status = path.stat()
    except FileNotFoundError:
        return None
    return status.st_dev, status.st_ino
