"""Work on files in a thread, so that the loop turns; whoever is cut off meanwhile still waits for its end. A thread
can't be ended from outside, and what comes next (a revert) must not meet it at work."""

import asyncio
from collections.abc import Callable
from typing import TypeVar

T = TypeVar("T")


async def finished(work: Callable[[], T]) -> T:
    """What `work` gives, run in a thread. A cancellation is passed on when the work is over."""
    thread = asyncio.ensure_future(asyncio.to_thread(work))
    try:
        return await asyncio.shield(thread)
    except asyncio.CancelledError:
        await asyncio.wait({thread})
        raise
