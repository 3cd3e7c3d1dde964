"""supervisord's process object, made swift: posix_spawn in place of fork, a start in the moment of the death, no
wall clock. It decides nothing: the steward says who is started.

Everything else is supervisord's own: its states, its events, its log lines, its pipes.
"""

import os
import signal
from typing import Any, Protocol

from supervisor import datatypes
from supervisor.process import Subprocess
from supervisor.states import ProcessStates, SupervisorStates

from execution.autonomous.plug_in.spawner import Spawner
from execution.vocabulary.limits import STOP_FORCED_AFTER_S

SPAWN_FAILED = 127  # as a shell says it


class Judge(Protocol):
    """Who is asked before a start, and told of each exit."""

    def monotonic(self) -> float: ...

    def ended(self, name: str, status: int, asked: bool) -> None: ...

    def may_start(self, name: str) -> bool: ...


class SwiftProcess(Subprocess):  # type: ignore[misc]
    """Made from a Subprocess by `adopt`, never constructed."""

    steward: Judge
    swift_since = 0.0  # when it came into its state, monotonic
    swift_command: tuple[str, list[str]] | None = None

    def change_state(self, new_state: Any, expected: bool = True) -> Any:
        self.swift_since = self.steward.monotonic()
        return super().change_state(new_state, expected)

    def get_execv_args(self) -> tuple[str, list[str]]:
        """Kept for the moment in which supervisord asks for the fork. Taken apart once, looked at each time."""
        if self.swift_command is None:
            self.swift_command = super().get_execv_args()
            return self.swift_command
        filename, arguments = self.swift_command
        options = self.config.options
        try:
            status = options.stat(filename)
        except OSError:
            self.swift_command = None  # gone: supervisord looks for it anew, and says what it finds
            return self.get_execv_args()
        options.check_execv_args(filename, arguments, status)
        return filename, arguments

    def spawn(self) -> int | None:
        """A start that fails counts as an exit, so that it too is bounded."""
        if self.pid:
            return super().spawn()  # type: ignore[no-any-return]  # it refuses, and says so
        fork: Spawner = self.config.options.fork
        fork.spawning = self
        try:
            pid: int | None = super().spawn()
        finally:
            fork.spawning = None
        if pid is None:
            # closed by now; left there they would shadow whoever gets the numbers next
            self.pipes, self.dispatchers = dict[str, int](), dict[int, Any]()
            self.steward.ended(self.config.name, SPAWN_FAILED, asked=False)
        return pid

    def finish(self, pid: int, sts: int) -> None:
        """Reaped. If it is to come back, it does so now, without another pass of the loop."""
        asked = bool(self.killing)
        dispatchers = self.dispatchers
        super().finish(pid, sts)
        for descriptor, dispatcher in dispatchers.items():
            self._forget(descriptor, dispatcher)
        self.steward.ended(self.config.name, os.waitstatus_to_exitcode(sts), asked)
        self.transition()

    def _forget(self, descriptor: int, dispatcher: Any) -> None:
        """Its number is free, and may be somebody else's before the loop has come round: who has it now isn't read
        from or written to on behalf of the dead."""
        poller = self.config.options.poller
        if descriptor in poller.readables:
            poller.unregister_readable(descriptor)
        if descriptor in poller.writables:
            poller.unregister_writable(descriptor)
        dispatcher.handle_read_event = dispatcher.handle_write_event = _nothing
        dispatcher.readable = dispatcher.writable = _yes  # there is nothing left to unregister

    def transition(self) -> None:
        """What is due now: a start, the step to RUNNING, the end of patience with a stop."""
        if self.config.autorestart is not datatypes.RestartUnconditionally or self._never_started():
            super().transition()
            return
        options = self.config.options
        if is_down(self):
            if options.mood > SupervisorStates.RESTARTING and self.steward.may_start(self.config.name):
                self.spawn()
            return
        if self.pid and options.pidhistory.get(self.pid) is not self:
            options.pidhistory[self.pid] = self  # it got its predecessor's number, and reaping that one removed it
        spent_s = self.steward.monotonic() - self.swift_since
        if self.state == ProcessStates.STARTING and spent_s > self.config.startsecs:
            self.delay = self.backoff = 0
            self.change_state(ProcessStates.RUNNING)
            options.logger.info(f"success: {self.config.name} has stayed up for {self.config.startsecs} s")
        elif self.state == ProcessStates.STOPPING and spent_s > min(self.config.stopwaitsecs, STOP_FORCED_AFTER_S):
            options.logger.warn(f"killing '{self.config.name}' ({self.pid}) with SIGKILL")
            self.kill(signal.SIGKILL)

    def _never_started(self) -> bool:
        return self.state == ProcessStates.STOPPED and not self.laststart


def _nothing() -> None:
    """What a dead program's channel has to do."""


def _yes() -> bool:
    return True


def adopt(process: Any, steward: Judge) -> None:
    """Make a plain process of supervisord's ours. Those of other classes (FastCGI) stay what they are."""
    if type(process) is Subprocess:
        process.__class__ = SwiftProcess
        process.steward = steward
        process.swift_since = steward.monotonic()


def is_down(process: Any) -> bool:
    """Has it ended without having been told to?"""
    return process.state in (ProcessStates.EXITED, ProcessStates.BACKOFF)
