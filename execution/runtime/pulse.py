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


def read_pulse(path: Path) -> LastPulse | None:
    """The last pulse in `path`; None when there is none, or when its writer has said that it is ending."""
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    except FileNotFoundError:
        return None
    try:
        data = os.pread(descriptor, SHAPE.size, 0)  # read, not mapped: a file cut short must not kill the reader
    finally:
        os.close(descriptor)
    if len(data) < SHAPE.size:
        return None
    at, pid = SHAPE.unpack(data)
    return LastPulse(pid, at) if at > 0 else None
