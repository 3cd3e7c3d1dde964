"""Room kept for the moment when the disk is full: a file of that size, let go so that a sale can still be written into
the ledger. Entries have stopped long before (trading/dependencies.py). It comes back when there is plenty of room.
"""

import logging
import os
import shutil
from pathlib import Path

from execution.runtime.files import sync_folder
from execution.runtime.platform import take_room
from execution.vocabulary.limits import DISK_LOW_BYTES, DISK_RESERVE_BYTES, DISK_RESERVE_FREED_BELOW_BYTES

log = logging.getLogger("nae.manager")


class DiskReserve:
    """One operation's, in its data folder. Raises nothing: without a reserve all goes on as it would have."""

    def __init__(
        self,
        data: Path,
        size_bytes: int = DISK_RESERVE_BYTES,
        freed_below_bytes: int = DISK_RESERVE_FREED_BELOW_BYTES,
        taken_above_bytes: int = DISK_LOW_BYTES,
    ) -> None:
        self.path = data / "disk_reserve"
        self._size_bytes = size_bytes
        self._freed_below_bytes = freed_below_bytes
        self._taken_above_bytes = taken_above_bytes

    def look(self) -> bool:
        """Let go of it when the disk is full, take it again when there is room; was it let go now?"""
        try:
            free = shutil.disk_usage(self.path.parent).free
            there = self.path.exists()
            if there and free < self._freed_below_bytes:
                self.path.unlink()
                sync_folder(self.path.parent)
                log.error("the disk is full: the reserve is let go", extra={"fields": {"free_bytes": free}})
                return True
            if not there and free > self._taken_above_bytes + self._size_bytes:
                self._take()
        except OSError as error:
            log.warning("disk reserve: %s", error)
        return False

    def _take(self) -> None:
        part = self.path.with_name(f".{self.path.name}.part")
        try:
            descriptor = os.open(part, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o600)
            try:
                take_room(descriptor, self._size_bytes)
            finally:
                os.close(descriptor)
            part.rename(self.path)
        finally:
            part.unlink(missing_ok=True)
