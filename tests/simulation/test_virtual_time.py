"""The loop that simulated worlds live on: time passes when nobody has anything to do, and the held take no step."""

import asyncio
import contextvars

import pytest

from tests.simulation.virtual_time import RUNNING, Process, VirtualClock, VirtualLoop


def test_a_week_passes_at_once_and_timers_of_one_moment_come_in_their_order() -> None:
    loop, heard = VirtualLoop(), list[int]()

    async def scenario() -> None:
        for number in range(5):
            loop.call_later(3600.0, heard.append, number)
        loop.call_later(1800.0, heard.append, -1).cancel()
        await VirtualClock(loop).sleep(7 * 86_400)

    loop.run_until_complete(scenario())
    assert heard == [0, 1, 2, 3, 4] and loop.time() == 100.0 + 7 * 86_400
    loop.close()


def test_who_waits_too_long_hears_so_in_time() -> None:
    loop = VirtualLoop()

    async def scenario() -> None:
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(2.0):
                await VirtualClock(loop).sleep(50.0)
        assert loop.time() == 102.0

    loop.run_until_complete(scenario())
    loop.close()


def test_a_held_process_takes_no_step_until_it_goes_on_and_misses_none() -> None:
    loop, steps = VirtualLoop(), list[float]()
    clock, process, context = VirtualClock(loop), Process("p1"), contextvars.copy_context()
    context.run(RUNNING.set, process)

    async def live() -> None:
        for _ in range(3):
            await clock.sleep(1.0)
            steps.append(loop.time())

    async def scenario() -> None:
        life = loop.create_task(live(), context=context)
        await clock.sleep(1.5)
        process.held = True
        await clock.sleep(10.0)
        assert steps == [101.0]
        loop.go_on(process)
        await life
        assert steps == [101.0, 111.5, 112.5]

    loop.run_until_complete(scenario())
    loop.close()


def test_a_world_in_which_nobody_waits_for_anything_that_will_come_says_so() -> None:
    loop = VirtualLoop()
    never = loop.create_future()
    with pytest.raises(RuntimeError, match="stands still"):
        loop.run_until_complete(never)
    loop.close()
