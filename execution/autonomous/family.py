"""Processes that belong together, each known by its id and its start, so that no stranger is ever taken for one: a
process with its descendants, and what an operation that has died left behind. Finds and ends; judges nothing.
"""

import os
from pathlib import Path

import psutil

from execution.autonomous.watching import Action, see_to_orphans
from execution.runtime.clock import Clock, block

ORPHANS_POLL_S = 0.02
GIVEN_UP_AFTER_S = 4.0  # a process that even SIGKILL doesn't end is stuck in the kernel


class Members:
    """Processes known by id and start. One whose id has gone to a stranger counts as dead."""

    def __init__(self) -> None:
        self._members: dict[int, psutil.Process] = {}

    def look(self) -> None:
        """Take in those who belong to it and have come since."""

    def living(self) -> list[int]:
        """The ids of those still there; a zombie isn't."""
        return [pid for pid, member in self._members.items() if _lives(member)]

    def kill(self) -> tuple[int, ...]:
        """SIGKILL to those still there; whom it was sent to."""
        killed = []
        for pid in self.living():
            try:
                self._members[pid].kill()
                killed.append(pid)
            except psutil.NoSuchProcess:
                continue  # it ended by itself in between
        return tuple(killed)


class Family(Members):
    """A process and every descendant of it that was ever seen."""

    def __init__(self, pid: int) -> None:
        super().__init__()
        try:
            self._members[pid] = self._head = psutil.Process(pid)
        except psutil.NoSuchProcess:
            return
        self.look()

    def look(self) -> None:
        """Take in the descendants there are now."""
        try:
            children = self._head.children(recursive=True) if self._members else []
        except psutil.NoSuchProcess:
            return  # the head has ended; whom we have seen we still know
        for child in children:
            self._members.setdefault(child.pid, child)


class Orphans(Members):
    """What a dead supervisord left of this home: known by the environment it gave them, whether they hang, are still
    starting, or were never seen by anybody. Only whoever knows that it is dead may ask."""

    def __init__(self, home: Path) -> None:
        super().__init__()
        for process in psutil.process_iter():
            if process.pid != os.getpid() and _was_started_in(process, home):
                self._members[process.pid] = process


def end_orphans(home: Path, clock: Clock, since: float) -> tuple[int, ...]:
    """Wait until whatever a dead supervisord left in this home has ended, and kill the rest; whom it took that for.

    Only for whoever holds the operation's lock, or knows that nobody does.
    """
    killed: tuple[int, ...] = ()
    while (orphans := Orphans(home)).living():  # and again: one was being spawned when we looked, or has had children
        just_killed = False
        while living := orphans.living():
            waited_s = clock.monotonic() - since
            if see_to_orphans(len(living), waited_s) is Action.KILL_ORPHANS and not just_killed:
                killed, just_killed = (*killed, *orphans.kill()), True
            if waited_s > GIVEN_UP_AFTER_S:
                return killed
            block(ORPHANS_POLL_S)
    return killed


def _was_started_in(process: psutil.Process, home: Path) -> bool:
    try:
        given = process.environ()
    except (psutil.NoSuchProcess, psutil.AccessDenied, OSError):
        return False  # gone, or another user's
    ours = given.get("NAE_HOME") == str(home) and "NAE_RUN" in given  # the latter is nobody's to set but the start's
    return ours and "SUPERVISOR_ENABLED" in given


def _lives(member: psutil.Process) -> bool:
    try:
        return member.is_running() and member.status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False
