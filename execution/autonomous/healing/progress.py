"""Does a process get on? Made of what the manager knows of it: since when it has done its work without a break, when
each of its tasks last finished a run, when supervision brought it back. Says; decides nothing."""

from collections.abc import Mapping

from execution.autonomous.healing.case_policy import Sight
from execution.autonomous.judgement import overdue
from execution.autonomous.watched import Watched
from execution.vocabulary.health import HealthStatus
from execution.vocabulary.lifecycle import ProcessState


class Progress:
    """Of every process, remembered from look to look."""

    def __init__(self) -> None:
        self._well: dict[str, tuple[int, float]] = {}  # pid, and since when that life has been well

    def look(self, watched: Mapping[str, Watched], now: float) -> dict[str, Sight]:
        """What is known of each now."""
        return {name: self._sight(name, row, now) for name, row in watched.items()}

    def _sight(self, name: str, row: Watched, now: float) -> Sight:
        restarted_at = row.restarted_at[-1] if row.restarted_at else None
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
