"""What a person or another part may order of a trading account: pause, reduce only, halt, resume, re-arm.

Each change is durable in the ledger before it counts, and audited. Exits go on in every state. A halt is left only by
a person's re-arming; pausing and resuming never soften it.
"""

import logging

from execution.ledger.audit_log import AuditLogger
from execution.ledger.store import Ledger
from execution.trading.ports import Gateway
from execution.vocabulary.lifecycle import TradingState

log = logging.getLogger("nae.trading")


class AccountControls:
    """The trading state of one account. Every method returns the state that then holds."""

    def __init__(self, ledger: Ledger, audit: AuditLogger, gateway: Gateway) -> None:
        self._ledger = ledger
        self._audit = audit
        self._gateway = gateway

    def pause_trading(self, reason: str, by: str = "operator") -> TradingState:
        """No entries from now on, over every restart, until resume_trading()."""
        return self._change(TradingState.PAUSED, reason, by)

    def reduce_only(self, reason: str, by: str = "operator") -> TradingState:
        """No entries: risk may only go away."""
        return self._change(TradingState.REDUCE_ONLY, reason, by)

    def resume_trading(self, reason: str = "resumed", by: str = "operator") -> TradingState:
        """Trade again after a pause."""
        return self._change(TradingState.ACTIVE, reason, by)

    def halt_trading(self, reason: str, by: str = "operator") -> TradingState:
        """No entries until a person re-arms."""
        return self._change(TradingState.HALTED, reason, by)

    def rearm_trading(self, reason: str, by: str) -> TradingState:
        """Trade again after a halt; `by` is a person, who accepts what was lost so far."""
        self._gateway.accept_losses()
        return self._set(TradingState.ACTIVE, reason, by)

    def watch_losses(self) -> None:
        """Halt an account that has reached a loss limit."""
        reached = self._gateway.loss_limit_reached()
        if reached and self._ledger.trading_state()[0] is not TradingState.HALTED:
            self.halt_trading(reached, by="risk limits")

    def _change(self, state: TradingState, reason: str, by: str) -> TradingState:
        now, _ = self._ledger.trading_state()
        return now if now is TradingState.HALTED else self._set(state, reason, by)

    def _set(self, state: TradingState, reason: str, by: str) -> TradingState:
        was, _ = self._ledger.trading_state()
        self._ledger.set_trading_state(state, reason, by)
        fields = {"was": was.value, "state": state.value, "reason": reason, "by": by}
        self._audit.record("trading_state", **fields)
        log.warning("trading state", extra={"fields": fields})
        return state
