"""A process that doesn't outlive its parent, doesn't dump core, and ends by its own deadline when told to.

supervisord counts wall-clock time and can be killed; so every worker watches for itself. Linux sends a signal
when the parent dies; on every system the parent's end closes our standard input.
"""

import logging
import os
import resource
import signal
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from execution.runtime.platform import ask_for_death_signal, memory_limit

log = logging.getLogger("nae.guard")
ORPHAN_DEADLINE_S = 0.4  # enough for a request on its way; everything else is durable already
OVERDUE_EXIT = 70
STOPS = (signal.SIGTERM, signal.SIGINT, signal.SIGQUIT)
parent_died = threading.Event()  # set by end_with_parent()


def under_supervisord() -> bool:
    """Were we started by supervisord? (It says so in the environment of its children.)"""
    return "SUPERVISOR_ENABLED" in os.environ


def no_core_dumps() -> None:
    """A core file would hold keys."""
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))


def bound_memory(most_bytes: int) -> bool:
    """Beyond `most_bytes` of data the kernel refuses: a runaway ends itself, not the machine. False where it can't."""
    kind = memory_limit()
    if kind is None:
        return False
    _, hard = resource.getrlimit(kind)
    most = most_bytes if hard == resource.RLIM_INFINITY else min(most_bytes, hard)
    resource.setrlimit(kind, (most, hard))
    return True


@contextmanager
def stops_wait() -> Iterator[None]:
    """Whoever tells us to stop waits until the block is left, also over an exec within it: it is taken then."""
    signal.pthread_sigmask(signal.SIG_BLOCK, STOPS)
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_UNBLOCK, STOPS)


def end_by(deadline_s: float) -> None:
    """Whatever hangs, this process is gone after `deadline_s` (monotonic). May be called again to tighten it."""
    timer = threading.Timer(deadline_s, os._exit, [OVERDUE_EXIT])
    timer.daemon = True
    timer.start()


def keep_to_ourselves() -> None:
    """Whatever is open beyond standard input and output doesn't go over an exec."""
    for descriptor in [int(path.name) for path in Path("/dev/fd").iterdir()]:
        try:
            os.set_inheritable(descriptor, descriptor <= 2)
        except OSError:
            continue  # the one that listed the folder


def end_with_parent(orphaned: Callable[[], None], deadline_s: float = ORPHAN_DEADLINE_S) -> None:
    """Call `orphaned` once when the parent dies, and be gone `deadline_s` later. From the main thread only:
    Linux binds the death signal to the thread that spawned us and to none other."""
    parent = os.getppid()

    def tell() -> None:
        if not parent_died.is_set():
            parent_died.set()
            end_by(deadline_s)
            orphaned()

    signal.signal(signal.SIGUSR1, lambda *_: tell())
    ask_for_death_signal(signal.SIGUSR1)
    if os.getppid() != parent:
        tell()
    threading.Thread(target=_wait_for_end_of_input, args=(tell,), name="parent-watch", daemon=True).start()


def _wait_for_end_of_input(tell: Callable[[], None]) -> None:
    while os.read(0, 4096):  # supervisord never writes here: what arrives is the end
        pass
    tell()
