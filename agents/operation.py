"""supervisord, holding the operation's lock. `python -m agents.operation`, with NAE_HOME, NAE_RUN and NAE_PYTHON set.

One home, one operation: the kernel lock is freed when this process dies, whatever killed it. It is close-on-exec
and above the descriptors supervisord closes, so that no worker inherits it.
"""

import os
import resource
import sys

from supervisor import supervisord

from execution.runtime.home import Home
from execution.runtime.locks import FileLock
from execution.vocabulary.exit_codes import BusyError, ExitCode

DESCRIPTORS = 1024
LOCK_ABOVE = 600  # over minfds in supervisor/supervisord.conf


def main() -> int:
    """Take the lock and become supervisord until a signal ends it."""
    home = Home.find()
    os.chdir(home.root)  # the programs' log files are named from there
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft < DESCRIPTORS:
        resource.setrlimit(resource.RLIMIT_NOFILE, (DESCRIPTORS, hard))
    lock = FileLock(home.operation_lock)
    try:
        lock.acquire(f"pid {os.getpid()} mode {os.environ.get('NAE_MODE', '?')}", above=LOCK_ABOVE)
    except BusyError as error:
        print(error, file=sys.stderr)
        return ExitCode.BUSY
    (home.run / "supervisor.sock").unlink(missing_ok=True)  # a dead supervisord's socket costs its heir 0.3 s
    supervisord.main(["-c", str(home.run / "supervisord.conf")])
    return ExitCode.OK


if __name__ == "__main__":
    sys.exit(main())
