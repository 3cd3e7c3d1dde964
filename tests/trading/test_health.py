"""What a trader says of itself: every part's health, the worst of them, and a line in the log every half minute."""

import asyncio
import logging
from pathlib import Path

import pytest

from execution.runtime.breaker import CircuitBreaker
from execution.vocabulary.limits import HEALTH_SAID_PERIOD_S
from tests.trading.world import World

PROMISED = {"status", "last_activity", "error_count", "metrics"}


def test_health_is_a_line_in_the_log_every_thirty_seconds_and_a_warning_names_what_is_not_well(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    async def run() -> None:
        caplog.set_level(logging.INFO, "nae.trading")
        world = World(tmp_path)
        await world.system.start()
        task = next(row for row in world.system.tasks() if row.name == "health")
        assert task.period_s == HEALTH_SAID_PERIOD_S == 30
        await task.run()
        world.system.dependencies.conditions_heard(False, "nonsense")
        for _ in range(3):
            world.system.dependencies.venue_data.record_failure("no answer")
            world.system.dependencies.venue_orders.record_failure("no answer")
        await task.run()
        first, second = [row for row in caplog.records if row.message == "health"]
        assert first.levelno == logging.INFO
        fields: dict[str, str] = second.fields  # type: ignore[attr-defined]
        assert second.levelno == logging.WARNING and fields["breakers"] == "degraded"
        assert fields["entries_off"] == "venue_orders_breaker_open"
        await world.system.stop()

    asyncio.run(run())


def test_the_whole_is_as_well_as_its_worst_part_and_says_so_in_plain_values(tmp_path: Path) -> None:
    async def run() -> None:
        world = World(tmp_path)
        system = world.system
        await system.start()
        await world.manager.run_cycle()
        well = await system.health_check()
        assert {"timestamp", "overall", "components"} <= well.keys()
        assert all(part.keys() >= PROMISED for part in well["components"].values())
        assert {"feed", "sniper", "ledger", "breakers", "lessons", "gateway"} <= well["components"].keys()
        for _ in range(3):
            system.dependencies.venue_orders.record_failure("no answer")
        assert (await system.health_check())["overall"] == "degraded"
        status, stats = system.get_system_status(), system.get_loop_stats()
        assert status["components"]["breakers"]["metrics"]["failing"]["venue_orders"]["last_failure"] == "no answer"
        assert stats["cycles"] == 1 and stats["coin_scores"] == {}
        system.errors.note(ValueError("a test"))
        assert system.get_recent_errors(hours=1)[-1]["message"] == "a test"
        assert system.pause_trading("a test") == "paused" and system.resume_trading() == "active"
        assert system.trigger_reflection()["trades"] == 0
        await system.stop()

    asyncio.run(run())


def test_a_breaker_needs_nothing_but_its_name() -> None:
    breaker = CircuitBreaker()
    for _ in range(3):
        assert breaker.can_execute()
        breaker.record_failure()
    assert breaker.state == "open" and not breaker.can_execute()
    breaker.record_success()
    assert breaker.state == "closed"
