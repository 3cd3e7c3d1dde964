"""Does a process get on? Made of what the manager knows of it: since when it has done its work without a break, when
each of its tasks last finished a run, when supervision brought it back. Says; decides nothing."""

from collections import deque
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from math import inf

from execution.autonomous.healing.case_policy import Sight
from execution.autonomous.judgement import overdue
from execution.autonomous.watched import Watched
from execution.runtime.clock import Clock
from execution.vocabulary.health import HealthStatus
from execution.vocabulary.lifecycle import ProcessState

KEPT = 20
LATE_S = 2.0  # the judge sees a new pid up to a tick later


class Renewals:
    """When healing itself renewed which process: such a restart is nobody else's."""

    def __init__(self) -> None:
        self._times: dict[str, deque[tuple[float, float]]] = {}

    @contextmanager
    def renewing(self, process: str, clock: Clock) -> Iterator[None]:
        """From now until it has come back, or time is over."""
        times = self._times.setdefault(process, deque(maxlen=KEPT))
        began = clock.monotonic()
        times.append((began, inf))
        try:
            yield
        finally:
            times.remove((began, inf))
            times.append((began, clock.monotonic() + LATE_S))

    def was_ours(self, process: str, at: float) -> bool:
        """Was a restart at this time our doing?"""
        return any(began <= at <= ended for began, ended in self._times.get(process, ()))


class Progress:
    """Of every process, remembered from look to look."""

    def __init__(self, renewals: "Renewals | None" = None) -> None:
        self._renewals = renewals or Renewals()
        self._well: dict[str, tuple[int, float]] = {}  # pid, and since when that life has been well

    def look(self, watched: Mapping[str, Watched], now: float) -> dict[str, Sight]:
        """What is known of each now."""
        return {name: self._sight(name, row, now) for name, row in watched.items()}

    def _sight(self, name: str, row: Watched, now: float) -> Sight:
        others = (at for at in reversed(row.restarted_at) if not self._renewals.was_ours(name, at))
        restarted_at = next(others, None)
        if not _is_well(row):
            self._well.pop(name, None)
            return Sight(restarted_at=restarted_at)
        pid, since = self._well.get(name, (0, now))
        self._well[name] = (row.pid, since if pid == row.pid else now)
        beat = row.heartbeat
        tasks = beat.tasks if beat else []
        finished = {
            task.name: row.heard_at - task.last_finished_age_s
            for task in tasks
            if task.runs and task.last_finished_age_s is not None
        }
        return Sight(self._well[name][1], finished, restarted_at)


def _is_well(row: Watched) -> bool:
    """It runs, isn't critical, and no task of it is overdue. Errors alone don't count: the fault may be another one."""
    beat = row.heartbeat
    if beat is None or not row.pid or beat.pid != row.pid or beat.state is not ProcessState.RUNNING:
        return False
    return row.verdict.status is not HealthStatus.CRITICAL and not any(
        overdue(task, beat.uptime_s) for task in beat.tasks
    )
