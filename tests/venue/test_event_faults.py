"""What the table of faults can't say of streams: silence, gaps in a book, a line that is cut and comes back."""

import asyncio
from pathlib import Path
from typing import Any

import ccxt
import pytest

from execution.runtime.config import VenueConfig
from execution.venue.faults import Fault, Faults, Rule
from tests.support import eventually_async
from tests.venue.support import ccxt_client, running

PAIR = "BTC/USDT"
FAST = VenueConfig(speed=600)


async def soon(awaitable: Any) -> Any:
    return await asyncio.wait_for(awaitable, 30)


def test_a_silent_stream_stays_connected_and_speaks_again(tmp_path: Path) -> None:
    async def scene() -> None:
        faults = Faults()
        async with running(tmp_path, FAST, faults=faults) as venue, ccxt_client(venue.port) as client:
            await soon(client.watch_bids_asks([PAIR]))
            number = faults.add(Rule(Fault.DROP_EVENT, "btcusdt@bookTicker", for_s=3600))
            (connection,) = venue.server._sockets.at("streams")
            await eventually_async(lambda: len(faults.happened) >= 5, 30)
            queued = asyncio.create_task(client.watch_bids_asks([PAIR]))
            steps = venue.server.market.bars_closed
            await eventually_async(lambda: venue.server.market.bars_closed > steps + 2, 30)
            assert not queued.done(), "the market moves, the line stands, and nothing is heard"
            assert venue.server._sockets.at("streams") == [connection]
            faults.remove(number)
            await soon(queued)

    asyncio.run(scene())


def test_ccxt_notices_a_gap_in_the_depth_stream(tmp_path: Path) -> None:
    async def scene() -> None:
        faults = Faults()
        async with running(tmp_path, FAST, faults=faults) as venue, ccxt_client(venue.port) as client:
            await soon(client.watch_order_book(PAIR))
            faults.add(Rule(Fault.DROP_EVENT, "btcusdt@depth*", times=3))

            async def watch_on() -> None:
                while True:
                    await client.watch_order_book(PAIR)

            with pytest.raises(ccxt.ChecksumError):
                await soon(watch_on())

    asyncio.run(scene())


def test_a_cut_line_is_a_network_error_and_the_client_may_come_back(tmp_path: Path) -> None:
    async def scene() -> None:
        faults = Faults()
        async with running(tmp_path, FAST, faults=faults) as venue, ccxt_client(venue.port) as client:
            await soon(client.watch_bids_asks([PAIR]))
            faults.add(Rule(Fault.DISCONNECT, "streams"))

            async def watch_on() -> None:
                while True:
                    await client.watch_bids_asks([PAIR])

            with pytest.raises(ccxt.NetworkError):
                await soon(watch_on())
            assert (await soon(client.watch_bids_asks([PAIR])))[PAIR]["bid"] > 0

    asyncio.run(scene())
