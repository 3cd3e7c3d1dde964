"""The file in which all processes of a machine share one venue's rate budget: a few numbers, read and written in place.

Nobody locks it and nobody's death can harm it: each number stands in eight bytes of its own, and a lost update is put
right by the venue's next answer, which counts everybody. What makes no sense in it counts for nothing.
"""

import logging
import os
import struct
from pathlib import Path

LOG = logging.getLogger("nae.exchange")
_COUNT = struct.Struct("=q")  # the minute, and in its last 24 bits what was used of it
_BAN = struct.Struct("=qq")  # until when (wall clock, ms), and how long it was to last (ms)
_BAN_AT = 8
_WEIGHT_BITS = 24
_WEIGHT_MOST = (1 << _WEIGHT_BITS) - 1
BAN_MOST_MS = 3 * 86_400_000  # the longest a venue gives


class BudgetFile:
    """One file. A disk that doesn't let us is said once; then nothing is shared, and each process counts for itself."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._descriptor: int | None = None
        try:
            path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            self._descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600)
        except OSError as error:
            self._give_up(error)

    def _give_up(self, error: OSError) -> None:
        LOG.warning("the rate budget isn't shared: %s: %s", self._path, error.strerror)
        self.close()

    def close(self) -> None:
        """Let go of the file."""
        if self._descriptor is not None:
            os.close(self._descriptor)
            self._descriptor = None

    def __del__(self) -> None:
        """Clients come and go; a budget nobody has any more keeps no file open."""
        self.close()

    def _read(self, shape: struct.Struct, at: int) -> tuple[int, ...]:
        if self._descriptor is None:
            return (0,) * len(shape.format.strip("="))
        try:
            data = os.pread(self._descriptor, shape.size, at)
        except OSError as error:
            self._give_up(error)
            data = b""
        return shape.unpack(data.ljust(shape.size, b"\0"))

    def _write(self, at: int, data: bytes, durable: bool = False) -> None:
        if self._descriptor is None:
            return
        try:
            os.pwrite(self._descriptor, data, at)
            if durable:
                os.fsync(self._descriptor)
        except OSError as error:
            self._give_up(error)

    def hear(self, minute: int, weight: int) -> None:
        """What the venue has counted of a minute. An older minute's count comes late and says nothing, unless the file
        is from a time that can't be."""
        (packed,) = self._read(_COUNT, 0)
        known, used = packed >> _WEIGHT_BITS, packed & _WEIGHT_MOST
        if known == minute + 1 or (known == minute and used >= weight):
            return
        self._write(0, _COUNT.pack(minute << _WEIGHT_BITS | min(max(weight, 0), _WEIGHT_MOST)))

    def heard(self, minute: int) -> int:
        """What was used of this minute, as anybody heard last."""
        (packed,) = self._read(_COUNT, 0)
        return packed & _WEIGHT_MOST if packed >> _WEIGHT_BITS == minute else 0

    def be_quiet(self, now_ms: int, wait_s: float) -> None:
        """A ban, on the disk when this returns: no restart may forget it."""
        wait_ms = min(round(wait_s * 1000), BAN_MOST_MS)
        if wait_ms / 1000 > self.quiet_for_s(now_ms):
            self._write(_BAN_AT, _BAN.pack(now_ms + wait_ms, wait_ms), durable=True)

    def quiet_for_s(self, now_ms: int) -> float:
        """What is left of the ban. A wall clock that went back makes it no longer than it was to last."""
        until_ms, told_ms = self._read(_BAN, _BAN_AT)
        if not 0 < told_ms <= BAN_MOST_MS:
            return 0.0
        return max(0, min(until_ms - now_ms, told_ms)) / 1000
