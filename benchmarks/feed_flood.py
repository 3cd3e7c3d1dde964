"""A venue whose tape runs: so many trades a second, for the feed's benchmark. It is served by `venue_servers`."""

import random
from pathlib import Path
from typing import Any

from execution.runtime.clock import SystemClock
from execution.runtime.settings import VenueConfig
from execution.venue.market_state import Tick
from execution.venue.server import ApiKey, VenueServer

KEY = ApiKey("sandbox", "k" * 32, "s" * 32)
BURST_S = 0.002


async def flood(folder: Path, words: dict[str, Any]) -> None:
    """The whole venue, whose tape runs at `rate` trades a second; their market time is the moment they are sent."""
    clock = SystemClock()
    config = VenueConfig(symbols=tuple(words["symbols"]), speed=1.0)
    server = VenueServer(config, folder, [KEY], clock)
    print(await server.start(), flush=True)
    market, engine = server.market, server.exchange.engine
    names, chance = list(engine.symbols), random.Random(1)
    began, sent = clock.monotonic(), 0
    while True:
        due = int((clock.monotonic() - began) * words["rate"])
        for number in range(sent, due):
            name = names[number % len(names)]
            engine.last_ticks[name] = ticks = max(1000, engine.last_ticks[name] + chance.randint(-3, 3))
            tick = Tick(engine.print_trade(name, ticks, chance.randint(1, 500), bool(number & 1)), clock.now_ms())
            market.tape[name].append(tick)
            market._tell(name, [tick], False)
        sent = due
        await clock.sleep(BURST_S)
