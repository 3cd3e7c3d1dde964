"""posix_spawn where supervisord forks: no copy of its page tables, no closing of descriptors one by one in Python.

The child gets what a fork of supervisord's would give it: the same environment, a process group of its own, the three
pipes and nothing else open. A program with a user, a directory or a umask of its own is forked as ever.
"""

import os
from collections.abc import Callable
from typing import Any

DESCRIPTORS_LOOKED_AT = 65_536


class Spawner:
    """Stands in the place of `options.fork`: supervisord calls it in the middle of a process's spawn()."""

    def __init__(self, fork: Callable[[], int]) -> None:
        self._fork = fork
        self.spawning: Any = None  # the process whose spawn() is under way

    def __call__(self) -> int:
        """The child's pid; 0 in the child of a real fork. Raises OSError, which supervisord calls a spawn error."""
        process, self.spawning = self.spawning, None
        if process is None or not can_be_spawned(process):
            return self._fork()
        filename, arguments = process.swift_command
        pipes = process.pipes
        errors = pipes["child_stdout"] if process.config.redirect_stderr else pipes["child_stderr"]
        places = [(os.POSIX_SPAWN_DUP2, pipes["child_stdin"], 0), (os.POSIX_SPAWN_DUP2, pipes["child_stdout"], 1)]
        places.append((os.POSIX_SPAWN_DUP2, errors, 2))
        return os.posix_spawn(filename, arguments, environment_of(process), file_actions=places, setpgroup=0)


def can_be_spawned(process: Any) -> bool:
    """Is there nothing to be done between fork and exec that posix_spawn can't do?"""
    config = process.config
    ends = [descriptor for name, descriptor in process.pipes.items() if name.startswith("child_") and descriptor]
    plain = config.uid is None and config.directory is None and config.umask is None
    return plain and process.swift_command is not None and all(descriptor > 2 for descriptor in ends)


def environment_of(process: Any) -> dict[str, str]:
    """As supervisord makes it for a child."""
    config = process.config
    server = config.serverurl or (config.options.serverurl if config.serverurl is None else None)
    environment = {**os.environ, "SUPERVISOR_ENABLED": "1", "SUPERVISOR_PROCESS_NAME": config.name}
    if server:
        environment["SUPERVISOR_SERVER_URL"] = server
    if process.group:
        environment["SUPERVISOR_GROUP_NAME"] = process.group.config.name
    return environment | (config.environment or {})


def seal_descriptors() -> None:
    """Whatever supervisord itself has inherited, its children shall not: Python opens its own close-on-exec."""
    for descriptor in range(3, min(os.sysconf("SC_OPEN_MAX"), DESCRIPTORS_LOOKED_AT)):
        try:
            os.set_inheritable(descriptor, False)
        except OSError:
            continue  # not open
