"""supervisord, holding the operation's lock. `python -m agents.operation`, with NAE_HOME, NAE_RUN and NAE_PYTHON set.

One home, one operation: the kernel lock is freed when this process dies, whatever killed it. It is close-on-exec
and above the descriptors supervisord closes, so that no worker inherits it. Whoever has it first ends what a dead
supervisord left, and begins nothing when a stop has been requested.
"""

import os
import resource
import sys

from supervisor import supervisord

from execution.autonomous.family import end_orphans
from execution.autonomous.plug_in.lasting_log import make_logs_last, say
from execution.autonomous.stop_marker import stop_is_requested
from execution.runtime.clock import Clock, SystemClock, block
from execution.runtime.guard import stops_wait
from execution.runtime.home import Home
from execution.runtime.locks import FileLock
from execution.vocabulary.exit_codes import BusyError, ExitCode

DESCRIPTORS = 1024
LOCK_ABOVE = 600  # over minfds in supervisor/supervisord.conf
TAKEN_WITHIN_S = 1.0
TAKE_POLL_S = 0.01


def main() -> int:
    """Take the lock and become supervisord until a signal ends it."""
    home = Home.find()
    os.chdir(home.root)  # the programs' log files are named from there
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft < DESCRIPTORS:
        resource.setrlimit(resource.RLIMIT_NOFILE, (DESCRIPTORS, hard))
    lock, clock = FileLock(home.operation_lock), SystemClock()
    with stops_wait():  # who is told to stop in here leaves no orphan behind
        try:
            _take(lock, f"pid {os.getpid()} mode {os.environ.get('NAE_MODE', '?')}", clock)
        except BusyError as error:
            say(str(error))
            return ExitCode.BUSY
        killed = end_orphans(home.root, clock, since=_orphaned_at(sys.argv[1:]) or clock.monotonic())
    if killed:
        say(f"killed what a dead supervisord had left: pids {killed}")
    if stop_is_requested(home.run):
        say("a stop has been requested: nothing is started")
        return ExitCode.OK
    _write_pid_file(home)
    (home.run / "supervisor.sock").unlink(missing_ok=True)  # a dead supervisord's socket costs its heir 0.3 s
    if problem := make_logs_last():
        say(problem)
    supervisord.main(["-c", str(home.run / "supervisord.conf")])
    return ExitCode.OK


def _write_pid_file(home: Home) -> None:
    """At once, over a dead one's: supervisord writes the same later, and a full disk has room for what was there."""
    try:
        home.pid_file.write_text(f"{os.getpid()}\n")
    except OSError as error:
        say(f"can't write {home.pid_file}: {error.strerror}")


def _orphaned_at(words: list[str]) -> float | None:
    """When the supervisord that we follow died, on the monotonic clock, which is one for the whole machine."""
    return float(words[1]) if words[:1] == ["--orphaned-at"] else None


def _take(lock: FileLock, holder: str, clock: Clock) -> None:
    """Take the lock, with patience: who only asks whether it is held has it for an instant, and that is long on a busy
    machine; the heir of an operation must not give up for it."""
    deadline = clock.monotonic() + TAKEN_WITHIN_S
    while True:
        try:
            return lock.acquire(holder, above=LOCK_ABOVE)
        except BusyError:
            if clock.monotonic() >= deadline:
                raise
        block(TAKE_POLL_S)


if __name__ == "__main__":
    sys.exit(main())
