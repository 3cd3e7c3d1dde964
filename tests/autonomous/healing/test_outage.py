"""The network is away, or the exchange: nothing is done, nothing is learned, and a person is told in time."""

from pathlib import Path

from execution.autonomous.healing.cases import CaseState, Outcome
from execution.vocabulary.issues import IssueType, Severity
from tests.autonomous.healing.toys import TERMS, Nudge, Scene

CONNECTION = IssueType.CONNECTION
TRADER, RESEARCH = "sandbox_optimus", "ralph"


def scene_with(root: Path) -> tuple[Scene, Nudge]:
    toy = Nudge("reconnect", {CONNECTION: TERMS, IssueType.HANG: TERMS})
    return Scene(root, toy), toy


def breaks(scene: Scene, *processes: str) -> None:
    """Nobody there reaches anything."""
    for process in processes:
        scene.occurs(type=CONNECTION, process=process, fingerprint=process, last_ms=scene.clock.now_ms())


def test_a_connection_lost_in_one_process_is_that_processs_own(tmp_path: Path) -> None:
    scene, toy = scene_with(tmp_path)
    breaks(scene, TRADER)
    scene.look()
    assert toy.applied == 1


def test_in_an_outage_nothing_is_done_to_who_cant_reach_anything_or_waits_for_it(tmp_path: Path) -> None:
    scene, toy = scene_with(tmp_path)
    for _ in range(30):
        breaks(scene, TRADER, RESEARCH)
        scene.occurs(type=IssueType.HANG, process=RESEARCH, fingerprint="overdue")
        scene.look(seconds=5)
    assert toy.applied == 0
    assert "several processes reach nothing" in scene.healer.book.cases["h1"].said
    assert scene.kinds() == []


def test_a_long_outage_is_told_once(tmp_path: Path) -> None:
    scene, _ = scene_with(tmp_path)
    for _ in range(100):
        breaks(scene, TRADER, RESEARCH)
        scene.look(seconds=5)
    assert scene.kinds() == ["escalation", "escalation"], "one for each process"


def test_how_an_outage_ends_teaches_nothing(tmp_path: Path) -> None:
    scene, toy = scene_with(tmp_path)
    breaks(scene, TRADER)
    scene.look()
    assert toy.applied == 1, "the first to notice couldn't know"
    breaks(scene, TRADER, RESEARCH)
    scene.look(seconds=5)
    assert scene.healer.book.cases["h1"].attempts[0].outcome is Outcome.UNTOLD
    scene.look(seconds=60, times=12)
    assert {case.state for case in scene.healer.book.cases.values()} == {CaseState.GONE}
    assert scene.healer.known.kinds == {}
    assert "fix" not in scene.kinds()


def test_a_fault_that_ends_elsewhere_at_the_same_time_was_not_ended_by_the_remedy(tmp_path: Path) -> None:
    scene, _ = scene_with(tmp_path)
    breaks(scene, TRADER)
    scene.look()
    scene.occurs(
        type=CONNECTION, process=RESEARCH, fingerprint="x", last_ms=scene.clock.now_ms(), severity=Severity.WARNING
    )
    scene.look(seconds=10, times=10)
    assert scene.healer.book.cases["h1"].attempts[0].outcome is Outcome.UNTOLD
    assert scene.healer.known.kinds == {}


def test_what_occurred_in_an_outage_counts_for_nothing_once_it_is_over(tmp_path: Path) -> None:
    scene, toy = scene_with(tmp_path)
    for _ in range(10):
        breaks(scene, TRADER, RESEARCH)
        scene.look(seconds=2)
    scene.look(seconds=5, times=20)
    assert toy.applied == 0
    breaks(scene, TRADER)
    scene.look()
    assert toy.applied == 1, "and when one process alone loses it again, it is that one's own"
