"""What remedies may use of the running operation: its processes' own commands, and supervisord for an orderly renewal.
A standby is renewed by itself; whoever holds the live account only by handing it over."""

from collections.abc import Awaitable, Callable
from typing import Any

from execution.autonomous.healing.progress import Renewals
from execution.autonomous.healing.remedy import CannotHeal, Undo
from execution.autonomous.overseer import Overseer
from execution.autonomous.restart_policy import DOWN
from execution.autonomous.supervisor_door import ProgramState
from execution.autonomous.watched import Watched
from execution.runtime.bus import NoAnswer, Refused, ask_async
from execution.runtime.clock import Clock
from execution.runtime.home import Home
from execution.vocabulary.programs import BY_NAME, MANAGER

RENEWED_WITHIN_S = 20.0
LOOK_S = 0.1
SANDBOX = "sandbox_optimus"


async def ordered(home: Home, clock: Clock, process: str, verb: str, **arguments: Any) -> dict[str, Any]:
    """What a process answers to an order over the bus. Raises CannotHeal when it refuses or doesn't answer."""
    try:
        return await ask_async(home.run, process, verb, clock, **arguments)
    except (NoAnswer, Refused) as refusal:
        raise CannotHeal(str(refusal)) from refusal


class OperationHands:
    """Of a manager at work. `hand_over` asks the holder of an account to give it to its twin; `holds`: does a process
    hold its account, by the lock itself? `exposed` reads the books of an account; `kept` keeps what a revert needs."""

    def __init__(
        self,
        home: Home,
        clock: Clock,
        overseer: Overseer,
        *,
        hand_over: Callable[[str, str], Awaitable[bool]],
        holds: Callable[[str], bool],
        exposed: Callable[[str], bool],
        kept: Callable[[Undo], None],
        renewals: Renewals,
        pace: float = 1.0,
    ) -> None:
        self.home = home
        self.clock = clock
        self.pace = pace
        self._overseer = overseer
        self._hand_over = hand_over
        self._holds = holds
        self._exposed = exposed
        self._kept = kept
        self._renewals = renewals

    async def ask(self, process: str, verb: str, **arguments: Any) -> dict[str, Any]:
        """Order a process to do something. Raises CannotHeal."""
        return await ordered(self.home, self.clock, process, verb, **arguments)

    async def renew(self, process: str, cause: str) -> None:
        """End it in good order and wait until its successor is there; of a trader, until it makes progress. Raises
        CannotHeal."""
        if process == MANAGER:
            raise CannotHeal(f"{MANAGER} can't renew itself; nae restart {MANAGER} does")
        watched, program = self._find(process)
        if watched.stopped_by_operator or watched.kept_down:
            raise CannotHeal(f"a person has stopped {process}; nae start {process} is theirs to say")
        with self._renewals.renewing(process, self.clock):
            await self._renew(process, cause, watched, program)

    async def _renew(self, process: str, cause: str, watched: Watched, program: ProgramState) -> None:
        before = watched.pid
        if program.state in DOWN:
            told = await self._overseer.link.start(program)
        elif self._holds(process) and BY_NAME[process].twin in self._overseer.watched:
            told = await self._hand_over(process, cause)
        elif self._holds(process) and BY_NAME[process].guards and self.is_exposed(BY_NAME[process].account or ""):
            raise CannotHeal(f"{process} holds the live account, which isn't flat, and there is no standby to take it")
        else:
            told = await self._overseer.link.signal(program, "TERM")
        if not told:
            raise CannotHeal(f"{process} couldn't be renewed: no standby is ready, or supervisord refused")
        await self._until_renewed(process, before)

    async def _until_renewed(self, process: str, before: int) -> None:
        deadline = self.clock.monotonic() + RENEWED_WITHIN_S
        watched, trades = self._overseer.watched[process], BY_NAME[process].account is not None
        while True:
            beat = watched.heartbeat
            new = watched.pid not in (0, before) and beat is not None and beat.pid == watched.pid
            if new and beat is not None and (beat.state == "running" or not trades):  # who compiles is back, too
                return
            if self.clock.monotonic() >= deadline:
                raise CannotHeal(f"{process} was ended, and isn't back at work after {RENEWED_WITHIN_S:g} s")
            await self.clock.sleep(LOOK_S)

    def _find(self, process: str) -> tuple[Watched, ProgramState]:
        try:
            return self._overseer.find(process)
        except KeyError as error:
            raise CannotHeal(f"there is no process {process!r} in this operation") from error

    def is_exposed(self, account: str) -> bool:
        """Does the account hold or may it come to hold something? Unknown counts as yes."""
        return self._exposed(account)

    def twin_of_sandbox(self) -> str:
        """The process on which a change is tried first; empty when the operation has no sandbox."""
        return SANDBOX if SANDBOX in self._overseer.watched else ""

    def keep(self, undo: Undo) -> None:
        """Durably keep what a revert needs. Raises CannotHeal."""
        self._kept(undo)


class IdleHands:
    """Of a home whose operation doesn't run: files can be put back, nobody can be asked, nobody need be renewed."""

    def __init__(self, home: Home, clock: Clock) -> None:
        self.home = home
        self.clock = clock
        self.pace = 1.0

    async def ask(self, process: str, verb: str, **arguments: Any) -> dict[str, Any]:
        """Nobody is there. Raises CannotHeal."""
        raise CannotHeal(f"{process} isn't running: start the operation first: nae up")

    async def renew(self, process: str, cause: str) -> None:
        """Whoever starts next starts anew."""

    def is_exposed(self, account: str) -> bool:
        """Not known from here: yes."""
        return True

    def twin_of_sandbox(self) -> str:
        """Nobody runs."""
        return ""

    def keep(self, undo: Undo) -> None:
        """Nothing is applied from here. Raises CannotHeal."""
        raise CannotHeal("nothing is changed while the operation doesn't run")
