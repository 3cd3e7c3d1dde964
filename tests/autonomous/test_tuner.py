"""The tuner over a real overseer and real files: what it changes is recorded with evidence, bounds and a verdict."""

import asyncio
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from execution.autonomous import overseer as overseer_module
from execution.autonomous.healing.adjustment_book import AdjustmentBook, put_back
from execution.autonomous.healing.remedy import CannotHeal
from execution.autonomous.trials import BUDGET_WINDOW_S, TALKS_FOR_S
from execution.autonomous.tuner import Tuner
from execution.autonomous.tuning import CALM_FOR_S
from execution.autonomous.vitals import ProcessVitals
from execution.runtime.config import load
from execution.vocabulary.health import ErrorCount
from execution.vocabulary.programs import MANAGER
from tests.autonomous.healing.idle_hands import QuietHands
from tests.autonomous.test_overseer import Scene

NAME = "ralph"


class Tuned(Scene):
    """An overseer with a tuner. `told`: who was asked to take its settings up."""

    def __init__(self, folder: Path) -> None:
        super().__init__(folder, NAME, MANAGER)
        self.told: list[str] = []
        self.tick(beating=(NAME, MANAGER))
        self.tuner = self.another()

    def another(self) -> Tuner:
        """The tuner of a manager that has just begun."""

        async def take_up(process: str) -> None:
            self.told.append(process)

        return Tuner(self.overseer, self.home, self.clock, take_up)

    def look(self, after_s: float = 5.0, **errors: int) -> None:
        """`errors`: how often each kind was seen, all of them lately."""
        self.clock.advance(after_s)
        rows = [ErrorCount(kind, "ValueError", "a:b", "", count, count, 1.0) for kind, count in errors.items()]
        self.beat(NAME, errors=rows)
        asyncio.run(self.tuner.look())

    def said(self, kind: str) -> list[dict[str, Any]]:
        return [entry for entry in self.changes.read()["entries"] if entry["kind"] == kind]

    def book(self) -> AdjustmentBook:
        return AdjustmentBook(self.home, self.clock)

    def adjusted(self) -> list[str]:
        return [row.key for row in self.book().all()]

    def level(self) -> str:
        return load(self.home.config_file, {}, NAME).operation.log_level


@pytest.fixture
def scene(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Tuned:
    idle: Callable[[int], ProcessVitals] = lambda pid: ProcessVitals(pid, "sleeping", 1.0, 2**20, 5)  # noqa: E731
    monkeypatch.setattr(overseer_module, "sample_process", idle)
    return Tuned(tmp_path)


def test_a_new_kind_of_error_has_its_process_say_more_for_a_while_and_all_of_it_is_on_record(scene: Tuned) -> None:
    scene.look()
    scene.look(new=1)
    assert (scene.level(), scene.told) == ("DEBUG", [NAME])
    added = next(entry for entry in scene.said("adjustment") if entry["process"] == NAME)
    assert (added["before"], added["after"], added["bounds"]) == ("INFO", "DEBUG", ["DEBUG"])
    assert (added["metric"], added["metric_before"]) == ("errors_of_its_kind", 1)
    scene.look(TALKS_FOR_S, new=4)
    assert (scene.level(), scene.told) == ("INFO", [NAME, NAME])
    verdict = next(entry for entry in scene.said("verdict") if entry["process"] == NAME)
    assert (verdict["adjustment"], verdict["verdict"]) == (added["adjustment"], "reverted")
    assert (verdict["metric_before"], verdict["metric_after"]) == (1, 4)


def test_the_report_comes_closer_under_errors_and_goes_back_and_no_file_is_left(scene: Tuned) -> None:
    scene.look()
    scene.look(old=10)
    assert scene.tuner.interval_s == 15
    scene.look(old=11)
    assert (scene.tuner.interval_s, scene.adjusted().count("operation.health_interval_s")) == (7.5, 1)
    assert scene.said("adjustment")[-1]["bounds"] == [1.0, 30.0]
    for _ in range(4):
        scene.look(CALM_FOR_S)
    assert scene.tuner.interval_s == 30
    assert not list(scene.home.data.rglob("adjustments*.json"))
    verdict = scene.said("verdict")[-1]
    assert (verdict["metric"], verdict["metric_before"], verdict["metric_after"]) == ("errors_per_minute", 2.0, 0.0)


def test_sleepers_killed_under_load_get_patience_and_lose_it_again(scene: Tuned) -> None:
    class Machine:
        load_per_core = 3.0

    scene.overseer.machine = Machine()  # type: ignore[assignment]
    scene.look()
    scene.overseer.asleep_killed = 2
    scene.look()
    assert scene.overseer.pulses.limit_s == 1.5
    Machine.load_per_core = 0.1
    for _ in range(4):
        scene.look(200.0)
    assert scene.overseer.pulses.limit_s == 1.0
    assert not scene.adjusted()


def test_what_a_person_puts_back_stays_back(scene: Tuned) -> None:
    scene.look()
    scene.look(old=10)
    row = next(row for row in scene.book().all() if row.key == "operation.health_interval_s")
    hands = QuietHands(scene.home, scene.clock)
    hands.answers[MANAGER] = {}
    said = asyncio.run(put_back(row.id, hands))
    assert said == "operation.health_interval_s is 30.0 again"
    with pytest.raises(CannotHeal, match="there is no adjustment"):
        asyncio.run(put_back(row.id, hands))
    scene.look(old=20)
    scene.look(BUDGET_WINDOW_S / 2, old=30)
    assert scene.tuner.interval_s == 30
    assert "operation.health_interval_s" not in scene.adjusted()


def test_a_manager_that_begins_puts_back_what_was_on_trial_and_leaves_what_a_remedy_raised(scene: Tuned) -> None:
    scene.look()
    scene.look(new=10)
    kept = scene.book().add("operation.request_timeout_s", 4.5, "a remedy")
    assert len(scene.adjusted()) == 3
    scene.told.clear()
    scene.tuner = scene.another()
    scene.look(new=10)
    assert kept in scene.book().all()
    assert NAME in scene.told
    assert scene.level() == "INFO"


def test_a_damaged_file_stops_no_manager(scene: Tuned) -> None:
    path = scene.book().path
    path.parent.mkdir(parents=True)
    path.write_text("{")
    scene.look(old=10)
    assert scene.tuner.interval_s == 15
    assert len(list(path.parent.glob("adjustments.refused-*.json"))) == 1


def test_a_person_who_spoils_nae_toml_meanwhile_only_stops_the_tuning(scene: Tuned) -> None:
    scene.look()
    scene.home.config_file.write_text("[operation]\nhang_after_s = 0\n")
    scene.look(old=10)
    scene.look(old=20)
    assert not scene.adjusted()
    assert not scene.said("adjustment")
