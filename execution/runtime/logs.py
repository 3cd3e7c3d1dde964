"""One log file per process, readable lines with the fields at the end, rotated by copy and truncate so that a
`tail -f` goes on. After setup, whatever prints to standard output or error lands in the same file.
"""

import logging
import os
import shutil
import sys
import textwrap
import threading
from pathlib import Path
from types import TracebackType

from execution.runtime.clock import iso
from execution.runtime.redaction import redact
from execution.vocabulary.limits import LOG_KEEP, LOG_MAX_BYTES

COMPRESSED = ".gz"
PLAIN = frozenset(" =\"'\n")
_SEPARATORS = (*range(9), *range(11, 32), *range(127, 160), 0x2028, 0x2029)  # all but tab and newline
CONTROL = {code: f"\\x{code:02x}" for code in _SEPARATORS}  # a terminal must not obey what a venue wrote


class LineFormatter(logging.Formatter):
    """`2026-11-21T08:15:00.123Z INFO  nae.venue: listening port=8123`."""

    def format(self, record: logging.LogRecord) -> str:
        message = record.getMessage().replace("\n", "\\n")  # one record, one line: text from outside forges none
        line = f"{self._head(record)} {message}"
        fields = getattr(record, "fields", None)
        if fields:
            line += " " + " ".join(f"{key}={_shown(value)}" for key, value in fields.items())
        if record.exc_info:
            line += "\n" + textwrap.indent(self.formatException(record.exc_info), "  ")
        return redact(line).translate(CONTROL)

    def _head(self, record: logging.LogRecord) -> str:
        return f"{iso(int(record.created * 1000))} {record.levelname:<7} {record.name}:"


class TerminalFormatter(LineFormatter):
    """`WARNING a fault can't happen fault=balance`: for somebody who looks on."""

    def _head(self, record: logging.LogRecord) -> str:
        return record.levelname


def _shown(value: object) -> str:
    text = str(value)
    return repr(text) if PLAIN & set(text) else text


class CopyTruncateHandler(logging.Handler):
    """Appends to one file by descriptor. Over the limit it copies to .1, .2, ... and truncates in place."""

    def __init__(self, path: Path, max_bytes: int = LOG_MAX_BYTES, keep: int = LOG_KEEP) -> None:
        super().__init__()
        self.path = path
        self.lost = 0
        self._max_bytes = max_bytes
        self._keep = keep
        path.parent.mkdir(parents=True, exist_ok=True)
        self.descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC, 0o600)

    def emit(self, record: logging.LogRecord) -> None:
        """Write one line. A full disk loses the line, counts it, and never stops the process."""
        data = (self.format(record) + "\n").encode(errors="replace")
        try:
            os.write(self.descriptor, data)
            if os.fstat(self.descriptor).st_size > self._max_bytes:
                self._rotate()
        except OSError:
            self.lost += 1

    def _rotate(self) -> None:
        for number in range(self._keep - 1, 0, -1):
            self._move(number, number + 1)
        self._older(1, COMPRESSED).unlink(missing_ok=True)
        shutil.copyfile(self.path, self.path.with_name(f"{self.path.name}.1"))
        os.ftruncate(self.descriptor, 0)

    def _move(self, number: int, to: int) -> None:
        """One copy grows older, be it compressed since (the disk was low); the one in its new place goes."""
        for end, other in (("", COMPRESSED), (COMPRESSED, "")):
            older = self._older(number, end)
            if older.exists():
                older.replace(self._older(to, end))
                self._older(to, other).unlink(missing_ok=True)

    def _older(self, number: int, end: str) -> Path:
        return self.path.with_name(f"{self.path.name}.{number}{end}")


def log_to_file(path: Path, level: str) -> CopyTruncateHandler:
    """Everything this process says goes to `path` from now on. Raises OSError when it can't be written."""
    handler = CopyTruncateHandler(path)
    handler.setFormatter(LineFormatter())
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(logging.WARNING)  # libraries
    logging.getLogger("nae").setLevel(level)
    sys.stdout.flush()
    sys.stderr.flush()
    os.dup2(handler.descriptor, 1)
    os.dup2(handler.descriptor, 2)
    sys.excepthook = _log_the_end
    threading.excepthook = lambda end: _log_the_end(end.exc_type, end.exc_value or end.exc_type(), end.exc_traceback)
    return handler


def set_level(name: str) -> None:
    """How much is written from now on; of what libraries say, never more than warnings."""
    logging.getLogger("nae").setLevel(name)
    for handler in logging.getLogger().handlers:
        handler.setLevel(name)


def level() -> str:
    """How much of it is written."""
    return logging.getLevelName(logging.getLogger("nae").level)


def _log_the_end(kind: type[BaseException], error: BaseException, trace: TracebackType | None) -> None:
    """What nobody caught goes through the same sink: Python's own print would show an exception's text as it is."""
    if not issubclass(kind, KeyboardInterrupt | SystemExit):
        logging.getLogger("nae").critical("ended by an error that nobody caught", exc_info=(kind, error, trace))


def log_to_terminal(level: str = "WARNING") -> None:
    """For commands a person runs: short lines on standard error."""
    handler = logging.StreamHandler()
    handler.setFormatter(TerminalFormatter())
    logging.basicConfig(level=level, handlers=[handler])
