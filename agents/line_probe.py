"""How long the venue takes to answer when it is given all the time that a request may have: asked on a line made for
it, beside everything else. It tells a slow venue from one that is away, which no longer time-out would bring back."""

import asyncio
from typing import Any

from execution.exchange.classify import VenueError, Verdict
from execution.exchange.client import VenueClient
from execution.exchange.line import Line
from execution.runtime.clock import Clock
from execution.vocabulary.limits import REQUEST_TIMEOUT_MOST_S

SILENT = (Verdict.UNREACHABLE, Verdict.UNKNOWN)


class LineProbe:
    """Of one client. `begin()`, then `told()` until it tells of this probe."""

    def __init__(self, client: VenueClient, clock: Clock) -> None:
        self._client = client
        self._clock = clock
        self._asking: asyncio.Task[None] | None = None
        self._number = 0
        self._answered_s: float | None = None

    def begin(self) -> None:
        """Ask once, unless that is under way."""
        if self._asking is None or self._asking.done():
            self._asking = asyncio.create_task(self._ask())

    def told(self) -> dict[str, Any]:
        """How many probes are over, and after how long the last was answered: None when it wasn't."""
        return {"number": self._number, "answered_s": self._answered_s}

    async def _ask(self) -> None:
        client, began = self._client.renewed(), self._clock.monotonic()
        client.timeout = int(REQUEST_TIMEOUT_MOST_S * 1000)
        client.line = Line(REQUEST_TIMEOUT_MOST_S)  # what it takes isn't what requests take as a rule
        answered = True
        try:
            await client.call("publicGetTime")
        except VenueError as error:
            answered = error.outcome.verdict not in SILENT
        finally:
            await client.drop()
        self._answered_s = round(self._clock.monotonic() - began, 3) if answered else None
        self._number += 1
