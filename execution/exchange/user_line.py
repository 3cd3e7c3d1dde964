"""One line to an account's own events: opened on a client of its own, and given back however it ends."""

import asyncio
import contextlib
from collections.abc import AsyncIterator

from execution.exchange.client import StreamListener, VenueClient

CONNECT_WITHIN_S = 10.0


@contextlib.asynccontextmanager
async def user_line(source: VenueClient, listener: StreamListener) -> AsyncIterator["asyncio.Future[None]"]:
    """`listener` hears the account's events by a client that `source.renewed()` makes. What is given ends only by
    raising, when the line is lost. Raises ConnectionError or TimeoutError when there is none."""
    client = source.renewed()
    client.listener = listener
    try:
        async with asyncio.timeout(CONNECT_WITHIN_S):
            line_lost = await client.subscribe_user()
        line = asyncio.ensure_future(line_lost)
        try:
            yield line
        finally:
            line.cancel()
            with contextlib.suppress(asyncio.CancelledError, ConnectionError):
                await line
    finally:
        client.listener = None
        await client.drop()
