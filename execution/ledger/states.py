"""What an account may do and how it stands with the venue, as its ledger keeps it over every restart. The part of the
ledger that is single facts; the rows are in the modules beside. Each change is durable when the method returns.
"""

from contextlib import AbstractContextManager
from typing import Any

from execution.ledger.facts import Facts, ReconciliationFact, TradingStateFact
from execution.ledger.journal import Journal
from execution.runtime.clock import Clock
from execution.vocabulary.lifecycle import TradingState


class AccountStates:
    """Trading state, last comparison, and what a trader wants to find again."""

    _facts: Facts
    _clock: Clock
    _journal: Journal

    def _writing(self, commit: str) -> AbstractContextManager[None]:
        """One commit of the ledger."""
        raise NotImplementedError

    def trading_state(self) -> tuple[TradingState, str]:
        """What the account may do, and why."""
        fact = self._facts.trading_state()
        return fact.state, fact.reason

    def set_trading_state(self, state: TradingState, reason: str, by: str) -> None:
        """Change what the account may do. Survives every restart."""
        fact = TradingStateFact(state, reason, by, self._clock.now_ms())
        if state is not TradingState.ACTIVE:  # a kill between the two leaves the stricter word
            self._journal.trading_state(fact)
        with self._writing("trading_state"):
            self._facts.put_json("trading_state", fact)
        if state is TradingState.ACTIVE:
            self._journal.trading_state(fact)

    def reconciliation(self) -> ReconciliationFact:
        """The last comparison with the venue."""
        return self._facts.reconciliation()

    def set_reconciliation(self, reconciled: bool, differences: list[str]) -> None:
        """Remember a comparison with the venue."""
        with self._writing("reconciliation"):
            self._facts.put_json("reconciliation", ReconciliationFact(reconciled, self._clock.now_ms(), differences))

    def save_runtime_state(self, state: dict[str, Any]) -> None:
        """Keep what a trader wants to find again after a restart (plain JSON values). TypeError otherwise."""
        with self._writing("runtime_state"):
            self._facts.put_json("runtime_state", state)

    def restore_runtime_state(self) -> dict[str, Any] | None:
        """What was saved last, or None."""
        return self._facts.get_dict("runtime_state")

    def loss_marks(self) -> dict[str, Any] | None:
        """What the account's losses are measured from, as it was put last, or None."""
        return self._facts.get_dict("loss_marks")

    def set_loss_marks(self, marks: dict[str, Any]) -> None:
        """Remember it (plain JSON values). Survives every restart, so that no start forgives a loss."""
        with self._writing("loss_marks"):
            self._facts.put_json("loss_marks", marks)

    def reserve(self) -> dict[str, Any] | None:
        """What of the account's money is put aside, as it was put last, or None."""
        return self._facts.get_dict("reserve") or None

    def set_reserve(self, reserve: dict[str, Any] | None) -> None:
        """Remember it (plain JSON values); None: nothing is put aside any more. Survives every restart."""
        with self._writing("reserve"):
            self._facts.put_json("reserve", reserve or {})
