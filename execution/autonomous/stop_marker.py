"""The mark of a requested stop, `run/stop_requested`: written before anybody is told to stop, taken away by a person's
(or a service's) start and by nothing else. No watcher brings back what bears it. That it is there is all that counts.
"""

import logging
from pathlib import Path

from execution.runtime.clock import Clock
from execution.runtime.files import write_atomically

log = logging.getLogger("nae.operation")
NAME = "stop_requested"


def request_stop(run: Path, by: str, clock: Clock) -> None:
    """From now on nothing brings the operation back by itself. A full disk doesn't keep anybody from stopping."""
    try:
        write_atomically(run / NAME, f"{by} at {clock.now_ms()} ms\n")
    except OSError as error:
        log.warning("the stop can't be marked; a watcher may take supervisord's death for a crash: %s", error)


def stop_is_requested(run: Path) -> bool:
    """Has a stop been asked for since the last start?"""
    return (run / NAME).exists()


def withdraw_stop(run: Path) -> None:
    """Somebody starts the operation: what was asked before is past."""
    (run / NAME).unlink(missing_ok=True)
