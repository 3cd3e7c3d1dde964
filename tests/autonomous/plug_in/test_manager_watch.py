"""When the manager counts as hung: silent too long in the eyes of a loop that was on time itself."""

from hypothesis import given
from hypothesis import strategies as st

from execution.autonomous.plug_in.manager_watch import ManagerWatch, Patience, look, spoke
from execution.vocabulary.limits import LOOP_LATE_AFTER_S, MANAGER_FIRST_WORD_WITHIN_S, MANAGER_SILENT_AFTER_S

PATIENCE = Patience()


def killed_at(watch: ManagerWatch, pid: int, begin: float, passes: int, every_s: float = 1.0) -> float | None:
    """When it is killed, in passes of the loop on time; None when it isn't."""
    for number in range(passes):
        now = begin + number * every_s
        watch, hung = look(watch, pid, now, PATIENCE)
        if hung:
            return now - begin
    return None


def test_a_manager_that_has_spoken_and_falls_silent_is_killed() -> None:
    watch, _ = look(ManagerWatch(), 7, 0.0, PATIENCE)
    found = killed_at(spoke(watch, 0.5), 7, 1.0, 100)
    assert found is not None
    assert abs(found - MANAGER_SILENT_AFTER_S) <= 2.0


def test_a_manager_that_never_spoke_in_this_life_gets_longer() -> None:
    found = killed_at(ManagerWatch(), 7, 0.0, 100)
    assert found is not None
    assert abs(found - MANAGER_FIRST_WORD_WITHIN_S) <= 2.0
    spoken, _ = look(spoke(ManagerWatch(7), 0.0), 7, 0.0, PATIENCE)
    assert killed_at(spoken, 8, 1.0, 100) == found, "a new life counts anew"


def test_a_killed_manager_isnt_killed_again_at_the_next_pass() -> None:
    watch = ManagerWatch()
    kills = 0
    for now in range(50):
        watch, hung = look(watch, 7, float(now), PATIENCE)
        kills += hung
    assert kills == 1


def test_no_manager_no_kill() -> None:
    assert killed_at(ManagerWatch(), 0, 0.0, 200) is None


@given(st.lists(st.floats(LOOP_LATE_AFTER_S + 0.001, 10_000.0), min_size=1, max_size=50))
def test_a_loop_that_is_always_late_kills_nobody(gaps: list[float]) -> None:
    watch, now = ManagerWatch(), 0.0
    for gap in gaps:
        watch, hung = look(watch, 7, now, PATIENCE)
        assert not hung
        now += gap


@given(st.lists(st.tuples(st.floats(0.01, 1.2), st.booleans()), max_size=400))
def test_a_manager_that_speaks_in_time_is_never_killed(passes: list[tuple[float, bool]]) -> None:
    watch, now, last_word = ManagerWatch(), 0.0, 0.0
    for gap, speaks in passes:
        now += gap
        watch, hung = look(watch, 7, now, PATIENCE)
        assert not hung or now - last_word > MANAGER_SILENT_AFTER_S
        if speaks:
            watch, last_word = spoke(watch, now), now
