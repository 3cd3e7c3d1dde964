"""What is easily got wrong: words that outlive their case, lost books, changes that can't be put back, storms."""

from itertools import pairwise
from pathlib import Path

import msgspec
import pytest

from execution.autonomous.healing.cases import CaseEvent, CaseState, Outcome, advance
from execution.autonomous.healing.persons_word import CannotObey
from execution.autonomous.healing.remedy import CannotHeal, Hands, Issue, Undo
from execution.runtime.clock import ManualClock
from execution.vocabulary.issues import IssueType, Severity
from execution.vocabulary.limits import HEALING_CASES_MAX
from tests.autonomous.healing.toys import PROCESS, TERMS, Scene, Switch, file_of

LIVE = "live_optimus"
ASKING = {IssueType.KEY: msgspec.structs.replace(TERMS, approval=True)}


def waiting(root: Path, toy: Switch) -> Scene:
    scene = Scene(root, toy)
    scene.occurs(process=LIVE)
    scene.look()
    assert scene.state() is CaseState.WAITING
    return scene


def test_what_waits_is_over_once_the_fault_has_stayed_away(tmp_path: Path) -> None:
    scene = waiting(tmp_path, Switch("first", ASKING))
    scene.look(seconds=40, times=9)
    assert scene.state() is CaseState.GONE


def test_an_approval_whose_remedy_cant_be_tried_ends_after_a_while(tmp_path: Path) -> None:
    toy = Switch("first", ASKING)
    scene = waiting(tmp_path, toy)
    toy.obstacle_said = "not now"
    scene.person.approve("h1", "me")
    for _ in range(40):
        scene.occurs(process=LIVE)
        scene.look(seconds=30)
    toy.obstacle_said = ""
    for _ in range(20):
        scene.occurs(process=LIVE)
        scene.look(seconds=10)
    assert scene.state() is CaseState.WAITING, "it is asked again"
    assert toy.applied == 0


class Planned(Switch):
    """Says what it would do."""

    shown = "adds line one"

    async def plan(self, issue: Issue, hands: Hands) -> str:
        return self.shown


def test_a_yes_is_for_what_was_shown_and_asked_again_when_that_has_changed(tmp_path: Path) -> None:
    toy = Planned("first", ASKING)
    scene = waiting(tmp_path, toy)
    assert scene.case.plan == "adds line one"
    toy.shown = "adds line two"
    scene.person.approve("h1", "me")
    scene.look()
    assert (scene.state(), scene.case.plan, toy.applied) == (CaseState.WAITING, "adds line two", 0)
    scene.person.approve("h1", "me")
    scene.look()
    assert toy.applied == 1


def test_a_lost_book_uses_no_name_again_and_forgets_no_budget(tmp_path: Path) -> None:
    toy = Switch("first", {IssueType.KEY: msgspec.structs.replace(TERMS, budget=1)})
    scene = Scene(tmp_path, toy)
    scene.occurs()
    scene.look()
    (tmp_path / "data" / "healing" / "cases.json").write_text("{")
    scene.healer = scene.new_healer()
    scene.resume()
    scene.occurs(fingerprint="another")
    scene.look(times=3)
    assert min(int(name[1:]) for name in scene.healer.book.cases) > 1
    assert toy.applied == 1, "its budget was used in the life that is forgotten"
    assert scene.revert("h1.1") == ["h1.1"]
    assert scene.setting() is None


def test_one_change_that_cant_be_put_back_keeps_no_other_from_it(tmp_path: Path) -> None:
    class Stuck(Switch):
        async def revert(self, undo: Undo, hands: Hands) -> None:
            raise CannotHeal("it is kept aside by hand")

    stuck = Stuck("stuck", {IssueType.DATABASE: TERMS})
    scene = Scene(tmp_path, Switch("first"), stuck)
    scene.occurs(process="venue")
    scene.look()
    scene.occurs(process=PROCESS, type=IssueType.DATABASE, fingerprint="f2")
    scene.look()
    with pytest.raises(AssertionError, match=r"h2\.1: it is kept aside by hand"):
        scene.revert("all")
    assert scene.setting("venue") is None
    assert scene.healer.book.cases["h2"].state is CaseState.ESCALATED


def test_an_undo_that_cant_be_read_is_never_taken_for_one_that_was_carried_out(tmp_path: Path) -> None:
    scene = Scene(tmp_path, Switch("first"))
    scene.occurs()
    scene.look()
    (tmp_path / "data" / "healing" / "undo" / "h1.1.json").write_text("{")
    for _ in range(2):
        with pytest.raises(AssertionError, match=r"undo/h1\.1\.json\.broken can't be read"):
            scene.revert("h1")
    assert scene.state() is CaseState.ESCALATED
    assert scene.case.attempts[0].standing


def test_a_revert_that_was_cut_off_goes_on_with_the_change_that_was_meant(tmp_path: Path) -> None:
    kept = {IssueType.KEY: msgspec.structs.replace(TERMS, reverted_when_useless=False)}
    scene = Scene(tmp_path, Switch("first", kept), Switch("second", kept))
    for _ in range(3):
        scene.occurs()
        scene.look(seconds=5, times=2)
    assert [one.standing for one in scene.case.attempts] == [True, True]
    meant = advance(scene.case, CaseEvent.UNDO, scene.clock.monotonic(), undoing="h1.1")
    scene.healer.set(meant)
    scene.healer = scene.new_healer()
    scene.resume()
    assert [one.standing for one in scene.case.attempts] == [False, True]
    assert scene.case.attempts[0].outcome is Outcome.REVERTED
    assert scene.state() is CaseState.REJECTED


def test_a_storm_is_taken_a_few_at_a_time_and_all_are_told_in_the_end(tmp_path: Path) -> None:
    scene = Scene(tmp_path)
    for number in range(20):
        scene.occurs(fingerprint=f"f{number}", severity=Severity.CRITICAL)
    told = [0]
    for _ in range(10):
        scene.look(seconds=0.5)
        told.append(scene.kinds().count("escalation"))
    assert max(after - before for before, after in pairwise(told)) <= 3
    assert told[-1] == 20


def test_there_are_never_more_cases_than_the_bound(tmp_path: Path) -> None:
    scene = Scene(tmp_path)
    for number in range(HEALING_CASES_MAX + 50):
        scene.occurs(fingerprint=f"f{number}", severity=Severity.WARNING)
    scene.look(times=2)
    assert len(scene.healer.book.cases) == HEALING_CASES_MAX
    scene.issues = {key: one for key, one in scene.issues.items() if one.fingerprint == "f230"}
    scene.look(seconds=100, times=4)
    scene.occurs(fingerprint="f230")
    scene.look()
    assert scene.healer.book.of(scene.issues["f230", PROCESS]) is not None, "those that are over make room"


def test_a_fault_that_comes_and_goes_for_ever_keeps_only_its_newest_attempts_and_what_stands(tmp_path: Path) -> None:
    toy = Switch("first", {IssueType.KEY: msgspec.structs.replace(TERMS, budget=1000, quiet_for_s=5, window_s=10)})
    scene = Scene(tmp_path, toy, clock=ManualClock())
    for _ in range(30):
        scene.occurs()
        scene.look(seconds=200)
        scene.look(seconds=6, times=2)
    names = [one.id for one in scene.case.attempts]
    assert names[-1] == f"h1.{toy.applied}" and toy.applied > 15
    assert len(set(names)) == len(names)
    assert all(one.standing for one in scene.case.attempts[:-20])
    scene.revert("all")
    assert not file_of(scene.home, PROCESS).exists()


def test_what_is_over_isnt_healed_at_a_persons_word_but_when_it_comes_again(tmp_path: Path) -> None:
    toy = Switch("first")
    scene = Scene(tmp_path, toy)
    toy.obstacle_said = "not now"
    scene.occurs()
    scene.look()
    scene.person.reject("h1", "me")
    toy.obstacle_said = ""
    scene.look(seconds=100, times=2)
    scene.person.approve("h1", "me")
    assert scene.case.said == "approved: healed when it comes again"
    scene.look(times=3)
    assert toy.applied == 0
    with pytest.raises(CannotObey, match="hasn't occurred in the last 60 s"):
        scene.person.heal_now("h1", "me")
    scene.occurs()
    scene.look()
    assert toy.applied == 1


def test_nothing_is_done_about_what_may_be_over(tmp_path: Path) -> None:
    first, second = Switch("first"), Switch("second", {IssueType.KEY: msgspec.structs.replace(TERMS, after=2)})
    first.obstacle_said = "not now"
    scene = Scene(tmp_path, first, second)
    scene.occurs(severity=Severity.WARNING)
    scene.look()
    first.obstacle_said = ""
    scene.look(seconds=40, times=3)
    assert first.applied == 0, "the way is free, and the fault hasn't come again"
    scene.occurs(severity=Severity.WARNING)
    scene.look()
    assert first.applied + second.applied == 1
