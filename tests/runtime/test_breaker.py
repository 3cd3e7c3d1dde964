"""Circuit breakers: opened by failures in a row, tried once after a while, kept over restarts."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from execution.runtime.breaker import BreakerState, CircuitBreaker
from execution.runtime.clock import ManualClock

OPEN, HALF_OPEN, CLOSED = BreakerState.OPEN, BreakerState.HALF_OPEN, BreakerState.CLOSED


def breaker(clock: ManualClock) -> CircuitBreaker:
    return CircuitBreaker(failure_threshold=3, reset_timeout=60, longest=200, clock=clock)


def opened(clock: ManualClock) -> CircuitBreaker:
    made = breaker(clock)
    for _ in range(3):
        made.record_failure("no answer")
    return made


def test_three_failures_in_a_row_open_it_and_two_do_not() -> None:
    made = breaker(ManualClock())
    made.record_failure()
    made.record_failure()
    assert made.state is CLOSED and made.can_execute()
    made.record_success()
    made.record_failure()
    made.record_failure()
    assert made.state is CLOSED, "they weren't in a row"
    made.record_failure("no answer")
    assert made.state is OPEN and not made.can_execute()
    assert made.facts()["last_failure"] == "no answer"


def test_after_its_time_one_try_is_given_and_what_comes_of_it_decides() -> None:
    clock = ManualClock()
    made = opened(clock)
    clock.advance(59)
    assert not made.can_execute()
    clock.advance(1)
    assert made.would_execute and made.state is OPEN, "looking changes nothing"
    assert made.can_execute() and made.state is HALF_OPEN
    assert not made.can_execute(), "one try at a time"
    made.record_success()
    assert made.state is CLOSED and made.can_execute()


def test_each_try_that_fails_doubles_the_wait_up_to_the_longest() -> None:
    clock = ManualClock()
    made, waits = opened(clock), []
    for _ in range(4):
        waits.append(made.facts()["retry_in_s"])
        clock.advance(waits[-1])
        assert made.can_execute()
        made.record_failure()
    assert waits == [60, 120, 200, 200]


def test_a_try_that_tells_nothing_is_given_up_and_another_one_made() -> None:
    clock = ManualClock()
    made = opened(clock)
    clock.advance(60)
    assert made.can_execute()
    clock.advance(60)
    assert made.can_execute()


def test_news_makes_the_try_due_at_once() -> None:
    made = opened(ManualClock())
    made.try_soon()
    assert made.state is OPEN and made.can_execute()


def test_a_restart_forgets_nothing_and_waits_no_longer_than_before() -> None:
    clock = ManualClock()
    first = opened(clock)
    saved = first.to_state()
    clock.advance(20)
    assert first.to_state() == saved, "nothing has happened"

    second = breaker(clock)
    second.restore(saved)
    assert second.state is OPEN and second.facts()["retry_in_s"] == 40

    clock.step_wall(-3600)
    third = breaker(clock)
    third.restore(saved)
    assert third.facts()["retry_in_s"] == 60, "a clock that was set back makes nobody wait for an hour"

    clock.advance(60)
    assert third.can_execute()
    fourth = breaker(clock)
    fourth.restore(third.to_state())
    assert fourth.can_execute(), "the try that the restart cut off is due again"
    assert breaker(clock).to_state() == {}


def test_something_else_is_not_restored() -> None:
    with pytest.raises(ValueError, match="state"):
        breaker(ManualClock()).restore({"state": "ajar", "failures": 1, "opened": 1, "until_ms": 0})


@given(st.lists(st.one_of(st.sampled_from(["fail", "work", "ask", "news"]), st.floats(0, 400))))
def test_whatever_happens_it_is_used_again_at_the_latest_after_the_longest_wait(events: list[str | float]) -> None:
    clock = ManualClock()
    made = breaker(clock)
    for event in events:
        if isinstance(event, float):
            clock.advance(event)
        elif event == "fail":
            made.record_failure()
        elif event == "work":
            made.record_success()
            assert made.state is CLOSED
        elif event == "news":
            made.try_soon()
        elif made.can_execute():
            assert made.state in (CLOSED, HALF_OPEN)
    clock.advance(200)
    assert made.can_execute()
