"""The benchmark of a long list of markets: what it calls a stall is one."""

import asyncio

from benchmarks.market_reload import CLOCK, watched


def test_a_stall_is_the_longest_time_for_which_nobody_else_ran() -> None:
    async def load() -> int:
        await asyncio.sleep(0)
        ends = CLOCK.monotonic() + 0.03
        while CLOCK.monotonic() < ends:
            pass
        await asyncio.sleep(0)
        return 7

    found = asyncio.run(watched(load))
    assert 30 <= found.stall_ms <= found.took_ms and found.markets == 7
