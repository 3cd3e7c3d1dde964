"""Real processes that misbehave, each in its own way and all at once, under a real supervisord and the manager's own
parts: each is ended, renewed or told as its fault asks for, and nobody else is touched.
"""

import asyncio
from collections.abc import Iterator
from functools import partial
from pathlib import Path

import pytest

from execution.autonomous.caretaker import Caretaker
from execution.autonomous.log_watch import LogWatch
from execution.autonomous.overseer import Overseer
from execution.autonomous.resources import Patience, spins
from execution.autonomous.supervisord_config import FOLDER
from execution.autonomous.watched import Watched
from execution.runtime.bus import Bus
from execution.runtime.clock import SystemClock
from execution.vocabulary.health import HealthStatus
from execution.vocabulary.limits import MEMBERS_MAX, TASK_OVERDUE_LEAST_S
from execution.vocabulary.modes import OperationMode
from tests.operation.misbehaving import BORN
from tests.operation.tiny import TinyOperation, gone, section
from tests.support import ROOT, eventually_async

pytestmark = pytest.mark.operation
WELL, SPINS, BOMB = "venue", "live_optimus", "master_controller"
LEAKS, LEAKS_FILES = "sandbox_optimus", "accelerator_controller"
FLOODS_LOG, FLOODS_BUS = "ralph", "live_optimus_standby"
HOW = {
    WELL: "well",
    SPINS: "spin",
    BOMB: "bomb",
    LEAKS: "leak memory",
    LEAKS_FILES: "leak descriptors",
    FLOODS_LOG: "flood the log",
    FLOODS_BUS: "flood the bus",
}
IN_SECONDS = Patience(readings_least=6, span_least_s=2.0, spin_within_s=2.0)
LOOK_PERIOD_S = 0.3
SPINNER_OVERDUE_S = TASK_OVERDUE_LEAST_S + 6.0
CLOCK = SystemClock()


class Keeper:
    """The manager's parts, wired as the manager wires them; only that readings of seconds are enough."""

    def __init__(self, tiny: TinyOperation) -> None:
        self.home = tiny.home
        self.overseer = Overseer(OperationMode.DUAL, list(HOW), tiny.home, tiny.door, CLOCK)
        self.caretaker = Caretaker(self.overseer, 256, self._nobody_takes_over, CLOCK, IN_SECONDS)
        self.logs = LogWatch(tiny.home.logs)
        self.bus = Bus(tiny.home.run, "keeper", CLOCK)
        self.floods: dict[str, set[str]] = {name: set() for name in HOW}
        self.pids: dict[str, list[int]] = {name: [] for name in HOW}
        self.spun = False

    async def _nobody_takes_over(self, name: str, cause: str) -> bool:
        return False

    def watched(self, name: str) -> Watched:
        return self.overseer.watched[name]

    async def sense(self) -> None:
        ear = self.bus.ear(HOW)
        try:
            while True:
                self.bus.hear(ear, self.overseer.hear)
                self.overseer.look_at_pulses()
                await CLOCK.sleep(self.overseer.pulses.period_s)
        finally:
            ear.close()

    async def judge(self) -> None:
        looked_at = CLOCK.monotonic()
        while True:
            await CLOCK.sleep(LOOK_PERIOD_S)
            await self.overseer.tick()
            self.caretaker.count()
            await self.caretaker.look()
            seconds, looked_at = CLOCK.monotonic() - looked_at, CLOCK.monotonic()
            tails = self.logs.read()
            for name, watched in self.overseer.watched.items():
                watched.see_flood(tails[name].grown_bytes if name in tails else 0, seconds)
                self._note(name, watched)

    def _note(self, name: str, watched: Watched) -> None:
        if watched.flood:
            self.floods[name].add(watched.flood.split(":")[0])
        if watched.pid and watched.pid not in self.pids[name]:
            self.pids[name].append(watched.pid)
        if name == SPINS and watched.readings:
            self.spun = self.spun or spins(watched.readings, IN_SECONDS)

    def recorded(self, name: str, kind: str) -> str:
        entries = self.overseer.changes.read()["entries"]
        return " ".join(entry["cause"] for entry in entries if entry["process"] == name and entry["kind"] == kind)


@pytest.fixture
def tiny(tmp_path: Path) -> Iterator[TinyOperation]:
    operation = TinyOperation(tmp_path / "home")
    program = ROOT / "tests" / "operation" / "misbehaving.py"
    sections = [section(name, f"{program} {name} '{how}'") for name, how in HOW.items()]
    conf = [(FOLDER / "supervisord.conf").read_text(), *sections]
    (operation.home.run / "supervisord.conf").write_text("\n".join(conf))
    try:
        yield operation
    finally:
        operation.end()


def test_each_is_dealt_with_as_its_fault_asks_for_and_nobody_else_is_touched(tiny: TinyOperation) -> None:
    async def play() -> None:
        keeper = Keeper(tiny)
        keeper.logs.start()
        parts = [asyncio.create_task(keeper.sense()), asyncio.create_task(keeper.judge())]
        try:
            await all_is_seen_to(keeper)
            assert not any(part.done() for part in parts)
        finally:
            for part in parts:
                part.cancel()
            await asyncio.gather(*parts, return_exceptions=True)
            keeper.logs.stop()
            keeper.bus.close()

    tiny.spawn()
    asyncio.run(play())


async def all_is_seen_to(keeper: Keeper) -> None:
    await eventually_async(lambda: all(keeper.pids.values()), within_s=40)
    began = CLOCK.monotonic()
    first = {name: pids[0] for name, pids in keeper.pids.items()}

    def is_back(name: str) -> bool:
        watched = keeper.watched(name)
        return len(keeper.pids[name]) > 1 and watched.verdict.status is HealthStatus.HEALTHY

    await eventually_async(partial(is_back, BOMB), within_s=60)
    assert "fork bomb: it has become" in keeper.recorded(BOMB, "restart")
    born = [int(pid) for pid in (keeper.home.data / BORN).read_text().split()]
    assert len(born) >= MEMBERS_MAX - 2, "it was ended in the middle of bearing"
    await eventually_async(lambda: gone(*born))
    for name, what in ((LEAKS, "memory"), (LEAKS_FILES, "descriptor")):
        await eventually_async(partial(is_back, name), within_s=40)
        assert keeper.recorded(name, "adjustment").startswith(what)
        exits = keeper.overseer.link.plug_in.exits[name]
        assert (exits.count, exits.planned) == (1, 1), "ended in good order"
    await eventually_async(lambda: keeper.floods[FLOODS_LOG] and keeper.floods[FLOODS_BUS], within_s=40)
    assert keeper.floods == {name: set() for name in HOW} | {
        FLOODS_LOG: {"floods its log"},
        FLOODS_BUS: {"floods the bus"},
    }
    spinner = keeper.watched(SPINS)
    await eventually_async(
        lambda: is_back(SPINS) or (CLOCK.monotonic() > began + SPINNER_OVERDUE_S and not spinner.finding.spins),
        within_s=60,
    )
    if is_back(SPINS):
        assert keeper.spun and "spins" in keeper.recorded(SPINS, "restart")
    else:  # it had to share its core all the time, as on a starved machine everybody has to
        assert keeper.pids[SPINS] == [first[SPINS]] and spinner.killed is None
    for name in (WELL, FLOODS_LOG, FLOODS_BUS):
        watched = keeper.watched(name)  # what is left of a flood is still being taken
        await eventually_async(lambda: watched.verdict.status is HealthStatus.HEALTHY, within_s=40)  # noqa: B023
        assert keeper.pids[name] == [first[name]], f"{name} was touched"
    assert [name for name, row in keeper.overseer.watched.items() if row.history.quarantined] == []
