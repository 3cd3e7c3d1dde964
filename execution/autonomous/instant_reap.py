"""A plug-in that runs inside supervisord, loaded by its documented `[rpcinterface:...]` hook: a child's death is seen
at once, where supervisord alone looks once a second.

SIGCHLD writes into a pipe that stands in supervisord's own socket map, so its poll wakes; each change of a process's
state writes too, because a restart takes a second pass of its loop. It decides nothing: what is restarted, and how
often, stays supervisord's and the manager's. SIGHUP, which would restart every program, is ignored.
"""

import fcntl
import os
import signal
from collections.abc import Callable
from typing import Any

from supervisor import events

TRIED_WITH = "4.3.0"
PIPE_ABOVE = 600  # over minfds: a reload closes the descriptors below
READ_BYTES = 4096


class WakePipe:
    """What supervisord's loop wants of an entry in its socket map, around a pipe."""

    def __init__(self) -> None:
        read_end, write_end = os.pipe()
        self.read_end, self.write_end = _lifted(read_end), _lifted(write_end)
        self.wakes = 0

    def nudge(self, *_: Any) -> None:
        """Have the loop go round once more. A full pipe is nudge enough."""
        try:
            os.write(self.write_end, b".")
        except BlockingIOError:
            pass  # it hasn't been read since: the loop will wake

    def readable(self) -> bool:
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

    def handle_error(self) -> None:
        """supervisord's word for an error in a handler; reading our own pipe has none."""


def _lifted(descriptor: int) -> int:
    """The same pipe end, higher up, close-on-exec and never blocking."""
    high = fcntl.fcntl(descriptor, fcntl.F_DUPFD_CLOEXEC, PIPE_ABOVE)
    os.close(descriptor)
    os.set_blocking(high, False)
    return high


class InstantReap:
    """The namespace `nae` of supervisord's XML-RPC."""

    def __init__(self, working: bool, pipe: WakePipe | None) -> None:
        self._working = working
        self._pipe = pipe

    def getInstantReap(self) -> dict[str, Any]:  # noqa: N802 - XML-RPC methods of supervisord are written so
        """Is the plug-in at work, and how often has it woken the loop?"""
        return {"working": self._working, "wakes": self._pipe.wakes if self._pipe else 0}


def make_interface(supervisord: Any, **settings: Any) -> InstantReap:
    """supervisord calls this once per HTTP server. Without the seams we know, it says so and changes nothing."""
    logger = supervisord.options.logger
    missing = missing_seams(supervisord)
    if missing:
        logger.critical(
            f"instant reap is off: this supervisord lacks {', '.join(missing)} (tried with {TRIED_WITH}); "
            "a crash is seen within a second instead"
        )
        return InstantReap(False, None)
    pipe = WakePipe()
    supervisord.options.get_socket_map()[pipe.read_end] = pipe
    signal.set_wakeup_fd(pipe.write_end, warn_on_full_buffer=False)
    events.subscribe(events.ProcessStateEvent, pipe.nudge)
    # supervisord sets its signals after this: ours must wait until it runs. A handler, unlike SIG_IGN, isn't inherited
    ignore = _ignore_hangup(logger)
    events.subscribe(events.SupervisorRunningEvent, lambda _: signal.signal(signal.SIGHUP, ignore))
    return InstantReap(True, pipe)


def missing_seams(supervisord: Any) -> list[str]:
    """The parts of supervisord that the plug-in needs and can't find."""
    needed: dict[str, Callable[[], bool]] = {
        "options.get_socket_map": lambda: isinstance(supervisord.options.get_socket_map(), dict),
        "events.subscribe": lambda: callable(events.subscribe),
        "events.ProcessStateEvent": lambda: isinstance(events.ProcessStateEvent, type),
        "events.SupervisorRunningEvent": lambda: isinstance(events.SupervisorRunningEvent, type),
    }
    found = []
    for name, there in needed.items():
        try:
            if not there():
                found.append(name)
        except AttributeError:
            found.append(name)
    return found


def _ignore_hangup(logger: Any) -> Any:
    def ignore(*_: Any) -> None:
        logger.warn("SIGHUP ignored: it would restart every program")

    return ignore
