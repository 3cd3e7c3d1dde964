"""How the exchange that is mirrored gets to the venue: from the process `venue` and from `nae venue serve`, which waits
for it and ends when it is told to, also while it waits. Nobody's real exchange is asked."""

import asyncio
import os
import signal
from collections.abc import Sequence
from pathlib import Path

import pytest

from agents.process import Context
from agents.venue import VenueAgent
from execution.exchange import original as exchange_original
from execution.exchange.original import Original, open_original
from execution.runtime.bus import Bus
from execution.runtime.clock import Clock, SystemClock
from execution.runtime.errors import ErrorBook
from execution.runtime.home import Home
from execution.runtime.settings import Config, VenueConfig
from execution.venue.alone import serve_alone
from execution.venue.faults import Faults
from execution.venue.server import VenueServer
from tests.support import eventually_async
from tests.venue.support import CLIENTS, running
from tests.venue.test_mirror import ORIGINAL

CONFIG = VenueConfig(market="mirror:binance", history_bars=100, symbols=ORIGINAL.symbols)


def test_the_process_gives_the_venue_the_exchange_that_it_mirrors(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def scene() -> None:
        async with running(tmp_path / "original", ORIGINAL) as there:

            async def here(name: str, pairs: Sequence[str], count: int, clock: Clock) -> Original:
                return await open_original(name, pairs, count, clock, base_url=there.url)

            monkeypatch.setattr(exchange_original, "open_original", here)
            home, clock = Home(tmp_path / "home"), SystemClock()
            home.prepare()
            context = Context(
                "venue", home, Config(venue=CONFIG), clock, Bus(home.run, "venue", clock), ErrorBook(clock)
            )
            agent = VenueAgent(context)
            await agent.start()
            try:
                assert agent.facts()["market"] == "mirror:binance"
                await eventually_async(lambda: agent.components()["market"].status == "healthy", 30)
                candles = agent.components()["market"].metrics["candles_closed"]
                assert isinstance(candles, int)
                await eventually_async(lambda: agent.components()["market"].metrics["candles_closed"] != candles, 30)
            finally:
                for task in context.background:
                    task.cancel()
                await asyncio.gather(*context.background, return_exceptions=True)
                await agent.stop()

    asyncio.run(scene())


def test_a_venue_by_itself_that_waits_for_its_original_ends_when_it_is_told_to(tmp_path: Path) -> None:
    waited: list[str] = []

    async def never(clock: Clock) -> Original:
        waited.append("began")
        asyncio.get_running_loop().call_later(0.1, os.kill, os.getpid(), signal.SIGTERM)
        await asyncio.Event().wait()
        raise AssertionError

    def tell(server: VenueServer, port: int) -> None:
        waited.append("served")

    serve_alone(CONFIG, tmp_path / "alone", CLIENTS, Faults(), tell, find_original=never)
    assert waited == ["began"]


def test_a_venue_by_itself_serves_a_mirror_and_ends(tmp_path: Path) -> None:
    told: list[str] = []

    def tell(server: VenueServer, port: int) -> None:
        told.append(server.get_health()["metrics"]["reason"])
        asyncio.get_running_loop().call_later(0.1, os.kill, os.getpid(), signal.SIGTERM)

    async def unheard(clock: Clock) -> Original:
        async with running(tmp_path / "original", ORIGINAL, driven=False) as there:
            return await open_original("binance", ORIGINAL.symbols, 100, clock, base_url=there.url)

    serve_alone(CONFIG, tmp_path / "alone", CLIENTS, Faults(), tell, find_original=unheard)
    assert told == ["the mirrored exchange isn't heard"]
