"""Keeps long-running coroutines running: the market feed and the account's event stream. They should never end.

One that ends is an error, counted once, and is started again the next time somebody looks, or when its breaker lets it.
No other back-off here: streams pace their own reconnects.
"""

import asyncio
import logging
from collections.abc import Awaitable, Callable

from execution.runtime.breaker import CircuitBreaker

log = logging.getLogger("nae.trading")


class StreamEnded(RuntimeError):
    """A stream that should run until cancelled returned."""


class Streams:
    """The running ones, by name."""

    def __init__(self, note_error: Callable[[BaseException], object]) -> None:
        self.note_error = note_error
        self._running: dict[str, asyncio.Task[None]] = {}
        self.restarts = 0
        self._renewing = False

    def keep(self, name: str, run: Callable[[], Awaitable[None]], breaker: CircuitBreaker | None = None) -> None:
        """Start `run` unless it is running. Needs a running event loop."""
        task = self._running.get(name)
        if self._renewing or (task is not None and not task.done()):
            return
        if task is not None:
            del self._running[name]
            self._ended(name, task)
            if breaker is not None:
                breaker.record_failure(f"{name} ended")
        if breaker is not None and not breaker.can_execute():
            return
        self._running[name] = asyncio.create_task(_await(run), name=name)

    def _ended(self, name: str, task: "asyncio.Task[None]") -> None:
        self.restarts += 1
        error = None if task.cancelled() else task.exception()
        self.note_error(error or StreamEnded(f"{name} ended by itself"))
        log.error("stream ended", extra={"fields": {"stream": name, "error": repr(error)}})

    async def renew(self) -> list[str]:
        """End all of them in good order, so that the next keep() starts each anew; that is no error of theirs. Nothing
        is started meanwhile: a line that is being given back must be gone first. Their names."""
        if self._renewing:
            return []
        self._renewing, names = True, sorted(self._running)
        try:
            await self.stop()
        finally:
            self._renewing = False
        return names

    async def stop(self) -> None:
        """Cancel all of them and wait until they are gone."""
        tasks = list(self._running.values())
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        self._running.clear()


async def _await(run: Callable[[], Awaitable[None]]) -> None:
    await run()
