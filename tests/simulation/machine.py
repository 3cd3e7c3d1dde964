"""The machine of a simulated world: its processes, how they end and come back, and the account's lock between them."""

import asyncio
import contextvars
import random
from typing import TYPE_CHECKING

from execution.ledger.rows import LedgerTaken
from execution.runtime.sqlite import DatabaseError
from execution.runtime.steps import WRITTEN
from tests.simulation.trader import Trader
from tests.simulation.virtual_time import RUNNING, Killed, Process
from tests.simulation.weather import Death

if TYPE_CHECKING:
    from tests.simulation.world import SimWorld

LOOK_EVERY_S = 0.5
LOST_LOCK_SEEN_WITHIN_S = 5.0


class Lock:
    """The account's kernel lock: freed by its holder's death. May be lost without it, as a replaced file is."""

    def __init__(self) -> None:
        self.holder: Process | None = None
        self.free = asyncio.Event()
        self.noticed: set[Process] = set()

    def take(self, process: Process) -> bool:
        if self.holder is None:
            self.holder = process
            self.free.clear()
        return self.holder is process

    def leave(self, process: Process) -> None:
        if self.holder is process:
            self.holder = None
            self.free.set()

    def lost(self, process: Process) -> str | None:
        return "the account's lock is lost" if process in self.noticed else None


class Machine:
    """Runs the traders of one world, and ends them as its weather says."""

    def __init__(self, world: "SimWorld", chance: random.Random) -> None:
        self._world, self._chance = world, chance
        self.lock = Lock()
        self.traders: dict[Process, Trader] = {}
        self.died = 0
        self._lives: dict[Process, asyncio.Task[None]] = {}
        self._generation = 0
        self._back_at = 0.0
        self._awaited: list[Death] = []  # deaths at a step, which comes or doesn't
        self._away_s = 0.0  # of who dies at the loop's tick that is awaited

    # living

    async def run(self) -> None:
        """Whoever is missing comes back; the market goes on. Until cancelled."""
        while True:
            if len(self._lives) < 1 + self._world.weather.twin and (self._world.over or self._now >= self._back_at):
                self._spawn()
            await self._world.clock.sleep(LOOK_EVERY_S)
            self._world.venue.move_market()

    @property
    def _now(self) -> float:
        return self._world.loop.time()

    def _spawn(self) -> None:
        self._generation += 1
        process = Process(f"p{self._generation}")
        trader = self.traders[process] = Trader(self._world, process)
        context = contextvars.copy_context()
        context.run(RUNNING.set, process)
        life = self._lives[process] = self._world.loop.create_task(trader.live(), context=context)
        life.add_done_callback(lambda done: self._ended(process, done))

    def _ended(self, process: Process, life: "asyncio.Task[None]") -> None:
        """By itself, or killed: what it held is free."""
        error = None if life.cancelled() else life.exception()
        self.lock.leave(process)
        if not process.dead:
            process.dead = True
            self._world.tell(f"{process.name} ended: {_named(error)}")
            if not _may_end(error):
                self._world.unforeseen("the process", error or RuntimeError("it ended"))
        del self.traders[process], self._lives[process]

    def kill(self, process: Process, why: str) -> None:
        """As the kernel does it: not a step more."""
        if process.dead:
            return
        self._world.tell(f"{process.name} killed: {why}")
        process.dead = True
        self.died += not self._world.over
        self._world.loop.go_on(process)
        self._lives[process].cancel()

    async def end(self) -> None:
        """Nobody is left."""
        lives = list(self._lives.values())
        for process in list(self._lives):
            self.kill(process, "the end")
        await asyncio.gather(*lives, return_exceptions=True)

    def release(self) -> None:
        """Whoever is held goes on."""
        for process in list(self._lives):
            if process.held:
                self._world.loop.go_on(process)

    # dying

    async def die(self, death: Death) -> None:
        await self._world.clock.sleep(death.at_s)
        if death.step:
            self._awaited.append(death)
        elif death.ticks:
            self._world.loop.tick_awaited = self._world.loop.ticks + death.ticks
            self._away_s = death.away_s
        else:
            self._holder_dies(death.away_s, "at a moment")

    def _holder_dies(self, away_s: float, why: str) -> None:
        holder = self.lock.holder
        if holder is not None and not holder.dead and not self._world.over:
            self._back_at = self._now + away_s
            self.kill(holder, why)

    def on_tick(self, number: int) -> None:
        self._world.loop.tick_awaited = None
        self._holder_dies(self._away_s, "between two steps of its loop")

    def on_step(self, step: str) -> None:
        """A durable step of some process: it may be its last, and what the dead write is never durable."""
        process, world = RUNNING.get(), self._world
        if process is None:
            return
        if process.dead:
            if step.endswith(WRITTEN):
                raise Killed
            return
        if self._awaited and self._awaited[0].step == step and not world.over:
            self._back_at = self._now + self._awaited.pop(0).away_s
            self.kill(process, f"at {step}")
            raise Killed
        if step.endswith(WRITTEN) and not world.over and self._chance.random() < world.weather.disk_errors:
            world.tell(f"disk refuses {step}")
            raise DatabaseError("disk I/O error")

    # being held, losing the lock

    async def hold(self, at_s: float, for_s: float) -> None:
        """It stands still for a while; the line and the venue go on."""
        await self._world.clock.sleep(at_s)
        process = self.lock.holder
        if process is None or process.dead or self._world.over:
            return
        self._world.tell(f"{process.name} held for {for_s} s")
        process.held = True
        await self._world.clock.sleep(for_s)
        self._world.tell(f"{process.name} goes on")
        self._world.loop.go_on(process)

    async def lose_lock(self, at_s: float) -> None:
        """The lock keeps nobody out any more: for a while two believe that they hold the account."""
        await self._world.clock.sleep(at_s)
        old = self.lock.holder
        if old is None or old.dead or not self._world.weather.twin or self._world.over:
            return
        self._world.tell(f"{old.name} loses the lock")
        self.lock.leave(old)
        await self._world.clock.sleep(self._chance.uniform(0.0, LOST_LOCK_SEEN_WITHIN_S))
        self.lock.noticed.add(old)
        await self._world.clock.sleep(1.0)
        self.kill(old, "it has noticed that its lock is lost")


def _named(error: BaseException | None) -> str:
    if isinstance(error, BaseExceptionGroup):
        return ", ".join(map(_named, error.exceptions))
    return f"{type(error).__name__}: {error}"


def _may_end(error: BaseException | None) -> bool:
    """Of what a process may end by itself: it was overtaken, or its disk refused at the start."""
    if isinstance(error, BaseExceptionGroup):
        return all(map(_may_end, error.exceptions))
    return isinstance(error, LedgerTaken | DatabaseError | Killed)
