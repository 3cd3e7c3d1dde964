"""Each fault of an event as the real ccxt.pro meets it: streams that fall silent, gap, repeat, come late, break off."""

import asyncio
from decimal import Decimal
from pathlib import Path
from typing import Any

import ccxt
import pytest

from execution.runtime.config import VenueConfig
from execution.venue.faults import Fault, Faults, Rule
from tests.support import eventually_async
from tests.venue.support import Running, ccxt_client, running

PAIR = "BTC/USDT"
REPORTS = "sandbox executionReport"
FAST = VenueConfig(speed=600)


async def soon(awaitable: Any) -> Any:
    return await asyncio.wait_for(awaitable, 30)


class Heard:
    """Every raw event of the user stream, as a client gets it."""

    def __init__(self, client: Any) -> None:
        self.events: list[dict[str, Any]] = []
        self._listening = asyncio.create_task(client.watch_orders())
        original = client.handle_order

        def keep(socket: Any, message: dict[str, Any]) -> None:
            self.events.append(message)
            original(socket, message)

        client.handle_order = keep

    def statuses(self) -> list[str]:
        return [event["X"] for event in self.events]

    async def end(self) -> None:
        self._listening.cancel()


async def bought(venue: Running, client: Any, faults: Faults, rule: Rule, wanted: int) -> list[str]:
    """The statuses that are heard of one order while a rule holds."""
    heard = Heard(client)
    await eventually_async(lambda: venue.server.users.listeners("sandbox"), 30)
    faults.add(rule)
    await client.create_order(PAIR, "market", "buy", 0.001)
    await eventually_async(lambda: len(heard.events) >= wanted, 30)
    await heard.end()
    return heard.statuses()


@pytest.mark.parametrize(
    ("rule", "statuses"),
    [
        (Rule(Fault.DROP_EVENT, REPORTS), ["FILLED"]),
        (Rule(Fault.DUPLICATE_EVENT, REPORTS), ["NEW", "NEW", "FILLED"]),
        (Rule(Fault.SWAP_EVENTS, REPORTS), ["FILLED", "NEW"]),
        (Rule(Fault.DELAY_EVENT, REPORTS, value=Decimal("0.05")), ["FILLED", "NEW"]),
    ],
    ids=lambda value: value.fault.value if isinstance(value, Rule) else "",
)
def test_ccxt_hears_of_an_order_never_twice_late_or_the_wrong_way_round(
    tmp_path: Path, rule: Rule, statuses: list[str]
) -> None:
    async def scene() -> None:
        faults = Faults()
        async with running(tmp_path, driven=False, faults=faults) as venue, ccxt_client(venue.port) as client:
            assert await bought(venue, client, faults, rule, len(statuses)) == statuses
            assert len(await client.fetch_my_trades(PAIR)) == 1, "REST knows the truth"

    asyncio.run(scene())


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
