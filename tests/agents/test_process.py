"""A process is whole or it ends: a background part that dies takes it along, so that a sound one is brought back."""

import asyncio
import logging
import os
import signal
from pathlib import Path
from typing import Any

import pytest

from agents.process import Context, Process, in_background
from execution.autonomous.healing.adjustment_book import AdjustmentBook
from execution.runtime import guard
from execution.runtime.bus import Bus, Refused, ask_async
from execution.runtime.clock import SystemClock
from execution.runtime.errors import ErrorBook
from execution.runtime.home import Home
from execution.runtime.settings import Config
from execution.runtime.tasks import Task
from execution.vocabulary.exit_codes import ExitCode
from execution.vocabulary.health import ComponentHealth, ComponentStatus
from execution.vocabulary.messages import Fact
from tests.support import eventually_async


class Agent:
    """Starts one background part, and remembers whether it was stopped."""

    def __init__(self, context: Context, error: Exception | None) -> None:
        self._context = context
        self._error = error
        self.stopped = False
        self.running = False
        self.stopped_in_the_middle = False

    async def start(self) -> None:
        in_background(self._context, self._part(), "part")

    async def _part(self) -> None:
        await eventually_async(lambda: self.running)
        if self._error is not None:
            raise self._error

    def tasks(self) -> list[Task]:
        return [Task("idle", 0.05, self._idle)]

    async def _idle(self) -> None:
        self.running = True
        over = asyncio.Event()
        asyncio.get_running_loop().call_later(0.2, over.set)
        await over.wait()
        self.running = False

    def components(self) -> dict[str, ComponentHealth]:
        return {}

    def facts(self) -> dict[str, Any]:
        return {}

    async def command(self, verb: str, arguments: dict[str, Any]) -> dict[str, Any]:
        return {}

    async def stop(self) -> None:
        self.stopped = True
        self.stopped_in_the_middle = self.running


class Stopped(SystemClock):
    """Nobody's sleep ever ends."""

    async def sleep(self, seconds: float) -> None:
        await asyncio.Event().wait()


def test_what_has_changed_is_said_at_once_and_not_with_the_next_heartbeat(tmp_path: Path) -> None:
    class Quiet(Agent):
        async def start(self) -> None:
            """Nothing in the background."""

    async def scene() -> None:
        home, clock = Home(tmp_path), Stopped()
        home.prepare()
        context = Context("ralph", home, Config(), clock, Bus(home.run, "ralph", clock), ErrorBook(clock))
        listener, heard = Bus(home.run, "master_controller", clock), list[Fact]()
        ear = listener.ear(["ralph"])
        running = asyncio.create_task(Process(context, Quiet(context, None)).run())

        def said_again() -> bool:
            context.changed.set()  # more than once: a fact that nobody is connected for yet is lost
            listener.hear(ear, heard.append)
            return len(heard) >= 3

        try:
            await eventually_async(said_again)
        finally:
            running.cancel()
            await asyncio.gather(running, return_exceptions=True)
            ear.close()
            listener.close()

    asyncio.run(scene())


@pytest.mark.parametrize("error", [OSError("the part broke"), None], ids=["by an error", "without a word"])
def test_a_background_part_that_ends_ends_the_process(tmp_path: Path, error: Exception | None) -> None:
    async def scene() -> None:
        home, clock = Home(tmp_path), SystemClock()
        home.prepare()
        context = Context("ralph", home, Config(), clock, Bus(home.run, "ralph", clock), ErrorBook(clock))
        agent = Agent(context, error)
        with pytest.raises(RuntimeError, match="a part that must run has ended"):
            await asyncio.wait_for(Process(context, agent).run(), 10)
        assert agent.stopped
        assert not agent.stopped_in_the_middle, "the run that had begun was finished first"
        assert [row.kind for row in context.errors.rows()] == (["OSError"] if error else [])

    asyncio.run(scene())


def test_a_part_that_breaks_while_the_agent_still_starts_takes_the_start_along(tmp_path: Path) -> None:
    class Starting(Agent):
        cancelled = False

        async def start(self) -> None:
            self.running = True
            await super().start()
            try:
                await asyncio.Event().wait()
            except asyncio.CancelledError:
                self.cancelled, self.running = True, False
                raise

    async def scene() -> None:
        home, clock = Home(tmp_path), SystemClock()
        home.prepare()
        context = Context("ralph", home, Config(), clock, Bus(home.run, "ralph", clock), ErrorBook(clock))
        agent = Starting(context, OSError("the part broke"))
        with pytest.raises(RuntimeError, match="a part that must run has ended"):
            await asyncio.wait_for(Process(context, agent).run(), 10)
        assert agent.cancelled and agent.stopped and not agent.stopped_in_the_middle

    asyncio.run(scene())


def test_who_is_told_to_stop_while_he_still_starts_ends_in_good_order_and_is_asked_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(guard, "end_by", lambda deadline_s: None)  # it would end the tests with us

    class Unprepared(Agent):
        async def start(self) -> None:
            os.kill(os.getpid(), signal.SIGTERM)
            await asyncio.Event().wait()

        def components(self) -> dict[str, ComponentHealth]:
            raise AssertionError("start() first")

        def facts(self) -> dict[str, Any]:
            raise AssertionError("start() first")

    async def scene() -> None:
        home, clock = Home(tmp_path), SystemClock()
        home.prepare()
        context = Context("ralph", home, Config(), clock, Bus(home.run, "ralph", clock), ErrorBook(clock))
        agent = Unprepared(context, None)
        process = Process(context, agent)
        context.changed.set()  # a heartbeat more
        assert await asyncio.wait_for(process.run(), 10) is ExitCode.OK
        assert agent.stopped and process.heartbeat().components == {}

    asyncio.run(scene())


def test_a_process_takes_up_an_adjusted_log_level_while_it_runs_and_tells_what_it_goes_by(tmp_path: Path) -> None:
    class Quiet(Agent):
        async def start(self) -> None:
            """Nothing in the background."""

    async def scene() -> None:
        home, clock = Home(tmp_path), SystemClock()
        home.prepare()
        context = Context("ralph", home, Config(), clock, Bus(home.run, "ralph", clock), ErrorBook(clock))
        context.parts["line"] = lambda: ComponentHealth(ComponentStatus.HEALTHY, metrics={"requests": 3})
        process = Process(context, Quiet(context, None))
        book, running = AdjustmentBook(home, clock), asyncio.create_task(process.run())

        async def settings() -> dict[str, Any]:
            return await ask_async(home.run, "ralph", "settings", clock)

        try:
            await eventually_async((home.run / "ralph.cmd").exists)
            before = await settings()
            added = book.add("operation.log_level", "DEBUG", "a new kind of error", "ralph")
            assert ((await settings())["log_level"], before["log_level"]) == ("DEBUG", "INFO")
            book.revert(added.id)
            assert (await settings())["log_level"] == "INFO"
            assert before["operation"]["request_timeout_s"] == 4.0
            assert before["parts"]["line"]["metrics"] == {"requests": 3}
            await eventually_async(lambda: process.heartbeat().components.get("line"))
            home.config_file.write_text("[operation]\nhang_after_s = 0\n")
            with pytest.raises(Refused, match="hang_after_s = 0 is out of range"):
                await settings()
        finally:
            running.cancel()
            await asyncio.gather(running, return_exceptions=True)
            logging.getLogger("nae").setLevel(logging.NOTSET)

    asyncio.run(scene())
