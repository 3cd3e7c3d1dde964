"""What goes wrong at the venue by itself, as the real ccxt meets it: closed and thin markets, leaps, foreign money."""

import asyncio
from decimal import Decimal
from pathlib import Path
from typing import Any

import ccxt
import pytest

from execution.runtime.settings import VenueConfig
from execution.venue.faults import Fault, Faults, Rule
from tests.support import eventually_async
from tests.venue.support import ccxt_client, running

PAIR = "BTC/USDT"
FAST = VenueConfig(speed=600)


async def soon(awaitable: Any) -> Any:
    return await asyncio.wait_for(awaitable, 30)


def test_a_market_under_maintenance_is_shown_as_closed_takes_no_order_and_opens_again(tmp_path: Path) -> None:
    async def scene() -> None:
        faults = Faults()
        async with running(tmp_path, FAST, faults=faults) as venue, ccxt_client(venue.port) as client:

            async def active() -> bool:
                return bool((await client.load_markets(True))[PAIR]["active"])

            number = faults.add(Rule(Fault.MAINTENANCE, "BTCUSDT"))
            await eventually_async(lambda: venue.server.exchange.symbols["BTCUSDT"].status == "BREAK", 30)
            assert not await active()
            assert client.market("ETH/USDT")["active"], "only this one"
            with pytest.raises(ccxt.MarketClosed):
                await client.create_order(PAIR, "market", "buy", 0.001)
            faults.remove(number)
            await eventually_async(active, 30)
            assert (await client.create_order(PAIR, "market", "buy", 0.001))["status"] == "closed"

    asyncio.run(scene())


def test_a_thin_market_fills_an_order_in_dribbles(tmp_path: Path) -> None:
    async def scene() -> None:
        faults = Faults()
        faults.add(Rule(Fault.DRIBBLE, "BTCUSDT", value=Decimal("0.0001")))
        async with running(tmp_path, FAST, faults=faults) as venue, ccxt_client(venue.port) as client:
            await eventually_async(lambda: venue.server.market.shares["BTCUSDT"] < 1, 30)
            steps = venue.server.market.bars_closed
            await eventually_async(lambda: venue.server.market.bars_closed > steps + 1, 30)
            price = round((await client.fetch_ticker(PAIR))["last"] * 1.02, 2)
            placed = await client.create_order(PAIR, "limit", "buy", 0.01, price)
            fills: set[str] = set()

            async def trickled() -> bool:
                fills.update(trade["id"] for trade in await client.fetch_my_trades(PAIR))
                return len(fills) >= 12

            await eventually_async(trickled, 30)
            found = await client.fetch_order(placed["id"], PAIR)
            assert 0 < found["filled"] < 0.01 or len(fills) > 20, "many small fills, not one"

    asyncio.run(scene())


def test_a_price_that_leaps_fills_a_resting_order_far_away_and_comes_back(tmp_path: Path) -> None:
    async def scene() -> None:
        faults = Faults()
        async with running(tmp_path, FAST, faults=faults) as venue, ccxt_client(venue.port) as client:
            price = round((await client.fetch_ticker(PAIR))["last"] * 0.9, 2)
            placed = await client.create_order(PAIR, "limit", "buy", 0.001, price)
            faults.add(Rule(Fault.SPIKE, "BTCUSDT", value=Decimal("-0.2")))

            async def filled() -> bool:
                return bool((await client.fetch_order(placed["id"], PAIR))["status"] == "closed")

            await eventually_async(filled, 30)

            async def came_back() -> bool:
                return bool((await client.fetch_ticker(PAIR))["last"] > price)

            await eventually_async(came_back, 30)

    asyncio.run(scene())


def test_ccxt_hears_of_money_that_somebody_else_pays_in_or_out(tmp_path: Path) -> None:
    async def scene() -> None:
        faults = Faults()
        async with running(tmp_path, FAST, faults=faults) as venue, ccxt_client(venue.port) as client:
            balance = asyncio.create_task(client.watch_balance())
            await eventually_async(lambda: venue.server.users.listeners("sandbox"), 30)
            for on, amount in (("sandbox/BTC", "0.5"), ("sandbox/USDT", "-2500"), ("sandbox/USDT", "-99999")):
                faults.add(Rule(Fault.BALANCE, on, value=Decimal(amount)))
            await eventually_async(lambda: len(faults.happened) == 3, 30)
            assert (await soon(balance))["BTC"]["free"] == 0.5
            held = await client.fetch_balance()
            assert (held["BTC"]["free"], held["USDT"]["free"]) == (0.5, 7500), "more than there is isn't paid out"
            accounts = venue.server.exchange.engine.accounts
            assert (accounts.total("BTC"), accounts.total("USDT")) == (Decimal(0), Decimal(20_000)), (
                "it came from the house"
            )
        async with running(tmp_path, driven=False) as venue, ccxt_client(venue.port) as client:
            assert (await client.fetch_balance())["BTC"]["free"] == 0.5, "and it is stored"

    asyncio.run(scene())
