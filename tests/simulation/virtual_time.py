"""An event loop whose time passes only when nobody has anything to do, and processes that can be held on it.

Real asyncio, no real waiting: a world of a minute takes milliseconds, and the same seed takes the same steps. A process
is a context variable; who is held has his steps put by until he goes on, while everybody else's go on.
"""

import asyncio
import contextvars
import selectors
from collections.abc import Callable, Mapping
from typing import Any

WALL_START_MS = 1_790_000_000_000


class Killed(BaseException):
    """This process is no more."""


class Process:
    """What can be held or killed: all steps taken in its context."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.dead = False
        self.held = False
        self.put_by: list[tuple[Callable[..., object], tuple[Any, ...], contextvars.Context]] = []


RUNNING: contextvars.ContextVar[Process | None] = contextvars.ContextVar("RUNNING", default=None)


class _NoWaiting(selectors.BaseSelector):
    """Instead of waiting for files: time passes. Whoever waits for ever waits for nothing, and the world is stuck."""

    def __init__(self) -> None:
        self.now = 100.0
        self.ticks = 0
        self.on_tick: Callable[[int], None] = lambda number: None
        self._registered: dict[Any, selectors.SelectorKey] = {}

    def select(self, timeout: float | None = None) -> list[tuple[selectors.SelectorKey, int]]:
        if timeout is None:
            raise RuntimeError("the world stands still: nobody waits for anything that will come")
        self.now += max(0.0, timeout)
        self.ticks += 1
        self.on_tick(self.ticks)
        return []

    def register(self, fileobj: Any, events: int, data: Any = None) -> selectors.SelectorKey:
        self._registered[fileobj] = selectors.SelectorKey(fileobj, -1, events, data)
        return self._registered[fileobj]

    def unregister(self, fileobj: Any) -> selectors.SelectorKey:
        return self._registered.pop(fileobj)

    def get_key(self, fileobj: Any) -> selectors.SelectorKey:
        return self._registered[fileobj]

    def get_map(self) -> Mapping[Any, selectors.SelectorKey]:
        return self._registered


class VirtualLoop(asyncio.SelectorEventLoop):
    """See the module."""

    def __init__(self) -> None:
        self.passing = _NoWaiting()
        super().__init__(self.passing)
        self._clock_resolution = 1e-6

    def time(self) -> float:
        return self.passing.now

    def call_soon(  # type: ignore[override]
        self, callback: Callable[..., object], *args: Any, context: contextvars.Context | None = None
    ) -> Any:
        where = contextvars.copy_context() if context is None else context
        process = where.get(RUNNING)
        if process is not None and process.held:
            process.put_by.append((callback, args, where))
            return asyncio.Handle(callback, args, self, where)
        return super().call_soon(callback, *args, context=where)

    def go_on(self, process: Process) -> None:
        """What was put by while it was held happens now, in its order."""
        process.held = False
        steps, process.put_by = process.put_by, []
        for callback, arguments, where in steps:
            super().call_soon(callback, *arguments, context=where)


class VirtualClock:
    """One machine's clocks in this world; its wall clock may be wrong, and may step."""

    def __init__(self, loop: VirtualLoop, wrong_ms: int = 0) -> None:
        self._loop = loop
        self.wrong_ms = wrong_ms

    def now_ms(self) -> int:
        return WALL_START_MS + int(self._loop.time() * 1000) + self.wrong_ms

    def monotonic(self) -> float:
        return self._loop.time()

    async def sleep(self, seconds: float) -> None:
        done = self._loop.create_future()
        handle = self._loop.call_later(seconds, finish, done)
        try:
            await done
        finally:
            handle.cancel()


def finish(done: "asyncio.Future[None]") -> None:
    """Whoever waits for this goes on, if he still waits."""
    if not done.done():
        done.set_result(None)
