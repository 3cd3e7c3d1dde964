"""The building blocks of step functions, against numpy's own answers."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from execution.research import windows

values = st.lists(st.floats(-1e6, 1e6), min_size=1, max_size=130)


@given(values)
def test_sums_over_a_window_are_what_numpy_says(window: list[float]) -> None:
    state, stop = [9e9, *window, 9e9], len(window) + 1
    mean = windows.mean_of(state, 1, stop)
    assert mean == pytest.approx(float(np.mean(window)), rel=1e-9, abs=1e-6)
    assert windows.deviation_of(state, 1, stop, mean) == pytest.approx(float(np.std(window)), rel=1e-6, abs=1e-6)
    walked = float(np.sum(np.abs(np.diff(window))))
    assert windows.walked_over(state, 1, stop) == pytest.approx(walked, rel=1e-9, abs=1e-6)


@given(values, st.floats(-1e6, 1e6))
def test_a_record_is_told_from_none_with_its_height(window: list[float], bound: float) -> None:
    found = windows.highest_below([9e9, *window, 9e9], 1, len(window) + 1, bound)
    if max(window) < bound:
        assert found == max(window)
    else:
        assert found >= bound
        assert found in window


def test_the_true_range_takes_in_the_gap() -> None:
    assert windows.true_range(102.0, 100.0, 101.0) == 2.0
    assert windows.true_range(102.0, 100.0, 97.0) == 5.0
    assert windows.true_range(102.0, 100.0, 104.0) == 4.0


@pytest.mark.parametrize("tapes", [1, 2, 3])
def test_the_last_values_of_every_tape_are_always_one_slice(tapes: int) -> None:
    state = [0.0] * windows.state_size(tapes)
    for bar in range(1000):
        slot = windows.HEADER + windows.advance(state, tapes)
        for tape in range(tapes):
            state[slot + tape * windows.TAPE] = bar * 10.0 + tape
        kept = min(bar + 1, windows.WINDOW_MAX)
        for tape in range(tapes):
            end = slot + tape * windows.TAPE + 1
            assert state[end - kept : end] == [k * 10.0 + tape for k in range(bar + 1 - kept, bar + 1)]
    assert state[windows.SEEN] == 1000.0
