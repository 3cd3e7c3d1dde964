"""How a process is renewed: the holder of live by a handover or not at all, everybody else in good order; and a restart
of healing's own is nobody else's."""

import asyncio
from pathlib import Path

import pytest

from execution.autonomous.healing.hands import OperationHands
from execution.autonomous.healing.progress import Progress, Renewals
from execution.autonomous.healing.remedy import CannotHeal
from execution.autonomous.watched import Watched
from execution.runtime.clock import ManualClock
from execution.vocabulary.programs import MANAGER
from tests.autonomous.test_overseer import Scene

LIVE, STANDBY = "live_optimus", "live_optimus_standby"


class Trial:
    """Hands over a supervisord made of a list; nobody ever comes back, so that each renewal ends by its time limit."""

    def __init__(
        self, root: Path, *names: str, exposed: bool = True, holder: str = LIVE, hands_over: bool = True
    ) -> None:
        self.scene = Scene(root, *names)
        self.scene.tick(beating=names)
        self.handed: list[str] = []
        self._hands_over = hands_over
        self.hands = OperationHands(
            self.scene.home,
            self.scene.clock,
            self.scene.overseer,
            hand_over=self._hand_over,
            holds=lambda process: process == holder,
            exposed=lambda account: exposed,
            kept=lambda undo: None,
            renewals=Renewals(),
        )

    async def _hand_over(self, process: str, cause: str) -> bool:
        self.handed.append(process)
        return self._hands_over

    def renew(self, process: str) -> str:
        with pytest.raises(CannotHeal) as why:
            asyncio.run(self.hands.renew(process, "a test"))
        return str(why.value)


def test_the_holder_of_live_is_renewed_by_a_handover(tmp_path: Path) -> None:
    trial = Trial(tmp_path, LIVE, STANDBY)
    trial.renew(LIVE)
    assert trial.handed == [LIVE]
    assert trial.scene.door.told == []


def test_when_nobody_can_take_the_account_its_holder_is_left_alone(tmp_path: Path) -> None:
    trial = Trial(tmp_path, LIVE, STANDBY, hands_over=False)
    assert "no standby is ready" in trial.renew(LIVE)
    alone = Trial(tmp_path / "alone", LIVE)
    assert "isn't flat, and there is no standby" in alone.renew(LIVE)
    assert trial.scene.door.told == alone.scene.door.told == []


def test_a_standby_and_a_flat_account_without_one_are_ended_in_good_order(tmp_path: Path) -> None:
    trial = Trial(tmp_path, LIVE, STANDBY)
    assert "isn't back at work" in trial.renew(STANDBY)
    flat = Trial(tmp_path / "flat", LIVE, exposed=False)
    flat.renew(LIVE)
    assert (trial.scene.door.told, flat.scene.door.told) == ([("TERM", STANDBY)], [("TERM", LIVE)])
    assert trial.handed == []


def test_the_manager_and_what_a_person_has_stopped_are_left_alone(tmp_path: Path) -> None:
    trial = Trial(tmp_path, "ralph", MANAGER)
    assert "can't renew itself" in trial.renew(MANAGER)
    trial.scene.door.set("ralph", "STOPPED", pid=0)
    trial.scene.tick()
    assert "a person has stopped ralph" in trial.renew("ralph")
    assert "no process 'venue'" in trial.renew("venue")
    assert trial.scene.door.told == []


def test_a_restart_of_our_own_is_nobody_elses() -> None:
    clock, renewals = ManualClock(), Renewals()
    progress, row = Progress(renewals), Watched()
    row.restarted_at.append(clock.monotonic())
    clock.advance(10)
    before = clock.monotonic() - 10
    with renewals.renewing("ralph", clock):
        clock.advance(1)
        row.restarted_at.append(clock.monotonic())
        assert progress.look({"ralph": row}, clock.monotonic())["ralph"].restarted_at == before
    clock.advance(60)
    assert progress.look({"ralph": row}, clock.monotonic())["ralph"].restarted_at == before
    row.restarted_at.append(clock.monotonic())
    assert progress.look({"ralph": row}, clock.monotonic())["ralph"].restarted_at == clock.monotonic()
