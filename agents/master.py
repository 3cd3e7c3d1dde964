"""The process `master_controller`: sees the health of the whole, passes the operator's orders on to the traders that
hold the accounts, looks at the venue itself whether what is held is protected, and raises alerts (an audit row, a log
line, a line in `nae status`). It never trades."""

import asyncio
import logging
import sys
from typing import Any

from agents.process import Context, in_background, run_process
from agents.protection_watch import ProtectionWatch
from execution.ledger.account_lock import holder_of
from execution.ledger.audit_log import AuditLogger, config_hash
from execution.runtime.bus import NoAnswer, Refused, ask_async
from execution.runtime.tasks import Task
from execution.vocabulary.health import ComponentHealth, ComponentStatus, HealthStatus
from execution.vocabulary.messages import Fact, OperationHealth
from execution.vocabulary.modes import Account
from execution.vocabulary.programs import MANAGER, MASTER

log = logging.getLogger("nae.master")
WATCH_PERIOD_S = 0.5
MANAGER_SILENT_AFTER_S = 15.0
ALERTING = frozenset({HealthStatus.UNHEALTHY, HealthStatus.CRITICAL})
PASSED_ON = frozenset({"pause", "resume", "reduce_only", "sell_everything"})


class MasterAgent:
    """Hears the manager's judgement; answers for the whole."""

    def __init__(self, context: Context) -> None:
        self._context = context
        self._health: OperationHealth | None = None
        self._heard_at = context.clock.monotonic()
        self._alerts: dict[str, str] = {}  # what is wrong now, and since when it has been said
        self._watches = [ProtectionWatch(context, account) for account in Account]
        self._audit = AuditLogger(
            context.home.audit_trail(MASTER), context.clock, MASTER, config=config_hash(context.config)
        )

    async def start(self) -> None:
        in_background(self._context, self._context.bus.listen([MANAGER], self._hear), "listen")
        for watch in self._watches:
            watch.start()

    def tasks(self) -> list[Task]:
        return [Task("watch", WATCH_PERIOD_S, self._watch), *(task for one in self._watches for task in one.tasks())]

    def _hear(self, fact: Fact) -> None:
        if isinstance(fact, OperationHealth):
            self._health = fact
            self._heard_at = self._context.clock.monotonic()

    async def _watch(self) -> None:
        wrong = dict(self._wrong_now())
        for watch in self._watches:
            wrong |= watch.alerts()
        for subject, cause in wrong.items():
            if subject not in self._alerts:
                log.warning("alert", extra={"fields": {"subject": subject, "cause": cause}})
                self._audit.record("alert", subject=subject, cause=cause)
        for subject in set(self._alerts) - set(wrong):
            log.info("alert over", extra={"fields": {"subject": subject}})
            self._audit.record("alert_over", subject=subject)
        self._alerts = wrong

    def _wrong_now(self) -> list[tuple[str, str]]:
        silent_s = self._context.clock.monotonic() - self._heard_at
        if silent_s > MANAGER_SILENT_AFTER_S:
            return [(MANAGER, f"silent for {silent_s:.0f} s")]
        if self._health is None:
            return []
        health = self._health
        return [
            (name, "; ".join(health.causes.get(name, [])) or status)
            for name, status in health.processes.items()
            if status in ALERTING
        ]

    def components(self) -> dict[str, ComponentHealth]:
        status = ComponentStatus.HEALTHY if self._health else ComponentStatus.STARTING
        watches = {f"protection_{watch.account}": watch.get_health() for watch in self._watches if watch.begun}
        return {"health_of_the_whole": ComponentHealth(status), **watches}

    def facts(self) -> dict[str, Any]:
        return {"alerts": self._alerts, "overall": self._health.overall if self._health else None}

    async def command(self, verb: str, arguments: dict[str, Any]) -> dict[str, Any]:
        if verb not in PASSED_ON:
            raise Refused(f"master_controller knows {', '.join(sorted(PASSED_ON))}, not {verb}")
        wanted = arguments.get("account")
        if wanted and wanted not in list(Account):
            raise Refused(f"unknown account {wanted!r}; one of {', '.join(Account)} would be right")
        self._audit.record("command", verb=verb, **arguments)
        holders = [holder_of(self._context.home, account) for account in Account if wanted in (None, "", account)]
        names = [name for name in holders if name]
        answers = await asyncio.gather(*[self._pass_on(name, verb, arguments) for name in names])
        return dict(zip(names, answers, strict=True))

    async def _pass_on(self, name: str, verb: str, arguments: dict[str, Any]) -> Any:
        try:
            return await ask_async(self._context.home.run, name, verb, self._context.clock, **arguments)
        except (NoAnswer, Refused) as error:
            return {"error": str(error)}

    async def stop(self) -> None:
        self._audit.close()


if __name__ == "__main__":
    sys.exit(run_process(MASTER, MasterAgent))
