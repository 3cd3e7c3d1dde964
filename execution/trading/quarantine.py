"""Symbols that are left alone: no entry until a time, or until a person lifts it. What is held of them is still sold.

One list for what orders have taught and for what a person has said; it is kept in the ledger's runtime state.
"""

from typing import Any

import msgspec

from execution.runtime.clock import Clock, iso


class NotThere(LookupError):
    """What should be lifted isn't left alone."""


class Quarantined(msgspec.Struct, frozen=True):
    """One symbol. `until_ms` None: until it is lifted."""

    reason: str
    by: str
    since_ms: int
    until_ms: int | None = None


class Quarantine:
    """The symbols left alone now."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._rows: dict[str, Quarantined] = {}

    def put(self, symbol: str, reason: str, until_ms: int | None = None, by: str = "learning") -> Quarantined:
        """Leave a symbol alone. A person's word isn't shortened by what was learned; a longer time always holds."""
        now = self._clock.now_ms()
        before = self.rows().get(symbol)
        if before is not None and by == "learning" and not _longer(until_ms, before.until_ms):
            return before
        row = self._rows[symbol] = Quarantined(reason, by, now, until_ms)
        return row

    def lift(self, symbol: str) -> bool:
        """Trade it again; was it left alone?"""
        there = symbol in self.rows()
        self._rows.pop(symbol, None)
        return there

    def obey(
        self, symbol: str, reason: str = "", lift: bool = False, by: str = "operator", for_s: float | None = None
    ) -> None:
        """Do what a person wants: leave a symbol alone, for a time or until it is lifted, or lift it. NotThere."""
        if not lift:
            self.put(symbol, reason, None if for_s is None else self._clock.now_ms() + round(for_s * 1000), by)
        elif not self.lift(symbol):
            raise NotThere(f"{symbol} isn't in quarantine")

    def why(self, symbol: str) -> str:
        """Why a symbol is left alone, "" when it isn't."""
        row = self._rows.get(symbol)
        if row is None or (row.until_ms is not None and self._clock.now_ms() >= row.until_ms):
            return ""
        until = "it is lifted" if row.until_ms is None else iso(row.until_ms)
        return f"{row.reason} (by {row.by}, until {until})"

    def rows(self) -> dict[str, Quarantined]:
        """All of them now, by symbol."""
        return {symbol: row for symbol, row in self._rows.items() if self.why(symbol)}

    def listed(self) -> dict[str, Any]:
        """The list for people and machines, in plain values."""
        return {"quarantine": {symbol: msgspec.to_builtins(row) for symbol, row in sorted(self.rows().items())}}

    def to_state(self) -> dict[str, Any]:
        """What must be kept over a restart, as plain values."""
        return {symbol: msgspec.to_builtins(row) for symbol, row in self.rows().items()}

    def restore(self, state: Any) -> None:
        """Put back what to_state() gave. msgspec.ValidationError when it is something else."""
        self._rows = msgspec.convert(state, dict[str, Quarantined])


def _longer(one: int | None, other: int | None) -> bool:
    return other is not None and (one is None or one > other)
