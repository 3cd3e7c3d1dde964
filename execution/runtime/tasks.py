"""Periodic work as rows: Task(name, period, run). One task never overlaps itself, never drifts, never dies of an error.

The runner counts what happened; whether that is healthy is judged elsewhere.
"""

import asyncio
import logging
from collections.abc import Awaitable, Callable
from dataclasses import dataclass

from execution.runtime.clock import Clock
from execution.runtime.errors import ErrorBook
from execution.vocabulary.health import TaskProgress

log = logging.getLogger("nae.tasks")


@dataclass
class Task:
    """`run` is called every `period_s`, and at once when `wake` is set. `critical`: without it there's no trading."""

    name: str
    period_s: float
    run: Callable[[], Awaitable[None]]
    critical: bool = False
    wake: asyncio.Event | None = None


@dataclass
class _Record:
    begun: float | None = None  # of a task taken up later than its process began: when
    runs: int = 0
    failures: int = 0
    started: float | None = None
    finished: float | None = None


class TaskRunner:
    """Runs the tasks of one process until told to stop; a run that has begun is finished."""

    def __init__(self, clock: Clock, errors: ErrorBook) -> None:
        self._clock = clock
        self._errors = errors
        self._tasks: list[Task] = []
        self._records: dict[str, _Record] = {}
        self._stopping = asyncio.Event()
        self._pauses: set[asyncio.Future[None]] = set()
        self._awaited: dict[str, asyncio.Event] = {}
        self._told: set[str] = set()
        self._group: asyncio.TaskGroup | None = None
        self._instead: list[Task] | None = None

    def stop(self) -> None:
        """Begin no further run."""
        self._stopping.set()
        for pause in self._pauses:
            _end(pause)
        for wake in self._awaited.values():
            wake.set()

    async def run(self, tasks: list[Task]) -> None:
        """Run all of `tasks` side by side until stop()."""
        async with asyncio.TaskGroup() as group:
            self._group = group
            for task in tasks if self._instead is None else self._instead:
                self._take_up(task, None)
            await self._stopping.wait()  # with no task left at all there may still come others

    def switch(self, tasks: list[Task]) -> None:
        """From now on run these. One that runs already goes on as it is; one that isn't among them begins no further
        run. A process whose part in the operation changes takes up its new work so."""
        if self._group is None:
            self._instead = tasks  # run() hasn't been reached yet
            return
        self._tasks = [task for task in self._tasks if task in tasks]
        now = self._clock.monotonic()
        for task in tasks:
            if task not in self._tasks and not self._stopping.is_set():
                self._take_up(task, now)

    def _take_up(self, task: Task, begun: float | None) -> None:
        assert self._group is not None, "a task before run()"
        self._tasks.append(task)
        self._records[task.name] = _Record(begun)
        self._group.create_task(self._repeat(task), name=task.name)

    async def _repeat(self, task: Task) -> None:
        due = self._clock.monotonic()
        while not self._stopping.is_set() and task in self._tasks:
            await self.run_once(task)
            now = self._clock.monotonic()
            due = due + task.period_s if due + task.period_s > now else now  # late: go on from now, no burst
            await self._pause(task, due - now)
            if task.wake is not None and task.wake.is_set():
                task.wake.clear()
                due = self._clock.monotonic()

    async def run_once(self, task: Task) -> None:
        """One counted run. An error is this run's failure: counted, logged, and the next run comes as planned."""
        record = self._records.setdefault(task.name, _Record())
        record.started = self._clock.monotonic()
        try:
            await task.run()
        except Exception as error:  # the one boundary: counted, never swallowed
            record.failures += 1
            fingerprint = self._errors.note(error, task=task.name)
            fields = {"task": task.name, "fingerprint": fingerprint, "error": f"{type(error).__name__}: {error}"}
            log.error("task failed", exc_info=fingerprint not in self._told, extra={"fields": fields})
            self._told.add(fingerprint)  # the way to it is shown once; after that, a line is enough
        else:
            record.runs += 1
            record.finished = self._clock.monotonic()
            if log.isEnabledFor(logging.DEBUG):
                took_s = round(record.finished - (record.started or record.finished), 4)
                log.debug("task ran", extra={"fields": {"task": task.name, "took_s": took_s, "runs": record.runs}})
        finally:
            record.started = None

    async def _pause(self, task: Task, seconds: float) -> None:
        if task.wake is None or self._stopping.is_set():
            return await self._pause_unless_stopped(seconds)
        self._awaited[task.name] = task.wake
        try:
            async with asyncio.timeout(max(0.0, seconds)):
                await task.wake.wait()  # in this very task: what wakes it has no time to lose
        except TimeoutError:
            return None
        finally:
            self._awaited.pop(task.name, None)

    async def _pause_unless_stopped(self, seconds: float) -> None:
        """The same without a task for each pause: most tasks pause so, once a second, all day long."""
        over = asyncio.get_running_loop().create_future()
        timer = over.get_loop().call_later(max(0.0, seconds), _end, over)
        self._pauses.add(over)
        try:
            if not self._stopping.is_set():
                await over
        finally:
            timer.cancel()
            self._pauses.discard(over)

    def progress(self) -> list[TaskProgress]:
        """How every task is getting on, now."""
        now = self._clock.monotonic()
        return [_progress(task, self._records[task.name], now) for task in self._tasks]

    def all_progressed(self) -> bool:
        """Has every task finished a run? (Before the first task is known: no.)"""
        return bool(self._tasks) and all(self._records[task.name].runs for task in self._tasks)


def _end(pause: asyncio.Future[None]) -> None:
    if not pause.done():
        pause.set_result(None)


def _progress(task: Task, record: _Record, now: float) -> TaskProgress:
    """Until it has finished a run, a task taken up later counts from then: it isn't blamed for the time before."""
    last = record.begun if record.finished is None else record.finished
    return TaskProgress(
        name=task.name,
        period_s=task.period_s,
        runs=record.runs,
        failures=record.failures,
        last_finished_age_s=None if last is None else round(now - last, 3),
        running_for_s=None if record.started is None else round(now - record.started, 3),
        critical=task.critical,
    )
