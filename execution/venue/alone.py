"""The venue by itself: one folder, one lock, served until a signal. It prints nothing; whoever starts it is told once
where it listens. Keys are given, not made."""

import asyncio
import signal
from collections.abc import Callable, Sequence
from contextlib import suppress
from pathlib import Path

from execution.runtime.clock import SystemClock
from execution.runtime.config import VenueConfig
from execution.runtime.home import owner_only
from execution.runtime.locks import FileLock
from execution.venue.control import ControlPort
from execution.venue.faults import Faults
from execution.venue.server import ApiKey, VenueServer

LOCK_NAME = "venue.lock"


def serve_alone(
    config: VenueConfig,
    folder: Path,
    accounts: Sequence[ApiKey],
    faults: Faults,
    tell: Callable[[VenueServer, int], None],
) -> None:
    """Serve until SIGTERM or SIGINT. Raises ConfigError, BusyError when the folder's venue runs already, OSError."""
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    owner_only(folder)
    lock = FileLock(folder / LOCK_NAME)
    lock.acquire("nae venue serve")
    try:
        asyncio.run(_serve(config, folder, accounts, faults, tell))
    finally:
        lock.release()


async def _serve(
    config: VenueConfig,
    folder: Path,
    accounts: Sequence[ApiKey],
    faults: Faults,
    tell: Callable[[VenueServer, int], None],
) -> None:
    told_to_stop = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, told_to_stop.set)
    server = VenueServer(config, folder, accounts, SystemClock(), faults=faults)
    port = await server.start(config.port)
    market = asyncio.create_task(server.run_market())
    asked = asyncio.create_task(told_to_stop.wait())
    control = ControlPort(faults, folder)
    try:
        await control.start()
        tell(server, port)
        await asyncio.wait({market, asked}, return_when=asyncio.FIRST_COMPLETED)
        if market.done():
            market.result()  # a market that ends by an error ends the venue, loudly
    finally:
        for task in (market, asked):
            task.cancel()
            with suppress(asyncio.CancelledError):
                await task
        await control.stop()
        await server.stop()
