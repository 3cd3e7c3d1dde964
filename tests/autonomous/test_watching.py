"""What the manager does about supervisord: by table, and what must never be by property."""

import asyncio
import os
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from execution.autonomous.supervisor_door import SupervisorDoor, SupervisorUnavailable
from execution.autonomous.watcher import SupervisordWatch
from execution.autonomous.watching import Action, Seen, Silence, decide, see_to_orphans
from execution.runtime.clock import SystemClock
from execution.runtime.guard import ORPHAN_DEADLINE_S
from execution.runtime.home import Home
from execution.runtime.locks import FileLock
from execution.vocabulary.limits import (
    ORPHANS_END_WITHIN_S,
    RPC_TIMEOUT_S,
    SUPERVISORD_SILENT_AFTER_S,
    SUPERVISORD_UNANSWERED_MIN,
)

DEAD = Seen(parent_lives=False)
HUNG = Silence(SUPERVISORD_UNANSWERED_MIN, SUPERVISORD_SILENT_AFTER_S, idle=True)
SILENCES = st.builds(
    Silence, unanswered=st.integers(0, 10), lasted_s=st.floats(0, 60, allow_nan=False), idle=st.booleans()
)
SEEN = st.builds(
    Seen,
    parent_lives=st.booleans(),
    told_to_stop=st.booleans(),
    stop_requested=st.booleans(),
    owned_by_service=st.booleans(),
    held=st.booleans(),
    orphans=st.integers(0, 9),
    orphaned_s=st.floats(0, 10, allow_nan=False),
    silence=SILENCES,
)


@pytest.mark.parametrize(
    ("seen", "action"),
    [
        (Seen(parent_lives=True), Action.WATCH),
        (Seen(parent_lives=True, silence=HUNG), Action.KILL_SUPERVISORD),
        (Seen(parent_lives=True, silence=replace(HUNG, idle=False)), Action.WATCH),
        (Seen(parent_lives=True, silence=replace(HUNG, unanswered=2)), Action.WATCH),
        (Seen(parent_lives=True, silence=replace(HUNG, lasted_s=5.9)), Action.WATCH),
        (DEAD, Action.TAKE_OVER),
        (replace(DEAD, orphans=7), Action.TAKE_OVER),
        (replace(DEAD, held=True), Action.END),
        (replace(DEAD, owned_by_service=True), Action.END),
        (replace(DEAD, stop_requested=True), Action.END),
        (replace(DEAD, told_to_stop=True), Action.END),
        (replace(DEAD, owned_by_service=True, orphans=1), Action.WAIT),
        (replace(DEAD, stop_requested=True, orphans=1, orphaned_s=ORPHANS_END_WITHIN_S), Action.KILL_ORPHANS),
        (replace(DEAD, held=True, orphans=1, orphaned_s=9), Action.END),
    ],
)
def test_what_follows_from_what_is_seen(seen: Seen, action: Action) -> None:
    assert decide(seen) is action


@given(SEEN)
def test_a_requested_stop_is_never_undone_and_a_services_work_is_left_to_it(seen: Seen) -> None:
    if seen.told_to_stop or seen.stop_requested or seen.owned_by_service:
        assert decide(seen) is not Action.TAKE_OVER


@given(SEEN)
def test_nobody_takes_over_while_another_holds_the_lock_or_supervisord_lives(seen: Seen) -> None:
    if seen.held or seen.parent_lives:
        assert decide(seen) is not Action.TAKE_OVER


@given(SEEN)
def test_orphans_of_an_operation_that_somebody_else_runs_are_never_touched(seen: Seen) -> None:
    if seen.held or seen.parent_lives or not seen.orphans:
        assert decide(seen) is not Action.KILL_ORPHANS


@given(SEEN)
def test_only_a_living_supervisord_that_is_idle_and_long_silent_is_killed(seen: Seen) -> None:
    if decide(seen) is Action.KILL_SUPERVISORD:
        assert seen.parent_lives
        assert seen.silence.idle
        assert seen.silence.lasted_s >= SUPERVISORD_SILENT_AFTER_S


@given(st.integers(0, 9), st.floats(0, 10, allow_nan=False))
def test_orphans_get_their_time_and_no_more(orphans: int, waited_s: float) -> None:
    action = see_to_orphans(orphans, waited_s)
    assert (action is None) == (orphans == 0)
    assert (action is Action.KILL_ORPHANS) == (orphans > 0 and waited_s >= ORPHANS_END_WITHIN_S)


def test_the_limits_fit_together() -> None:
    assert ORPHAN_DEADLINE_S < ORPHANS_END_WITHIN_S < 2.0, "an orphan that can end by itself isn't killed; none stays"
    assert SUPERVISORD_UNANSWERED_MIN * RPC_TIMEOUT_S <= SUPERVISORD_SILENT_AFTER_S


class SilentTwice(SupervisorDoor):
    """Doesn't answer the first time; then it does, before anybody is killed for it."""

    asked = 0

    def operating(self) -> bool:
        self.asked += 1
        if self.asked == 1:
            raise SupervisorUnavailable("nobody at the socket")
        return True


@pytest.mark.parametrize("holder", [None, "pid 1 mode dual", f"pid {os.getppid()} mode dual"])
def test_a_parent_is_watched_only_when_it_has_the_operations_lock(tmp_path: Path, holder: str | None) -> None:
    home = Home(tmp_path)
    lock = FileLock(home.operation_lock)
    if holder is not None:
        lock.acquire(holder)
    door = SilentTwice(tmp_path / "sock")
    asyncio.run(SupervisordWatch(home, door, SystemClock()).look(suspected=True))
    lock.release()
    assert bool(door.asked) == (holder is not None and str(os.getppid()) in holder), "a shell owes no answers"
