"""Does this supervisord have the places that the plug-in takes hold of? Asked at each start, so that a new version is
noticed loudly, and costs speed instead of the operation.
"""

import inspect
from collections.abc import Callable
from functools import partial
from typing import Any

from supervisor import datatypes, events, process

TRIED_WITH = "4.3.0"
METHODS = {
    "change_state": ["self", "new_state", "expected"],
    "finish": ["self", "pid", "sts"],
    "get_execv_args": ["self"],
    "kill": ["self", "sig"],
    "signal": ["self", "sig"],
    "spawn": ["self"],
    "transition": ["self"],
}
FIELDS = ("backoff", "delay", "dispatchers", "group", "killing", "laststart", "pid", "pipes", "state")
CONFIGURED = (
    "autorestart",
    "directory",
    "environment",
    "redirect_stderr",
    "serverurl",
    "startsecs",
    "stopwaitsecs",
    "uid",
    "umask",
)
PIPES = {"child_stdin", "child_stdout", "child_stderr", "stdin", "stdout", "stderr"}

Needed = dict[str, Callable[[], bool]]


def missing_for_waking(supervisord: Any) -> list[str]:
    """Without these a death is seen within a second instead of at once."""
    return _missing(
        {
            "options.get_socket_map": lambda: isinstance(supervisord.options.get_socket_map(), dict),
            "events.subscribe": lambda: callable(events.subscribe),
            "events.ProcessStateEvent": lambda: isinstance(events.ProcessStateEvent, type),
            "events.SupervisorRunningEvent": lambda: isinstance(events.SupervisorRunningEvent, type),
            "events.SupervisorStoppingEvent": lambda: isinstance(events.SupervisorStoppingEvent, type),
        }
    )


def missing_for_starting(supervisord: Any) -> list[str]:
    """Without these supervisord starts its programs itself, by its own rules."""
    options = supervisord.options
    needed: Needed = {
        "options.fork": lambda: callable(options.fork),
        "options.pidhistory": lambda: isinstance(options.pidhistory, dict),
        "options.mood": lambda: isinstance(options.mood, int),
        "options.make_pipes": lambda: _pipe_names(options) == PIPES,
        "options.poller.readables": lambda: isinstance(options.poller.readables, set),
        "options.poller.writables": lambda: isinstance(options.poller.writables, set),
        "supervisord.process_groups": lambda: isinstance(supervisord.process_groups, dict),
        "events.ProcessGroupAddedEvent": lambda: isinstance(events.ProcessGroupAddedEvent, type),
        "datatypes.RestartUnconditionally": lambda: isinstance(datatypes.RestartUnconditionally, type),
    }
    subprocess = process.Subprocess
    for name, parameters in METHODS.items():
        needed[f"Subprocess.{name}"] = partial(_takes, subprocess, name, parameters)
    for name in FIELDS:
        needed[f"Subprocess.{name}"] = partial(hasattr, subprocess, name)
    for config in [config for group in options.process_group_configs for config in group.process_configs][:1]:
        for name in CONFIGURED:
            needed[f"config.{name}"] = partial(hasattr, config, name)
    return _missing(needed)


def _missing(needed: Needed) -> list[str]:
    found = []
    for name, there in needed.items():
        try:
            if not there():
                found.append(name)
        except (AttributeError, TypeError):
            found.append(name)
    return found


def _takes(owner: type, name: str, parameters: list[str]) -> bool:
    return list(inspect.signature(getattr(owner, name)).parameters) == parameters


def _pipe_names(options: Any) -> set[str]:
    pipes = options.make_pipes(True)
    options.close_parent_pipes(pipes)
    options.close_child_pipes(pipes)
    return set(pipes)
