"""What a person asks of one process, against a supervisord made of a list."""

import asyncio
from pathlib import Path

import pytest

from execution.autonomous import overseer as overseer_module
from execution.autonomous.commands import CannotBeDone, OperatorCommands, forget
from execution.autonomous.restart_policy import History
from execution.autonomous.vitals import ProcessVitals
from execution.vocabulary.programs import MANAGER
from tests.autonomous.test_overseer import Scene

NAME = "ralph"


@pytest.fixture
def scene(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Scene:
    monkeypatch.setattr(overseer_module, "sample_process", lambda pid: ProcessVitals(pid, "sleeping", 1.0, 2**20, 5))
    made = Scene(tmp_path, NAME, MANAGER)
    made.tick(2, beating=(NAME, MANAGER))
    return made


def commands_of(scene: Scene) -> OperatorCommands:
    return OperatorCommands(scene.overseer, scene.home.run)


def test_a_stop_is_supervisords_and_is_remembered_until_the_start(scene: Scene) -> None:
    commands = commands_of(scene)
    asyncio.run(commands.stop(NAME))
    assert (scene.door.told, commands.stopped()) == ([("stop", NAME)], {NAME})
    scene.door.set(NAME, state="STOPPED", pid=0)
    scene.tick(30, beating=(MANAGER,))
    with pytest.raises(CannotBeDone, match="stopped already"):
        asyncio.run(commands.stop(NAME))
    asyncio.run(commands.start(NAME))
    assert (scene.door.told, commands.stopped()) == ([("stop", NAME), ("start", NAME)], set())


def test_what_a_person_stopped_is_stopped_again_when_a_new_supervisord_has_started_it(scene: Scene) -> None:
    asyncio.run(commands_of(scene).stop(NAME))
    scene.door.told.clear()
    asyncio.run(commands_of(scene).stop_again())
    assert scene.door.told == [("stop", NAME)]
    forget(scene.home.run)
    scene.door.told.clear()
    asyncio.run(commands_of(scene).stop_again())
    assert scene.door.told == []


def test_a_start_forgets_hold_and_quarantine(scene: Scene) -> None:
    scene.door.set(NAME, state="EXITED", pid=0)
    scene.tick(beating=(MANAGER,))
    scene.overseer.watched[NAME].history = History(crashes=9, quarantined=True)
    asyncio.run(commands_of(scene).start(NAME))
    scene.tick(beating=(MANAGER,))
    row = scene.overseer.status()["processes"][NAME]
    assert (row["quarantined"], row["held_for_s"], scene.door.held) == (False, None, [])


@pytest.mark.parametrize("state", ["EXITED", "BACKOFF", "FATAL"])
def test_who_is_down_held_or_in_quarantine_can_be_stopped_too_and_stays_down(scene: Scene, state: str) -> None:
    commands = commands_of(scene)
    scene.overseer.watched[NAME].history = History(crashes=2, crashed_last=True)
    scene.door.set(NAME, state=state, pid=0)
    scene.tick(beating=(MANAGER,))
    asyncio.run(commands.stop(NAME))
    scene.tick(700, beating=(MANAGER,))
    row = scene.overseer.status()["processes"][NAME]
    assert (row["state"], row["stopped_by_operator"], row["status"]) == ("stopped", True, "DEGRADED")
    assert (scene.door.told, scene.door.held, commands.stopped()) == ([], [NAME], {NAME})
    with pytest.raises(CannotBeDone, match="stopped already"):
        asyncio.run(commands.stop(NAME))
    asyncio.run(commands.start(NAME))
    scene.door.set(NAME, pid=9, since_s=0.0)
    scene.tick(beating=(NAME, MANAGER))
    assert (scene.door.told, scene.door.held, commands.stopped()) == ([("start", NAME)], [], set())


def test_who_was_stopped_while_down_stays_down_under_the_next_manager(scene: Scene) -> None:
    scene.door.set(NAME, state="EXITED", pid=0)
    scene.tick(beating=(MANAGER,))
    asyncio.run(commands_of(scene).stop(NAME))
    scene.overseer.watched[NAME].kept_down = False  # a new manager knows only the file
    asyncio.run(commands_of(scene).stop_again())
    scene.tick(beating=(MANAGER,))
    assert (scene.door.told, scene.door.held) == ([], [NAME])


def test_a_restart_is_an_end_in_good_order_that_supervisord_follows_up(scene: Scene) -> None:
    asyncio.run(commands_of(scene).restart(NAME))
    scene.door.set(NAME, state="STOPPED", pid=0)
    scene.tick(beating=(MANAGER,))
    asyncio.run(commands_of(scene).restart(NAME))
    assert scene.door.told == [("TERM", NAME), ("start", NAME)]


def test_what_makes_no_sense_is_refused_with_what_would(scene: Scene) -> None:
    commands = commands_of(scene)
    with pytest.raises(CannotBeDone, match="running already"):
        asyncio.run(commands.start(NAME))
    with pytest.raises(CannotBeDone, match="nae down"):
        asyncio.run(commands.stop(MANAGER))
    with pytest.raises(CannotBeDone, match="one of ralph, continuous_operation would be right"):
        asyncio.run(commands.start("ralf"))
    assert scene.door.told == []
