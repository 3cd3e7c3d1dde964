"""Every fault that was seen, by fingerprint and process: what it is, how often, since when, and the lines that show it.
Counts are totals over all lives of a process and of the manager; they never fall.

Kept in data/healing/issues.json: bounded, written whole and not often; a damaged file is set aside and said.
"""

import asyncio
import hashlib
import logging
from collections import deque
from collections.abc import Iterable, Mapping
from pathlib import Path

import msgspec

from execution.autonomous.healing.kept_file import KeptFile
from execution.autonomous.healing.remedy import Issue, folder_of
from execution.autonomous.healing.seeing.classification import cause_of, classify, severity_of
from execution.runtime.clock import Clock
from execution.runtime.home import Home
from execution.vocabulary.health import ErrorCount, LastWord
from execution.vocabulary.issues import IssueType, Severity
from execution.vocabulary.limits import ERROR_WINDOW_S
from execution.vocabulary.messages import Heartbeat

log = logging.getLogger("nae.healing")
ROWS_MAX = 500
WRITE_EVERY_S = 5.0
TOLD_FOR_MS = 86_400_000  # to the healer; the file remembers longer
OUTSIDE = frozenset({IssueType.CONNECTION, IssueType.TIMEOUT, IssueType.RATE_LIMIT})
MISSED_FOR_MS = 60_000  # an error of that kind tells so long why nothing gets done
EVIDENCE_MAX = 5
LINE_MAX = 300


class Found(msgspec.Struct, frozen=True, kw_only=True):
    """A fault seen from outside: no error of a process, but something that is wrong with it or with the machine."""

    process: str
    type: IssueType
    what: str  # "hang", "memory leak": always the same words for the same fault
    place: str = ""  # "task:judge"
    context: dict[str, str] = {}
    told: str = ""  # for people, with its numbers
    ends_process: bool = False


class Row(msgspec.Struct, kw_only=True):
    """One fault in one process. `told` of its occurrences were in the heartbeats of the life `pid`."""

    fingerprint: str
    process: str
    type: IssueType
    severity: Severity = Severity.WARNING
    exception: str = ""
    place: str = ""
    template: str = ""
    message: str = ""  # of the last one: for people
    cause: str = ""
    frames: list[str] = []
    context: dict[str, str] = {}
    count: int = 0
    first_ms: int
    last_ms: int
    seen_ms: int  # when we first knew of it
    recurrences: int = 0  # how often it came again after it had stayed away
    ends_process: bool = False
    evidence: list[str] = []
    pid: int = 0
    told: int = 0

    @property
    def key(self) -> tuple[str, str]:
        return self.fingerprint, self.process


class IssueFile(msgspec.Struct, kw_only=True):
    """What data/healing/issues.json holds."""

    format: int = 1
    rows: list[Row] = []


def file_of(home: Home) -> Path:
    """Where the issues are kept."""
    return folder_of(home) / "issues.json"


class IssueBook:
    """The issues of one operation. One writer: the manager."""

    def __init__(self, home: Home, clock: Clock) -> None:
        self._clock = clock
        self._kept = KeptFile(file_of(home), IssueFile)
        self._rows: dict[tuple[str, str], Row] = {}
        self._times: dict[tuple[str, str], deque[tuple[float, int]]] = {}
        self._changed: set[tuple[str, str]] = set()  # since evidence was last looked for
        self._unwritten = False
        self._written_at = clock.monotonic() - WRITE_EVERY_S
        try:
            self._rows = {row.key: row for row in self._kept.read().rows[-ROWS_MAX:]}
        except OSError as error:
            log.error("no memory of earlier issues", extra={"fields": {"file": self._kept.path, "error": error}})

    def hear(self, beat: Heartbeat) -> None:
        """Count what is new in a heartbeat."""
        for report in beat.errors:
            row = self._rows.get((report.fingerprint, beat.process))
            known = row.told if row is not None and row.pid == beat.pid and report.count >= row.told else 0
            if report.count > known:
                row = self._report(beat.process, report, report.count - known)
                row.pid, row.told = beat.pid, report.count

    def read_last_word(self, told: LastWord) -> None:
        """A process has ended by an error."""
        row = self._report(told.process, told.error, 1, ended_ms=min(told.at_ms, self._clock.now_ms()))
        row.context = row.context | {"phase": told.phase}

    def find(self, found: Found) -> None:
        """Something was seen from outside, once more."""
        digest = hashlib.sha256(f"{found.type}@{found.place}:{found.what}".encode()).hexdigest()[:12]
        now_ms = self._clock.now_ms()
        row = self._row(digest, found.process, found.type, now_ms, now_ms)
        row.place, row.template, row.message = found.place, found.what, found.told[:LINE_MAX]
        row.context, row.ends_process = dict(found.context), found.ends_process
        self._count(row, 1, 1, now_ms)

    def _report(self, process: str, report: ErrorCount, new: int, ended_ms: int | None = None) -> Row:
        """`ended_ms`: when the process ended by it."""
        now_ms = self._clock.now_ms()
        kind = classify(report)
        first_ms, last_ms = (now_ms - round(age * 1000) for age in (report.first_age_s, report.last_age_s))
        row = self._row(report.fingerprint, process, kind, ended_ms or first_ms, now_ms)
        row.type, row.exception, row.place, row.template = kind, report.kind, report.place, report.template
        row.message, row.frames, row.context = report.message, report.frames, report.context
        row.ends_process = row.ends_process or ended_ms is not None
        self._count(row, new, min(new, report.in_window), ended_ms or last_ms)
        return row

    def _row(self, fingerprint: str, process: str, kind: IssueType, first_ms: int, now_ms: int) -> Row:
        key = (fingerprint, process)
        if key not in self._rows:
            if len(self._rows) >= ROWS_MAX:
                oldest = min(self._rows.values(), key=lambda row: row.last_ms).key
                del self._rows[oldest]
                self._times.pop(oldest, None)
            self._rows[key] = Row(
                fingerprint=fingerprint, process=process, type=kind, first_ms=first_ms, last_ms=0, seen_ms=now_ms
            )
        return self._rows[key]

    def _count(self, row: Row, new: int, lately: int, last_ms: int) -> None:
        """`new` occurrences more, `lately` of them in the window."""
        now, times = self._clock.monotonic(), self._times.setdefault(row.key, deque())
        came_again = bool(row.last_ms) and last_ms - row.last_ms > ERROR_WINDOW_S * 1000
        row.recurrences += came_again
        if not row.count or came_again:
            fields = {"process": row.process, "type": row.type, "place": row.place or row.template}
            log.warning("issue", extra={"fields": fields | {"fingerprint": row.fingerprint}})
        row.count += new
        row.last_ms = max(row.last_ms, last_ms)
        if times and now - times[-1][0] < 1.0:
            times[-1] = (times[-1][0], times[-1][1] + lately)
        else:
            times.append((now, lately))
        row.cause = cause_of(row.type)
        row.severity = severity_of(row.type, self._in_window(row.key, now), row.ends_process)
        self._changed.add(row.key)
        self._unwritten = True

    def _in_window(self, key: tuple[str, str], now: float) -> int:
        times = self._times.get(key)
        while times and now - times[0][0] > ERROR_WINDOW_S:
            times.popleft()
        return sum(count for _, count in times) if times else 0

    def misses_others(self) -> bool:
        """Did anybody err lately because the network or the venue didn't serve it?"""
        since_ms = self._clock.now_ms() - MISSED_FOR_MS
        return any(row.type in OUTSIDE and row.last_ms >= since_ms for row in self._rows.values())

    def issues(self) -> list[Issue]:
        """What was seen lately, for the healer; windows as they are now."""
        now, since_ms = self._clock.monotonic(), self._clock.now_ms() - TOLD_FOR_MS
        return [self._issue(row, now) for row in self._rows.values() if row.last_ms >= since_ms]

    def _issue(self, row: Row, now: float) -> Issue:
        in_window = self._in_window(row.key, now)
        return Issue(
            fingerprint=row.fingerprint,
            type=row.type,
            severity=severity_of(row.type, in_window, row.ends_process),
            process=row.process,
            exception=row.exception,
            place=row.place,
            template=row.template,
            frames=row.frames,
            context=row.context,
            cause=row.cause,
            count=row.count,
            in_window=in_window,
            first_ms=row.first_ms,
            last_ms=row.last_ms,
        )

    def show(self, lines: Mapping[str, Iterable[str]]) -> None:
        """Keep the log lines that show what has just come: those that name its fingerprint, else the newest ones."""
        for key in self._changed:
            row = self._rows.get(key)
            near = list(lines.get(row.process, ())) if row else []
            if row and near:
                naming = [line for line in near if row.fingerprint in line] or near[-1:]
                fresh = [line[:LINE_MAX] for line in naming if line[:LINE_MAX] not in row.evidence]
                row.evidence = [*row.evidence, *fresh][-EVIDENCE_MAX:]
                self._unwritten = self._unwritten or bool(fresh)
        self._changed.clear()

    async def keep(self) -> None:
        """Write down what has changed, not oftener than every WRITE_EVERY_S. A full disk costs the memory, no more."""
        now = self._clock.monotonic()
        if not self._unwritten or now - self._written_at < WRITE_EVERY_S:
            return
        self._unwritten, self._written_at = False, now
        rows = sorted(self._rows.values(), key=lambda row: row.last_ms)
        try:
            await asyncio.to_thread(self._kept.write, IssueFile(rows=rows))
        except OSError as error:
            self._unwritten = True
            log.warning("issues not written", extra={"fields": {"file": self._kept.path, "error": error}})
