"""Periodic work: never twice at once, never late in bursts, never dead of an error; stopped at the end of a run."""

import asyncio
from collections.abc import Awaitable, Callable
from functools import partial

from execution.runtime.clock import ManualClock, SystemClock
from execution.runtime.errors import ErrorBook
from execution.runtime.tasks import Task, TaskRunner
from tests.support import eventually_async

FOREVER_S = 1000.0


async def nothing() -> None:
    """A run that does nothing."""


def runner(clock: ManualClock | SystemClock | None = None) -> TaskRunner:
    clock = clock or SystemClock()
    return TaskRunner(clock, ErrorBook(clock))


def play(tasks: list[Task], made: TaskRunner, scene: Callable[[], Awaitable[None]]) -> None:
    """Run `tasks` beside `scene`, and stop them when it has ended."""

    async def whole() -> None:
        work = asyncio.create_task(made.run(tasks))
        try:
            await scene()
        finally:
            made.stop()
            await asyncio.wait_for(work, 5)

    asyncio.run(whole())


def test_a_task_never_overlaps_itself_however_slow_it_is() -> None:
    made, inside, most = runner(), 0, 0

    async def slow() -> None:
        nonlocal inside, most
        inside += 1
        most = max(most, inside)
        for _ in range(50):
            await asyncio.sleep(0)
        inside -= 1

    async def scene() -> None:
        await eventually_async(lambda: made.progress() and made.progress()[0].runs >= 5)

    play([Task("slow", 0.0001, slow)], made, scene)
    assert most == 1


def test_a_period_counts_from_the_plan_and_not_from_the_end_of_a_run() -> None:
    clock, starts = ManualClock(), list[float]()
    made = runner(clock)

    async def three_seconds() -> None:
        starts.append(clock.monotonic())
        clock.advance(3)

    async def instantly(task: Task, seconds: float) -> None:
        clock.advance(seconds)
        await asyncio.sleep(0)

    made._pause = instantly  # type: ignore[method-assign]

    async def scene() -> None:
        await eventually_async(lambda: len(starts) >= 5)

    play([Task("work", 10.0, three_seconds)], made, scene)
    assert [at - starts[0] for at in starts[:5]] == [0, 10, 20, 30, 40], "it drifts"


def test_a_late_task_goes_on_from_now_without_a_burst() -> None:
    clock, starts = ManualClock(), list[float]()
    made = runner(clock)

    async def late_once() -> None:
        starts.append(clock.monotonic())
        clock.advance(35 if len(starts) == 1 else 0)

    async def instantly(task: Task, seconds: float) -> None:
        clock.advance(seconds)
        await asyncio.sleep(0)

    made._pause = instantly  # type: ignore[method-assign]

    async def scene() -> None:
        await eventually_async(lambda: len(starts) >= 4)

    play([Task("work", 10.0, late_once)], made, scene)
    assert [at - starts[0] for at in starts[:4]] == [0, 35, 45, 55], "missed runs were made up for"


def test_an_error_is_counted_and_the_next_run_comes() -> None:
    clock = SystemClock()
    errors = ErrorBook(clock)
    made, calls = TaskRunner(clock, errors), 0

    async def fails_twice() -> None:
        nonlocal calls
        calls += 1
        if calls <= 2:
            raise KeyError("gone")

    async def scene() -> None:
        await eventually_async(lambda: calls >= 5)

    play([Task("shaky", 0.001, fails_twice)], made, scene)
    row = made.progress()[0]
    assert (row.failures, row.runs) == (2, calls - 2)
    assert [(error.kind, error.count) for error in errors.rows()] == [("KeyError", 2)]


def test_one_failing_task_stops_no_other() -> None:
    made = runner()

    async def broken() -> None:
        raise RuntimeError("always")

    async def scene() -> None:
        await eventually_async(lambda: len(made.progress()) == 2 and made.progress()[1].runs >= 3)

    play([Task("broken", 0.001, broken), Task("sound", 0.001, nothing)], made, scene)
    assert made.progress()[0].runs == 0
    assert not made.all_progressed()


def test_a_failed_run_is_no_progress() -> None:
    clock = ManualClock()
    made = runner(clock)

    async def broken() -> None:
        raise RuntimeError("always")

    async def scene() -> None:
        await eventually_async(lambda: made.progress() and made.progress()[0].failures >= 1)

    play([Task("broken", FOREVER_S, broken)], made, scene)
    assert made.progress()[0].last_finished_age_s is None


def test_wake_brings_the_next_run_at_once() -> None:
    made, wake = runner(), asyncio.Event()

    def has_run(times: int) -> bool:
        return bool(made.progress()) and made.progress()[0].runs == times

    async def scene() -> None:
        for wanted in (1, 2, 3):
            await eventually_async(partial(has_run, wanted))
            wake.set()
        await eventually_async(partial(has_run, 4))

    play([Task("waits", FOREVER_S, nothing, wake=wake)], made, scene)


def test_a_wake_during_a_run_isnt_lost() -> None:
    made, wake, runs = runner(), asyncio.Event(), 0

    async def wakes_itself_once() -> None:
        nonlocal runs
        runs += 1
        if runs == 1:
            wake.set()

    async def scene() -> None:
        await eventually_async(lambda: runs == 2)

    play([Task("self", FOREVER_S, wakes_itself_once, wake=wake)], made, scene)


def test_stop_lets_the_current_run_end_and_begins_no_other() -> None:
    made = runner()
    entered, let_go = asyncio.Event(), asyncio.Event()
    ended = list[str]()

    async def long() -> None:
        entered.set()
        await let_go.wait()
        ended.append("whole")

    async def whole() -> None:
        work = asyncio.create_task(made.run([Task("long", 0.0, long)]))
        await entered.wait()
        made.stop()
        assert not work.done()
        let_go.set()
        await asyncio.wait_for(work, 5)

    asyncio.run(whole())
    assert ended == ["whole"]


def test_progress_tells_ages_and_what_runs_now() -> None:
    clock = ManualClock()
    made = runner(clock)
    entered, let_go = asyncio.Event(), asyncio.Event()

    async def waits_in_the_second_run() -> None:
        if entered.is_set():
            await let_go.wait()
        entered.set()

    def in_the_second_run() -> bool:
        return any(row.running_for_s is not None and row.runs == 1 for row in made.progress())

    async def scene() -> None:
        await eventually_async(in_the_second_run)
        clock.advance(2.5)
        row = made.progress()[0]
        assert (row.last_finished_age_s, row.running_for_s, row.critical) == (2.5, 2.5, True)
        let_go.set()

    play([Task("task", 0.0, waits_in_the_second_run, critical=True)], made, scene)


def test_nothing_has_progressed_before_the_first_task_is_known() -> None:
    assert not runner().all_progressed()
    assert runner().progress() == []


def test_a_process_whose_part_changes_takes_up_new_work_and_begins_no_further_run_of_the_old() -> None:
    made, ran = runner(), list[str]()

    async def note(name: str) -> None:
        ran.append(name)

    both, old, new = (Task(name, 0.001, partial(note, name)) for name in ("both", "old", "new"))

    async def scene() -> None:
        await eventually_async(lambda: {"both", "old"} <= set(ran))
        runs_of_both = next(row.runs for row in made.progress() if row.name == "both")
        made.switch([both, new])
        ran.clear()
        await eventually_async(lambda: ran.count("new") >= 3 and ran.count("both") >= 3)
        assert "old" not in ran
        rows = {row.name: row for row in made.progress()}
        assert set(rows) == {"both", "new"} and rows["both"].runs > runs_of_both  # it went on as it was

    play([both, old], made, scene)


def test_a_task_taken_up_late_isnt_blamed_for_the_time_before() -> None:
    clock = ManualClock()
    made, gate = runner(clock), asyncio.Event()

    async def hangs() -> None:
        await gate.wait()

    async def scene() -> None:
        await asyncio.sleep(0)
        clock.advance(1000)
        made.switch([Task("late", 1.0, hangs)])
        await asyncio.sleep(0)
        clock.advance(7)
        assert [row.last_finished_age_s for row in made.progress()] == [7.0]
        assert not made.all_progressed()
        gate.set()

    play([], made, scene)


def test_new_work_named_before_the_first_run_is_what_runs_and_after_the_stop_nothing_is_taken_up() -> None:
    made, ran = runner(), list[str]()

    async def note(name: str) -> None:
        ran.append(name)

    async def whole() -> None:
        made.switch([Task("new", FOREVER_S, partial(note, "new"))])
        work = asyncio.create_task(made.run([Task("old", FOREVER_S, partial(note, "old"))]))
        await eventually_async(lambda: ran == ["new"])
        made.stop()
        made.switch([Task("too late", FOREVER_S, partial(note, "too late"))])
        await asyncio.wait_for(work, 5)
        assert ran == ["new"]

    asyncio.run(whole())
