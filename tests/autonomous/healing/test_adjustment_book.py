"""The writer of adjustments: added with their cause, taken out by id in any order, and nothing is left in the end."""

from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from execution.autonomous.healing.adjustment_book import AdjustmentBook
from execution.runtime.adjustments import TUNABLE, AdjustmentsRefused, last_good
from execution.runtime.clock import ManualClock
from execution.runtime.config import load
from execution.runtime.home import Home

TIMEOUT = "operation.request_timeout_s"


@pytest.fixture
def book(tmp_path: Path) -> AdjustmentBook:
    return AdjustmentBook(Home(tmp_path), ManualClock())


def test_what_is_added_holds_and_what_is_taken_out_leaves_no_file(book: AdjustmentBook, tmp_path: Path) -> None:
    added = book.add(TIMEOUT, 4.5, "p99 is 3.9 s")
    assert (added.before, added.base) == (4.0, 4.0)
    assert load(tmp_path / "nae.toml", {}).operation.request_timeout_s == 4.5
    assert book.revert(added.id) == added
    assert book.revert(added.id) is None, "harmless when repeated"
    assert load(tmp_path / "nae.toml", {}).operation.request_timeout_s == 4.0
    assert not list(book.path.parent.iterdir())


def test_the_first_of_two_can_be_taken_out_before_the_second(book: AdjustmentBook) -> None:
    first, second = book.add(TIMEOUT, 4.5, "slow"), book.add(TIMEOUT, 4.7, "slower")
    assert second.before == 4.5
    book.revert(first.id)
    assert book.value(TIMEOUT) == 4.7
    book.revert(second.id)
    assert book.value(TIMEOUT) == 4.0


@pytest.mark.parametrize(
    ("key", "value", "process", "said"),
    [
        (TIMEOUT, 5.0, "", "must be a number of at least 4 and at most 4.8"),
        (TIMEOUT, 3.0, "", "must be a number of at least 4"),
        (TIMEOUT, float("nan"), "", "a finite number"),
        ("risk.exposure_max", 9e9, "", "risk.exposure_max can't be adjusted; what can: "),
        ("operation.log_level", "DEBUG", "", "it must be one of venue, "),
    ],
)
def test_what_cant_be_is_refused_and_nothing_is_written(
    book: AdjustmentBook, key: str, value: float, process: str, said: str
) -> None:
    with pytest.raises(AdjustmentsRefused, match=said):
        book.add(key, value, "", process)
    assert not book.path.exists()


def test_one_that_a_person_has_overruled_goes_with_the_next_writing(book: AdjustmentBook, tmp_path: Path) -> None:
    book.add(TIMEOUT, 4.5, "slow")
    (tmp_path / "nae.toml").write_text("[operation]\nrequest_timeout_s = 2\n")
    assert (book.in_force(), book.value(TIMEOUT)) == ([], 2)
    added = book.add(TIMEOUT, 3.0, "slow again")
    assert book.all() == [added]


def test_a_damaged_file_is_set_aside_and_the_last_good_one_put_in_its_place(book: AdjustmentBook) -> None:
    added = book.add(TIMEOUT, 4.5, "slow")
    good = book.path.read_bytes()
    book.path.write_bytes(good.replace(b"4.5", b"450"))
    assert book.all() == [added]
    assert "450" in book.mend()
    assert book.path.read_bytes() == good
    assert len(list(book.path.parent.glob("adjustments.refused-*.json"))) == 1
    assert not book.mend()


def test_without_a_last_good_one_there_are_none(book: AdjustmentBook) -> None:
    book.add(TIMEOUT, 4.5, "slow")
    last_good(book.path).unlink()
    book.path.write_bytes(b"{")
    assert book.mend()
    assert not book.path.exists()


STEPS = st.lists(
    st.tuples(st.sampled_from(sorted(TUNABLE)), st.floats(0, 50), st.integers(0, 5), st.booleans()), max_size=12
)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=25, deadline=None)
@given(STEPS)
def test_whatever_was_added_taking_out_all_of_it_leaves_the_folder_as_it_was(
    tmp_path_factory: pytest.TempPathFactory, steps: list[tuple[str, float, int, bool]]
) -> None:
    home = Home(tmp_path_factory.mktemp("home"))
    book, added = AdjustmentBook(home, ManualClock()), []
    for key, value, which, take_out in steps:
        word = key == "operation.log_level"
        try:
            added.append(book.add(key, "DEBUG" if word else value, "", "ralph" if word else "").id)
        except AdjustmentsRefused:
            pass
        if take_out and added:
            book.revert(added.pop(which % len(added)))
    for name in added:
        book.revert(name)
    assert not list(home.data.rglob("*.json"))
    assert load(home.config_file, {}, "ralph") == load(home.config_file, {})
