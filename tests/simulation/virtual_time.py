"""An event loop whose time passes only when nobody has anything to do, and processes that can be held on it.

Real asyncio, no real waiting: a world of a minute takes milliseconds, and the same seed takes the same steps. A process
is a context variable; who is held has his steps put by until he goes on, while everybody else's go on.
"""

import asyncio
import collections
import contextvars
import heapq
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
        self.put_by: list[asyncio.Handle] = []


RUNNING: contextvars.ContextVar[Process | None] = contextvars.ContextVar("RUNNING", default=None)


class _NoFiles(selectors.BaseSelector):
    """Nobody waits for a file in a world; the loop wants a selector all the same."""

    def __init__(self) -> None:
        self._registered: dict[Any, selectors.SelectorKey] = {}

    def select(self, timeout: float | None = None) -> list[tuple[selectors.SelectorKey, int]]:
        raise RuntimeError("a world's loop waits for time alone")

    def register(self, fileobj: Any, events: int, data: Any = None) -> selectors.SelectorKey:
        self._registered[fileobj] = selectors.SelectorKey(fileobj, -1, events, data)
        return self._registered[fileobj]

    def unregister(self, fileobj: Any) -> selectors.SelectorKey:
        return self._registered.pop(fileobj)

    def get_key(self, fileobj: Any) -> selectors.SelectorKey:
        return self._registered[fileobj]

    def get_map(self) -> Mapping[Any, selectors.SelectorKey]:
        return self._registered


class _Step(asyncio.Handle):
    """What is to be called. asyncio's own asks its loop thrice whether it is being debugged."""

    __slots__ = ()

    def __init__(
        self,
        callback: Callable[..., object],
        args: tuple[Any, ...],
        loop: asyncio.AbstractEventLoop,
        context: contextvars.Context | None,
    ) -> None:
        self._callback, self._args, self._loop = callback, args, loop
        self._context = contextvars.copy_context() if context is None else context
        self._cancelled, self._repr, self._source_traceback = False, None, None

    def cancel(self) -> None:
        self._cancelled = True


class _Timer(_Step, asyncio.TimerHandle):
    """The same, at a time. One that is cancelled is passed over when its time has come."""

    def __init__(self, when: float, *what: Any) -> None:
        _Step.__init__(self, *what)
        self._when, self._scheduled = when, True


class VirtualLoop(asyncio.SelectorEventLoop):
    """See the module. Its turns and timers are its own: asyncio's ask a selector, and compare timers in Python, which
    would be a fifth of a world's cost."""

    def __init__(self) -> None:
        super().__init__(_NoFiles())
        self.now = 100.0
        self.ticks = 0
        self.tick_awaited: int | None = None
        self.on_tick: Callable[[int], None] = lambda number: None  # at the one that is awaited, and after it
        self._timers: list[tuple[float, int, _Timer]] = []  # those of one moment in their order
        self._timers_begun = 0
        self._ready: collections.deque[asyncio.Handle]
        self._stopping: bool

    def time(self) -> float:
        return self.now

    def call_later(  # type: ignore[override]
        self, delay: float, callback: Callable[..., object], *args: Any, context: contextvars.Context | None = None
    ) -> asyncio.TimerHandle:
        return self.call_at(self.now + delay, callback, *args, context=context)

    def call_at(  # type: ignore[override]
        self, when: float, callback: Callable[..., object], *args: Any, context: contextvars.Context | None = None
    ) -> asyncio.TimerHandle:
        timer = _Timer(when, callback, args, self, context)
        self._timers_begun += 1
        heapq.heappush(self._timers, (when, self._timers_begun, timer))
        return timer

    def _run_once(self) -> None:
        """Everything that is due, once; time passes when nothing is. Whoever waits for ever waits for nothing."""
        timers, ready = self._timers, self._ready
        if not ready and not self._stopping:
            while timers and timers[0][2]._cancelled:
                heapq.heappop(timers)
            if not timers:
                raise RuntimeError("the world stands still: nobody waits for anything that will come")
            self.now = max(self.now, timers[0][0])
        self.ticks += 1
        if self.tick_awaited is not None and self.ticks >= self.tick_awaited:
            self.on_tick(self.ticks)
        now = self.now
        while timers and timers[0][0] <= now:
            ready.append(heapq.heappop(timers)[2])
        due = list(ready)
        ready.clear()
        for handle in due:
            if not handle._cancelled:
                handle._run()

    def call_soon(  # type: ignore[override]
        self, callback: Callable[..., object], *args: Any, context: contextvars.Context | None = None
    ) -> Any:
        handle = _Step(callback, args, self, context)
        process = handle._context.get(RUNNING)
        if process is not None and process.held:
            process.put_by.append(handle)
        else:
            self._ready.append(handle)
        return handle

    def go_on(self, process: Process) -> None:
        """What was put by while it was held happens now, in its order."""
        process.held = False
        steps, process.put_by = process.put_by, []
        self._ready.extend(steps)


class VirtualClock:
    """One machine's clocks in this world; its wall clock may be wrong, and may step."""

    def __init__(self, loop: VirtualLoop, wrong_ms: int = 0) -> None:
        self._loop = loop
        self.wrong_ms = wrong_ms

    def now_ms(self) -> int:
        return WALL_START_MS + int(self._loop.now * 1000) + self.wrong_ms

    def monotonic(self) -> float:
        return self._loop.now

    async def sleep(self, seconds: float) -> None:
        loop = self._loop
        done = loop.create_future()
        timer = loop.call_at(loop.now + seconds, finish, done)
        try:
            await done
        except BaseException:
            timer.cancel()
            raise


def finish(done: "asyncio.Future[None]") -> None:
    """Whoever waits for this goes on, if he still waits."""
    if not done.done():
        done.set_result(None)
