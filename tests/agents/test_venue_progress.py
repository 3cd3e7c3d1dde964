"""The venue's own task finishes a run only while market time passes."""

import asyncio
from pathlib import Path

import pytest

from agents.process import Context
from agents.venue import VenueAgent
from execution.console.venue_control import CONTROL_NAME, NotServed, ask_control
from execution.runtime.bus import Bus
from execution.runtime.clock import ManualClock, SystemClock
from execution.runtime.errors import ErrorBook
from execution.runtime.home import Home
from execution.runtime.settings import Config, VenueConfig


class SlippingClock(SystemClock):
    """The machine's clock, with a monotonic part that a test can push on."""

    def __init__(self) -> None:
        self._pushed = ManualClock(monotonic=0.0)

    def monotonic(self) -> float:
        return super().monotonic() + self._pushed.monotonic()

    def push(self, seconds: float) -> None:
        self._pushed.advance(seconds)


def test_a_market_that_stands_still_is_a_failed_run_and_one_that_moves_a_finished_one(tmp_path: Path) -> None:
    async def scene() -> None:
        home, clock = Home(tmp_path), SlippingClock()
        home.prepare()
        context = Context("venue", home, Config(), clock, Bus(home.run, "venue", clock), ErrorBook(clock))
        agent = VenueAgent(context)
        await agent.start()
        task = agent.tasks()[0]
        assert task.critical
        await asyncio.wait_for(task.run(), 5)
        clock.push(60.0)
        with pytest.raises(RuntimeError, match="the market stands still"):
            await asyncio.wait_for(task.run(), 5)
        for part in context.background:
            part.cancel()
        await agent.stop()

    asyncio.run(scene())


@pytest.mark.parametrize("drills", [False, True])
def test_the_operations_venue_can_be_drilled_only_where_the_settings_say_so(tmp_path: Path, drills: bool) -> None:
    async def scene() -> None:
        home, clock = Home(tmp_path), SystemClock()
        home.prepare()
        config = Config(venue=VenueConfig(drills=drills))
        context = Context("venue", home, config, clock, Bus(home.run, "venue", clock), ErrorBook(clock))
        agent = VenueAgent(context)
        await agent.start()
        folder = home.data / "venue"
        try:
            if drills:
                rule = {"fault": "latency", "on": "GET *"}
                assert await asyncio.to_thread(ask_control, folder, "POST", "/faults", rule) == {"numbers": [1]}
            else:
                with pytest.raises(NotServed):
                    await asyncio.to_thread(ask_control, folder, "GET", "/faults")
        finally:
            for part in context.background:
                part.cancel()
            await agent.stop()
        assert not (folder / CONTROL_NAME).exists()

    asyncio.run(scene())
