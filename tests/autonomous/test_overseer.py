"""The overseer beside a supervisord made of a list: what it hears, how it judges, what it does, what it records."""

import asyncio
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import msgspec
import pytest

from execution.autonomous import overseer as overseer_module
from execution.autonomous.overseer import Overseer
from execution.autonomous.resources import Finding
from execution.autonomous.supervisor_door import (
    Exits,
    PlugInState,
    ProgramState,
    SupervisorDoor,
    SupervisorUnavailable,
)
from execution.autonomous.vitals import ProcessVitals
from execution.autonomous.watched import Watched
from execution.runtime.clock import ManualClock
from execution.runtime.home import Home
from execution.vocabulary.health import ErrorCount, HealthStatus, TaskProgress
from execution.vocabulary.lifecycle import ProcessState
from execution.vocabulary.limits import (
    FACTS_FLOOD_PER_S,
    FIRST_HEARTBEAT_WITHIN_S,
    JUDGE_PERIOD_S,
    LOG_FLOOD_BYTES_PER_S,
    SILENT_AFTER_S,
    SILENT_AND_BUSY_AFTER_S,
    TASK_OVERDUE_LEAST_S,
)
from execution.vocabulary.messages import Heartbeat, OperationHealth
from execution.vocabulary.programs import MANAGER

TRADER = "live_optimus"


class ListedDoor(SupervisorDoor):
    """Says what the test has listed, and remembers what it was told."""

    def __init__(self) -> None:
        super().__init__(Path("none"))
        self.listed: dict[str, ProgramState] = {}
        self.told: list[tuple[str, str]] = []
        self.silent = False
        self.exits: dict[str, Exits] = {}
        self.has_plug_in = True
        self.held: list[str] = []

    def set(self, name: str, state: str = "RUNNING", pid: int = 7, since_s: float = 100.0) -> None:
        self.listed[name] = ProgramState(name, "trade", state, pid, since_s, 0, "")

    def programs(self) -> list[ProgramState]:
        if self.silent:
            raise SupervisorUnavailable("silent")
        return list(self.listed.values())

    def start(self, program: ProgramState) -> None:
        self.told.append(("start", program.name))

    def stop(self, program: ProgramState) -> None:
        self.told.append(("stop", program.name))

    def plug_in(self) -> PlugInState:
        return PlugInState(self.has_plug_in, "", exits=dict(self.exits))

    def look(self, held: Iterable[str] | None) -> tuple[list[ProgramState], PlugInState]:
        if held is not None:
            self.hold_back(held)
        return self.programs(), self.plug_in()

    def hold_back(self, names: Iterable[str]) -> None:
        self.held = list(names)

    def died(self, name: str, status: int = 1, state: str = "EXITED") -> None:
        """One more end of `name`; it is down now."""
        before = self.exits.get(name, Exits(0, 0, 0))
        self.exits[name] = Exits(before.count + 1, before.planned + (status == 0), status)
        self.set(name, state, pid=0, since_s=0.0)

    def signal(self, program: ProgramState, name: str) -> None:
        self.told.append((name, program.name))


class Scene:
    """One overseer with its clock, its door and its record."""

    def __init__(self, folder: Path, *names: str) -> None:
        self.clock = ManualClock()
        self.door = ListedDoor()
        self.home = Home(folder)
        self.home.prepare()
        self.overseer = Overseer("dual", list(names), self.home, self.door, self.clock)
        self.changes = self.overseer.changes
        for name in names:
            self.door.set(name)

    def tick(self, times: int = 1, *, beating: tuple[str, ...] = ()) -> None:
        for _ in range(times):
            self.clock.advance(JUDGE_PERIOD_S)
            for name in beating:
                self.beat(name)
            asyncio.run(self.overseer.tick())

    def beat(self, name: str, **changes: Any) -> None:
        pid = self.door.listed[name].pid if name in self.door.listed else 7
        plain = Heartbeat(
            process=name, sent_ms=0, pid=pid, build="abc", state=ProcessState.RUNNING, sequence=1, uptime_s=100.0
        )
        self.overseer.hear(msgspec.structs.replace(plain, **changes))

    def status(self, name: str = TRADER) -> HealthStatus:
        return self.overseer.watched[name].verdict.status

    def entries(self) -> list[tuple[str, str]]:
        return [(entry["kind"], entry["cause"]) for entry in self.changes.read()["entries"]]


@pytest.fixture
def scene(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Scene:
    """A trader and the manager itself; every process looks idle to the machine."""
    idle = lambda pid: ProcessVitals(pid, "sleeping", 1.0, 10 * 2**20, 5)  # noqa: E731
    monkeypatch.setattr(overseer_module, "sample_process", idle)
    return Scene(tmp_path, TRADER, MANAGER)


def test_nothing_seen_yet_is_degraded_and_nothing_is_done(scene: Scene) -> None:
    scene.door.listed.clear()
    scene.tick(5)
    assert scene.status() is HealthStatus.DEGRADED
    assert scene.door.told == []


def test_a_beating_process_is_healthy_and_left_alone(scene: Scene) -> None:
    scene.tick(200, beating=(TRADER, MANAGER))
    assert scene.overseer.overall() is HealthStatus.HEALTHY
    assert scene.door.told == []
    assert scene.entries() == []


def test_a_planned_restart_is_recorded_as_one_and_counts_as_no_fix(scene: Scene) -> None:
    scene.tick(4, beating=(TRADER, MANAGER))
    scene.door.exits[TRADER] = Exits(1, 1, 0)
    scene.door.set(TRADER, pid=8, since_s=0.1)
    scene.tick(4, beating=(TRADER, MANAGER))
    assert scene.entries() == [("restart", "it ended in good order, as it was told")]
    scene.door.exits[TRADER] = Exits(2, 1, -11)
    scene.door.set(TRADER, pid=9, since_s=0.1)
    scene.tick(beating=(MANAGER,))
    scene.tick(4, beating=(TRADER, MANAGER))
    assert [kind for kind, _ in scene.entries()] == ["restart", "restart", "fix"]


def test_a_hung_process_is_killed_and_counted_as_fixed_only_once_it_makes_progress(scene: Scene) -> None:
    scene.tick(4, beating=(TRADER, MANAGER))
    ticks = int(SILENT_AFTER_S / JUDGE_PERIOD_S) + 1
    scene.tick(ticks, beating=(MANAGER,))
    assert scene.status() is HealthStatus.CRITICAL
    assert scene.door.told == [("KILL", TRADER)]
    scene.door.set(TRADER, pid=8, since_s=0.1)
    scene.tick(2, beating=(MANAGER,))
    assert [kind for kind, _ in scene.entries()] == ["restart"], "not fixed before it makes progress"
    scene.beat(TRADER, state=ProcessState.READY)
    scene.tick(beating=(MANAGER,))
    assert [kind for kind, _ in scene.entries()] == ["restart"]
    scene.tick(beating=(TRADER, MANAGER))
    assert scene.entries()[-1] == ("fix", "hang")
    assert scene.door.told == [("KILL", TRADER)]


def test_a_silent_process_that_computes_is_slow_and_killed_only_after_the_longer_limit(
    scene: Scene, monkeypatch: pytest.MonkeyPatch
) -> None:
    busy = lambda pid: ProcessVitals(pid, "running", scene.clock.monotonic(), 10 * 2**20, 5)  # noqa: E731
    monkeypatch.setattr(overseer_module, "sample_process", busy)
    scene.tick(4, beating=(TRADER, MANAGER))
    scene.tick(int(SILENT_AND_BUSY_AFTER_S / JUDGE_PERIOD_S), beating=(MANAGER,))
    assert scene.status() is HealthStatus.DEGRADED
    assert scene.door.told == []
    scene.tick(beating=(MANAGER,))
    assert scene.door.told == [("KILL", TRADER)]


def test_a_process_whose_vitals_cant_be_read_isnt_called_idle(scene: Scene, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(overseer_module, "sample_process", lambda pid: None)
    scene.tick(4, beating=(TRADER, MANAGER))
    scene.tick(8, beating=(MANAGER,))
    assert scene.door.told == []


def test_a_process_stopped_by_a_signal_is_killed(scene: Scene, monkeypatch: pytest.MonkeyPatch) -> None:
    stopped = lambda pid: ProcessVitals(pid, "stopped", 1.0, 10 * 2**20, 5)  # noqa: E731
    monkeypatch.setattr(overseer_module, "sample_process", stopped)
    scene.tick(4, beating=(TRADER, MANAGER))
    scene.tick(4, beating=(MANAGER,))
    assert scene.door.told == [("KILL", TRADER)]
    assert "stopped by a signal" in scene.overseer.watched[TRADER].verdict.causes[0]


def test_a_fresh_manager_blames_nobody_for_beats_it_wasnt_there_to_hear(scene: Scene) -> None:
    scene.door.set(TRADER, since_s=3600.0)
    scene.tick(int(FIRST_HEARTBEAT_WITHIN_S / JUDGE_PERIOD_S), beating=(MANAGER,))
    assert scene.door.told == []
    scene.tick(beating=(MANAGER,))
    assert scene.door.told == [("KILL", TRADER)]


def test_a_late_tick_judges_nobody_and_touches_nobody(scene: Scene) -> None:
    scene.tick(4, beating=(TRADER, MANAGER))
    scene.clock.advance(3600)  # the machine slept
    scene.tick()
    assert scene.door.told == []
    assert scene.status() is HealthStatus.HEALTHY
    scene.tick(2, beating=(TRADER, MANAGER))
    assert scene.door.told == []


def test_a_late_tick_starts_and_kills_nobody_for_lack_of_progress_and_whoever_woke_has_time_to_get_going(
    scene: Scene,
) -> None:
    scene.tick(4, beating=(TRADER, MANAGER))
    slept = TaskProgress("cycle", 1.0, 5, 0, 3600.0, None, critical=True)  # said on waking, before its first run
    scene.clock.advance(3600)
    for _ in range(int(TASK_OVERDUE_LEAST_S / JUDGE_PERIOD_S)):
        scene.beat(TRADER, tasks=[slept])
        scene.tick(beating=(MANAGER,))
        assert scene.door.told == []
        assert scene.status() is HealthStatus.HEALTHY
    for _ in range(3):
        scene.beat(TRADER, tasks=[slept])
        scene.tick(beating=(MANAGER,))
    assert scene.door.told == [("KILL", TRADER)], "who doesn't get going is judged again"


def test_one_look_alone_calls_nobody_idle(scene: Scene) -> None:
    scene.tick(4, beating=(TRADER, MANAGER))
    for after_s in (0.7, 1.95):  # slow but not late: the first look comes when it is silent already
        scene.clock.advance(after_s)
        asyncio.run(scene.overseer.tick())
    assert scene.overseer.watched[TRADER].verdict.causes[0].startswith("slow")
    assert scene.door.told == []


def test_a_crash_that_supervisord_repairs_is_recorded_and_nothing_is_done(scene: Scene) -> None:
    scene.tick(4, beating=(TRADER, MANAGER))
    scene.door.set(TRADER, pid=9, since_s=0.2)
    scene.tick(3, beating=(TRADER, MANAGER))
    assert scene.door.told == []
    assert [kind for kind, _ in scene.entries()] == ["restart", "fix"]
    assert scene.overseer.watched[TRADER].restarts == 1


def test_without_the_plug_in_a_given_up_program_is_started_again_with_growing_pauses(scene: Scene) -> None:
    scene.door.has_plug_in = False
    scene.tick(beating=(TRADER, MANAGER))
    starts = []
    for tick in range(20):
        before = len(scene.door.told)
        scene.door.set(TRADER, state="FATAL", pid=0)
        scene.tick(beating=(MANAGER,))
        if len(scene.door.told) > before:
            starts.append(tick)
            scene.door.set(TRADER, state="STARTING", pid=100 + tick, since_s=0.0)
            scene.tick(beating=(MANAGER,))
    assert set(scene.door.told) == {("start", TRADER)}
    assert 3 <= len(starts) <= 5
    assert starts[0] == 0, "the first comes at once"


def test_a_first_crash_is_supervisords_and_from_the_second_on_the_list_says_who_stays_down(scene: Scene) -> None:
    scene.tick(2, beating=(TRADER, MANAGER))
    assert scene.door.held == []
    scene.door.died(TRADER)
    scene.door.set(TRADER, pid=8, since_s=0.0)  # supervisord has brought it back
    scene.tick(beating=(TRADER, MANAGER))
    assert scene.door.held == [TRADER], "it is on the list before it ends again"
    scene.door.died(TRADER)
    scene.tick(beating=(MANAGER,))
    assert scene.door.held == [TRADER]
    row = scene.overseer.status()["processes"][TRADER]
    assert row["held_for_s"] == 1.0
    assert row["status"] == "CRITICAL"
    scene.tick(beating=(MANAGER,))
    assert scene.door.held == [], "and off it when its second is over: then supervisord starts it"
    assert scene.door.told == []


def crash_five_times(scene: Scene, name: str) -> dict[str, Any]:
    scene.door.set(name)
    scene.tick(2, beating=(name, MANAGER))
    for number in range(5):
        scene.door.set(name, pid=20 + number, since_s=0.0)
        scene.tick(beating=(name, MANAGER))
        scene.door.died(name)
        scene.tick(20, beating=(MANAGER,))
    row: dict[str, Any] = scene.overseer.status()["processes"][name]
    return row


def test_five_crashes_of_its_own_are_a_quarantine_that_is_said(scene: Scene) -> None:
    scene.overseer.watched["ralph"] = Watched()
    row = crash_five_times(scene, "ralph")
    assert row["quarantined"] and row["held_for_s"] > 200
    assert "crash loop, in quarantine" in row["causes"][0]
    assert (row["status"], row["restarts_1h"], row["restarts_24h"]) == ("CRITICAL", 5, 5)


def test_the_venue_is_held_no_longer_than_seconds_for_without_it_the_live_account_is_not_managed(scene: Scene) -> None:
    scene.overseer.watched["venue"] = Watched()
    row = crash_five_times(scene, "venue")
    assert row["quarantined"] and row["held_for_s"] is None


def test_a_quarantine_outlives_the_manager(scene: Scene) -> None:
    scene.overseer.watched["ralph"] = Watched()
    crash_five_times(scene, "ralph")
    scene.overseer = Overseer("dual", ["ralph", MANAGER], scene.home, scene.door, scene.clock)
    scene.tick(2, beating=(MANAGER,))
    row = scene.overseer.status()["processes"]["ralph"]
    assert row["quarantined"] and row["held_for_s"] > 200 and row["restarts_1h"] == 5


def test_a_trader_in_quarantine_is_held_no_longer_than_seconds_unless_its_twin_has_the_account(scene: Scene) -> None:
    row = crash_five_times(scene, TRADER)
    assert row["quarantined"] and row["held_for_s"] is None, "let go: nobody else guards the account"
    twin = f"{TRADER}_standby"
    scene.overseer.watched[twin] = Watched()
    scene.door.set(twin)
    for _ in range(3):
        scene.beat(twin, facts={"role": "active"})
        scene.tick(beating=(MANAGER,))
    assert scene.overseer.status()["processes"][TRADER]["held_for_s"] > 200


def test_what_a_person_stopped_is_degraded_and_left_alone(scene: Scene) -> None:
    scene.tick(2, beating=(TRADER, MANAGER))
    scene.door.set(TRADER, state="STOPPED", pid=0)
    scene.tick(50, beating=(MANAGER,))
    assert scene.status() is HealthStatus.DEGRADED
    assert scene.overseer.watched[TRADER].verdict.causes == ("stopped by the operator",)
    assert scene.overseer.status()["processes"][TRADER]["stopped_by_operator"]
    assert (scene.door.told, scene.door.held) == ([], [])


def test_a_trading_task_without_progress_is_killed_and_then_given_time(scene: Scene) -> None:
    stuck = TaskProgress("cycle", 1.0, 5, 0, TASK_OVERDUE_LEAST_S + 1, None, critical=True)
    for _ in range(12):
        scene.beat(TRADER, tasks=[stuck])
        scene.tick(beating=(MANAGER,))
    assert scene.door.told == [("KILL", TRADER)]
    assert scene.overseer.watched[TRADER].killed == (7, "task cycle is overdue")


def test_a_wall_clock_that_steps_back_hides_no_stuck_task(scene: Scene) -> None:
    stuck = TaskProgress("cycle", 1.0, 5, 0, TASK_OVERDUE_LEAST_S + 1, None, critical=True)
    scene.door.set(TRADER, since_s=0.0)  # as supervisord says for as long as its clock is behind the start
    for _ in range(12):
        scene.beat(TRADER, tasks=[stuck])
        scene.tick(beating=(MANAGER,))
    assert scene.overseer.watched[TRADER].killed == (7, "task cycle is overdue")


@pytest.mark.parametrize(("spins", "told"), [(True, [("KILL", TRADER)]), (False, [])])
def test_a_late_task_that_isnt_critical_costs_a_process_its_life_only_if_it_spins(
    scene: Scene, spins: bool, told: list[tuple[str, str]]
) -> None:
    late = TaskProgress("report", 1.0, 5, 0, TASK_OVERDUE_LEAST_S + 1, None)
    scene.tick(2, beating=(TRADER, MANAGER))
    scene.overseer.watched[TRADER].finding = Finding(spins=spins)
    for _ in range(12):
        scene.beat(TRADER, tasks=[late])
        scene.tick(beating=(MANAGER,))
    assert scene.door.told == told


def test_a_flood_is_said_and_nobody_is_ended_for_it(scene: Scene) -> None:
    scene.tick(2, beating=(TRADER, MANAGER))
    watched = scene.overseer.watched[TRADER]
    for _ in range(int(FACTS_FLOOD_PER_S) + 10):
        scene.beat(TRADER)
    watched.see_flood(log_bytes=2 * int(LOG_FLOOD_BYTES_PER_S), seconds=1.0)
    scene.tick(beating=(TRADER, MANAGER))
    assert watched.verdict.status is HealthStatus.DEGRADED
    heard = int(FACTS_FLOOD_PER_S) + 12
    assert watched.verdict.causes == (f"floods its log: 0.2 MB/s; floods the bus: {heard} messages/s taken",)
    watched.see_flood(log_bytes=0, seconds=1.0)
    scene.tick(beating=(TRADER, MANAGER))
    assert scene.status() is HealthStatus.HEALTHY
    assert (scene.door.told, scene.door.held) == ([], [])


def test_the_manager_never_acts_on_itself(scene: Scene) -> None:
    scene.door.set(MANAGER, state="FATAL", pid=0)
    scene.tick(20, beating=(TRADER,))
    assert scene.door.told == []


def test_a_silent_supervisord_changes_no_verdict_and_stops_nobody(scene: Scene) -> None:
    scene.tick(2, beating=(TRADER, MANAGER))
    scene.door.silent = True
    scene.tick(10)
    assert scene.status() is HealthStatus.HEALTHY
    assert scene.door.told == []


def test_a_silent_supervisord_makes_the_whole_critical_until_it_answers_again(scene: Scene) -> None:
    scene.tick(2, beating=(TRADER, MANAGER))
    scene.door.silent = True
    scene.tick(beating=(TRADER, MANAGER))
    assert scene.overseer.overall() is HealthStatus.CRITICAL
    assert "supervisord doesn't answer" in scene.overseer.status()["note"]
    scene.door.silent = False
    scene.tick(beating=(TRADER, MANAGER))
    assert scene.overseer.overall() is HealthStatus.HEALTHY
    assert scene.overseer.status()["note"] == ""


def test_a_tick_during_which_the_machine_slept_judges_nobody(scene: Scene, monkeypatch: pytest.MonkeyPatch) -> None:
    scene.tick(4, beating=(TRADER, MANAGER))
    answer = scene.door.programs

    def after_an_hour() -> list[ProgramState]:
        scene.clock.advance(3600)
        return answer()

    monkeypatch.setattr(scene.door, "programs", after_an_hour)
    scene.tick(beating=(TRADER, MANAGER))
    assert scene.door.told == []
    assert scene.status() is HealthStatus.HEALTHY


def test_a_beat_of_a_former_life_counts_for_nothing(scene: Scene) -> None:
    scene.tick(beating=(TRADER, MANAGER))
    scene.door.set(TRADER, pid=8, since_s=0.1)
    scene.beat(TRADER, pid=7)
    scene.tick(beating=(MANAGER,))
    assert scene.status() is HealthStatus.DEGRADED
    assert scene.overseer.watched[TRADER].heartbeat is None


def test_strangers_and_other_facts_are_not_taken_in(scene: Scene) -> None:
    scene.beat("stranger")
    scene.overseer.hear(OperationHealth(process=TRADER, sent_ms=0, mode="dual", overall="HEALTHY", processes={}))
    assert set(scene.overseer.watched) == {TRADER, MANAGER}
    assert scene.overseer.watched[TRADER].heartbeat is None


def test_differing_builds_are_seen(scene: Scene) -> None:
    scene.beat(TRADER, build="new")
    scene.beat(MANAGER, build="old")
    scene.tick()
    assert scene.overseer.watched[TRADER].verdict.causes == ("builds differ",)


def test_a_full_disk_stops_no_judge(scene: Scene, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*_: object, **__: object) -> str:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(scene.changes, "add", full)
    scene.tick(beating=(TRADER, MANAGER))
    scene.door.set(TRADER, pid=9)
    scene.tick(3, beating=(TRADER, MANAGER))
    assert scene.status() is HealthStatus.HEALTHY


def test_the_status_has_the_promised_words(scene: Scene) -> None:
    scene.tick(2, beating=(MANAGER,))
    scene.beat(TRADER, errors=[ErrorCount("f", "KeyError", "a:b", "x", 10, 5, 1.0)], facts={"equity": "1"})
    scene.tick(beating=(MANAGER,))
    status = scene.overseer.status()
    assert set(status) >= {"running", "mode", "overall_status", "error_rate", "processes", "system_resources"}
    row = status["processes"][TRADER]
    assert (row["status"], row["state"], row["pid"], row["error_count"]) == ("DEGRADED", "running", 7, 10)
    assert row["facts"] == {"equity": "1"}
    assert status["error_rate"] == 1.0
    assert msgspec.json.encode(status)
