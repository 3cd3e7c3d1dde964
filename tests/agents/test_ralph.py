"""Research that fails on one symbol goes on with the others, and says nothing before it has something to say."""

import asyncio
from pathlib import Path

import pytest

import agents.ralph
from agents.embedded import write_port
from agents.process import Context
from agents.ralph import RalphAgent
from execution.exchange.classify import VenueError
from execution.research.sweep import grid
from execution.runtime.bus import Bus
from execution.runtime.clock import SystemClock
from execution.runtime.errors import ErrorBook
from execution.runtime.home import Home
from execution.runtime.settings import Config, TradingConfig
from execution.venue.faults import Fault, Faults, Rule
from execution.vocabulary.messages import Conditions
from tests.trading.venue import SYMBOLS, running_venue


class Listening(Bus):
    """A bus on which what was published is kept."""

    def __init__(self, home: Home, clock: SystemClock) -> None:
        super().__init__(home.run, "ralph", clock)
        self.heard: list[Conditions] = []

    async def publish(self, fact: object) -> None:
        assert isinstance(fact, Conditions)
        self.heard.append(fact)


def test_one_symbol_that_cannot_be_studied_keeps_what_it_had_and_holds_up_no_other(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(agents.ralph, "HISTORY_BARS", 150)
    monkeypatch.setattr(
        agents.ralph, "grid", lambda strategy: grid(strategy)[:2]
    )  # what is found isn't the matter here
    settings = Config(trading=TradingConfig(symbols=SYMBOLS[:2]))

    async def run() -> None:
        home, clock, faults = Home.find(tmp_path), SystemClock(), Faults(7)
        home.prepare()
        bus = Listening(home, clock)
        async with running_venue(tmp_path, faults=faults) as port:
            write_port(home, port)
            ralph = RalphAgent(Context("ralph", home, settings, clock, bus, ErrorBook(clock)))
            await ralph.start()
            research, publish = ralph.tasks()
            await publish.run()
            assert bus.heard == [], "the traders keep what they have until there is something better"
            await research.run()
            await publish.run()
            before = await ralph.command("conditions", {})
            assert set(before["conditions"]) == set(SYMBOLS[:2]) and len(bus.heard) == 1

            faults.add(Rule(Fault.HTML_502, "GET /api/v3/klines", times=1))
            with pytest.raises(VenueError):
                await research.run()
            strategist = ralph.components()["strategist"]
            assert strategist.status == "degraded" and strategist.error_count == 1 and strategist.metrics["failing"]
            after = await ralph.command("conditions", {})
            assert after["conditions"][SYMBOLS[0]] == before["conditions"][SYMBOLS[0]]
            await publish.run()
            assert len(bus.heard) == 2

            await research.run()
            assert ralph.components()["strategist"].status == "healthy"
            await ralph.stop()

    asyncio.run(run())
