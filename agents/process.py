"""What every process of the operation has in common: log, config, guard, bus, heartbeat, tasks, orderly end.

An agent brings its parts (see Agent); this module gives them a life. It knows nothing of trading or watching.
"""

import asyncio
import gc
import logging
import os
import signal
import sys
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import msgspec

from agents.context import Agent, Context, in_background
from execution.runtime import guard, overlay
from execution.runtime.build import build_id
from execution.runtime.bus import Bus, Refused
from execution.runtime.clock import SystemClock
from execution.runtime.config import load
from execution.runtime.errors import ErrorBook
from execution.runtime.files import write_atomically
from execution.runtime.home import Home
from execution.runtime.last_word import leave_last_word
from execution.runtime.logs import level, log_to_file, set_level
from execution.runtime.pulse import Pulse
from execution.runtime.settings import Config
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

__all__ = ["Agent", "Context", "Process", "in_background", "run_process"]
log = logging.getLogger("nae.process")
MEMORY_BOUND_TIMES = 4  # times the ceiling at which a process is renewed: threads and caches map more than they use


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
        self.build = build_id()
        self._sequence = 0
        self._ready = False
        self._pulse = Pulse(context.home.pulse(context.name), context.clock)
        self._stop_asked = asyncio.Event()
        self._loop = asyncio.get_running_loop()
        self._loop.set_exception_handler(self._stray_error)
        context.errors.on_new = self._tell_at_once

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
        self._ready = True
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
            log.info("state", extra={"fields": {"state": state, "build": self.build, "pid": os.getpid()}})

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

    def _tell_at_once(self) -> None:
        if not self._loop.is_closed():
            self._loop.call_soon_threadsafe(self._context.changed.set)

    @property
    def phase(self) -> str:
        """How far it has come: start, until its parts are ready; then run."""
        return "run" if self._ready else "start"

    def heartbeat(self) -> Heartbeat:
        """The whole current state, in one message."""
        self._sequence += 1
        return Heartbeat(
            process=self._context.name,
            sent_ms=self._context.clock.now_ms(),
            pid=os.getpid(),
            build=self.build,
            state=self._state,
            sequence=self._sequence,
            uptime_s=round(self._context.clock.monotonic() - self._started, 3),
            tasks=self._runner.progress(),
            components=self._components() if self._ready else {},
            errors=self._context.errors.rows(),
            facts=(self._agent.facts() if self._ready else {}) | overlay.told(),
            garbage=self._context.bus.garbage,
        )

    def _components(self) -> dict[str, ComponentHealth]:
        return self._agent.components() | {name: health() for name, health in self._context.parts.items()}

    async def _answer(self, command: Command) -> dict[str, Any]:
        if command.verb == "settings":
            return self._settings(command.arguments)
        if command.verb == "heartbeat":
            return dict(msgspec.to_builtins(self.heartbeat()))
        if not self._ready:
            raise Refused(f"{self._context.name} is still starting; try again in a moment")
        result = await self._agent.command(command.verb, command.arguments)
        await self._context.bus.publish(self.heartbeat())  # whoever asks next sees what the command changed
        return result

    def _settings(self, arguments: dict[str, Any]) -> dict[str, Any]:
        """Take up what can be taken up without a new life, the log's level; and tell what we go by. `probe`: have the
        exchange asked, too; a later answer tells."""
        context = self._context
        try:
            set_level(load(context.home.config_file, process=context.name).operation.log_level)
        except ConfigError as error:
            raise Refused(str(error)) from error
        parts = {name: msgspec.to_builtins(health()) for name, health in context.parts.items()}
        if context.probe is not None and arguments.get("probe"):
            context.probe.begin()
        probed = {} if context.probe is None else context.probe.told()
        operation = msgspec.to_builtins(context.config.operation)
        return {"operation": operation, "parts": parts, "log_level": level(), "probe": probed}


@dataclass
class _Life:
    name: str
    home: Home
    phase: str = "start"  # how far it came, and on what build: for its last word
    build: str = ""


def run_process(
    name: str, wire: Callable[[Context], Agent], orphan_deadline_s: float = guard.ORPHAN_DEADLINE_S
) -> ExitCode:
    """Run the process `name` with the agent that `wire` makes; the exit code for the shell."""
    guard.no_core_dumps()
    home = Home.find()
    try:
        home.prepare()
        log_to_file(home.log_file(name), "INFO")
    except (OSError, ConfigError) as error:
        print(f"{name}: can't write in {home.root}: {error}", file=sys.stderr)
        return ExitCode.OS_ERROR
    home.refusal(name).unlink(missing_ok=True)
    life = _Life(name, home)
    try:
        config = load(home.config_file, process=name)
        set_level(config.operation.log_level)
        guard.bound_memory(MEMORY_BOUND_TIMES * config.operation.memory_max_mib * 2**20)
        guard.bound_descriptors(DESCRIPTORS_MAX)
        guard.bound_processes(MEMBERS_NEW_MAX)
        log.info("starting", extra={"fields": {"process": name, "pid": os.getpid(), "home": home.root}})
        return asyncio.run(_run(life, config, wire, orphan_deadline_s))
    except ConfigError as error:
        leave_last_word(home, name, life.phase, error, life.build)
        return _refuse(home, name, ExitCode.CONFIG, error)
    except BusyError as error:
        return _refuse(home, name, ExitCode.BUSY, error)
    except Exception as error:  # the boundary of the process: said in its log, and supervisord brings it back
        log.exception("ended by an error")
        leave_last_word(home, name, life.phase, error, life.build)
        return ExitCode.SOFTWARE


def _refuse(home: Home, name: str, code: ExitCode, error: Exception) -> ExitCode:
    """Say why we can't start: in the log, and where the start command looks."""
    log.error("can't start: %s", error)
    write_atomically(home.refusal(name), f"{code.value} {error}")
    return code


async def _run(life: _Life, config: Config, wire: Callable[[Context], Agent], orphan_deadline_s: float) -> ExitCode:
    clock, name, home = SystemClock(), life.name, life.home
    context = Context(name, home, config, clock, Bus(home.run, name, clock), ErrorBook(clock))
    process = Process(context, wire(context), orphan_deadline_s)
    try:
        return await process.run()
    finally:
        life.phase, life.build = process.phase, process.build
