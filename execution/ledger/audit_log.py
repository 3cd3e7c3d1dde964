"""The audit trail of one process: one JSON line per cycle or decision, each carrying the hash of the line before it.

The chain goes on after a restart and from a full file to the next. A line torn by a kill stays, marked by the next one.
A disk that refuses costs lines, counted, logged and said in the next line that gets through, never the caller's work:
exits must go on. `correlation` names what a line belongs to (a cycle), `cause` what led to it (a condition, an order).
"""

import hashlib
import logging
import math
import os
from collections.abc import Mapping
from decimal import Decimal
from pathlib import Path
from typing import Any

import msgspec

from execution.ledger.audit_check import KEEP, decoded, files, head_file, read_head, rotated
from execution.runtime.clock import Clock, iso
from execution.runtime.files import lines_backwards
from execution.runtime.redaction import redact_exact
from execution.vocabulary.health import ComponentHealth, ComponentStatus
from execution.vocabulary.limits import AUDIT_MAX_BYTES
from execution.vocabulary.money import text

LOG = logging.getLogger("nae.audit")
START = "0" * 64
_HASH_SHOWN = 12


class AuditLogger:
    """Writes and reads back one trail. `path` is the current file; full ones are `<path>.1` (newest) to `<path>.5`."""

    def __init__(
        self, path: Path, clock: Clock, process: str, max_bytes: int = AUDIT_MAX_BYTES, config: str = ""
    ) -> None:
        """Open the trail and find the end of its chain. `config` is the hash of the settings that hold (config_hash),
        told in every line. Raises OSError when the folder can't be written."""
        self.path = path
        self._clock = clock
        self._process = process
        self._max_bytes = max_bytes
        self._config = config
        self._error_count = 0
        self._lost = 0
        self._head: int | None = None
        self._last_ms: int | None = None
        path.parent.mkdir(parents=True, exist_ok=True)
        self._sequence, self._previous, torn = _end_of_chain(path)
        missing = self._missing()
        self._descriptor = self._open(path)
        self._size = os.fstat(self._descriptor).st_size
        self._torn_bytes = torn
        if torn:
            self._mark_torn_line()
        self._head = os.open(head_file(path), os.O_WRONLY | os.O_CREAT | os.O_CLOEXEC, 0o600)
        if missing:
            self._append("cut_short", "", "", {"had": missing})

    def _missing(self) -> int:
        """How far the trail had come, when it is less far now, or 0: one that was cut short looks whole."""
        try:
            had, _ = read_head(self.path)
        except ValueError as error:
            LOG.error("%s", error)
            return 0
        return had if had > self._sequence else 0

    def _open(self, path: Path) -> int:
        return os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC, 0o600)

    def record(self, kind: str, correlation: str = "", cause: str = "", **fields: Any) -> None:
        """Add a line. Decimals become plain text. Raises ValueError for NaN, infinities and what JSON can't hold."""
        values = {name: plain(value, name) for name, value in fields.items()}
        gaps_said = not (self._torn_bytes and not self._mark_torn_line()) and not (self._lost and not self._say_lost())
        if not gaps_said or not self._append(kind, correlation, cause, values):
            self._lost += 1

    def _say_lost(self) -> bool:
        lost, self._lost = self._lost, 0
        if not self._append("lost_lines", "", "", {"lines": lost}):
            self._lost = lost
        return not self._lost

    def _mark_torn_line(self) -> bool:
        """End the broken line and say so in the next, whose `prev` is the last whole line's hash."""
        torn, self._torn_bytes = self._torn_bytes, 0
        marked = self._append("torn_line", "", "", {"bytes": torn}, b"\n")  # one write: a kill leaves both or neither
        if not marked:
            self._torn_bytes += torn
        return marked

    def _append(self, kind: str, correlation: str, cause: str, values: dict[str, Any], start: bytes = b"") -> bool:
        now = self._clock.now_ms()
        entry: dict[str, Any] = {"seq": self._sequence + 1, "at": iso(now), "process": self._process, "kind": kind}
        for name, word in (("correlation", correlation), ("cause", cause), ("config", self._config)):
            if word:
                entry[name] = word
        body = redact_exact(msgspec.json.encode({**entry, **values, "prev": self._previous}).decode()).encode()
        digest = hashlib.sha256(body).hexdigest()
        if not self._write(start + body[:-1] + b',"hash":"' + digest.encode() + b'"}\n'):
            return False
        self._sequence += 1
        self._previous = digest
        self._last_ms = now
        self._note_head()
        return True

    def _note_head(self) -> None:
        """One small write in place; a disk that refuses it costs nothing but the note."""
        if self._head is None:
            return
        try:
            os.pwrite(self._head, f"{self._sequence:>20} {self._previous}\n".encode(), 0)
        except OSError as error:
            LOG.warning("%s can't be written: %s", head_file(self.path), error.strerror)

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
        """Begin a new file. A disk that refuses, at whatever point, costs no line of an older one: the new one is there
        before anything is moved, and files are moved only as far as there is a gap."""
        fresh = self.path.with_name(f"{self.path.name}.new")
        descriptor = self._open(fresh)
        try:
            gap = next((number for number in range(1, KEEP + 1) if not rotated(self.path, number).exists()), KEEP)
            for number in range(gap - 1, -1, -1):
                if rotated(self.path, number).exists():
                    rotated(self.path, number).replace(rotated(self.path, number + 1))
            fresh.rename(self.path)
        except OSError:
            os.close(descriptor)
            raise
        full, self._descriptor, self._size = self._descriptor, descriptor, 0
        os.close(full)

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
        """Let go of the files."""
        os.close(self._descriptor)
        if self._head is not None:
            os.close(self._head)
            self._head = None


def config_hash(settings: msgspec.Struct) -> str:
    """Names the settings that a line was written under; the same settings give the same name."""
    return hashlib.sha256(msgspec.json.encode(settings, order="deterministic")).hexdigest()[:_HASH_SHOWN]


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


def recent(path: Path, count: int, kind: str | None = None) -> list[dict[str, Any]]:
    """The last `count` whole lines (of one kind), oldest first. Works on a trail that another process is writing."""
    found: list[dict[str, Any]] = []
    for file in reversed(files(path)):
        for line in lines_backwards(file):
            entry = decoded(line)
            if entry is not None and kind in (None, entry.get("kind")):
                found.append(entry)
            if len(found) >= count:
                return found[::-1]
    return found[::-1]


def _end_of_chain(path: Path) -> tuple[int, str, int]:
    """Sequence number and hash of the last whole line, and how many bytes of a torn one follow it."""
    torn = 0
    for file in reversed(files(path)):
        for line in lines_backwards(file):
            entry = decoded(line)
            if entry is not None:
                return entry["seq"], str(entry["hash"]), torn
            if not line.endswith(b"\n"):
                torn += len(line)
                if (entry := decoded(line + b"\n")) is not None:  # whole, but for its end
                    return entry["seq"], str(entry["hash"]), torn
    return 0, START, torn
