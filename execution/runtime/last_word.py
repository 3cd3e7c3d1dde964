"""What a process that ends by an error leaves behind: `<process>.crash.json` in the run folder, written whole. The
manager reads it within a second of the death, and takes it away.

It says where and what, as a heartbeat says it of errors that were survived: no values of variables, nothing secret. An
import that fails is told too: then nothing of ours has begun, and agents/__init__.py has set the hook.
"""

import logging
import os
import sys
from pathlib import Path
from types import TracebackType

import msgspec

from execution.runtime.build import build_id
from execution.runtime.clock import SystemClock
from execution.runtime.errors import describe
from execution.runtime.files import write_atomically
from execution.runtime.home import Home
from execution.vocabulary.health import LastWord

log = logging.getLogger("nae.process")
SUFFIX = ".crash.json"
SIZE_MAX_BYTES = 64_000
NAMED_BY = "SUPERVISOR_PROCESS_NAME"  # in the environment of whatever supervisord starts


def leave_last_word(home: Home, process: str, phase: str, error: BaseException, build: str = "") -> None:
    """For the manager. A full disk costs the word, never more: the death is seen without it."""
    told = LastWord(
        process=process,
        pid=os.getpid(),
        build=build or build_id(),
        at_ms=SystemClock().now_ms(),
        phase=phase,
        error=describe(error, phase=phase),
    )
    try:
        write_atomically(home.run / f"{process}{SUFFIX}", msgspec.json.encode(told))
    except OSError as trouble:
        log.error("no last word: %s", trouble)


def of_a_failed_import(kind: type[BaseException], error: BaseException, trace: TracebackType | None) -> None:
    """In the place of sys.excepthook until our own log is up: Python says it as ever, and the process leaves its word.
    Who isn't started by supervisord has somebody who looks on."""
    sys.__excepthook__(kind, error, trace)
    process = os.environ.get(NAMED_BY, "")
    if process and isinstance(error, Exception):
        home = Home.find()
        home.prepare()
        leave_last_word(home, process, "import", error)


def take_last_words(run: Path) -> list[LastWord]:
    """Those that were left since the last look, oldest first. One that can't be read is said, and goes too."""
    found = []
    for name in _left_in(run):
        path = run / name
        try:
            found.append(_read(path))
        except FileNotFoundError:
            continue  # taken away by a person meanwhile
        except (OSError, ValueError) as trouble:
            log.warning("a last word that can't be read", extra={"fields": {"file": path, "why": trouble}})
        path.unlink(missing_ok=True)
    return sorted(found, key=lambda told: told.at_ms)


def _read(path: Path) -> LastWord:
    size = path.stat().st_size
    if size > SIZE_MAX_BYTES:
        raise ValueError(f"{size} bytes, over {SIZE_MAX_BYTES}")
    told = msgspec.json.decode(path.read_bytes(), type=LastWord)
    if f"{told.process}{SUFFIX}" != path.name:
        raise ValueError("it is of another process than its name says")
    return told


def _left_in(run: Path) -> list[str]:
    try:
        return [name for name in os.listdir(run) if name.endswith(SUFFIX) and name[0] != "."]  # noqa: PTH208 -- twice as fast
    except FileNotFoundError:
        return []
