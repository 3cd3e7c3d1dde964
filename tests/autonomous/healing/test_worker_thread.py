"""Work in a thread that is cut off: whoever waited for it goes on only when it is over."""

import asyncio
import threading

import pytest

from execution.autonomous.healing.worker_thread import finished
from tests.support import eventually_async


def test_a_cut_off_waiter_leaves_no_thread_at_work_behind() -> None:
    began, may_end, over = threading.Event(), threading.Event(), threading.Event()

    def work() -> str:
        began.set()
        assert may_end.wait(10)
        over.set()
        return "done"

    async def scene() -> None:
        waiter = asyncio.create_task(finished(work))
        await eventually_async(began.is_set)
        waiter.cancel()
        await asyncio.sleep(0)
        assert not waiter.done()
        may_end.set()
        with pytest.raises(asyncio.CancelledError):
            await waiter
        assert over.is_set()
        assert await finished(work) == "done"

    asyncio.run(scene())


def test_what_the_work_raises_reaches_the_waiter() -> None:
    def work() -> None:
        raise OSError("no room")

    with pytest.raises(OSError, match="no room"):
        asyncio.run(finished(work))
