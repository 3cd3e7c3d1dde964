"""The venue misbehaving on purpose: what the client sees, and what really happened to its order."""

import asyncio
from pathlib import Path

import aiohttp
import pytest

from execution.runtime.clock import ManualClock
from execution.venue.faults import Fault, Faults
from tests.venue.support import raw_client, running

ORDER: dict[str, object] = {"symbol": "BTCUSDT", "side": "BUY", "type": "MARKET", "quantity": "0.001"}
POST = "POST /api/v3/order"


@pytest.mark.parametrize(
    ("fault", "fills"),
    [
        (Fault.REFUSE_504, 0),
        (Fault.EXECUTE_504, 1),
        (Fault.CUT, 0),
        (Fault.EXECUTE_CUT, 1),
        (Fault.DELAY, 0),
        (Fault.LATE_REPLY, 1),
    ],
)
def test_each_fault_does_what_it_says(tmp_path: Path, fault: Fault, fills: int) -> None:
    async def scene() -> None:
        clock, faults = ManualClock(), Faults(delay_s=5.001)
        faults.plan(POST, fault)
        async with (
            running(tmp_path, clock=clock, driven=False, faults=faults) as venue,
            raw_client(venue, clock) as raw,
        ):
            if fault in (Fault.CUT, Fault.EXECUTE_CUT):
                with pytest.raises(aiohttp.ClientError):
                    await raw.signed("POST", "order", **ORDER)
            else:
                reply = await raw.signed("POST", "order", **ORDER)
                expected = {Fault.DELAY: (400, -1021), Fault.LATE_REPLY: (200, 0)}.get(fault, (504, -1007))
                assert (reply.status, reply.body.get("code", 0)) == expected
            assert len((await raw.signed("GET", "myTrades", symbol="BTCUSDT")).body) == fills
            assert (await raw.signed("POST", "order", **ORDER)).status == 200, "once only"
            assert faults.happened == [(POST, fault)]

    asyncio.run(scene())


def test_chance_follows_its_seed_and_its_rates() -> None:
    rates = {Fault.CUT: 0.2, Fault.EXECUTE_504: 0.1}
    one, same, other = Faults(1, rates), Faults(1, rates), Faults(2, rates)
    drawn = [one.next(POST) for _ in range(1000)]
    assert drawn == [same.next(POST) for _ in range(1000)]
    assert drawn != [other.next(POST) for _ in range(1000)]
    assert 150 < drawn.count(Fault.CUT) < 250
    assert 70 < drawn.count(Fault.EXECUTE_504) < 130
