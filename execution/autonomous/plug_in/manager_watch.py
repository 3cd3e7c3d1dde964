"""Is the manager hung? A pure function over the passes of supervisord's loop. Times are monotonic seconds."""

from dataclasses import dataclass, replace

from execution.vocabulary.limits import LOOP_LATE_AFTER_S, MANAGER_FIRST_WORD_WITHIN_S, MANAGER_SILENT_AFTER_S


@dataclass(frozen=True)
class Patience:
    """How long it may be silent, and how long until its first word in a new life."""

    silent_s: float = MANAGER_SILENT_AFTER_S
    first_word_s: float = MANAGER_FIRST_WORD_WITHIN_S


@dataclass(frozen=True)
class ManagerWatch:
    """The life of the manager that we know, and since when it has been silent."""

    pid: int = 0
    silent_since: float = 0.0
    has_spoken: bool = False
    looked_at: float | None = None


def spoke(watch: ManagerWatch, now: float) -> ManagerWatch:
    """The manager has called."""
    return replace(watch, silent_since=now, has_spoken=True)


def look(watch: ManagerWatch, pid: int, now: float, patience: Patience) -> tuple[ManagerWatch, bool]:
    """What to remember, and whether to kill it. `pid` is 0 while the manager doesn't run.

    A loop that itself came late (the machine slept, was stopped, was loaded) has not seen how long anybody was
    silent: the count starts anew.
    """
    late = watch.looked_at is None or now - watch.looked_at > LOOP_LATE_AFTER_S
    if pid != watch.pid:
        return ManagerWatch(pid, now, False, now), False
    if late or not pid:
        return replace(watch, silent_since=now, looked_at=now), False
    allowed_s = patience.silent_s if watch.has_spoken else patience.first_word_s
    hung = now - watch.silent_since > allowed_s
    return replace(watch, silent_since=now if hung else watch.silent_since, looked_at=now), hung
