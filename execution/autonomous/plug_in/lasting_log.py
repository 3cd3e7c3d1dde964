"""supervisord on a full or broken disk: a log line may be late or lost, supervisord may not. As it comes, it tells of
an error in writing on standard error, and what goes wrong there, or in a rotation, ends it, and with it everything.

It changes what two methods do in this process, never a file of supervisord's. It decides nothing.
"""

import contextlib
import inspect
import sys
from typing import Any

from supervisor import loggers

SEAMS = {"Handler.handleError": ["self"], "Logger.log": ["self", "level", "msg", "kw"]}


def make_logs_last() -> str:
    """For all of supervisord's loggers, its own and its children's. The problem when this supervisord has no such
    methods, or ''."""
    missing = [name for name, parameters in SEAMS.items() if _parameters(name) != parameters]
    if missing:
        return f"supervisord ends when a log can't be written: it has no {', '.join(missing)} as we know them"
    write = loggers.Logger.log

    def log(logger: Any, level: int, msg: Any, **kw: Any) -> None:
        try:
            write(logger, level, msg, **kw)
        except (OSError, ValueError) as error:  # the latter: a rotation cut off half way leaves a closed file
            say(f"a log couldn't be written: {error}")
            _reopen(logger)

    loggers.Logger.log = log
    loggers.Handler.handleError = lambda _: say(f"a log couldn't be written: {sys.exc_info()[1]}")
    return ""


def say(text: str) -> None:
    """To standard error, which is a file on the same disk: when even that is refused, nobody can be told."""
    with contextlib.suppress(OSError):
        print(text, file=sys.stderr, flush=True)


def _reopen(logger: Any) -> None:
    for handler in logger.handlers:
        if getattr(getattr(handler, "stream", None), "closed", False):
            handler.closed = True
            with contextlib.suppress(OSError):  # tried again at the next line
                handler.reopen()


def _parameters(name: str) -> list[str]:
    owner, _, method = name.partition(".")
    found = getattr(getattr(loggers, owner, None), method, None)
    return list(inspect.signature(found).parameters) if found else []
