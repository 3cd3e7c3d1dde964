"""Restarts: at once the first time, then with a growing pause; never for what is well."""

import itertools
from dataclasses import dataclass

from hypothesis import given
from hypothesis import strategies as st

from execution.autonomous.judgement import Verdict
from execution.autonomous.restart_policy import (
    FORGET_AFTER_S,
    LET_RECOVER_S,
    Action,
    History,
    backoff_s,
    decide,
)
from execution.vocabulary.health import HealthStatus
from execution.vocabulary.limits import RESTART_LAST_BACKOFF_S

WELL = Verdict(HealthStatus.HEALTHY)
DEAD = Verdict(HealthStatus.CRITICAL, ("not running: fatal",))
HUNG = Verdict(HealthStatus.CRITICAL, ("hung",), hung=True)
STUCK = Verdict(HealthStatus.CRITICAL, ("task cycle is overdue",))
STATES = st.sampled_from(["STOPPED", "STARTING", "RUNNING", "BACKOFF", "STOPPING", "EXITED", "FATAL", "UNKNOWN"])
HISTORIES = st.builds(History, st.integers(0, 40), st.none() | st.floats(0, 1000))


@dataclass(frozen=True)
class Step:
    """One tick of the judge: what it sees, and how long after the last tick."""

    state: str
    verdict: Verdict
    stuck: bool
    after_s: float


STEPS = st.lists(
    st.builds(Step, STATES, st.sampled_from([WELL, DEAD, HUNG, STUCK]), st.booleans(), st.floats(0.01, 400)),
    max_size=60,
)


def actions_of(steps: list[Step]) -> list[tuple[float, Action, Step]]:
    history, now = History(), 0.0
    taken: list[tuple[float, Action, Step]] = []
    for step in steps:
        now += step.after_s
        action, history = decide(step.state, step.verdict, step.stuck, history, now)
        if action is not Action.NONE:
            taken.append((now, action, step))
    return taken


@given(st.sampled_from(["RUNNING", "STARTING"]), HISTORIES, st.floats(1000, 2000))
def test_a_healthy_process_is_never_touched(state: str, history: History, now: float) -> None:
    action, remembered = decide(state, WELL, False, history, now)
    assert action is Action.NONE
    assert remembered in (history, History())


@given(STATES, st.sampled_from([WELL, DEAD, STUCK]), HISTORIES, st.floats(1000, 2000))
def test_what_an_operator_stopped_stays_stopped(state: str, verdict: Verdict, history: History, now: float) -> None:
    if state in ("STOPPED", "STOPPING"):
        assert decide(state, verdict, True, history, now)[0] is Action.NONE


@given(STEPS)
def test_starts_and_kills_for_lack_of_progress_keep_the_back_off(steps: list[Step]) -> None:
    before, attempts = None, 0
    for now, action, step in actions_of(steps):
        if before is not None and now - before > FORGET_AFTER_S:
            attempts = 0
        if before is not None and not (step.verdict.hung and action is Action.KILL):
            assert now - before >= backoff_s(attempts)
        before, attempts = now, attempts + 1


@given(STEPS)
def test_only_the_given_up_is_started_and_only_the_living_is_killed(steps: list[Step]) -> None:
    for _, action, step in actions_of(steps):
        if action is Action.START:
            assert step.state == "FATAL"
        else:
            assert step.state in ("STARTING", "RUNNING")
            assert step.verdict.hung or step.stuck


def test_a_program_that_fails_for_ever_is_started_ever_more_rarely_but_never_given_up() -> None:
    begun = actions_of([Step("FATAL", DEAD, False, 0.5)] * 4000)
    times = [now for now, _, _ in begun]
    pauses = [later - earlier for earlier, later in itertools.pairwise(times)]
    assert times[0] == 0.5, "the first comes at once"
    assert pauses == sorted(pauses)
    assert pauses[:4] == [1, 2, 4, 8]
    assert pauses[-1] == RESTART_LAST_BACKOFF_S
    assert len(begun) < 17


def test_a_hung_process_is_killed_at_once_even_in_its_back_off() -> None:
    history = History(attempts=9, last_action_at=97.0)
    assert decide("RUNNING", HUNG, False, history, 100.0)[0] is Action.KILL


def test_a_kill_that_supervisord_hasnt_seen_yet_isnt_repeated_or_counted_again() -> None:
    kills = actions_of([Step("RUNNING", HUNG, False, 0.5)] * 4)
    assert len(kills) == 1
    kills = actions_of([Step("RUNNING", HUNG, False, 0.5)] * 9)
    assert [now for now, _, _ in kills] == [0.5, 2.5, 4.5], "what survives a kill is killed again"


def test_a_restarted_process_gets_time_to_make_progress() -> None:
    _, history = decide("RUNNING", STUCK, True, History(), 100.0)
    assert decide("RUNNING", STUCK, True, history, 100.0 + LET_RECOVER_S - 0.1)[0] is Action.NONE
    assert decide("RUNNING", STUCK, True, history, 100.0 + LET_RECOVER_S)[0] is Action.KILL


def test_ten_good_minutes_forget_it_all() -> None:
    history = History(attempts=9, last_action_at=100.0)
    action, fresh = decide("FATAL", DEAD, False, history, 100.0 + FORGET_AFTER_S + 1)
    assert action is Action.START
    assert fresh.attempts == 1


@given(st.integers(0, 10_000))
def test_the_pause_grows_and_is_bounded(attempts: int) -> None:
    assert 0 <= backoff_s(attempts) <= backoff_s(attempts + 1) <= RESTART_LAST_BACKOFF_S
