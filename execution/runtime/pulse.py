"""The pulse of a process: its event loop writes who it is and the monotonic time into a small mapped file, which costs
no system call. Whoever watches reads the file; what a silence means is judged elsewhere.
"""

import mmap
import os
import struct
from dataclasses import dataclass
from pathlib import Path

from execution.runtime.clock import Clock

SHAPE = struct.Struct("=dq")  # monotonic seconds (0: it is ending, nobody waits for it), then the process's id


@dataclass(frozen=True)
class LastPulse:
    """What stands in a pulse file. The monotonic clock is the machine's: the same for writer and reader."""

    pid: int
    at: float


class Pulse:
    """The writer's side. One writer per file; a new life of the process writes into the same file."""

    def __init__(self, path: Path, clock: Clock) -> None:
        self._clock = clock
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            os.pwrite(descriptor, SHAPE.pack(0.0, os.getpid()), 0)  # on the disk first: a full one says so here
            self._map = mmap.mmap(descriptor, SHAPE.size)
        finally:
            os.close(descriptor)

    def beat(self) -> None:
        """I'm still turning."""
        SHAPE.pack_into(self._map, 0, self._clock.monotonic(), os.getpid())

    def end(self) -> None:
        """From here on silence is as it should be."""
        SHAPE.pack_into(self._map, 0, 0.0, os.getpid())


class PulseReader:
    """The reader's side, many times a second: the file stays open. `anew()`, should another one have its name now."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._descriptor: int | None = None

    def read(self) -> LastPulse | None:
        """The last pulse; None when there is none, or when its writer has said that it is ending."""
        if self._descriptor is None:
            try:
                self._descriptor = os.open(self._path, os.O_RDONLY | os.O_CLOEXEC)
            except FileNotFoundError:
                return None
        data = os.pread(self._descriptor, SHAPE.size, 0)  # read, not mapped: a file cut short must not kill the reader
        if len(data) < SHAPE.size:
            return None
        at, pid = SHAPE.unpack(data)
        return LastPulse(pid, at) if at > 0 else None

    def anew(self) -> None:
        """Let go of the file; the next read opens what is at the path by then."""
        if self._descriptor is not None:
            os.close(self._descriptor)
            self._descriptor = None
