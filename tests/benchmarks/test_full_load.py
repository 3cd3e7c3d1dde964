"""A few seconds of what `python -m benchmarks.full_load` does for an hour."""

import pytest
from rich.progress import Progress

from benchmarks.full_load import endure, hogs
from tests.support import is_running

pytestmark = [pytest.mark.operation, pytest.mark.alone]


def test_beside_programs_that_take_every_core_nobody_is_restarted_and_the_account_is_managed() -> None:
    endured = endure(0.12, 2, 1.0, Progress(disable=True))
    assert (endured.restarts, endured.violations) == ([], 0)
    assert endured.managed_share > 0.8, "the target is kept over an hour; these are seconds"


def test_hogs_end_with_whoever_called_for_them() -> None:
    with hogs(2) as running:
        assert all(is_running(one.pid) for one in running)
    assert not any(is_running(one.pid) for one in running)
