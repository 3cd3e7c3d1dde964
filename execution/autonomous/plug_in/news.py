"""A datagram to whoever listens (the manager), for each change of a process's state. A hint: lost when nobody listens
or the queue is full, so it says what to look at, never what is true.
"""

import errno
import json
import socket
from collections.abc import Mapping

from execution.autonomous.plug_in.wake_pipe import lifted

WAITING_MAX = 1000
NOBODY_LISTENS = {errno.ENOENT, errno.ECONNREFUSED, errno.EAGAIN, errno.ENOBUFS, errno.EMSGSIZE}


class DatagramSender:
    """A socket above the descriptors that a reload closes, which sends to one path and never waits.

    `problem` is what went wrong otherwise than by nobody listening: supervisord's loop mustn't break for it.
    """

    def __init__(self, path: str) -> None:
        self.problem = ""
        self._path = path
        made = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self._socket = socket.socket(fileno=lifted(made.detach()))

    def send(self, text: str) -> bool:
        """False when nobody took it."""
        try:
            self._socket.sendto(text.encode(), self._path)
        except OSError as error:
            if error.errno not in NOBODY_LISTENS:
                self.problem = f"can't send to {self._path}: {error}"
            return False
        return True


class News:
    """Changes wait until the pass of the loop is over: a start comes first, then the telling."""

    def __init__(self, path: str) -> None:
        self._sender = DatagramSender(path) if path else None
        self._waiting: list[Mapping[str, object]] = []

    def add(self, name: str, state: str, pid: int) -> None:
        if self._sender and len(self._waiting) < WAITING_MAX:
            self._waiting.append({"name": name, "state": state, "pid": pid})

    @property
    def problem(self) -> str:
        return self._sender.problem if self._sender else ""

    def flush(self) -> None:
        """Send what has gathered."""
        waiting, self._waiting = self._waiting, []
        for change in waiting:
            if self._sender is None or not self._sender.send(json.dumps(change)):
                return
