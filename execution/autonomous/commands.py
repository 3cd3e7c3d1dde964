"""What a person asks of one process: start, stop, restart. Carried out by supervisord; what a person stopped is
remembered beyond a supervisord's death, and forgotten at a person's next start of the whole.

Whether the live account may be left without its trader is asked elsewhere, before it comes to this.
"""

import json
import logging
from collections.abc import Awaitable
from pathlib import Path

from execution.autonomous.overseer import Overseer
from execution.autonomous.restart_policy import DOWN, cleared
from execution.autonomous.supervisor_door import ProgramState
from execution.autonomous.watched import Watched
from execution.runtime.files import write_atomically
from execution.vocabulary.programs import MANAGER

log = logging.getLogger("nae.manager")
NAME = "stopped_by_operator"


class CannotBeDone(Exception):
    """The command makes no sense now; the message says why."""


class OperatorCommands:
    """One operation's processes, at a person's word."""

    def __init__(self, overseer: Overseer, run: Path) -> None:
        self._overseer = overseer
        self._path = run / NAME

    async def start(self, name: str) -> None:
        """Start it; hold and quarantine are forgotten."""
        watched, program = self._find(name)
        watched.history, watched.kept_down = cleared(watched.history), False
        if program.state not in {*DOWN, "STOPPED"}:
            raise CannotBeDone(f"{name} is {program.state.lower()} already")
        await self._told(self._overseer.link.start(program), "start", name)
        self._remember(self.stopped() - {name})

    async def stop(self, name: str) -> None:
        """Stop it, until a person starts it."""
        watched, program = self._find(name)
        if name == MANAGER:
            raise CannotBeDone(f"{name} watches all others; scripts/nae down stops everything")
        if program.state == "STOPPED":
            raise CannotBeDone(f"{name} is stopped already")
        self._remember(self.stopped() | {name})  # first: what is asked for holds, whatever dies in between
        if program.state in DOWN:  # supervisord has nothing to stop: from now on it is left down
            watched.kept_down = True
        else:
            await self._told(self._overseer.link.stop(program), "stop", name)

    async def restart(self, name: str) -> None:
        """End it in good order; supervisord brings it back at once. What is down is started."""
        watched, program = self._find(name)
        if program.state not in ("STARTING", "RUNNING"):
            return await self.start(name)
        watched.history = cleared(watched.history)
        return await self._told(self._overseer.link.signal(program, "TERM"), "restart", name)

    async def stop_again(self) -> None:
        """After a supervisord's death its successor has started everything: what a person stopped is stopped again."""
        for name in self.stopped() & set(self._overseer.watched):
            watched = self._overseer.watched[name]
            program = watched.program
            watched.kept_down = program is not None and program.state in DOWN
            if program is not None and program.state in ("STARTING", "RUNNING"):
                log.info("stopped again, as a person asked before", extra={"fields": {"process": name}})
                await self._overseer.link.stop(program)

    def stopped(self) -> set[str]:
        """Whom a person has stopped."""
        try:
            return {str(name) for name in json.loads(self._path.read_text())}
        except (FileNotFoundError, ValueError, TypeError):
            return set()

    def _remember(self, names: set[str]) -> None:
        write_atomically(self._path, json.dumps(sorted(names)))

    def _find(self, name: str) -> tuple[Watched, ProgramState]:
        try:
            return self._overseer.find(name)
        except KeyError as error:
            known = ", ".join(self._overseer.watched)
            raise CannotBeDone(f"there is no process {name!r} here; one of {known} would be right") from error

    async def _told(self, telling: Awaitable[bool], verb: str, name: str) -> None:
        if not await telling:
            raise CannotBeDone(f"supervisord didn't {verb} {name}; logs/continuous_operation.log says why")
        log.info("by a person's word", extra={"fields": {"verb": verb, "process": name}})


def forget(run: Path) -> None:
    """A person starts the whole operation: all of it."""
    (run / NAME).unlink(missing_ok=True)
