"""The manager's conversation with supervisord: what it says of every program, whom it is told to leave down, and
the news that its plug-in sends. Calls run in a thread; that supervisord doesn't answer is a fact (`problem`), no error.
"""

import asyncio
import logging
import socket
from collections.abc import Callable
from pathlib import Path

from execution.autonomous.supervisor_door import (
    PlugInState,
    ProgramState,
    SupervisorDoor,
    SupervisorRefused,
    SupervisorUnavailable,
)

log = logging.getLogger("nae.manager")


class SupervisorLink:
    """One supervisord, seen from the manager."""

    def __init__(self, door: SupervisorDoor) -> None:
        self._door = door
        self.problem = ""
        self._said: list[str] | None = None
        self.plug_in = PlugInState(False, "not asked yet")

    async def look(self) -> list[ProgramState]:
        """Every program's state; none when supervisord doesn't answer, which is itself something to say."""
        try:
            programs, self.plug_in = await asyncio.to_thread(self._ask)
        except (SupervisorUnavailable, SupervisorRefused) as error:
            if not self.problem:
                log.warning("supervisord doesn't answer", extra={"fields": {"error": error}})
            self.problem = str(error)
            return []
        if self.problem:
            log.info("supervisord answers again")
        self.problem = ""
        return programs

    def _ask(self) -> tuple[list[ProgramState], PlugInState]:
        return self._door.look(self._said if self.plug_in.working else None)

    async def hold_back(self, names: list[str]) -> None:
        """Say who stays down, also when it is nobody: it is our sign of life to the plug-in. Each look repeats it."""
        if self.plug_in.working and names != self._said:
            self._said = names
            await self._tell("hold back", lambda: self._door.hold_back(names))

    async def start(self, program: ProgramState) -> bool:
        """Start it; did supervisord do it?"""
        return await self._tell("start", lambda: self._door.start(program))

    async def stop(self, program: ProgramState) -> bool:
        """Stop it, without waiting; did supervisord do it?"""
        return await self._tell("stop", lambda: self._door.stop(program))

    async def signal(self, program: ProgramState, name: str) -> bool:
        """Send it a signal; did supervisord do it?"""
        return await self._tell(name, lambda: self._door.signal(program, name))

    async def _tell(self, what: str, call: Callable[[], None]) -> bool:
        try:
            await asyncio.to_thread(call)
        except (SupervisorUnavailable, SupervisorRefused) as error:
            log.warning("supervisord didn't do it", extra={"fields": {"what": what, "error": error}})
            return False
        return True


class _News(asyncio.DatagramProtocol):
    def __init__(self, heard: Callable[[], None]) -> None:
        self._heard = heard

    def datagram_received(self, data: bytes, addr: object) -> None:
        self._heard()  # a hint only: whatever it says, the levels are read again


async def hear_news(path: Path, heard: Callable[[], None]) -> asyncio.DatagramTransport | None:
    """Call `heard` whenever the plug-in says that something has changed. The socket is `path`, made anew; None when it
    can't be made: what has changed is seen a second later then."""
    try:
        ear = _ear(path)
    except OSError as error:
        log.warning("no news from supervisord", extra={"fields": {"error": error}})
        return None
    transport, _ = await asyncio.get_running_loop().create_datagram_endpoint(lambda: _News(heard), sock=ear)
    return transport


def _ear(path: Path) -> socket.socket:
    path.unlink(missing_ok=True)  # a former manager's
    ear = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
    ear.setblocking(False)
    try:
        ear.bind(str(path))
    except OSError:
        ear.close()
        raise
    return ear
