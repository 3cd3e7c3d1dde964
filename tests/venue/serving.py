"""A venue in a process of its own, to be killed: `python -m tests.venue.serving FOLDER`. Prints its port, serves."""

import asyncio
import sys
from pathlib import Path

from execution.runtime.clock import SystemClock
from execution.runtime.config import VenueConfig
from execution.venue.server import VenueServer
from tests.venue.support import CLIENTS


async def serve(folder: Path) -> None:
    server = VenueServer(VenueConfig(speed=600), folder, CLIENTS, SystemClock())
    print(await server.start(), flush=True)
    await server.run_market()


if __name__ == "__main__":
    asyncio.run(serve(Path(sys.argv[1])))
