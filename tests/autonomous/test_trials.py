"""Settings on trial: never out of bounds, never beyond their budget, and all back at their base when it is calm."""

from dataclasses import replace

from hypothesis import given
from hypothesis import strategies as st

from execution.autonomous.trials import (
    BUDGET,
    BUDGET_WINDOW_S,
    CALM_FOR_S,
    INTERVAL,
    JUDGED_AFTER_S,
    LOG_LEVEL,
    MORE_PATIENCE,
    PATIENCE,
    TALKING_MAX,
    TALKS_FOR_S,
    Adjust,
    Judge,
    Signals,
    State,
    Verdict,
    forgotten,
    step,
)
from execution.autonomous.tuning import CALM_FOR_S as INTERVAL_CALM_FOR_S
from execution.autonomous.tuning import Interval
from execution.runtime.adjustments import TUNABLE

NAMES = ("ralph", "venue", "sandbox_optimus", "master_controller")
BASES: dict[str, float | str] = {INTERVAL: 30.0, PATIENCE: 1.0, LOG_LEVEL: "INFO"}


def fresh() -> State:
    return State(Interval(30.0, 30.0, 0.0), 1.0)


LOOKS = st.lists(
    st.tuples(
        st.floats(0, 400),
        st.floats(0, 50),
        st.floats(0, 10),
        st.integers(0, 3),
        st.sets(st.tuples(st.sampled_from(NAMES), st.sampled_from("abcdef"))),
        st.booleans(),
    ),
    max_size=60,
)


@given(LOOKS)
def test_whatever_is_seen_bounds_and_budgets_hold_and_calm_brings_everything_back(
    looks: list[tuple[float, float, float, int, set[tuple[str, str]], bool]],
) -> None:
    state, now, kills = fresh(), 0.0, 0
    counts: dict[tuple[str, str], int] = {}
    opened: list[tuple[tuple[str, str], float]] = []
    away: set[tuple[str, str]] = set()

    def look(signals: Signals) -> None:
        nonlocal state
        state, actions = step(state, signals, now)
        for action in actions:
            if isinstance(action, Adjust):
                key, process = action.setting
                assert not TUNABLE[key].problem(key, action.value, BASES[key])
                assert bool(process) == TUNABLE[key].per_process
                if action.setting not in away:
                    opened.append((action.setting, now))
                    away.add(action.setting)
            elif action.verdict is Verdict.REVERTED:
                away.remove(action.setting)
        assert away == set(state.trials)
        assert sum(key == LOG_LEVEL for key, _ in away) <= TALKING_MAX

    for after_s, errors, load, more_kills, seen, by_hand in looks:
        now += after_s
        kills += more_kills
        for one in seen:
            counts[one] = counts.get(one, 0) + 1
        look(Signals(errors, load, kills, dict(counts)))
        if by_hand and away:
            setting = min(away)
            state = forgotten(state, setting, now)
            away.discard(setting)
    for setting, at in opened:
        assert sum(name == setting and 0 <= at - other < BUDGET_WINDOW_S for name, other in opened) <= BUDGET
    for _ in range(20):
        now += max(CALM_FOR_S, INTERVAL_CALM_FOR_S, TALKS_FOR_S) / 2
        look(Signals(kills=kills, errors=dict(counts)))
    assert not state.trials
    assert state.interval.current_s == state.interval.base_s


def run(state: State, looks: list[tuple[float, Signals]]) -> tuple[State, list[Adjust | Judge]]:
    done: list[Adjust | Judge] = []
    for now, signals in looks:
        state, actions = step(state, signals, now)
        done += actions
    return state, done


def test_errors_bring_the_report_closer_and_calm_puts_it_back_with_the_metric_before_and_after() -> None:
    looks = [(5.0, Signals(errors_per_minute=2.0)), (10.0, Signals(errors_per_minute=1.0))]
    looks += [(10.0 + INTERVAL_CALM_FOR_S * n, Signals()) for n in (1, 2)]
    _, done = run(fresh(), looks)
    assert [action.value for action in done if isinstance(action, Adjust)] == [15.0, 7.5, 15.0]
    verdict = done[-1]
    assert isinstance(verdict, Judge)
    assert (verdict.verdict, verdict.before, verdict.after) == (Verdict.REVERTED, 2.0, 0.0)


OVERLOAD = Signals(load_per_core=3.0)


def test_sleepers_killed_on_an_overloaded_machine_give_patience_which_is_kept_while_it_helps() -> None:
    looks = [(0.0, OVERLOAD), (5.0, replace(OVERLOAD, kills=2))]
    state, done = run(fresh(), looks)
    (given_,) = done
    assert isinstance(given_, Adjust)
    assert (given_.setting, given_.value, given_.before) == ((PATIENCE, ""), MORE_PATIENCE, 2)
    later = [(5.0 + JUDGED_AFTER_S * share, replace(OVERLOAD, kills=2)) for share in (0.5, 1.0, 1.5)]
    state, done = run(state, later)
    (verdict,) = done
    assert isinstance(verdict, Judge)
    assert (verdict.verdict, verdict.after) == (Verdict.KEPT, 0)
    _, done = run(state, [(1000.0, Signals(kills=2)), (1000.0 + CALM_FOR_S, Signals(kills=2))])
    assert [action.verdict for action in done if isinstance(action, Judge)] == [Verdict.REVERTED]


def test_patience_that_saves_nobody_is_put_back_after_its_window() -> None:
    _, done = run(
        fresh(),
        [
            (0.0, OVERLOAD),
            (5.0, replace(OVERLOAD, kills=2)),
            (200.0, replace(OVERLOAD, kills=4)),
            (5.0 + JUDGED_AFTER_S, replace(OVERLOAD, kills=4)),
        ],
    )
    verdict = done[-1]
    assert isinstance(verdict, Judge)
    assert (verdict.verdict, verdict.cause, verdict.before, verdict.after) == (Verdict.REVERTED, "it didn't help", 2, 2)


def test_kills_on_an_idle_machine_are_hangs_and_give_nobody_patience() -> None:
    assert not run(fresh(), [(0.0, Signals()), (5.0, Signals(kills=5))])[1]


def test_a_process_with_a_new_kind_of_error_says_more_for_a_while_and_what_was_there_before_is_no_news() -> None:
    old, new = ("ralph", "a"), ("ralph", "b")
    looks = [
        (0.0, Signals(errors={old: 3})),
        (5.0, Signals(errors={old: 9, new: 1})),
        (10.0, Signals(errors={old: 9, new: 2})),
        (5.0 + TALKS_FOR_S, Signals(errors={old: 9, new: 4})),
        (500.0, Signals(errors={old: 9, new: 9})),
    ]
    state, done = run(fresh(), looks)
    talks, verdict = done
    assert isinstance(talks, Adjust)
    assert isinstance(verdict, Judge)
    assert (talks.setting, talks.value) == ((LOG_LEVEL, "ralph"), "DEBUG")
    assert (verdict.verdict, verdict.before, verdict.after) == (Verdict.REVERTED, 1, 4)
    assert not state.trials


def test_what_a_person_has_put_back_stays_so() -> None:
    setting = (INTERVAL, "")
    state, _ = run(fresh(), [(5.0, Signals(errors_per_minute=2.0))])
    state = forgotten(state, setting, 6.0)
    state, done = run(state, [(now, Signals(errors_per_minute=2.0)) for now in (10.0, 100.0, BUDGET_WINDOW_S)])
    assert not done
    _, done = run(state, [(BUDGET_WINDOW_S + 7.0, Signals(errors_per_minute=2.0))])
    assert len(done) == 1
