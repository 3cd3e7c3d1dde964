"""Small single facts of an account, by name: trading state, reconciliation, runtime state, lot steps, sweep marks.

Kept in memory and in the ledger's `facts` table. Callers bring the transaction. Values are JSON; money in it is text.
"""

from collections.abc import Collection, Mapping
from decimal import Decimal
from functools import lru_cache
from typing import Any

import msgspec

from execution.ledger.rows import LedgerTaken
from execution.ledger.seal import SEAL, Seal, facts_digest, row_hash, seal_of
from execution.runtime.sqlite import Connection
from execution.vocabulary.lifecycle import TradingState
from execution.vocabulary.money import text


class TradingStateFact(msgspec.Struct, frozen=True):
    """What the account may do, since when, why and by whose word."""

    state: TradingState = TradingState.ACTIVE
    reason: str = ""
    by: str = ""
    at_ms: int = 0


class ReconciliationFact(msgspec.Struct, frozen=True):
    """The last comparison with the venue."""

    reconciled: bool = False
    at_ms: int = 0
    differences: list[str] = []


class Facts:
    """The facts of one ledger."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection
        self._values: dict[str, str] = dict(connection.execute("SELECT name, value FROM facts").fetchall())
        self._digest = facts_digest(self._values)

    def seal(self) -> Seal:
        """What the last commit has left. LedgerDamaged when the facts aren't what it says."""
        return seal_of(self._values)

    def put_seal(self, seal: Seal) -> None:
        """Say what this commit leaves; its last write."""
        self.put_json(SEAL, msgspec.structs.replace(seal, facts_digest=self._digest.value))

    def get(self, name: str) -> str | None:
        """A fact as it was put, or None."""
        return self._values.get(name)

    def expect(self, name: str, wanted: Collection[str | None]) -> None:
        """The fact as it stands in the file now must be one of these. LedgerTaken: another process has put it there."""
        row = self._connection.execute("SELECT value FROM facts WHERE name = ?", (name,)).fetchone()
        now = None if row is None else str(row[0])
        if now not in wanted:
            raise LedgerTaken(f"another process has opened the ledger and writes it: its {name} is {now} now")

    def put(self, name: str, value: str) -> None:
        """Set one fact."""
        self._connection.execute("INSERT OR REPLACE INTO facts (name, value) VALUES (?, ?)", (name, value))
        if name != SEAL:
            if name in self._values:
                self._digest.turn(row_hash((name, self._values[name])))
            self._digest.turn(row_hash((name, value)))
        self._values[name] = value

    def trading_state(self) -> TradingStateFact:
        return trading_state_of(self.get("trading_state"))

    def reconciliation(self) -> ReconciliationFact:
        return reconciliation_of(self.get("reconciliation"))

    def put_json(self, name: str, value: Any) -> None:
        """Set one fact to a struct or a plain dict. TypeError when it can't be JSON."""
        self.put(name, msgspec.json.encode(value).decode())

    def get_dict(self, name: str) -> dict[str, Any] | None:
        """A fact put as a dict, or None."""
        stored = self.get(name)
        return None if stored is None else msgspec.json.decode(stored, type=dict[str, Any])

    def lot_steps(self) -> dict[str, Decimal]:
        return lot_steps_of(self.get("lot_steps"))

    def put_lot_steps(self, steps: Mapping[str, Decimal]) -> None:
        self.put_json("lot_steps", {symbol: text(step) for symbol, step in steps.items()})


def trading_state_of(stored: str | None) -> TradingStateFact:
    """The stored fact, or an active account that nobody has stopped."""
    return TradingStateFact() if stored is None else msgspec.json.decode(stored, type=TradingStateFact)


def reconciliation_of(stored: str | None) -> ReconciliationFact:
    """The stored fact, or: never compared."""
    return ReconciliationFact() if stored is None else msgspec.json.decode(stored, type=ReconciliationFact)


def lot_steps_of(stored: str | None) -> dict[str, Decimal]:
    """The stored steps; none when the venue's rules were never seen."""
    return {} if stored is None else dict(_read_steps(stored))


@lru_cache(maxsize=4)  # a venue has thousands of them, they hardly ever change, and each fill asks
def _read_steps(stored: str) -> dict[str, Decimal]:
    return msgspec.json.decode(stored, type=dict[str, Decimal])
