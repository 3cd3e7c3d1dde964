"""What healing learns: the mathematics against what is known of it, and the order in which remedies then come."""

from pathlib import Path

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from execution.autonomous.healing.cases import CaseState
from execution.autonomous.healing.experience import EXPLORED_ONCE_IN, GIVEN_UP_AFTER, Experience, chosen
from execution.autonomous.healing.memory import Memory
from execution.autonomous.healing.posterior import Beta
from execution.runtime.clock import ManualClock
from execution.runtime.home import Home
from execution.vocabulary.issues import IssueType
from tests.autonomous.healing.toys import TERMS, Nudge, Scene

KEY = IssueType.KEY


@pytest.mark.parametrize(
    ("a", "b", "share", "below"),
    [(1, 1, 0.3, 0.3), (2, 8, 0.2, 1 - 0.8**9 - 9 * 0.2 * 0.8**8), (0.5, 0.5, 0.25, 1 / 3), (5, 1, 0.5, 0.5**5)],
)
def test_the_probability_below_a_share_is_the_known_one(a: float, b: float, share: float, below: float) -> None:
    assert Beta(a, b).below(share) == pytest.approx(below, abs=1e-9)


@settings(max_examples=60, deadline=None)
@given(a=st.floats(0.2, 500), b=st.floats(0.2, 500))
def test_nine_chances_in_ten_lie_in_the_interval(a: float, b: float) -> None:
    belief = Beta(a, b)
    low, high = belief.interval(0.9)
    assert 0 <= low < high <= 1
    assert belief.below(high) - belief.below(low) == pytest.approx(0.9, abs=1e-4)


def learned(*outcomes: bool, remedy: str = "first", fault: str = "f1", known: Experience | None = None) -> Experience:
    known = known or Experience()
    for helped in outcomes:
        known = known.learned(KEY, fault, remedy, helped)
    return known


def test_at_first_the_catalogue_decides_and_then_what_helped(tmp_path: Path) -> None:
    scene = Scene(tmp_path, Nudge("first"), Nudge("second"))
    scene.healer.known = learned(False, False, known=learned(True, True, True, remedy="second", fault="f2"), fault="f2")
    scene.occurs(fingerprint="new")
    scene.look()
    assert scene.case.attempts[0].remedy == "second"


def test_a_single_fault_may_be_an_exception_to_its_kind() -> None:
    known = learned(*[True] * 10, fault="others")
    known = learned(False, False, fault="odd", known=known)
    assert known.of_fault(KEY, "others", "first", 0).mean > 0.8 > known.of_fault(KEY, "odd", "first", 0).mean


def test_what_failed_three_times_in_a_row_is_given_up_for_that_fault_until_a_person_says_otherwise() -> None:
    known = learned(*[False] * GIVEN_UP_AFTER)
    assert known.given_up("f1", "first") and not known.given_up("f2", "first")
    assert known.times_given_up("first", KEY) == 1
    assert not learned(True, known=known).given_up("f1", "first")
    assert not known.hopeful_again("f1").given_up("f1", "first")


def test_what_is_given_up_isnt_tried_and_a_person_is_told(tmp_path: Path) -> None:
    toy = Nudge("first")
    scene = Scene(tmp_path, toy)
    scene.healer.known = learned(*[False] * GIVEN_UP_AFTER)
    scene.occurs()
    scene.occurs()
    scene.look()
    assert (toy.applied, scene.state()) == (0, CaseState.ESCALATED)
    assert "given up" in scene.case.said


@settings(max_examples=50, deadline=None)
@given(case=st.text(min_size=1))
def test_another_one_than_the_best_is_tried_seldom_and_always_for_the_same_case(case: str) -> None:
    expected = {"best": 0.9, "worse": 0.5, "worst": 0.1}
    assert chosen(expected, case, True) == chosen(expected, case, True)
    assert chosen(expected, case, False) == ("best", False)


def test_it_is_about_one_case_in_ten() -> None:
    explored = sum(chosen({"best": 0.9, "worse": 0.5}, f"h{number}.1", True)[1] for number in range(2000))
    assert 0.5 / EXPLORED_ONCE_IN < explored / 2000 < 1.5 / EXPLORED_ONCE_IN


def test_nothing_is_tried_out_on_live(tmp_path: Path) -> None:
    terms = {KEY: msgspec.structs.replace(TERMS, budget=99)}
    scene = Scene(tmp_path, Nudge("first", terms), Nudge("second", terms))
    scene.healer.known = learned(*[True] * 50, fault="others")
    for number in range(25):
        scene.occurs(process="live_optimus", fingerprint=f"f{number}")
        scene.look(seconds=1)
    tried = {one.remedy for case in scene.healer.book.cases.values() for one in case.attempts}
    assert tried == {"first"}


def test_what_was_learned_outlives_the_manager_and_a_damaged_file_is_set_aside(tmp_path: Path) -> None:
    home, known = Home.find(tmp_path), learned(True, False)
    memory = Memory(home, ManualClock())
    memory.keep_experience(known)
    assert memory.experience() == known
    path = home.data / "healing" / "learned.json"
    path.write_text('{"kinds": {"key": {"first": {"tried": "many"}}}}')
    assert memory.experience() == Experience()
    assert path.with_name("learned.json.broken").exists()
