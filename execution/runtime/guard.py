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

from execution.runtime.platform import ask_for_death_signal, count_of_user, memory_limit

log = logging.getLogger("nae.guard")
ORPHAN_DEADLINE_S = 0.4  # enough for a request on its way; everything else is durable already
OVERDUE_EXIT = 70
STOPS = (signal.SIGTERM, signal.SIGINT, signal.SIGQUIT)
parent_died = threading.Event()  # set by end_with_parent()
_soft_at_start: dict[int, int] = {}


def under_supervisord() -> bool:
    """Were we started by supervisord? (It says so in the environment of its children.)"""
    return "SUPERVISOR_ENABLED" in os.environ


def no_core_dumps() -> None:
    """A core file would hold keys."""
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))


def bound_memory(most_bytes: int) -> bool:
    """Beyond `most_bytes` of data the kernel refuses: a runaway ends itself, not the machine. False where it can't."""
    kind = memory_limit()
    return kind is not None and _bound(kind, most_bytes)


def bound_descriptors(most: int) -> bool:
    """So many open files and no more; where a shell allows fewer (macOS: 256) and the system doesn't mind, so many."""
    return _bound(resource.RLIMIT_NOFILE, most)


def bound_processes(more: int) -> bool:
    """So many `more` than now may our user have, ours and others: then a fork bomb of ours ends, whatever else fails.
    Counted from what there is at this moment; root isn't bounded by it. False where it can't be."""
    now = None if os.getuid() == 0 else count_of_user(os.getuid())
    if now is None:
        return False
    soft, _ = resource.getrlimit(resource.RLIMIT_NPROC)
    most = now + more
    return _bound(resource.RLIMIT_NPROC, most if soft == resource.RLIM_INFINITY else min(most, soft))


def unbound() -> None:
    """As we were started: for who becomes another program, which bounds itself."""
    for kind, soft in _soft_at_start.items():
        resource.setrlimit(kind, (soft, resource.getrlimit(kind)[1]))


def _bound(kind: int, most: int) -> bool:
    """Only the soft limit: the hard one couldn't be taken back, and would go over an exec."""
    soft, hard = resource.getrlimit(kind)
    _soft_at_start.setdefault(kind, soft)
    resource.setrlimit(kind, (most if hard == resource.RLIM_INFINITY else min(most, hard), hard))
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
    try:
        timer.start()
    except RuntimeError:  # no thread to be had: out of memory, or of processes. The kernel's alarm ends us as well
        left_s, _ = signal.getitimer(signal.ITIMER_REAL)
        signal.setitimer(signal.ITIMER_REAL, min(deadline_s, left_s or deadline_s))


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
