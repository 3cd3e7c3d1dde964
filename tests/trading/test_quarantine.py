"""Symbols left alone: by what was learned for a time, by a person until it is lifted, over every restart."""

import pytest

from execution.runtime.clock import ManualClock
from execution.trading.quarantine import Quarantine

BTC = "BTC/USDT"


def test_a_symbol_is_left_alone_until_its_time_is_over() -> None:
    clock = ManualClock()
    made = Quarantine(clock)
    made.put(BTC, "three orders refused", clock.now_ms() + 60_000)
    assert "three orders refused (by learning, until 2023" in made.why(BTC)
    clock.advance(60)
    assert made.why(BTC) == "" and made.rows() == {} and made.to_state() == {}


def test_what_a_person_said_holds_until_it_is_lifted_and_no_lesson_shortens_it() -> None:
    clock = ManualClock()
    made = Quarantine(clock)
    made.put(BTC, "I don't like it", by="ann")
    made.put(BTC, "three orders refused", clock.now_ms() + 60_000)
    assert made.why(BTC) == "I don't like it (by ann, until it is lifted)"
    assert made.lift(BTC) and not made.lift(BTC)
    assert made.why(BTC) == ""


def test_it_is_the_same_after_a_restart() -> None:
    clock = ManualClock()
    first, second = Quarantine(clock), Quarantine(clock)
    first.put(BTC, "x", clock.now_ms() + 60_000)
    second.restore(first.to_state())
    assert second.rows() == first.rows()
    with pytest.raises(ValueError, match="reason"):
        second.restore({BTC: {"by": "ann"}})
