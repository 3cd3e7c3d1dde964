"""The audit trail of one process: one JSON line per cycle or decision, each carrying the hash of the line before it.

The chain goes on after a restart and from a full file to the next. A line torn by a kill stays, marked by the next one.
A disk that refuses costs lines, counted and logged, never the caller's work: exits must go on.
"""

import hashlib
import logging
import math
import os
from collections.abc import Iterator, Mapping
from decimal import Decimal
from pathlib import Path
from typing import Any

import msgspec

from execution.runtime.clock import Clock, iso
from execution.vocabulary.health import ComponentHealth, ComponentStatus
from execution.vocabulary.limits import AUDIT_MAX_BYTES
from execution.vocabulary.money import text

LOG = logging.getLogger("nae.audit")
KEEP = 5  # full files kept beside the current one
START = "0" * 64
_TAIL_BYTES = 65_536
_TORN = "not a whole line, and nothing says why"


class AuditLogger:
    """Writes and reads back one trail. `path` is the current file; full ones are `<path>.1` (newest) to `<path>.5`."""

    def __init__(self, path: Path, clock: Clock, process: str, max_bytes: int = AUDIT_MAX_BYTES) -> None:
        """Open the trail and find the end of its chain. Raises OSError when the folder can't be written."""
        self.path = path
        self._clock = clock
        self._process = process
        self._max_bytes = max_bytes
        self._error_count = 0
        self._last_ms: int | None = None
        path.parent.mkdir(parents=True, exist_ok=True)
        self._sequence, self._previous, torn = _end_of_chain(path)
        self._descriptor = self._open()
        self._size = os.fstat(self._descriptor).st_size
        self._torn_bytes = torn
        if torn:
            self._mark_torn_line()

    def _open(self) -> int:
        return os.open(self.path, os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC, 0o600)

    def record(self, kind: str, correlation: str = "", **fields: Any) -> None:
        """Add a line. Decimals become plain text. Raises ValueError for NaN, infinities and what JSON can't hold."""
        values = {name: plain(value, name) for name, value in fields.items()}
        if self._torn_bytes and not self._mark_torn_line():
            return
        self._append(kind, correlation, values)

    def _mark_torn_line(self) -> bool:
        """End the broken line and say so in the next, whose `prev` is the last whole line's hash."""
        torn, self._torn_bytes = self._torn_bytes, 0
        marked = self._append("torn_line", "", {"bytes": torn}, start=b"\n")  # one write: a kill leaves both or neither
        if not marked:
            self._torn_bytes += torn
        return marked

    def _append(self, kind: str, correlation: str, values: dict[str, Any], start: bytes = b"") -> bool:
        now = self._clock.now_ms()
        entry: dict[str, Any] = {"seq": self._sequence + 1, "at": iso(now), "process": self._process, "kind": kind}
        if correlation:
            entry["correlation"] = correlation
        body = msgspec.json.encode({**entry, **values, "prev": self._previous})
        digest = hashlib.sha256(body).hexdigest()
        if not self._write(start + body[:-1] + b',"hash":"' + digest.encode() + b'"}\n'):
            return False
        self._sequence += 1
        self._previous = digest
        self._last_ms = now
        return True

    def _write(self, line: bytes) -> bool:
        try:
            if self._size and self._size + len(line) > self._max_bytes:
                self._rotate()
            written = os.write(self._descriptor, line)
        except OSError as error:
            self._error_count += 1
            LOG.error("audit line lost: %s", error.strerror)
            return False
        self._size += written
        if written < len(line):  # the disk filled up in the middle of the line
            self._torn_bytes = written
            self._error_count += 1
            LOG.error("audit line torn after %d bytes", written)
            return False
        return True

    def _rotate(self) -> None:
        os.close(self._descriptor)
        rotated(self.path, KEEP).unlink(missing_ok=True)
        for number in range(KEEP - 1, -1, -1):
            if rotated(self.path, number).exists():
                rotated(self.path, number).rename(rotated(self.path, number + 1))
        self._descriptor = self._open()
        self._size = 0

    def get_recent_cycles(self, count: int) -> list[dict[str, Any]]:
        """The last `count` lines of kind "cycle", oldest first."""
        return recent(self.path, count, "cycle")

    def get_health(self) -> ComponentHealth:
        """Are lines getting through? `metrics`: sequence number, bytes of the current file."""
        return ComponentHealth(
            status=ComponentStatus.DEGRADED if self._error_count else ComponentStatus.HEALTHY,
            last_activity=None if self._last_ms is None else iso(self._last_ms),
            error_count=self._error_count,
            metrics={"sequence": self._sequence, "size_bytes": self._size},
        )

    def close(self) -> None:
        """Let go of the file."""
        os.close(self._descriptor)


def plain(value: Any, place: str) -> Any:
    """`value` as JSON can hold it: Decimals as plain digits, structs as objects. ValueError names `place`."""
    if value is None or isinstance(value, str | bool | int):
        return value
    if isinstance(value, Decimal):
        if not value.is_finite():
            raise ValueError(f"{place} is {value}: the audit trail takes finite numbers only")
        return text(value)
    if isinstance(value, float):
        if not math.isfinite(value):
            raise ValueError(f"{place} is {value}: the audit trail takes finite numbers only")
        return value
    if isinstance(value, msgspec.Struct):
        return {name: plain(getattr(value, name), f"{place}.{name}") for name in value.__struct_fields__}
    if isinstance(value, Mapping):
        return {str(key): plain(item, f"{place}.{key}") for key, item in value.items()}
    if isinstance(value, list | tuple | set | frozenset):
        return [plain(item, place) for item in value]
    raise ValueError(f"{place} is a {type(value).__name__}: the audit trail can't hold that")


def rotated(path: Path, number: int) -> Path:
    """The file after `number` rotations; 0 is the current one."""
    return path if number == 0 else path.with_name(f"{path.name}.{number}")


def files(path: Path) -> list[Path]:
    """The files of a trail that exist, oldest first."""
    return [file for number in range(KEEP, -1, -1) if (file := rotated(path, number)).exists()]


def recent(path: Path, count: int, kind: str | None = None) -> list[dict[str, Any]]:
    """The last `count` whole lines (of one kind), oldest first. Works on a trail that another process is writing."""
    found: list[dict[str, Any]] = []
    for file in reversed(files(path)):
        for line in _lines_backwards(file):
            entry = _decoded(line)
            if entry is not None and kind in (None, entry.get("kind")):
                found.append(entry)
            if len(found) >= count:
                return found[::-1]
    return found[::-1]


def verify(path: Path) -> str | None:
    """What is wrong with the trail, naming the first bad line; None when every line follows from the one before."""
    previous: str | None = None
    torn_at: str | None = None
    being_written = False
    for file in files(path):
        with file.open("rb") as lines:
            for number, line in enumerate(lines, 1):
                entry = _decoded(line)
                if entry is None:
                    torn_at = torn_at or f"{file}:{number}"
                    being_written = not line.endswith(b"\n")
                    continue
                if torn_at and entry.get("kind") != "torn_line":
                    return f"{torn_at}: {_TORN}"
                torn_at = None
                problem = _problem(line, entry, previous)
                if problem:
                    return f"{file}:{number}: {problem}"
                previous = entry["hash"]
    if torn_at and not being_written:
        return f"{torn_at}: {_TORN}"
    return None  # a line without its end at the very end is one being written, or one a kill has just torn


def _problem(line: bytes, entry: dict[str, Any], previous: str | None) -> str | None:
    body, _, _ = line.rpartition(b',"hash":"')
    if hashlib.sha256(body + b"}").hexdigest() != entry.get("hash"):
        return f"line {entry.get('seq')} was changed: its hash doesn't fit"
    if previous is not None and entry.get("prev") != previous:
        return f"line {entry.get('seq')} doesn't follow the line before it: something was removed or put in"
    return None


def _decoded(line: bytes) -> dict[str, Any] | None:
    if not line.endswith(b"}\n"):
        return None
    try:
        entry = msgspec.json.decode(line, type=dict[str, Any])
    except (msgspec.DecodeError, UnicodeDecodeError):
        return None
    return entry if isinstance(entry.get("seq"), int) and "hash" in entry else None


def _end_of_chain(path: Path) -> tuple[int, str, int]:
    """Sequence number and hash of the last whole line, and how many bytes of a torn one follow it."""
    torn = 0
    for file in reversed(files(path)):
        for line in _lines_backwards(file):
            entry = _decoded(line)
            if entry is not None:
                return entry["seq"], str(entry["hash"]), torn
            if not line.endswith(b"\n"):
                torn += len(line)
    return 0, START, torn


def _lines_backwards(path: Path) -> Iterator[bytes]:
    """The lines of a file from its end, read in blocks; each with its newline, if it has one."""
    with path.open("rb") as file:
        position = file.seek(0, os.SEEK_END)
        rest = b""
        while position:
            step = min(_TAIL_BYTES, position)
            position -= step
            file.seek(position)
            lines = (file.read(step) + rest).splitlines(keepends=True)
            rest = lines.pop(0) if position else b""
            yield from reversed(lines)
