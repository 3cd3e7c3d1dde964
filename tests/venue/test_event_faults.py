"""What the table of faults can't say of streams: silence, gaps in a book, a line that is cut and comes back."""

import asyncio
import json
from decimal import Decimal
from pathlib import Path
from typing import Any

import ccxt
import pytest

from execution.runtime.settings import VenueConfig
from execution.venue.faults import Fault, Faults, Rule
from execution.venue.wrong_prices import with_wrong_prices
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


EVENTS: dict[str, dict[str, Any]] = {
    "trade": {"e": "trade", "s": "BTCUSDT", "t": 7, "p": "100.10000000", "q": "2.00000000", "m": True},
    "aggTrade": {"e": "aggTrade", "a": 7, "p": "100.10000000", "q": "2.00000000"},
    "bookTicker": {"u": 9, "s": "BTCUSDT", "b": "99.00000000", "B": "1.0", "a": "101.00000000", "A": "3.0"},
    "depthUpdate": {"e": "depthUpdate", "U": 1, "u": 2, "b": [["99.00000000", "1.0"]], "a": [["101.00000000", "0.0"]]},
    "depth5": {"lastUpdateId": 3, "bids": [["99.00000000", "1.0"]], "asks": [["101.00000000", "2.0"]]},
    "kline": {"e": "kline", "k": {"t": 1, "o": "1.0", "h": "3.0", "l": "0.5", "c": "2.0", "v": "9.0"}},
    "avgPrice": {"e": "avgPrice", "i": "5m", "w": "100.00000000"},
    "24hrMiniTicker": {"e": "24hrMiniTicker", "o": "1.0", "h": "3.0", "l": "0.5", "c": "2.0", "v": "9.0"},
    "executionReport": {"e": "executionReport", "p": "100.0", "L": "100.0", "q": "1.0"},
    "a reply": {"result": None, "id": 1},
}


def told(event: object, fault: Fault, wrapped: bool) -> Any:
    message = {"stream": "x", "data": event} if wrapped else event
    wrong = json.loads(with_wrong_prices(json.dumps(message).encode(), fault, Decimal(10)))
    return wrong["data"] if wrapped else wrong


@pytest.mark.parametrize("wrapped", [True, False])
@pytest.mark.parametrize("name", EVENTS)
def test_wrong_prices_change_the_prices_of_a_market_event_and_nothing_else(name: str, wrapped: bool) -> None:
    event = EVENTS[name]
    text = json.dumps(event)
    ten = {"100.10000000": "1001.00000000", "99.00000000": "990.00000000", "101.00000000": "1010.00000000"}
    ten |= {"100.00000000": "1000.00000000"}
    if name in ("kline", "24hrMiniTicker"):
        ten |= {'"1.0"': '"10.0"', '"3.0"': '"30.0"', '"0.5"': '"5.0"', '"2.0"': '"20.0"'}
    for price, other in ten.items():
        text = text.replace(price, other)
    assert told(event, Fault.PRICE_TIMES, wrapped) == json.loads(text)
    for fault, price in ((Fault.ZERO_PRICE, "0.00000000"), (Fault.NAN_PRICE, "NaN")):
        wrong = json.dumps(told(event, fault, wrapped))
        assert wrong.count(f'"{price}"') == (0 if name in ("executionReport", "a reply") else _prices(name))
    crossed = told(event, Fault.CROSSED_BOOK, wrapped)
    if name in ("bookTicker", "depthUpdate"):
        assert (crossed["b"], crossed["a"]) == (event["a"], event["b"])
    elif name == "depth5":
        assert (crossed["bids"], crossed["asks"]) == (event["asks"], event["bids"])
    else:
        assert crossed == event
    assert told([event, event], Fault.PRICE_TIMES, wrapped) == [json.loads(text)] * 2, "all tickers come as a list"


def _prices(name: str) -> int:
    return {"kline": 4, "24hrMiniTicker": 4, "bookTicker": 2, "depthUpdate": 2, "depth5": 2}.get(name, 1)
