"""How a ledger's file is doing: writable, fast, not full. It looks at the disk, and opens nothing."""

import shutil
import statistics
from collections import deque
from pathlib import Path
from typing import Any

from execution.runtime.clock import iso
from execution.vocabulary.health import ComponentHealth, ComponentStatus
from execution.vocabulary.limits import COMMIT_SLOW_S, DISK_LOW_BYTES

COMMITS_KEPT = 20


class CommitTimes:
    """How long the last commits took, in seconds."""

    def __init__(self) -> None:
        self._seconds: deque[float] = deque(maxlen=COMMITS_KEPT)

    def add(self, seconds: float) -> None:
        """One more."""
        self._seconds.append(seconds)

    @property
    def usual_s(self) -> float:
        """The median: one that waited for somebody else's disk changes nothing."""
        return statistics.median(self._seconds) if self._seconds else 0.0

    @property
    def worst_s(self) -> float:
        """The slowest of them."""
        return max(self._seconds, default=0.0)


def judged(problem: str, usual_s: float, free: int) -> tuple[ComponentStatus, str]:
    """Failed while the last write was refused; degraded while commits are slow or the disk is nearly full. And why."""
    if problem:
        return ComponentStatus.FAILED, problem
    if usual_s > COMMIT_SLOW_S:
        return ComponentStatus.DEGRADED, f"slow: a commit takes {usual_s * 1000:.0f} ms"
    if free < DISK_LOW_BYTES:
        return ComponentStatus.DEGRADED, f"nearly full: {free // 2**20} MiB free"
    return ComponentStatus.HEALTHY, ""


def file_health(
    path: Path,
    *,
    broken: str,
    times: CommitTimes,
    last_commit_ms: int | None,
    error_count: int,
    counts: dict[str, int],
) -> ComponentHealth:
    """The health of the ledger at `path`; `broken`: why the last write was refused."""
    free = shutil.disk_usage(path.parent).free
    status, problem = judged(broken, times.usual_s, free)
    metrics: dict[str, Any] = {
        "writable": not broken,
        "problem": problem,
        **counts,
        "size_bytes": path.stat().st_size,
        "disk_free_bytes": free,
        "commit_ms": round(times.usual_s * 1000, 3),
        "commit_worst_ms": round(times.worst_s * 1000, 3),
        "last_commit_ms": last_commit_ms,
    }
    return ComponentHealth(status, None if last_commit_ms is None else iso(last_commit_ms), error_count, metrics)
