"""The upgrade's decisions, by table and against every kind of interruption: in a small model of an operation, whatever
crashes, is killed or stands still meanwhile, it ends on one build, and the account is guarded all the time."""

from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from execution.autonomous.upgrade_plan import Course, Kind, Seen, next_step, order_of
from execution.vocabulary.health import HealthStatus
from execution.vocabulary.limits import BUILD_CRITICAL_FOR_S, BUILD_EXCHANGED_WITHIN_S, BUILD_TWIN_SETTLED_AFTER_S

OLD, NEW = "old", "new"
LIVE, STANDBY = "live_optimus", "live_optimus_standby"
PLAIN = ("sandbox_optimus", "ralph", "accelerator_controller", "master_controller", "venue", "continuous_operation")


def seen(name: str, build: str | None = OLD, **facts: object) -> Seen:
    role = {LIVE: "active", STANDBY: "standby"}.get(name, "")
    account = "live" if name in (LIVE, STANDBY) else "sandbox" if name == "sandbox_optimus" else None
    return replace(Seen(name, build, "running", HealthStatus.HEALTHY, 1, account, role), **facts)  # type: ignore[arg-type]


def everyone(build: str = OLD) -> list[Seen]:
    return [seen(name, build) for name in (*PLAIN, LIVE, STANDBY)]


def course(**facts: object) -> Course:
    return replace(Course(NEW, watch_s=60.0), **facts)  # type: ignore[arg-type]


def test_the_order_is_standby_then_live_then_sandbox_research_master_venue_and_the_manager_last() -> None:
    assert [one.name for one in order_of(everyone())] == [
        STANDBY,
        LIVE,
        "sandbox_optimus",
        "ralph",
        "accelerator_controller",
        "master_controller",
        "venue",
        "continuous_operation",
    ]
    turned = [seen(LIVE, role="standby"), seen(STANDBY, role="active")]
    assert [one.name for one in order_of(turned)] == [LIVE, STANDBY], "who is the standby counts, not its name"


def test_the_standby_is_first_and_live_waits_until_it_has_been_ready_for_a_while() -> None:
    rows = everyone()
    step, memory = next_step(course(), rows, 0.0)
    assert (step.kind, step.name) == (Kind.RESTART, STANDBY)
    rows[-1] = seen(STANDBY, NEW, ready=False)
    step, memory = next_step(memory, rows, 1.0)
    assert (step.kind, step.name) == (Kind.WAIT, STANDBY)
    rows[-1] = seen(STANDBY, NEW)
    step, memory = next_step(memory, rows, 2.0)
    assert (step.kind, step.name) == (Kind.WAIT, STANDBY)
    step, memory = next_step(memory, rows, 2.0 + BUILD_TWIN_SETTLED_AFTER_S)
    assert (step.kind, step.name) == (Kind.HANDOVER, LIVE)


def test_without_a_standby_live_is_restarted_itself() -> None:
    rows = [row for row in everyone() if row.name != STANDBY]
    step, _ = next_step(course(), rows, 0.0)
    assert (step.kind, step.name) == (Kind.RESTART, LIVE)


def test_a_standby_is_never_restarted_while_its_twin_is_down() -> None:
    rows = [seen(LIVE, None, state="failed"), seen(STANDBY)]
    step, _ = next_step(course(), rows, 0.0)
    assert (step.kind, step.name) == (Kind.WAIT, STANDBY)


def test_what_a_person_stopped_is_left_alone() -> None:
    rows = [seen("ralph", None, state="stopped", stopped_by_operator=True), seen("venue", NEW)]
    _, memory = next_step(course(), rows, 0.0)
    step, _ = next_step(memory, rows, 5.0)
    assert (step.kind, step.why.split(";")[0]) == (Kind.WAIT, f"all run {NEW}")


def test_it_watches_before_it_is_done() -> None:
    rows = everyone(NEW)
    _, memory = next_step(course(), rows, 0.0)
    _, memory = next_step(memory, rows, 10.0)
    assert next_step(memory, rows, 69.0)[0].kind is Kind.WAIT
    assert next_step(memory, rows, 70.0)[0].kind is Kind.DONE


def test_two_crashes_on_the_new_build_fail_it_and_those_before_are_not_counted() -> None:
    rows = [seen("ralph", OLD, crashes=7)]
    _, memory = next_step(course(), rows, 0.0)
    step, memory = next_step(memory, [seen("ralph", None, state="starting", crashes=8)], 1.0)
    assert step.kind is Kind.WAIT
    step, _ = next_step(memory, [seen("ralph", None, state="starting", crashes=9)], 2.0)
    assert (step.kind, step.why) == (Kind.FAILED, "ralph has crashed 2 times on new")
    assert next_step(replace(memory, going_back=True), [seen("ralph", None, crashes=20)], 2.0)[0].kind is Kind.WAIT


def test_a_lasting_critical_on_the_new_build_fails_it_and_on_the_old_one_doesnt() -> None:
    for build, kind in ((NEW, Kind.FAILED), (OLD, Kind.WAIT)):
        rows = [seen("ralph", build, status=HealthStatus.CRITICAL)]
        _, memory = next_step(course(acted={"ralph": (Kind.RESTART, 0.0)}), rows, 0.0)
        assert next_step(memory, rows, BUILD_CRITICAL_FOR_S)[0].kind is kind


@pytest.mark.parametrize(
    "rows", [[], [seen("ralph", NEW, state="starting")], [seen("ralph", NEW, ready=False, role="standby")]]
)
def test_who_is_not_well_in_time_fails_it(rows: list[Seen]) -> None:
    _, memory = next_step(course(), rows, 0.0)
    assert next_step(memory, rows, BUILD_EXCHANGED_WITHIN_S)[0].kind is Kind.WAIT
    assert next_step(memory, rows, BUILD_EXCHANGED_WITHIN_S + 0.1)[0].kind is Kind.FAILED


def test_who_is_down_is_started_and_asked_again_only_after_a_pause() -> None:
    rows = [seen("ralph", None, state="failed")]
    step, memory = next_step(course(), rows, 0.0)
    assert step.kind is Kind.WAIT, "somebody may be about to bring it back"
    step, memory = next_step(memory, rows, 2.0)
    assert step.kind is Kind.START
    step, memory = next_step(memory, rows, 3.0)
    assert step.kind is Kind.WAIT
    assert next_step(memory, rows, 4.0)[0].kind is Kind.START


class Model:
    """An operation of eight processes that start, take over and hand over as the real ones do, but in whole seconds."""

    def __init__(self, mixed: list[bool]) -> None:
        self.names = [STANDBY, LIVE, *PLAIN]
        self.current = NEW
        self.build: dict[str, str | None] = {
            name: NEW if new else OLD for name, new in zip(self.names, mixed, strict=True)
        }
        self.up_at = dict.fromkeys(self.names, 0.0)
        self.pid = dict.fromkeys(self.names, 1)
        self.crashes = dict.fromkeys(self.names, 0)
        self.active: str | None = LIVE
        self.acts: list[tuple[Kind, str]] = []

    def end(self, name: str, now: float, crash: bool) -> None:
        self.build[name] = self.current
        self.up_at[name] = now + 2.0
        self.pid[name] += 1
        self.crashes[name] += crash
        if self.active == name:
            twin = STANDBY if name == LIVE else LIVE
            self.active = twin if self.up_at[twin] <= now else None

    def look(self, now: float) -> list[Seen]:
        if self.active is None:
            self.active = next((name for name in (LIVE, STANDBY) if self.up_at[name] <= now), None)
        if self.up_at["continuous_operation"] > now:
            return []
        rows = []
        for name in self.names:
            up = self.up_at[name] <= now
            role = "" if name not in (LIVE, STANDBY) or not up else "active" if self.active == name else "standby"
            state = "running" if up else "starting"
            build = self.build[name] if up else None
            status = HealthStatus.HEALTHY if up else HealthStatus.DEGRADED
            account = "live" if name in (LIVE, STANDBY) else None
            rows.append(Seen(name, build, state, status, self.pid[name], account, role, up, self.crashes[name]))
        return rows

    def carry_out(self, kind: Kind, name: str, now: float) -> None:
        twin = {LIVE: STANDBY, STANDBY: LIVE}.get(name)
        if kind is Kind.HANDOVER:
            assert twin is not None and self.up_at[twin] <= now, "handed over to nobody"
            assert self.build[twin] == self.current, "handed over to the old build"
        if kind is Kind.RESTART and twin is not None:
            assert self.active != name, "the live account was taken from whoever managed it"
        if kind in (Kind.RESTART, Kind.HANDOVER):
            assert self.build[name] != self.current, "restarted without need"
            self.acts.append((kind, name))
            self.end(name, now, crash=False)


@given(
    st.lists(st.booleans(), min_size=8, max_size=8),
    st.lists(st.tuples(st.integers(0, 60), st.sampled_from([STANDBY, LIVE, *PLAIN])), max_size=6),
)
@settings(max_examples=150, deadline=None)
def test_from_any_mixture_and_whatever_is_killed_it_ends_on_one_build(
    mixed: list[bool], kills: list[tuple[int, str]]
) -> None:
    model, now, memory = Model(mixed), 0.0, course(watch_s=5.0, going_back=True)
    for _ in range(600):
        for name in [name for at, name in kills if at == now]:
            model.end(name, now, crash=True)
        step, memory = next_step(memory, model.look(now), now)
        assert step.kind is not Kind.FAILED, step
        if step.kind is Kind.DONE:
            break
        model.carry_out(step.kind, step.name, now)
        now += 1.0
    else:
        raise AssertionError(f"never done: {step}")
    assert set(model.build.values()) == {NEW}
    assert len(model.acts) <= 8 - sum(mixed), "each process is exchanged once at most"


@given(st.integers(0, 40))
@settings(max_examples=40, deadline=None)
def test_an_upgrade_cut_off_anywhere_goes_on_without_repeating_anything(cut_at: int) -> None:
    model, now, memory = Model([False] * 8), 0.0, course(watch_s=0.0)
    for second in range(200):
        if second == cut_at:
            memory = course(watch_s=0.0)  # killed, and started anew: it remembers nothing
        step, memory = next_step(memory, model.look(now), now)
        if step.kind is Kind.DONE:
            break
        model.carry_out(step.kind, step.name, now)
        now += 1.0
    assert set(model.build.values()) == {NEW}
    assert len(model.acts) == 8
