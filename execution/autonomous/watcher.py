"""The manager as the watcher of supervisord: it notices a hung one, ends what a dead one left, and takes its place.

The edge of watching.py, which decides. It knows supervisord and its children, never what they do.
"""

import asyncio
import logging
import os
import signal
import sys
from typing import NoReturn

from execution.autonomous.builds import module_command
from execution.autonomous.family import end_orphans
from execution.autonomous.stop_marker import request_stop, stop_is_requested
from execution.autonomous.supervisor_door import SupervisorDoor, SupervisorRefused, SupervisorUnavailable
from execution.autonomous.vitals import Child
from execution.autonomous.watching import Action, Seen, Silence, decide
from execution.runtime.clock import Clock, block
from execution.runtime.guard import keep_to_ourselves, stops_wait, unbound
from execution.runtime.home import Home
from execution.runtime.locks import holder_pid, is_held
from execution.runtime.platform import ask_for_death_signal, is_pending
from execution.vocabulary.limits import (
    JUDGE_LATE_AFTER_S,
    JUDGE_PERIOD_S,
    RPC_TIMEOUT_S,
    SUPERVISORD_SILENT_AFTER_S,
)

log = logging.getLogger("nae.manager")
IDLE_CPU_S = 0.02
LOCK_POLL_S = 0.01
ASK_PERIOD_S = 1.0
LOCK_FREE_WITHIN_S = 1.0


class SupervisordWatch:
    """Counts the answers that a living supervisord owes. Asks only while somebody has found it silent."""

    def __init__(self, home: Home, door: SupervisorDoor, clock: Clock) -> None:
        self._run = home.run
        self._lock = home.operation_lock
        self._door = door
        self._clock = clock
        self._pid = os.getppid()
        self._silence = Silence()
        self._since = 0.0
        self._cpu_s = 0.0
        self._looked_at = clock.monotonic()

    async def look(self, suspected: bool) -> None:
        """One look, every second. One that comes late (sleep, SIGCONT, load) forgives."""
        late = self._clock.monotonic() - self._looked_at > JUDGE_LATE_AFTER_S + JUDGE_PERIOD_S
        self._silence = Silence()
        if suspected and not late:
            await self._ask_until_sure()
        self._looked_at = self._clock.monotonic()

    async def _ask_until_sure(self) -> None:
        """Ask again and again: until it answers, a time-out comes late, or it is certain that it hangs."""
        while os.getppid() == self._pid == holder_pid(self._lock):  # not a shell, nor whoever adopts orphans
            began = self._clock.monotonic()
            if await self._answers() or self._clock.monotonic() - began > RPC_TIMEOUT_S + JUDGE_LATE_AFTER_S:
                return
            if not self._count(began):
                return
            if decide(Seen(parent_lives=True, silence=self._silence)) is Action.KILL_SUPERVISORD:
                self._kill()
                return
            if self._silence.lasted_s > SUPERVISORD_SILENT_AFTER_S:
                return  # it works on something: judged anew
            if self._clock.monotonic() - began < ASK_PERIOD_S:  # refused at once: nobody is at the socket
                await self._clock.sleep(ASK_PERIOD_S)

    async def _answers(self) -> bool:
        try:
            await asyncio.to_thread(self._door.operating)
        except SupervisorUnavailable:
            return False
        except SupervisorRefused:
            return True  # no is an answer
        return True

    def _count(self, began: float) -> bool:
        """One more answer that hasn't come; False when there is nobody to owe it."""
        child = Child.known(self._pid)
        life = child.life() if child else None
        if life is None:
            return False
        if not self._silence.unanswered:
            self._since, self._cpu_s = began, life.cpu_s
        idle = life.status == "stopped" or (life.cpu_s - self._cpu_s < IDLE_CPU_S and not life.wants_core)
        self._silence = Silence(self._silence.unanswered + 1, self._clock.monotonic() - self._since, idle)
        return True

    def _kill(self) -> None:
        """It is our parent and has the operation's lock, so its id is no stranger's."""
        log.critical("supervisord hangs: SIGKILL", extra={"fields": {"pid": self._pid, "silence": self._silence}})
        if any(is_pending(self._pid, number) for number in (signal.SIGTERM, signal.SIGINT, signal.SIGQUIT)):
            request_stop(self._run, "a signal that a hung supervisord never took", self._clock)
        os.kill(self._pid, signal.SIGKILL)


def outlive(home: Home, told_to_stop: bool, clock: Clock) -> None:
    """What the manager does last, from its main thread, when supervisord has died. It returns when there is nothing
    left to do, and doesn't when we become the next supervisord."""
    with stops_wait():  # the next supervisord takes them, when it has seen to the orphans
        _outlive(home, told_to_stop, clock)


def _outlive(home: Home, told_to_stop: bool, clock: Clock) -> None:
    began = clock.monotonic()
    while is_held(home.operation_lock) and clock.monotonic() - began < LOCK_FREE_WITHIN_S:
        block(LOCK_POLL_S)  # the kernel closes a dying process's pipes, which told us, just before its locks
    seen = Seen(
        parent_lives=False,
        told_to_stop=told_to_stop,
        stop_requested=stop_is_requested(home.run),
        owned_by_service=os.environ.get("NAE_SERVICE") == "1",
        held=is_held(home.operation_lock),
    )
    if decide(seen) is Action.TAKE_OVER:
        log.warning("supervisord has died: taking its place")
        become_supervisord(home, orphaned_at=began)
    if not seen.held:
        end_orphans(home.root, clock, began)
    log.warning("supervisord has died, and it isn't ours to bring back", extra={"fields": {"seen": seen}})


def become_supervisord(home: Home, orphaned_at: float) -> NoReturn:
    """Exec: nothing of ours goes over but the environment that the start command made."""
    logging.shutdown()
    sys.stdout.flush()
    for descriptor, path, flags in (
        (0, os.devnull, os.O_RDONLY),
        (1, home.boot_log("supervisord"), os.O_WRONLY | os.O_APPEND | os.O_CREAT),
    ):
        opened = os.open(path, flags, 0o600)
        os.dup2(opened, descriptor)
        os.close(opened)
    os.dup2(1, 2)
    keep_to_ourselves()
    unbound()
    ask_for_death_signal(0)  # it would go over, and supervisord end with whoever adopted us
    signal.setitimer(signal.ITIMER_REAL, 0)  # so would an alarm that was to end us
    known = {name: value for name, value in os.environ.items() if not name.startswith("SUPERVISOR_")}
    command = module_command("agents.operation", "--orphaned-at", f"{orphaned_at:.3f}")
    os.execve(command[0], command, known)  # noqa: S606 - an argument list, no shell
