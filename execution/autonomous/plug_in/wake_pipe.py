"""A pipe in supervisord's own socket map: what is written into it makes the loop go round at once, where alone it looks
once a second. SIGCHLD writes into it, and so does each change of a process's state: a stop takes two passes.

It decides nothing. Whoever wants to see each pass of the loop says so with `at_each_pass`.
"""

import fcntl
import os
from collections.abc import Callable
from typing import Any

DESCRIPTORS_ABOVE = 600  # over minfds: a reload closes the descriptors below
READ_BYTES = 4096


class WakePipe:
    """What supervisord's loop wants of an entry in its socket map, around a pipe."""

    def __init__(self) -> None:
        read_end, write_end = os.pipe()
        self.read_end, self.write_end = lifted(read_end), lifted(write_end)
        self.wakes = 0
        self.asked = False  # has the loop ever looked at it?
        self.plug_in: Any = None  # whose it is; the socket map outlives a reload
        self._passed: Callable[[], None] = lambda: None

    def at_each_pass(self, call: Callable[[], None]) -> None:
        """Have `call` called once in each pass of the loop, before it sleeps."""
        self._passed = call

    def nudge(self, *_: Any) -> None:
        """Have the loop go round once more. A full pipe is nudge enough."""
        try:
            os.write(self.write_end, b".")
        except BlockingIOError:
            pass  # it hasn't been read since: the loop will wake

    def readable(self) -> bool:
        """The loop asks each time round."""
        self.asked = True
        self._passed()
        return True

    def writable(self) -> bool:
        return False

    def handle_read_event(self) -> None:
        """The loop has woken: that was all."""
        self.wakes += 1
        try:
            os.read(self.read_end, READ_BYTES)
        except BlockingIOError:
            pass  # somebody read it before

    def close(self) -> None:
        os.close(self.read_end)
        os.close(self.write_end)

    def handle_error(self) -> None:
        """supervisord's word for an error in a handler; reading our own pipe has none."""


def lifted(descriptor: int) -> int:
    """The same descriptor, higher up, close-on-exec and never blocking."""
    high = fcntl.fcntl(descriptor, fcntl.F_DUPFD_CLOEXEC, DESCRIPTORS_ABOVE)
    os.close(descriptor)
    os.set_blocking(high, False)
    return high
