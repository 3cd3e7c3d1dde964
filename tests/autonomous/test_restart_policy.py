"""Restarts: at once the first time, then with a growing pause; never for what is well. As a table, and played against a
supervisord made of a few lines."""

import itertools
from dataclasses import dataclass, field, replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from execution.autonomous.judgement import Verdict
from execution.autonomous.restart_policy import (
    DOWN,
    FORGET_AFTER_S,
    LET_RECOVER_S,
    SIGKILLED,
    Action,
    History,
    Seen,
    cleared,
    decide,
    pause_s,
)
from execution.autonomous.supervisor_door import Exits
from execution.vocabulary.health import HealthStatus
from execution.vocabulary.limits import GUARD_HELD_AT_MOST_S, QUARANTINE_CRASHES_MAX, RESTART_LAST_BACKOFF_S

WELL = Verdict(HealthStatus.HEALTHY)
DEAD = Verdict(HealthStatus.CRITICAL, ("not running: exited",))
HUNG = Verdict(HealthStatus.CRITICAL, ("hung",), hung=True)
STUCK = Verdict(HealthStatus.CRITICAL, ("task cycle is overdue",), stuck=True)
STATES = ["STOPPED", "STARTING", "RUNNING", "BACKOFF", "STOPPING", "EXITED", "FATAL", "UNKNOWN"]
EXITS = st.none() | st.builds(Exits, st.integers(0, 99), st.integers(0, 9), st.sampled_from([0, 1, -9, -11]))
HISTORIES = st.builds(
    History,
    counted=EXITS,
    last_state=st.sampled_from(STATES),
    crashes=st.integers(0, 40),
    quarantined=st.booleans(),
    down_since=st.none() | st.floats(0, 1000),
    bad_at=st.none() | st.floats(0, 1000),
    last_kill_at=st.none() | st.floats(0, 1000),
)
SEEN = st.builds(
    Seen,
    state=st.sampled_from(STATES),
    verdict=st.sampled_from([WELL, DEAD, HUNG, STUCK]),
    exits=EXITS,
    killed=st.booleans(),
    guards=st.booleans(),
    twin_active=st.booleans(),
)
TICK_S = 0.5


@dataclass
class World:
    """supervisord with its plug-in, and one program that ends when the test says so."""

    guards: bool = False
    twin_active: bool = False
    now: float = 1000.0
    history: History = field(default_factory=History)
    exits: Exits = field(default_factory=lambda: Exits(0, 0, 0))
    listed: bool = False
    state: str = "RUNNING"
    starts: list[float] = field(default_factory=list)

    def tick(self, times: int = 1) -> None:
        for _ in range(times):
            self.now += TICK_S
            self.look()

    def look(self) -> None:
        """As the manager does: once in each tick, and at once when there is news."""
        seen = Seen(self.state, WELL, self.exits, guards=self.guards, twin_active=self.twin_active)
        decision = decide(seen, self.history, self.now)
        self.history, self.listed = decision.history, decision.hold
        assert decision.action is Action.NONE
        self.start_unless_listed()

    def start_unless_listed(self) -> None:
        if self.state == "EXITED" and not self.listed:
            self.state = "RUNNING"
            self.starts.append(self.now)
            self.look()

    def end(self, status: int = 1) -> None:
        """The program ends, if it runs."""
        if self.state == "RUNNING":
            self.exits = Exits(self.exits.count + 1, self.exits.planned + (status == 0), status)
            self.state = "EXITED"
            self.start_unless_listed()
            self.look()

    def pause_after(self, status: int = 1) -> float:
        """End it, wait until it runs again; how long that took."""
        began = self.now
        self.end(status)
        while self.state != "RUNNING":
            self.tick()
            assert self.now < began + 2000, "never started again"
        return self.starts[-1] - began


def crashed(world: World, times: int, status: int = 1) -> list[float]:
    world.tick()
    return [world.pause_after(status) for _ in range(times)]


@given(SEEN, HISTORIES, st.floats(1000, 2000))
def test_a_healthy_process_is_never_acted_on(seen: Seen, history: History, now: float) -> None:
    well = replace(seen, state="RUNNING", verdict=WELL)
    assert decide(well, history, now).action is Action.NONE


@given(SEEN, HISTORIES, st.floats(1000, 2000))
def test_what_a_person_stopped_is_neither_killed_nor_started_nor_held(seen: Seen, history: History, now: float) -> None:
    for state in ("STOPPED", "STOPPING"):
        decision = decide(replace(seen, state=state), history, now)
        assert (decision.action, decision.hold) == (Action.NONE, False)


@given(SEEN, HISTORIES, st.floats(1000, 2000))
def test_only_the_given_up_is_started_only_the_living_is_killed_only_the_dead_is_kept_down(
    seen: Seen, history: History, now: float
) -> None:
    decision = decide(seen, history, now)
    if decision.action is Action.START:
        assert seen.state == "FATAL"
    if decision.action is Action.KILL:
        assert seen.state not in DOWN and (seen.verdict.hung or seen.verdict.stuck)
    if decision.free_in_s is not None:
        assert seen.state in DOWN and decision.hold
        assert 0 < decision.free_in_s <= RESTART_LAST_BACKOFF_S + 1e-6


@given(st.integers(0, 10_000), st.booleans(), st.booleans(), st.booleans())
def test_the_pause_grows_and_is_bounded(crashes: int, quarantined: bool, guards: bool, twin_active: bool) -> None:
    pause = pause_s(crashes, quarantined, guards, twin_active)
    assert 0 <= pause <= pause_s(crashes + 1, quarantined, guards, twin_active) <= RESTART_LAST_BACKOFF_S
    if guards and not (quarantined and twin_active):
        assert pause <= GUARD_HELD_AT_MOST_S, "the account stays guarded"


def test_the_first_comes_back_at_once_then_after_a_second_then_two_then_four() -> None:
    assert crashed(World(), 4) == [0, 1, 2, 4]


def test_five_crashes_of_its_own_in_five_minutes_are_a_quarantine() -> None:
    world = World()
    crashed(world, QUARANTINE_CRASHES_MAX - 1)
    assert not world.history.quarantined
    assert crashed(world, 2) == [RESTART_LAST_BACKOFF_S] * 2
    assert world.history.quarantined


def test_kills_from_outside_lengthen_the_pause_and_never_lead_to_quarantine() -> None:
    world = World()
    pauses = crashed(world, 9, SIGKILLED)
    assert pauses == sorted(pauses) and pauses[-1] > 60
    assert not world.history.quarantined


def test_a_kill_of_ours_is_a_crash_of_its_own() -> None:
    history = History(counted=Exits(0, 0, 0))
    for number in range(1, QUARANTINE_CRASHES_MAX + 1):
        seen = Seen("EXITED", DEAD, Exits(number, 0, SIGKILLED), killed=True)
        history = decide(seen, history, 1000.0 + number).history
    assert history.quarantined


def test_planned_ends_are_no_crashes() -> None:
    world = World()
    assert crashed(world, 20, status=0) == [0] * 20
    assert (world.history.crashes, world.listed) == (0, False)


def test_a_trader_whose_twin_has_the_account_is_quarantined_and_freed_when_the_twin_falls() -> None:
    world = World(guards=True, twin_active=True)
    crashed(world, QUARANTINE_CRASHES_MAX - 1)
    world.end()
    world.tick(int(2 * GUARD_HELD_AT_MOST_S / TICK_S))
    assert world.state == "EXITED", "in quarantine while the twin guards the account"
    world.twin_active = False
    world.tick()
    assert world.state == "RUNNING"
    assert max(crashed(world, 9)) <= GUARD_HELD_AT_MOST_S + TICK_S, "alone it is held no longer than that"


@pytest.mark.parametrize("crashes", [1, 3, 7])
def test_ten_good_minutes_forget_it_all(crashes: int) -> None:
    world = World()
    crashed(world, crashes)
    world.tick(int(FORGET_AFTER_S / TICK_S) - 2)
    assert world.history.crashes == crashes
    world.tick(3)
    assert (world.history.crashes, world.history.quarantined, world.listed) == (0, False, False)
    assert crashed(world, 2) == [0, 1]


def test_a_manager_that_has_just_come_counts_from_what_it_finds() -> None:
    decision = decide(Seen("RUNNING", WELL, Exits(40, 2, -11)), History(), 1000.0)
    assert decision.history.crashes == 0


def test_a_new_supervisord_counts_from_zero_and_that_is_no_crash() -> None:
    history = History(counted=Exits(9, 0, 1), crashes=2)
    assert decide(Seen("RUNNING", WELL, Exits(0, 0, 0)), history, 1000.0).history.crashes == 2


def test_a_start_by_a_person_forgets_hold_and_quarantine() -> None:
    world = World()
    crashed(world, QUARANTINE_CRASHES_MAX - 1)
    world.end()
    world.tick(9)
    world.history = cleared(world.history)
    world.tick()
    assert world.state == "RUNNING"


@settings(max_examples=40, deadline=None)
@given(
    st.booleans(), st.booleans(), st.lists(st.tuples(st.floats(0, 40), st.sampled_from([0, 1, -9, -11])), max_size=12)
)
def test_however_it_ends_its_restarts_are_bounded(
    guards: bool, twin_active: bool, ends: list[tuple[float, int]]
) -> None:
    world = World(guards=guards, twin_active=twin_active)
    world.tick()
    crashes = 0
    for after_s, status in ends:
        world.tick(1 + int(after_s / TICK_S))
        if world.state != "RUNNING":
            continue
        world.end(status)
        crashes += status != 0
        if status == 0:
            continue
        least = pause_s(crashes, world.history.quarantined, guards, twin_active)
        ended = world.now
        while world.state != "RUNNING":
            world.tick()
        assert world.starts[-1] - ended >= least
    assert len(world.starts) == world.exits.count, "each end is followed by one start"


def test_a_given_up_program_is_started_on_the_same_terms() -> None:
    history, now, starts, state = History(), 1000.0, [], "FATAL"
    for _ in range(80):
        now += TICK_S
        decision = decide(Seen(state, DEAD), history, now)
        history, state = decision.history, "FATAL"
        if decision.action is Action.START:
            starts.append(now)
            state = "STARTING"
    pauses = [round(later - earlier) for earlier, later in itertools.pairwise(starts)]
    assert starts[0] == 1000.5
    assert pauses == sorted(pauses) and pauses[:3] == [2, 3, 5]


def test_a_kill_that_supervisord_hasnt_seen_yet_isnt_repeated() -> None:
    history, kills = History(), []
    for tick in range(9):
        decision = decide(Seen("RUNNING", HUNG), history, 0.5 * tick)
        history = decision.history
        if decision.action is Action.KILL:
            kills.append(0.5 * tick)
    assert kills == [0.0, 2.0, 4.0], "what survives a kill is killed again"


def test_a_restarted_process_gets_time_to_make_progress() -> None:
    history = decide(Seen("RUNNING", STUCK), History(), 100.0).history
    again = Seen("RUNNING", STUCK)
    assert decide(again, history, 100.0 + LET_RECOVER_S - 0.1).action is Action.NONE
    assert decide(again, history, 100.0 + LET_RECOVER_S).action is Action.KILL
