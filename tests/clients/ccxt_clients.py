"""ccxt in its three forms (blocking, asyncio, pro), each called the same way: every call is awaited."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any

import ccxt
import ccxt.async_support
import ccxt.pro

from execution.venue.auth import ApiKey
from tests.clients.loopback import strangers
from tests.venue.support import SANDBOX, ccxt_options, point_at

FORMS: dict[str, Any] = {"blocking": ccxt.binance, "asyncio": ccxt.async_support.binance, "pro": ccxt.pro.binance}
WITHIN_S = 10.0


class Awaited:
    """A blocking client whose methods run in a thread, so that the venue in this loop can answer."""

    def __init__(self, client: Any) -> None:
        self.client = client

    def __getattr__(self, name: str) -> Any:
        value = getattr(self.client, name)
        if not callable(value) or name in ("market", "market_id"):
            return value
        call: Callable[..., Any] = value

        async def awaited(*arguments: Any, **named: Any) -> Any:
            return await asyncio.to_thread(call, *arguments, **named)

        return awaited


@asynccontextmanager
async def ccxt_of(form: str, port: int, key: ApiKey = SANDBOX, **options: Any) -> AsyncIterator[Any]:
    """A client of one form with its markets loaded, that knows no machine but this one."""
    given = ccxt_options(port, key) | {"timeout": 1000 * WITHIN_S}
    given["options"] |= options
    made = point_at(FORMS[form](given), port)
    assert strangers(made.urls["api"]) == []
    made.get_exceptions_by_url = lambda _url, kind: made.exceptions["spot"].get(kind, {})  # as for the real one's URL
    client = Awaited(made) if form == "blocking" else made
    try:
        await client.load_markets()
        yield client
    finally:
        if form != "blocking":
            await made.close()


async def soon(awaitable: Any) -> Any:
    """What comes, if it comes soon."""
    return await asyncio.wait_for(awaitable, WITHIN_S)
