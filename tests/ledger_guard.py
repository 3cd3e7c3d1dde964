"""While tests run: none of our modules may open a ledger's file, except through sqlite3, which audit events tell apart.
A plain open and close in the process that writes drops SQLite's locks, and commits are lost: test_only_sqlite.py.
"""

import os
import sys
from types import FrameType
from typing import Any

FILES = ("ledger.db", "ledger.db-wal", "ledger.db-shm")
OURS = tuple(f"{os.sep}{room}{os.sep}" for room in ("execution", "agents", "scripts"))


def watch() -> None:
    """From now on, for good: an audit hook can't be taken away."""
    sys.addaudithook(_heard)


def _heard(event: str, arguments: tuple[Any, ...]) -> None:
    if event != "open" or not isinstance(arguments[0], str | bytes | os.PathLike):
        return
    path = os.fsdecode(arguments[0])
    if path.endswith(FILES) and (module := _who()):
        raise RuntimeError(f"{module} opens {path}: only sqlite3 opens a ledger's file (execution/runtime/sqlite.py)")


def _who() -> str:
    """Our module that is on the way to this call, if there is one before a test's."""
    frame: FrameType | None = sys._getframe(2)
    while frame is not None:
        name = os.sep + frame.f_code.co_filename
        if f"{os.sep}tests{os.sep}" in name:
            return ""
        if any(room in name for room in OURS):
            return frame.f_code.co_filename
        frame = frame.f_back
    return ""
