"""New connections for a client that stays the same object: whoever holds it goes on, and its next request leaves on a
line that nothing has gone wrong on yet. What is on its way ends on the old one, which is closed once nothing can be.
"""

from typing import Any, NamedTuple

from execution.exchange.client import VenueClient
from execution.runtime.clock import Clock
from execution.vocabulary.limits import REQUEST_TIMEOUT_MOST_S

MARGIN_S = 1.0


class OldLine(NamedTuple):
    """A pool of connections that gets no new request. None: there was none yet."""

    session: Any
    connector: Any


def with_fresh_line(client: VenueClient) -> OldLine:
    """From the next request on, other connections; what it had until now. No request is lost or repeated by it."""
    old = OldLine(client.session, client.tcp_connector)
    client.session = client.tcp_connector = None
    client.open()
    return old


async def close_later(old: OldLine, clock: Clock) -> None:
    """Give the old ones back when no request can be on its way there any more: each has a time-out."""
    try:
        await clock.sleep(REQUEST_TIMEOUT_MOST_S + MARGIN_S)
    finally:
        if old.session is not None:
            await old.session.close()
        if old.connector is not None:
            await old.connector.close()
