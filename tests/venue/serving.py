"""A venue in a process of its own, to be killed: `python -m tests.venue.serving FOLDER [before|after N]`. Prints its
port, serves. With N its market stands still, and it kills itself at its Nth commit of orders, before or after it."""

import asyncio
import os
import signal
import sys
from pathlib import Path
from typing import Any

from execution.runtime.clock import SystemClock
from execution.runtime.settings import VenueConfig
from execution.venue.server import VenueServer
from execution.venue.store import Store
from tests.venue.support import CLIENTS


async def serve(folder: Path, moves: bool) -> None:
    server = VenueServer(VenueConfig(speed=600), folder, CLIENTS, SystemClock())
    print(await server.start(), flush=True)
    if moves:
        await server.run_market()
    await asyncio.Event().wait()


def die_at(when: str, number: int) -> None:
    """From now on the process kills itself at that commit."""
    save, left = Store.save, number

    def last(store: Store, orders: Any, *rows: Any, **more: Any) -> None:
        nonlocal left
        left -= bool(orders)
        if not left and when == "before":
            os.kill(os.getpid(), signal.SIGKILL)
        save(store, orders, *rows, **more)
        if not left:
            os.kill(os.getpid(), signal.SIGKILL)

    Store.save = last  # type: ignore[method-assign,assignment]


if __name__ == "__main__":
    if sys.argv[2:]:
        die_at(sys.argv[2], int(sys.argv[3]))
    asyncio.run(serve(Path(sys.argv[1]), moves=not sys.argv[2:]))
