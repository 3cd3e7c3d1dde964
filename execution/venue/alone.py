"""The venue by itself: one folder, served until a signal. It prints nothing; whoever starts it is told once
where it listens. Keys are given, not made."""

import asyncio
import signal
from collections.abc import Awaitable, Callable, Sequence
from contextlib import suppress
from pathlib import Path

from execution.runtime.clock import Clock, SystemClock
from execution.runtime.home import owner_only
from execution.runtime.settings import VenueConfig
from execution.venue.control import ControlPort
from execution.venue.faults import Faults
from execution.venue.mirrored import Original
from execution.venue.server import ApiKey, VenueServer
from execution.vocabulary.exit_codes import ConfigError

HOLDER = "nae venue serve"


def serve_alone(
    config: VenueConfig,
    folder: Path,
    accounts: Sequence[ApiKey],
    faults: Faults,
    tell: Callable[[VenueServer, int], None],
    *,
    find_original: Callable[[Clock], Awaitable[Original]] | None = None,
) -> None:
    """Serve until SIGTERM or SIGINT. `find_original` loads the exchange that is mirrored.

    Raises ConfigError, BusyError when the folder's venue runs already, OSError.
    """
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    owner_only(folder)
    asyncio.run(_serve(config, folder, accounts, faults, tell, find_original=find_original))


async def _serve(
    config: VenueConfig,
    folder: Path,
    accounts: Sequence[ApiKey],
    faults: Faults,
    tell: Callable[[VenueServer, int], None],
    *,
    find_original: Callable[[Clock], Awaitable[Original]] | None,
) -> None:
    clock, told_to_stop = SystemClock(), asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, told_to_stop.set)
    original = None
    if find_original is not None:
        original = await _unless(told_to_stop, find_original(clock))
        if original is None:
            return
    server = VenueServer(config, folder, accounts, clock, faults=faults, original=original, holder=HOLDER)
    for place, rule, _ in faults.rules():
        if wrong := server.find_wrong(rule):
            raise ConfigError(f"the fault script's rule {place}: {wrong}")
    port = await server.start(config.port)
    market = asyncio.create_task(server.run_market())
    asked = asyncio.create_task(told_to_stop.wait())
    control = ControlPort(faults, folder, server.find_wrong)
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


async def _unless(told_to_stop: asyncio.Event, waiting: Awaitable[Original]) -> Original | None:
    """What is waited for; None when somebody wants the end first."""
    found, asked = asyncio.ensure_future(waiting), asyncio.create_task(told_to_stop.wait())
    try:
        await asyncio.wait({found, asked}, return_when=asyncio.FIRST_COMPLETED)
        return found.result() if found.done() else None
    finally:
        for task in (found, asked):
            task.cancel()
            with suppress(asyncio.CancelledError, ConfigError):
                await task
