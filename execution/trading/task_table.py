"""What a trading system does periodically: one row per task, with its period. What a task does stands in its part."""

import logging
from typing import TYPE_CHECKING

from execution.ledger.backups import keep_backed_up
from execution.runtime.tasks import Task
from execution.trading.easing import reconcile, refresh_rules
from execution.trading.recovery import RECONCILE_PERIOD_S, RULES_PERIOD_S
from execution.trading.report import health_line
from execution.vocabulary.limits import BACKUP_LOOK_PERIOD_S, HEALTH_SAID_PERIOD_S

if TYPE_CHECKING:
    from execution.trading.system import TradingSystem

log = logging.getLogger("nae.trading")

SAVE_PERIOD_S = 5.0
EXITS_PERIOD_S = 0.25
PROTECTION_PERIOD_S = 0.5
LOSSES_PERIOD_S = 1.0
STREAMS_PERIOD_S = 1.0
CONVERT_PERIOD_S = 30.0


def task_table(system: "TradingSystem") -> list[Task]:
    """What must be run, and how often. A closed bar wakes the cycle."""
    manager, recovery, parts = system.manager, system.recovery, system.parts

    async def cycle() -> None:
        await manager.run_cycle()

    async def look_at_stops() -> None:
        await system.protector.look(manager.portfolio(), recovery.rules, parts.feed.quote)

    async def protect() -> None:
        await system.protector.watch(look_at_stops)

    async def losses() -> None:
        system.watch_losses()

    async def save() -> None:
        system.save_state()
        system.lessons.save()
        system.feasibility.look(recovery.rules, parts.feed.quote, lambda: manager.portfolio().equity)

    async def streams() -> None:
        system.keep_streams()
        system.watch_dependencies()
        recovery.watch_clocks()
        recovery.hasten()
        system.restraints.look(system)

    async def back_up() -> None:
        await keep_backed_up(parts.ledger, parts.clock)

    async def convert() -> None:
        if not system.entries_off() and system.easing.due("convert", CONVERT_PERIOD_S):
            await system.converter.look(recovery.rules, parts.feed.quote)

    async def say_health() -> None:
        level, fields = health_line(system)
        log.log(level, "health", extra={"fields": fields})

    return [
        Task("exits", EXITS_PERIOD_S, manager.check_exits, critical=True, wake=system.exit_wanted),
        Task("shots", EXITS_PERIOD_S, manager.entries.fire, wake=manager.shot_wanted),
        Task("protection", PROTECTION_PERIOD_S, protect, wake=system.protector.wanted),
        Task("cycle", system.config.interval_s, cycle, critical=True, wake=parts.bars.wake),
        Task("losses", LOSSES_PERIOD_S, losses),
        Task("reconcile", RECONCILE_PERIOD_S, lambda: reconcile(system), wake=recovery.wanted),
        Task("rules", RULES_PERIOD_S, lambda: refresh_rules(system), wake=recovery.rules_wanted),
        Task("state", SAVE_PERIOD_S, save),
        Task("streams", STREAMS_PERIOD_S, streams),
        Task("backup", BACKUP_LOOK_PERIOD_S, back_up),
        Task("health", HEALTH_SAID_PERIOD_S, say_health),
        *([Task("convert", CONVERT_PERIOD_S, convert)] if system.converter.wanted else []),
    ]
