"""What a process gives its agent, and what an agent brings. No behaviour but one: background work that ends, ends the
process."""

import asyncio
import logging
from collections.abc import Callable, Coroutine
from dataclasses import dataclass, field
from typing import Any, Protocol

from execution.runtime.bus import Bus
from execution.runtime.clock import Clock
from execution.runtime.errors import ErrorBook
from execution.runtime.home import Home
from execution.runtime.settings import Config
from execution.runtime.tasks import Task, TaskRunner
from execution.vocabulary.health import ComponentHealth

log = logging.getLogger("nae.process")


class Probe(Protocol):
    """Asks its exchange how long it takes."""

    def begin(self) -> None:
        """Ask once, unless that is under way."""

    def told(self) -> dict[str, Any]:
        """How many probes are over, and what the last one told."""


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
    parts: dict[str, Callable[[], ComponentHealth]] = field(default_factory=dict)  # health of what isn't the agent's
    probe: Probe | None = None

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
