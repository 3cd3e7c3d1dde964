"""Kernel file locks (flock): freed by the kernel when the holder dies, whatever killed it.

The file is never unlinked and the descriptor is close-on-exec, so no child ever keeps a lock its parent lost. A lock
can be waited for: a thread stands in the kernel's own queue, so the next holder has it as soon as the last has gone.
"""

import asyncio
import fcntl
import os
import threading
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
        try:
            descriptor = _locked(self.path, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise BusyError(f"{self.path} is held by {read_holder(self.path) or 'an unnamed process'}") from None
        if above:
            low, descriptor = descriptor, fcntl.fcntl(descriptor, fcntl.F_DUPFD_CLOEXEC, above)
            os.close(low)
        self._keep(descriptor, holder)

    async def acquire_when_free(self, holder: str) -> None:
        """Wait in the kernel's queue, however long, and take the lock within a millisecond of its last holder's death.

        Cancelling is safe: what the thread still gets after that, it gives back at once. Raises OSError when the file
        can't be opened, BusyError when we hold it already.
        """
        if self.held:
            raise BusyError(f"{self.path} is held by ourselves")
        self._keep(await _Wait(self.path).descriptor(), holder)

    def _keep(self, descriptor: int, holder: str) -> None:
        name = f"{holder}\n".encode()
        try:
            os.pwrite(descriptor, name, 0)  # over the former one: on a full disk there's room for that
            os.ftruncate(descriptor, len(name))
        except OSError:
            os.close(descriptor)  # never hold a lock that nobody knows of
            raise
        self._descriptor = descriptor

    def release(self) -> None:
        """Give it back. Nothing happens when it isn't held."""
        if self._descriptor is not None:
            os.pwrite(self._descriptor, b"\n", 0)  # no name any more, and room for the next
            os.close(self._descriptor)
            self._descriptor = None


class _Wait:
    """One thread that waits for a lock, and the coroutine it waits for. A system call can't be interrupted, so a wait
    that is given up goes on in its thread, and what comes of it is closed there."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._loop = asyncio.get_running_loop()
        self._answered: asyncio.Future[None] = self._loop.create_future()
        self._handing_over = threading.Lock()
        self._wanted = True
        self._descriptor: int | None = None
        self._error: OSError | None = None

    async def descriptor(self) -> int:
        """The descriptor that holds the lock; the caller's from then on."""
        threading.Thread(target=self._run, name="lock-wait", daemon=True).start()
        try:
            await self._answered
            if self._error is not None:
                raise self._error
            assert self._descriptor is not None
            taken, self._descriptor = self._descriptor, None
            return taken
        finally:
            self._give_up()

    def _run(self) -> None:
        try:
            descriptor = _locked(self._path, fcntl.LOCK_EX)
        except OSError as error:
            self._error = error
        else:
            with self._handing_over:
                if not self._wanted:
                    os.close(descriptor)
                    return
                self._descriptor = descriptor
        try:
            self._loop.call_soon_threadsafe(self._answer)
        except RuntimeError:  # the loop has closed, with nobody left to tell
            self._give_up()

    def _answer(self) -> None:
        if not self._answered.done():
            self._answered.set_result(None)

    def _give_up(self) -> None:
        with self._handing_over:
            self._wanted = False
            if self._descriptor is not None:
                os.close(self._descriptor)
                self._descriptor = None


def _locked(path: Path, how: int) -> int:
    """A descriptor that holds the lock of the file that stands at `path` now: one that was removed or replaced while
    we waited keeps nobody out, so that one is let go. BlockingIOError when `how` says not to wait."""
    while True:
        path.parent.mkdir(parents=True, exist_ok=True)
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        stands = False
        try:
            fcntl.flock(descriptor, how)
            stands = _stands_at(path, descriptor)
        finally:
            if not stands:
                os.close(descriptor)
        if stands:
            return descriptor


def _stands_at(path: Path, descriptor: int) -> bool:
    try:
        there = path.stat()
    except FileNotFoundError:
        return False
    return os.path.samestat(there, os.fstat(descriptor))


def read_holder(path: Path) -> str:
    """The name the last holder wrote, or '' (it may be dead: only `is_held` knows)."""
    try:
        return path.read_text().partition("\n")[0].strip()
    except FileNotFoundError:
        return ""


def is_held(path: Path) -> bool:
    """Does anybody hold this lock now? Asking shares it for an instant when nobody does: two who ask don't meet."""
    try:
        descriptor = os.open(path, os.O_RDWR | os.O_CLOEXEC)
    except FileNotFoundError:
        return False
    try:
        fcntl.flock(descriptor, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    finally:
        os.close(descriptor)
    return False


def holder_pid(path: Path) -> int | None:
    """The id of the process that holds this lock now, by the name it gave ("... pid N ..."); None when nobody does."""
    words = read_holder(path).split()
    after = words[words.index("pid") + 1 :] if "pid" in words else []
    return int(after[0]) if after and after[0].isdecimal() and is_held(path) else None
