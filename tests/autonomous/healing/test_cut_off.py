"""A manager killed at each step of healing: what it was about is verified or put back, and never done again blindly."""

import signal
import subprocess
import sys
from pathlib import Path

import pytest

from execution.autonomous.healing.cases import CaseState, Outcome
from execution.autonomous.healing.healer import STEPS
from execution.autonomous.healing.memory import Memory
from execution.autonomous.healing.undo_store import UndoStore
from execution.runtime.clock import ManualClock
from tests.autonomous.healing.toys import Scene, Switch, file_of
from tests.support import ROOT

BEFORE = "as it was\n"


def killed_at(step: str, root: Path) -> Scene:
    """The scene in the life after: the same remedies, new counters, the faults heard of anew."""
    first = Scene(root)
    file_of(first.home, "ralph").write_text(BEFORE)
    command = [sys.executable, "-m", "tests.autonomous.healing.cut_off", str(root), step]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == -signal.SIGKILL, done.stdout + done.stderr
    return Scene(root, Switch("first"), Switch("second"), clock=ManualClock(monotonic=1010.0))


@pytest.mark.parametrize("step", STEPS)
def test_whoever_is_killed_at_any_step_leaves_nothing_that_cant_be_put_back(tmp_path: Path, step: str) -> None:
    scene = killed_at(step, tmp_path)
    remedies = scene.remedies
    scene.resume()
    case = scene.case
    assert [remedy.applied for remedy in remedies] == [0, 0], "nothing is repeated blindly"
    assert case.state in (CaseState.OPEN, CaseState.WATCHING)
    if case.state is CaseState.WATCHING:
        assert scene.setting() == "first" and case.attempts[-1].standing
        assert scene.kinds().count("remedy") == 1, "it is in the record, once"
    else:
        assert scene.setting() == BEFORE
        assert case.attempts[-1].outcome in (Outcome.CUT_OFF, Outcome.USELESS)
    if UndoStore(scene.home).all():
        scene.revert("all")
    assert scene.setting() == BEFORE
    assert UndoStore(scene.home).all() == []


def test_budgets_and_pauses_outlive_a_manager(tmp_path: Path) -> None:
    scene = killed_at("recorded", tmp_path)
    assert [(use.remedy, use.process) for use in scene.healer.book.uses] == [("first", "ralph")]


def test_after_a_reboot_times_go_on_as_if_none_had_passed(tmp_path: Path) -> None:
    scene = Scene(tmp_path, Switch("first"))
    scene.occurs()
    scene.look()
    before, then = scene.healer.book, scene.clock.monotonic()
    rebooted = ManualClock(now_ms=scene.clock.now_ms() + 600_000, monotonic=50.0)
    after = Memory(scene.home, rebooted).book()
    assert after.uses[0].at - 50.0 == pytest.approx(before.uses[0].at - then)
    assert after.cases["h1"].at <= 50.0
    same = ManualClock(now_ms=scene.clock.now_ms() + 5_000, monotonic=then + 5)
    assert Memory(scene.home, same).book().uses == before.uses


def test_what_the_record_lacked_at_the_kill_is_recorded_in_the_next_life(tmp_path: Path) -> None:
    scene = killed_at("result kept", tmp_path)
    assert scene.kinds() == []
    scene.resume()
    assert scene.kinds() == ["remedy"]
    scene.resume()
    assert scene.kinds() == ["remedy"]
