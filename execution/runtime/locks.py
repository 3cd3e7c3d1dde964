"""Kernel file locks (flock): freed by the kernel when the holder dies, whatever killed it.

The file is never unlinked and the descriptor is close-on-exec, so no child ever keeps a lock its parent lost.
"""

import fcntl
import os
from pathlib import Path

from execution.vocabulary.exit_codes import BusyError


class FileLock:
    """One exclusive lock on one file. The file's text names the holder, for people."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._descriptor: int | None = None

    @property
    def held(self) -> bool:
        """Do we hold it now?"""
        return self._descriptor is not None

    def acquire(self, holder: str, above: int = 0) -> None:
        """Take the lock at once, or raise BusyError naming the holder.

        `above` keeps the descriptor's number at or over it (supervisord closes low descriptors it doesn't know).
        """
        self.path.parent.mkdir(parents=True, exist_ok=True)
        descriptor = os.open(self.path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            os.close(descriptor)
            raise BusyError(f"{self.path} is held by {read_holder(self.path) or 'an unnamed process'}") from None
        if above:
            low, descriptor = descriptor, fcntl.fcntl(descriptor, fcntl.F_DUPFD_CLOEXEC, above)
            os.close(low)
        os.ftruncate(descriptor, 0)
        os.pwrite(descriptor, holder.encode(), 0)
        self._descriptor = descriptor

    def release(self) -> None:
        """Give it back. Nothing happens when it isn't held."""
        if self._descriptor is not None:
            os.ftruncate(self._descriptor, 0)
            os.close(self._descriptor)
            self._descriptor = None


def read_holder(path: Path) -> str:
    """The name the last holder wrote, or '' (it may be dead: only `is_held` knows)."""
    try:
        return path.read_text().strip()
    except FileNotFoundError:
        return ""


def is_held(path: Path) -> bool:
    """Does anybody hold this lock now? Asking takes it for an instant when nobody does."""
    try:
        descriptor = os.open(path, os.O_RDWR | os.O_CLOEXEC)
    except FileNotFoundError:
        return False
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    finally:
        os.close(descriptor)
    return False
