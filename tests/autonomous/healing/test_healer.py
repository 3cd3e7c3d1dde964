"""The healer with toy remedies on real files: what it does about a fault, and in what order."""

import asyncio
from pathlib import Path

import msgspec
import pytest

from execution.autonomous.healing.case_policy import Sight
from execution.autonomous.healing.cases import CaseState
from execution.autonomous.healing.persons_word import CannotObey
from execution.vocabulary.issues import IssueType, Severity
from tests.autonomous.healing.toys import PROCESS, TERMS, Nudge, Scene, Switch


def test_a_fault_that_stays_away_after_its_remedy_is_fixed_and_counted_once(tmp_path: Path) -> None:
    scene = Scene(tmp_path, Switch("first"))
    scene.occurs()
    scene.look()
    assert scene.state() is CaseState.WATCHING and scene.setting() == "first"
    assert scene.changes.read()["fixed_by_type"] == {}, "it isn't fixed before it has stayed away"
    scene.look(seconds=10, times=8)
    assert scene.state() is CaseState.FIXED
    assert scene.kinds() == ["remedy", "fix"]
    assert scene.changes.read()["fixed_by_type"] == {"key": 1}
    assert scene.audit == ["remedy", "fix"]


def test_a_remedy_after_which_it_comes_again_is_put_back_and_the_next_one_is_tried(tmp_path: Path) -> None:
    scene = Scene(tmp_path, Switch("first"), Nudge("second"))
    scene.occurs()
    scene.look()
    scene.occurs()
    scene.look(seconds=4)
    assert scene.setting() is None, "what didn't help is put back"
    scene.occurs()
    scene.look()
    assert [one.remedy for one in scene.case.attempts] == ["first", "second"]
    scene.look(seconds=10, times=8)
    assert scene.state() is CaseState.FIXED
    assert scene.kinds() == ["remedy", "revert", "remedy", "fix"]


def test_what_its_terms_keep_stays_though_it_didnt_help_until_a_person_puts_it_back(tmp_path: Path) -> None:
    terms = msgspec.structs.replace(TERMS, reverted_when_useless=False)
    scene = Scene(tmp_path, Switch("first", {IssueType.KEY: terms}), Nudge("second"))
    scene.occurs()
    scene.look()
    scene.occurs()
    scene.look(seconds=4)
    assert scene.setting() == "first"
    scene.occurs()
    scene.look()
    assert [one.remedy for one in scene.case.attempts] == ["first", "second"]
    assert scene.kinds() == ["remedy", "remedy"]
    asyncio.run(scene.person.revert("all", "a person"))
    assert scene.setting() is None


def test_what_still_arrives_in_the_first_seconds_doesnt_count_against_the_remedy(tmp_path: Path) -> None:
    scene = Scene(tmp_path, Switch("first"))
    scene.occurs()
    scene.look()
    scene.occurs()
    scene.look(seconds=1)
    assert scene.state() is CaseState.WATCHING


def test_when_all_have_been_tried_a_person_is_told_once_with_what_was_tried(tmp_path: Path) -> None:
    scene = Scene(tmp_path, Switch("first"), Nudge("second"))
    for _ in range(12):
        scene.occurs()
        scene.look(seconds=4)
    assert scene.state() is CaseState.ESCALATED
    assert scene.case.said == "first: didn't help; second: didn't help"
    assert scene.kinds().count("escalation") == 1
    assert scene.setting() is None


def test_a_fault_without_progress_of_its_process_never_counts_as_fixed(tmp_path: Path) -> None:
    scene = Scene(tmp_path, Switch("first"))
    scene.occurs()
    scene.look()
    for _ in range(20):
        scene.look(seconds=10, sight=Sight(well_since=None))
    assert scene.state() is CaseState.WATCHING
    assert "fix" not in scene.kinds()


def test_fixed_asks_for_a_finished_run_of_the_very_task_that_failed(tmp_path: Path) -> None:
    scene = Scene(tmp_path, Switch("first"))
    scene.occurs(context={"task": "backup"})
    scene.look()
    began = scene.clock.monotonic()
    for at, state in ((began - 5, CaseState.WATCHING), (began + 70, CaseState.FIXED)):
        scene.look(seconds=80, sight=Sight(well_since=0.0, finished={"work": scene.clock.monotonic(), "backup": at}))
        assert scene.state() is state


def test_a_fault_that_comes_back_is_opened_again_and_the_remedy_loses_credit(tmp_path: Path) -> None:
    scene = Scene(tmp_path, Switch("first"))
    scene.occurs()
    scene.look()
    scene.look(seconds=10, times=8)
    before = scene.healer.known.of_fault("key", "f1", "first", 0).mean
    scene.occurs()
    scene.look()
    assert scene.case.recurrences == 1 and scene.case.episode == 2
    assert scene.healer.known.of_fault("key", "f1", "first", 0).mean < before


def test_a_remedy_is_used_no_more_often_than_its_budget(tmp_path: Path) -> None:
    toy = Nudge("first", {IssueType.KEY: msgspec.structs.replace(TERMS, budget=2, quiet_for_s=5)})
    scene = Scene(tmp_path, toy)
    for _ in range(10):
        scene.occurs()
        scene.look()
        scene.look(seconds=6, times=2)
    assert toy.applied == 2
    assert scene.state() is CaseState.ESCALATED
    assert "used 2 times" in scene.case.said


def test_a_mild_fault_waits_until_it_has_occurred_as_often_as_the_terms_say(tmp_path: Path) -> None:
    toy = Nudge("first", {IssueType.KEY: msgspec.structs.replace(TERMS, after=3)})
    scene = Scene(tmp_path, toy)
    for applied in (0, 0, 1):
        scene.occurs(severity=Severity.WARNING)
        scene.look()
        assert toy.applied == applied


def test_a_fault_that_nothing_was_done_about_is_gone_after_a_while(tmp_path: Path) -> None:
    scene = Scene(tmp_path)
    scene.occurs(severity=Severity.WARNING)
    scene.look()
    assert scene.state() is CaseState.OPEN
    scene.look(seconds=30, times=11)
    assert scene.state() is CaseState.GONE
    assert scene.kinds() == []


def test_an_obstacle_is_asked_again_and_the_next_remedy_tried_meanwhile(tmp_path: Path) -> None:
    first, second = Switch("first"), Nudge("second")
    first.obstacle_said = "the live account is exposed"
    scene = Scene(tmp_path, first, second)
    scene.occurs()
    scene.look(times=2)
    assert (first.applied, second.applied) == (0, 1)
    first.obstacle_said = ""
    for _ in range(4):
        scene.occurs()
        scene.look(seconds=6)
    assert first.applied == 1


def test_what_cant_be_applied_leaves_nothing_and_the_next_one_is_tried(tmp_path: Path) -> None:
    first, second = Switch("first"), Nudge("second")
    first.refuses = "the process doesn't answer"
    scene = Scene(tmp_path, first, second)
    scene.occurs()
    scene.look()
    scene.occurs()
    scene.look(times=2)
    assert second.applied == 1
    assert scene.case.attempts[0].why == "the process doesn't answer"
    assert scene.kinds() == ["remedy"]


def test_a_remedy_with_a_bug_is_one_that_failed(tmp_path: Path) -> None:
    class Broken(Switch):
        async def apply(self, issue, hands):  # type: ignore[no-untyped-def]
            hands.keep({"process": issue.process, "before": None})
            (hands.home.data / f"{issue.process}.setting").write_text("half")
            raise ZeroDivisionError("a bug")

    scene = Scene(tmp_path, Broken("first"))
    scene.occurs()
    scene.look()
    assert scene.setting() is None, "what it had begun is put back by what it kept"
    assert "ZeroDivisionError" in scene.case.attempts[0].why


LIVE = "live_optimus"
ASKING = {IssueType.KEY: msgspec.structs.replace(TERMS, approval=True)}


def test_a_live_process_is_touched_only_once_a_person_has_said_yes_and_only_once(tmp_path: Path) -> None:
    toy = Switch("first", ASKING)
    scene = Scene(tmp_path, toy)
    scene.occurs(process=LIVE)
    scene.look()
    assert scene.state() is CaseState.WAITING and toy.applied == 0
    scene.person.approve("h1", "me")
    scene.look()
    assert scene.state() is CaseState.WATCHING and toy.applied == 1 and scene.setting(LIVE) == "first"
    scene.occurs(process=LIVE)
    scene.look(seconds=5)
    assert scene.case.approved == "", "an approval is for one attempt"


def test_another_process_needs_no_approval(tmp_path: Path) -> None:
    scene = Scene(tmp_path, Switch("first", ASKING))
    scene.occurs()
    scene.look()
    assert scene.state() is CaseState.WATCHING


def test_a_rejection_stands_until_it_is_approved(tmp_path: Path) -> None:
    toy = Switch("first", ASKING)
    scene = Scene(tmp_path, toy)
    scene.occurs(process=LIVE)
    scene.look()
    scene.person.reject("h1", "me")
    for _ in range(5):
        scene.occurs(process=LIVE)
        scene.look(seconds=60)
    assert scene.state() is CaseState.REJECTED and toy.applied == 0
    scene.person.approve("h1", "me")
    scene.look()
    assert scene.state() is CaseState.WAITING, "the rejection is undone; the change itself still asks"


def test_a_person_puts_a_change_back_by_any_of_its_names_and_it_isnt_done_again(tmp_path: Path) -> None:
    for wanted in ("h1", "h1.1", "c1", "all"):
        scene = Scene(tmp_path / wanted, Switch("first"))
        scene.occurs()
        scene.look()
        assert scene.revert(wanted) == ["h1.1"]
        assert scene.setting() is None and scene.state() is CaseState.REJECTED
        scene.occurs()
        scene.look(seconds=60, times=3)
        assert scene.setting() is None
        assert scene.kinds() == ["remedy", "revert"]


def test_what_makes_no_sense_is_refused_with_what_would(tmp_path: Path) -> None:
    scene = Scene(tmp_path, Switch("first"))
    with pytest.raises(CannotObey, match="no case 'h9'; there are none yet"):
        scene.person.approve("h9", "me")
    with pytest.raises(CannotObey, match="nothing of 'h9' stands"):
        scene.revert("h9")
    scene.occurs()
    scene.look()
    with pytest.raises(CannotObey, match="case h1 is watching"):
        scene.person.approve("h1", "me")


def test_a_restart_by_supervision_is_the_first_attempt_and_no_second_fix(tmp_path: Path) -> None:
    restart = Nudge("restart", {IssueType.CRASH: TERMS})
    scene = Scene(tmp_path, restart)
    scene.sight[PROCESS] = Sight(restarted_at=scene.clock.monotonic())
    scene.occurs(type=IssueType.CRASH)
    scene.look()
    assert scene.state() is CaseState.WATCHING and scene.case.attempts[0].by_supervision
    scene.look(seconds=10, times=8)
    assert scene.state() is CaseState.FIXED and restart.applied == 0
    assert scene.kinds() == [], "the overseer has recorded the restart and the fix itself"
    assert scene.healer.known.kinds["crash"]["restart"].helped == 1


def test_no_more_changes_in_an_hour_than_the_bound_over_everything(tmp_path: Path) -> None:
    toy = Nudge("first", {IssueType.KEY: msgspec.structs.replace(TERMS, budget=100)})
    scene = Scene(tmp_path, toy)
    for number in range(40):
        scene.occurs(fingerprint=f"f{number}", process=f"process{number}")
    scene.look(times=12)
    assert toy.applied == 30
    assert "no more" in {case.said for case in scene.healer.book.cases.values() if not case.attempts}.pop()


def test_who_dies_again_and_again_is_told_only_once_supervision_has_brought_it_back_in_vain(tmp_path: Path) -> None:
    scene = Scene(tmp_path)
    told = []
    for _ in range(6):
        scene.sight[PROCESS] = Sight(restarted_at=scene.clock.monotonic() + 4.5)
        scene.occurs(type=IssueType.CRASH, severity=Severity.CRITICAL)
        scene.look(seconds=5, times=2)
        told.append("escalation" in scene.kinds())
    assert told == [False, False, False, False, True, True]
    assert scene.kinds().count("escalation") == 1


@pytest.mark.parametrize(("severity", "times"), [(Severity.WARNING, 3), (Severity.SERIOUS, 2), (Severity.CRITICAL, 1)])
def test_what_nothing_fits_is_told_once_it_is_more_than_chance(tmp_path: Path, severity: Severity, times: int) -> None:
    scene = Scene(tmp_path)
    for number in range(1, times + 1):
        scene.occurs(severity=severity)
        scene.look()
        assert (scene.state() is CaseState.ESCALATED) is (number == times)


def test_an_undo_that_says_nothing_is_left_is_none(tmp_path: Path) -> None:
    class Told(Nudge):
        async def apply(self, issue, hands):  # type: ignore[no-untyped-def]
            return {"told": "done", "left": "nothing to put back"}

    scene = Scene(tmp_path, Told("first"))
    scene.occurs()
    scene.look()
    scene.occurs()
    scene.look(seconds=4)
    assert "revert" not in scene.kinds()
