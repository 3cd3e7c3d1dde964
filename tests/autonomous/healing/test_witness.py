"""What is seen from outside: who died without a word, who hangs, what grows: by fields, never by words of a cause."""

import asyncio
import re
from pathlib import Path

import msgspec
import pytest

from execution.autonomous import overseer as overseer_module
from execution.autonomous.healing.remedy import Issue
from execution.autonomous.healing.seeing.findings import CLOCK_STEP_MAX_S
from execution.autonomous.healing.seeing.witness import SAID_EVERY_S, Witness
from execution.autonomous.log_watch import LogWatch
from execution.autonomous.resources import Finding
from execution.autonomous.restart_policy import History
from execution.autonomous.vitals import ProcessVitals, SystemVitals
from execution.autonomous.watched import Watched
from execution.runtime.errors import ErrorBook
from execution.runtime.last_word import leave_last_word
from execution.vocabulary.exit_codes import ExitCode
from execution.vocabulary.health import TaskProgress
from execution.vocabulary.issues import IssueType, Severity
from execution.vocabulary.limits import DISK_LOW_BYTES, JUDGE_PERIOD_S, MEMORY_LOW_SHARE, TASK_OVERDUE_LEAST_S
from execution.vocabulary.programs import MANAGER
from tests.autonomous.test_overseer import TRADER, Scene
from tests.injected import TEXTS

PLENTY = SystemVitals(0.1, 0.1, 2**34, 0.5, 2**40, 0.5)


class Seeing(Scene):
    """An overseer and its witness."""

    def __init__(self, folder: Path) -> None:
        super().__init__(folder, TRADER, MANAGER)
        self.witness = Witness(self.overseer, self.home, self.clock)
        self.tick(3, beating=(TRADER, MANAGER))
        self.witness.look()

    def look(self, times: int = 1) -> list[Issue]:
        for _ in range(times):
            self.tick(beating=(TRADER, MANAGER))
            self.witness.look()
        return self.witness.issues()

    def ends(self, status: int) -> None:
        """The trader ends, and is back with another pid."""
        self.door.died(TRADER, status)
        self.door.set(TRADER, pid=self.overseer.watched[TRADER].pid + 1)


@pytest.fixture
def scene(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Seeing:
    monkeypatch.setattr(
        overseer_module, "sample_process", lambda pid: ProcessVitals(pid, "sleeping", 1.0, 10 * 2**20, 5)
    )
    return Seeing(tmp_path)


def test_a_healthy_operation_has_no_issue(scene: Seeing) -> None:
    scene.overseer.machine = PLENTY
    assert scene.look(100) == []


@pytest.mark.parametrize(
    ("status", "kind"), [(-9, IssueType.CRASH), (-11, IssueType.CRASH), (1, IssueType.CRASH), (71, IssueType.DISK)]
)
def test_who_is_back_with_another_pid_and_left_no_word_has_crashed(scene: Seeing, status: int, kind: IssueType) -> None:
    scene.ends(status)
    (issue,) = scene.look(5)
    assert (issue.type, issue.process, issue.count, issue.context) == (kind, TRADER, 1, {"status": str(status)})
    assert issue.severity is Severity.SERIOUS and issue.exception == ""


@pytest.mark.parametrize("status", [ExitCode.OK, ExitCode.BUSY, ExitCode.UNAVAILABLE])
def test_who_ended_in_good_order_is_no_issue(scene: Seeing, status: int) -> None:
    scene.ends(status)
    assert scene.look(5) == []


def test_who_left_its_word_is_known_by_that_and_not_counted_twice(scene: Seeing) -> None:
    try:
        raise ModuleNotFoundError("x")
    except ModuleNotFoundError as error:
        leave_last_word(scene.home, TRADER, "import", error)
    path = scene.home.run / f"{TRADER}.crash.json"
    pid = scene.overseer.watched[TRADER].pid
    path.write_text(re.sub(r'"pid":\d+', f'"pid":{pid}', path.read_text()))
    scene.ends(1)
    (issue,) = scene.look(5)
    assert (issue.type, issue.count, issue.context["phase"]) == (IssueType.IMPORT, 1, "import")


def test_whom_we_killed_because_it_hung_is_a_hang_and_no_crash(scene: Seeing) -> None:
    watched = scene.overseer.watched[TRADER]
    scene.overseer.killed(watched, TRADER, watched.pid, "no pulse for 1.1 s")
    scene.ends(-9)
    (issue,) = scene.look(5)
    assert (issue.type, issue.count) == (IssueType.HANG, 1)


def late(running_for_s: float | None) -> TaskProgress:
    return TaskProgress("study", 1.0, 5, 0, 2 * TASK_OVERDUE_LEAST_S, running_for_s)


def look_at(scene: Seeing, task: TaskProgress, errors: ErrorBook, times: int) -> list[Issue]:
    for _ in range(times):
        scene.beat(TRADER, tasks=[task], uptime_s=1000.0, errors=errors.rows())
        scene.witness.hear(scene.overseer.watched[TRADER].heartbeat or pytest.fail("not heard"))
        scene.tick()
        scene.witness.look()
    return scene.witness.issues()


def test_a_run_that_doesnt_end_goes_on_being_counted_until_it_does(scene: Seeing) -> None:
    looks = round(4 * SAID_EVERY_S / JUDGE_PERIOD_S)
    (issue,) = look_at(scene, late(TASK_OVERDUE_LEAST_S + 1), ErrorBook(scene.clock), looks)
    assert (issue.type, issue.context, issue.place) == (IssueType.HANG, {"task": "study"}, "task:study")
    assert 3 <= issue.count <= 5
    scene.look(20)
    assert scene.witness.issues()[0].count == issue.count


@pytest.mark.parametrize("running_for_s", [None, 1.0])
def test_a_task_whose_runs_fail_one_after_the_other_doesnt_hang(scene: Seeing, running_for_s: float | None) -> None:
    assert look_at(scene, late(running_for_s), ErrorBook(scene.clock), 20) == []


@pytest.mark.parametrize(("error", "hangs"), [(ConnectionError, False), (TimeoutError, False), (KeyError, True)])
@pytest.mark.parametrize("who", [TRADER, MANAGER])
def test_while_anybody_misses_the_network_or_the_venue_a_long_run_is_no_hang(
    scene: Seeing, who: str, error: type[Exception], hangs: bool
) -> None:
    errors = ErrorBook(scene.clock)
    errors.note(error("x"))
    scene.beat(who, errors=errors.rows())
    scene.witness.hear(scene.overseer.watched[who].heartbeat or pytest.fail("not heard"))
    found = look_at(scene, late(TASK_OVERDUE_LEAST_S + 1), ErrorBook(scene.clock), 20)
    assert (IssueType.HANG in {issue.type for issue in found}) is hangs


def test_while_the_venue_is_down_a_long_run_is_no_hang(scene: Seeing) -> None:
    scene.overseer.watched["venue"] = Watched()
    assert look_at(scene, late(TASK_OVERDUE_LEAST_S + 1), ErrorBook(scene.clock), 20) == []


@pytest.mark.parametrize(("grows", "kind"), [("memory", IssueType.MEMORY), ("descriptor", IssueType.DESCRIPTOR_LEAK)])
def test_what_grows_towards_its_ceiling_is_a_leak_whatever_the_cause_says(
    scene: Seeing, grows: str, kind: IssueType
) -> None:
    scene.overseer.watched[TRADER].finding = Finding("No module named memory descriptor", grows=grows)
    (issue,) = scene.look()
    assert issue.type is kind


def test_a_crash_loop_a_flood_and_a_machine_without_room_are_issues(scene: Seeing) -> None:
    watched = scene.overseer.watched[TRADER]
    watched.flood = "floods its log: 9 MB/s"
    scene.overseer.machine = SystemVitals(0.1, 0.1, 2**20, MEMORY_LOW_SHARE / 2, DISK_LOW_BYTES - 1, 0.01)
    scene.look()
    watched.history, watched.free_in_s = History(crashes=3), 4.0
    scene.witness.look()
    found = {(issue.type, issue.template, issue.process) for issue in scene.witness.issues()}
    assert found == {
        (IssueType.UNKNOWN, "flood", TRADER),
        (IssueType.CRASH, "crash loop", TRADER),
        (IssueType.DISK, "disk low", MANAGER),
        (IssueType.MEMORY, "memory low", MANAGER),
    }


@pytest.mark.parametrize("by_s", [3600.0, -3600.0, 3.0, -3.0])
def test_a_clock_that_was_set_is_told_once(scene: Seeing, by_s: float) -> None:
    scene.look(3)
    scene.clock.step_wall(by_s)
    (issue,) = scene.look(10)
    assert (issue.type, issue.count, issue.process) == (IssueType.CLOCK, 1, MANAGER)


def test_two_clocks_that_drift_apart_slowly_are_no_fault_however_far(scene: Seeing) -> None:
    for _ in range(100):
        scene.clock.step_wall(CLOCK_STEP_MAX_S / 20)
        assert scene.look() == []


def test_only_processes_of_this_operation_are_believed(scene: Seeing) -> None:
    book = ErrorBook(scene.clock)
    book.note(KeyError("x"))
    scene.beat("stranger", errors=book.rows())
    leave_last_word(scene.home, "stranger", "run", KeyError("x"))
    assert scene.look(3) == []
    assert not list(scene.home.run.glob("*.crash.json")), "taken away all the same"


def test_an_error_in_a_heartbeat_is_an_issue_at_once(scene: Seeing) -> None:
    book = ErrorBook(scene.clock)
    book.note(KeyError("x"), task="cycle")
    beat = scene.overseer.watched[TRADER].heartbeat
    assert beat is not None
    scene.witness.hear(msgspec.structs.replace(beat, errors=book.rows()))
    (issue,) = scene.witness.issues()
    assert (issue.type, issue.context) == (IssueType.KEY, {"task": "cycle"})


def test_whatever_is_written_into_the_logs_is_no_issue_and_shows_none(scene: Seeing) -> None:
    watch = LogWatch(scene.home.logs)
    record = "2026-11-21T08:15:00.123Z ERROR   nae.healing: {}\n"
    with scene.home.log_file(TRADER).open("w") as log:
        for text in TEXTS:
            log.write(f"{text}\n" + record.format(text))
    tails = watch.read()
    assert tails[TRADER].errors >= len(TEXTS)
    asyncio.run(scene.witness.keep(tails))
    assert scene.look(3) == []
