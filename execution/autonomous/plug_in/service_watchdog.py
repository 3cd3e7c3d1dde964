"""What systemd wants to hear of a service (sd_notify): ready, alive, stopping. Sent from supervisord's own loop, so
that a hung loop feeds no watchdog. Without NOTIFY_SOCKET it does nothing.
"""

import os
from collections.abc import MutableMapping

from execution.autonomous.plug_in.news import DatagramSender


class ServiceWatchdog:
    """Takes its variables out of the environment: they are meant for this process and no other."""

    def __init__(self, environment: MutableMapping[str, str]) -> None:
        path = environment.pop("NOTIFY_SOCKET", "")
        microseconds = environment.pop("WATCHDOG_USEC", "")
        meant_for = environment.pop("WATCHDOG_PID", "")
        abstract = path.startswith("@")
        self._sender = DatagramSender("\0" + path[1:] if abstract else path) if path else None
        ours = not meant_for or meant_for == str(os.getpid())
        self._period_s = int(microseconds) / 2_000_000 if microseconds.isdigit() and ours else 0.0
        self._fed_at: float | None = None

    @property
    def problem(self) -> str:
        return self._sender.problem if self._sender else ""

    def say(self, state: str) -> None:
        """READY=1 or STOPPING=1."""
        if self._sender:
            self._sender.send(state)

    def feed(self, now: float) -> None:
        """Once in each pass of the loop; it is said at half the time that systemd allows."""
        if not (self._sender and self._period_s):
            return
        if self._fed_at is None or now - self._fed_at >= self._period_s - 1.0:  # the next pass may be a second away
            self._fed_at = now
            self._sender.send("WATCHDOG=1")
