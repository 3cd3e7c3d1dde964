"""What every process of the operation has in common: log, config, guard, bus, heartbeat, tasks, orderly end.

An agent brings its parts (see Agent); this module gives them a life. It knows nothing of trading or watching.
"""

import asyncio
import gc
import logging
import os
import signal
import sys
from collections.abc import Callable, Coroutine
from dataclasses import dataclass, field
from typing import Any, Protocol

from execution.runtime import guard
from execution.runtime.build import build_id
from execution.runtime.bus import Bus, Refused
from execution.runtime.clock import Clock, SystemClock
from execution.runtime.config import load
from execution.runtime.errors import ErrorBook
from execution.runtime.files import write_atomically
from execution.runtime.home import Home
from execution.runtime.logs import log_to_file
from execution.runtime.pulse import Pulse
from execution.runtime.settings import Config
from execution.runtime.tasks import Task, TaskRunner
from execution.vocabulary.exit_codes import BusyError, ConfigError, ExitCode
from execution.vocabulary.health import ComponentHealth
from execution.vocabulary.lifecycle import ProcessState, advance
from execution.vocabulary.limits import (
    DESCRIPTORS_MAX,
    HEARTBEAT_FIRST_PERIOD_S,
    HEARTBEAT_PERIOD_S,
    MEMBERS_NEW_MAX,
    PULSES_PER_SILENCE,
    WORKER_STOP_DEADLINE_S,
)
from execution.vocabulary.messages import Command, Heartbeat

log = logging.getLogger("nae.process")
MEMORY_BOUND_TIMES = 4  # times the ceiling at which a process is renewed: threads and caches map more than they use


@dataclass
class Context:
    """What a process gives its agent."""

    name: str
    home: Home
    config: Config
    clock: Clock
    bus: Bus
    errors: ErrorBook
    runner: TaskRunner = field(init=False)
    background: set[asyncio.Task[None]] = field(default_factory=set)
    broken: asyncio.Event = field(default_factory=asyncio.Event)  # a part that must run has ended
    changed: asyncio.Event = field(default_factory=asyncio.Event)  # others should hear of it now, not in a second

    def __post_init__(self) -> None:
        self.runner = TaskRunner(self.clock, self.errors)


class Agent(Protocol):
    """The parts of one process."""

    async def start(self) -> None:
        """Make the parts ready. Raises ConfigError when a person must change something."""

    def tasks(self) -> list[Task]:
        """The periodic work, once started."""

    def components(self) -> dict[str, ComponentHealth]:
        """The parts' own get_health()."""

    def facts(self) -> dict[str, Any]:
        """A small summary for the heartbeat."""

    async def command(self, verb: str, arguments: dict[str, Any]) -> dict[str, Any]:
        """Carry out a command. Raises Refused."""

    async def stop(self) -> None:
        """Give everything back. The current run of each task has ended."""


class Process:
    """One process from its first line of log to its last."""

    def __init__(self, context: Context, agent: Agent, orphan_deadline_s: float = guard.ORPHAN_DEADLINE_S) -> None:
        self._context = context
        self._agent = agent
        self._orphan_deadline_s = orphan_deadline_s
        self._told_to_stop = False
        self._runner = context.runner
        self._state = ProcessState.STARTING
        self._started = context.clock.monotonic()
        self._build = build_id()
        self._sequence = 0
        self._pulse = Pulse(context.home.pulse(context.name), context.clock)
        self._stop_asked = asyncio.Event()
        self._loop = asyncio.get_running_loop()
        self._loop.set_exception_handler(self._stray_error)

    async def run(self) -> ExitCode:
        """Live until a signal, the parent's death (UNAVAILABLE then), or an error of the start ends it."""
        context = self._context
        for number in (signal.SIGTERM, signal.SIGINT):
            self._loop.add_signal_handler(number, self._told)
        if guard.under_supervisord():
            guard.end_with_parent(self._orphaned, self._orphan_deadline_s)
        await context.bus.open_when_free(f"{context.name} pid {os.getpid()}")
        always = [asyncio.create_task(self._beat()), asyncio.create_task(context.bus.serve(self._answer))]
        living = asyncio.create_task(self._live())
        try:
            always.append(asyncio.create_task(self._until_broken()))
            always.append(asyncio.create_task(self._beat_when_changed()))
            always.append(asyncio.create_task(self._show_pulse()))
            done, _ = await asyncio.wait({living, *always}, return_when=asyncio.FIRST_COMPLETED)
            for task in done:
                task.result()  # a heart that stops beating ends the process: supervisord brings back a sound one
            return ExitCode.UNAVAILABLE if guard.parent_died.is_set() and not self._told_to_stop else ExitCode.OK
        finally:
            self._runner.stop()
            living.cancel()
            await asyncio.wait({living}, timeout=WORKER_STOP_DEADLINE_S)  # nothing runs on while its parts go
            await self._wind_up(always)

    async def _until_broken(self) -> None:
        await self._context.broken.wait()
        raise RuntimeError("a part that must run has ended; its error stands above")

    async def _live(self) -> None:
        starting = asyncio.create_task(self._agent.start())
        asked = asyncio.create_task(self._stop_asked.wait())
        try:
            await asyncio.wait({starting, asked}, return_when=asyncio.FIRST_COMPLETED)
        finally:
            asked.cancel()
            if not starting.done():  # told to stop before we were ready
                starting.cancel()
                await asyncio.wait({starting})
        if starting.cancelled():
            return
        starting.result()
        gc.freeze()  # what is loaded now stays: walking through all of it holds the loop up for 50 ms each time
        self._go(ProcessState.READY)
        work = asyncio.create_task(self._runner.run(self._agent.tasks()))
        try:
            await self._stop_asked.wait()
        finally:
            self._runner.stop()
            await work

    async def _wind_up(self, always: list[asyncio.Task[None]]) -> None:
        await self._agent.stop()
        for task in [*always, *self._context.background]:
            task.cancel()
        await asyncio.gather(*always, *self._context.background, return_exceptions=True)
        self._context.bus.close()
        self._pulse.end()
        log.info("stopped")

    def _stray_error(self, loop: asyncio.AbstractEventLoop, happening: dict[str, Any]) -> None:
        """An error in a callback, with nobody waiting for it: counted and said like any other."""
        error = happening.get("exception")
        if "never retrieved" in str(happening.get("message")):
            log.warning("an error nobody waited for: %r", error)  # its cause reached somebody by another way
            return
        if isinstance(error, Exception):
            self._context.errors.note(error)
        log.error("stray error: %s", happening.get("message"), exc_info=error)

    def _orphaned(self) -> None:
        log.warning("supervisord has died: stopping")
        self._loop.call_soon_threadsafe(self._stop)

    def _told(self) -> None:
        self._told_to_stop = True
        self._stop()

    def _stop(self) -> None:
        if not self._stop_asked.is_set():
            guard.end_by(WORKER_STOP_DEADLINE_S)
            self._go(ProcessState.STOPPING)
            self._stop_asked.set()

    def _go(self, state: ProcessState) -> None:
        if self._state is not ProcessState.STOPPING and self._state is not state:
            self._state = advance(self._state, state)
            log.info("state", extra={"fields": {"state": state, "build": self._build, "pid": os.getpid()}})

    async def _show_pulse(self) -> None:
        period_s = self._context.config.operation.hang_after_s / PULSES_PER_SILENCE
        while True:
            self._pulse.beat()
            await self._context.clock.sleep(period_s)

    async def _beat(self) -> None:
        while True:
            if self._state is ProcessState.READY and self._runner.all_progressed():
                self._go(ProcessState.RUNNING)
            await self._context.bus.publish(self.heartbeat())
            runs = self._state is ProcessState.RUNNING
            await self._context.clock.sleep(HEARTBEAT_PERIOD_S if runs else HEARTBEAT_FIRST_PERIOD_S)

    async def _beat_when_changed(self) -> None:
        while True:
            await self._context.changed.wait()
            self._context.changed.clear()
            await self._context.bus.publish(self.heartbeat())

    def heartbeat(self) -> Heartbeat:
        """The whole current state, in one message."""
        self._sequence += 1
        started = self._state is not ProcessState.STARTING
        return Heartbeat(
            process=self._context.name,
            sent_ms=self._context.clock.now_ms(),
            pid=os.getpid(),
            build=self._build,
            state=self._state,
            sequence=self._sequence,
            uptime_s=round(self._context.clock.monotonic() - self._started, 3),
            tasks=self._runner.progress(),
            components=self._agent.components() if started else {},
            errors=self._context.errors.rows(),
            facts=self._agent.facts() if started else {},
            garbage=self._context.bus.garbage,
        )

    async def _answer(self, command: Command) -> dict[str, Any]:
        if self._state is ProcessState.STARTING:
            raise Refused(f"{self._context.name} is still starting; try again in a moment")
        result = await self._agent.command(command.verb, command.arguments)
        await self._context.bus.publish(self.heartbeat())  # whoever asks next sees what the command changed
        return result


def run_process(
    name: str, wire: Callable[[Context], Agent], orphan_deadline_s: float = guard.ORPHAN_DEADLINE_S
) -> ExitCode:
    """Run the process `name` with the agent that `wire` makes; the exit code for the shell."""
    guard.no_core_dumps()
    home = Home.find()
    try:
        home.prepare()
        handler = log_to_file(home.log_file(name), "INFO")
    except (OSError, ConfigError) as error:
        print(f"{name}: can't write in {home.root}: {error}", file=sys.stderr)
        return ExitCode.OS_ERROR
    home.refusal(name).unlink(missing_ok=True)
    try:
        config = load(home.config_file)
        handler.setLevel(config.operation.log_level)
        guard.bound_memory(MEMORY_BOUND_TIMES * config.operation.memory_max_mib * 2**20)
        guard.bound_descriptors(DESCRIPTORS_MAX)
        guard.bound_processes(MEMBERS_NEW_MAX)
        log.info("starting", extra={"fields": {"process": name, "pid": os.getpid(), "home": home.root}})
        return asyncio.run(_run(name, home, config, wire, orphan_deadline_s))
    except ConfigError as error:
        return _refuse(home, name, ExitCode.CONFIG, error)
    except BusyError as error:
        return _refuse(home, name, ExitCode.BUSY, error)
    except Exception:  # the boundary of the process: said in its log, and supervisord brings it back
        log.exception("ended by an error")
        return ExitCode.SOFTWARE


def _refuse(home: Home, name: str, code: ExitCode, error: Exception) -> ExitCode:
    """Say why we can't start: in the log, and where the start command looks."""
    log.error("can't start: %s", error)
    write_atomically(home.refusal(name), f"{code.value} {error}")
    return code


async def _run(
    name: str, home: Home, config: Config, wire: Callable[[Context], Agent], orphan_deadline_s: float
) -> ExitCode:
    clock = SystemClock()
    context = Context(name, home, config, clock, Bus(home.run, name, clock), ErrorBook(clock))
    process = Process(context, wire(context), orphan_deadline_s)
    return await process.run()


def in_background(context: Context, work: Coroutine[Any, Any, None], name: str) -> asyncio.Task[None]:
    """Run what never ends beside the tasks. If it ends all the same, so does the process: half a process is worse."""

    async def watched() -> None:
        try:
            await work
            log.error("background work ended by itself", extra={"fields": {"work": name}})
        except Exception as error:  # counted and said; supervisord brings back a whole process
            context.errors.note(error)
            log.exception("background work failed", extra={"fields": {"work": name}})
        context.broken.set()

    task = asyncio.create_task(watched(), name=name)
    context.background.add(task)
    return task
