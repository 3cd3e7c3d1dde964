"""The process `accelerator_controller`: reads both ledgers, compares sandbox with live, publishes what it found.

It reads only. Promotion doesn't exist yet, so nothing here changes what either account does.
"""

import logging
import sys
from typing import Any

import msgspec

from agents.process import Context, run_process
from execution.learning.comparison import Comparison, compare
from execution.ledger.audit_log import AuditLogger, config_hash
from execution.ledger.queries import AccountReader
from execution.runtime.bus import Refused
from execution.runtime.clock import iso
from execution.runtime.tasks import Task
from execution.vocabulary.health import ComponentHealth, ComponentStatus
from execution.vocabulary.messages import Performance
from execution.vocabulary.modes import Account
from execution.vocabulary.performance import ClosedTrade

log = logging.getLogger("nae.accelerator")
NAME = "accelerator_controller"
COMPARE_PERIOD_S = 5.0


class AcceleratorAgent:
    """Follows both ledgers."""

    def __init__(self, context: Context) -> None:
        self._context = context
        self._readers = {account: AccountReader(context.home.ledger(account)) for account in Account}
        self._audit = AuditLogger(
            context.home.audit_trail(NAME), context.clock, NAME, config=config_hash(context.config)
        )
        self._comparison: Comparison | None = None
        self._compared_ms: int | None = None

    async def start(self) -> None:
        log.info("following", extra={"fields": {"ledgers": ", ".join(self._readers)}})

    def tasks(self) -> list[Task]:
        return [Task("compare", COMPARE_PERIOD_S, self._compare)]

    async def _compare(self) -> None:
        found = compare(self._closed(Account.SANDBOX), self._closed(Account.LIVE))
        if self._comparison is None or found.verdict != self._comparison.verdict:
            log.info("compared", extra={"fields": {"verdict": found.verdict}})
            self._audit.record("comparison", **msgspec.to_builtins(found))
        self._comparison = found
        self._compared_ms = self._context.clock.now_ms()
        await self._context.bus.publish(
            Performance(process=NAME, sent_ms=self._compared_ms, comparison=msgspec.to_builtins(found))
        )

    def _closed(self, account: Account) -> list[ClosedTrade]:
        try:
            return self._readers[account].closed_trades()
        except FileNotFoundError:
            return []  # this account hasn't traded yet (or doesn't in this mode)

    def components(self) -> dict[str, ComponentHealth]:
        compared = iso(self._compared_ms) if self._compared_ms else None
        return {"comparison": ComponentHealth(ComponentStatus.HEALTHY, compared)}

    def facts(self) -> dict[str, Any]:
        return {"verdict": self._comparison.verdict if self._comparison else "nothing compared yet"}

    async def command(self, verb: str, arguments: dict[str, Any]) -> dict[str, Any]:
        if verb != "performance":
            raise Refused(f"accelerator_controller knows the verb performance, not {verb}")
        return msgspec.to_builtins(self._comparison) if self._comparison else {}

    async def stop(self) -> None:
        self._audit.close()


if __name__ == "__main__":
    sys.exit(run_process(NAME, AcceleratorAgent))
