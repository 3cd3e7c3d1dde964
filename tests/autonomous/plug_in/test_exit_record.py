"""Who may be started when: one model of a program under the plug-in, driven by any order of deaths, words and time."""

from dataclasses import dataclass, field

from hypothesis import given
from hypothesis import strategies as st

from execution.autonomous.plug_in.exit_record import ExitLimit, ExitRecord, HoldList, due, ended, over_limit, said
from execution.vocabulary.limits import EXITS_MAX, EXITS_WINDOW_S, HOLD_FORGOTTEN_AFTER_S

LIMIT = ExitLimit()
NAME, MANAGER = "live_optimus", "continuous_operation"


@dataclass
class World:
    """One program as supervisord would run it, and everything that happened to it."""

    name: str = NAME
    now: float = 0.0
    running: bool = True
    record: ExitRecord = field(default_factory=ExitRecord)
    hold: HoldList = field(default_factory=HoldList)
    died_at: list[float] = field(default_factory=list)
    started_by_itself_at: list[float] = field(default_factory=list)

    def look(self, let_go: bool = False) -> None:
        """A pass of the loop, or the manager's word."""
        held = self.hold.holds(self.name, self.now)
        if self.running or not due(held, let_go and self.name != MANAGER, self.record, self.now, LIMIT):
            return
        assert not (held and self.now - (self.hold.said_at or 0.0) < HOLD_FORGOTTEN_AFTER_S), "held is held"
        self.running = True
        if not let_go:
            self.started_by_itself_at.append(self.now)

    def die(self) -> None:
        if self.running:
            self.running = False
            self.died_at.append(self.now)
            self.record = ended(self.record, -9, False, self.now, LIMIT)

    def word(self, names: list[str]) -> None:
        self.hold = said(names, MANAGER, self.now)
        self.look(let_go=True)


steps = st.lists(
    st.one_of(
        st.just("die"),
        st.just("hold"),
        st.just("let go"),
        st.floats(0.0, 2.0),
        st.floats(0.0, EXITS_WINDOW_S * 1.5),
    ),
    max_size=80,
)


def driven(world: World, happens: list[str | float]) -> World:
    for step in happens:
        if isinstance(step, float):
            world.now += step
        elif step == "die":
            world.die()
        else:
            world.word([world.name] if step == "hold" else [])
        world.look()
        held = world.hold.holds(world.name, world.now)
        assert world.running or held or over_limit(world.record, world.now, LIMIT), "neither held nor limited: it runs"
    return world


@given(steps)
def test_by_itself_a_program_starts_no_more_than_five_times_in_any_minute(happens: list[str | float]) -> None:
    starts = driven(World(), happens).started_by_itself_at
    for first, sixth in zip(starts, starts[EXITS_MAX:], strict=False):
        assert sixth - first >= EXITS_WINDOW_S * 0.999999


@given(steps)
def test_the_manager_itself_is_under_the_limit_alone(happens: list[str | float]) -> None:
    world = driven(World(name=MANAGER), happens)
    for first, sixth in zip(world.died_at, world.died_at[EXITS_MAX:], strict=False):
        assert sixth - first >= EXITS_WINDOW_S * 0.999999
    assert not world.hold.holds(MANAGER, world.now)


@given(steps)
def test_between_two_starts_there_is_a_death(happens: list[str | float]) -> None:
    world = driven(World(), happens)
    assert world.record.count == len(world.died_at)
    assert world.record.planned == 0
    assert len(world.record.recent) <= EXITS_MAX


def test_what_was_asked_for_or_ended_well_is_planned_and_asked_for_is_no_loop() -> None:
    record = ended(ExitRecord(), 0, False, 1.0, LIMIT)
    record = ended(record, -15, True, 2.0, LIMIT)
    record = ended(record, 3, False, 3.0, LIMIT)
    assert (record.count, record.planned, record.last_status) == (3, 2, 3)
    assert record.recent == (1.0, 3.0)


def test_a_program_that_ends_well_at_once_is_bounded_too() -> None:
    record = ExitRecord()
    for _ in range(EXITS_MAX):
        record = ended(record, 0, False, 5.0, LIMIT)
    assert over_limit(record, 5.0, LIMIT)
    assert over_limit(record, 4.99 + EXITS_WINDOW_S, LIMIT)
    assert not over_limit(record, 5.0 + EXITS_WINDOW_S, LIMIT)
