"""A running venue and clients for it: the real server on port 0, the real ccxt, and a signed raw request."""

import asyncio
import hashlib
import hmac
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlencode, urlsplit

import aiohttp

from execution.runtime.clock import Clock, SystemClock
from execution.runtime.settings import VenueConfig
from execution.venue.faults import Faults
from execution.venue.server import ApiKey, VenueServer

SANDBOX = ApiKey("sandbox", "sandbox-key", "sandbox-secret")
LIVE = ApiKey("live", "live-key", "live-secret")
CLIENTS = (SANDBOX, LIVE)
BUY = {"symbol": "BTCUSDT", "side": "BUY", "type": "MARKET", "quantity": "0.001"}
REST = {
    "symbol": "BTCUSDT",
    "side": "BUY",
    "type": "LIMIT",
    "timeInForce": "GTC",
    "price": "30000",
    "quantity": "0.001",
}


@dataclass
class Running:
    """A venue that listens."""

    server: VenueServer
    port: int

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"


@asynccontextmanager
async def running(
    folder: Path,
    config: VenueConfig | None = None,
    clock: Clock | None = None,
    driven: bool = True,
    faults: Faults | None = None,
    keys: Sequence[ApiKey] = CLIENTS,
) -> AsyncIterator[Running]:
    """Start a venue, drive its market unless told not to, stop it at the end."""
    server = VenueServer(config or VenueConfig(), folder, keys, clock or SystemClock(), faults=faults)
    port = await server.start()
    driver = asyncio.create_task(server.run_market()) if driven else None
    try:
        yield Running(server, port)
    finally:
        if driver is not None:
            driver.cancel()
            with suppress(asyncio.CancelledError):
                await driver
        await server.stop()


def ccxt_options(port: int, key: ApiKey = SANDBOX) -> dict[str, Any]:
    """What every ccxt client of ours needs so that nothing leaves this machine."""
    return {
        "apiKey": key.key,
        "secret": key.secret,
        "enableRateLimit": False,
        "options": {"fetchCurrencies": False, "fetchMargins": False, "fetchMarkets": {"types": ["spot"]}},
    }


def point_at(client: Any, port: int) -> Any:
    """Turn every URL of a ccxt client to the venue; their paths stay."""
    api = client.urls["api"]
    for name in [name for name in api if isinstance(api[name], str)]:
        api[name] = f"http://127.0.0.1:{port}{urlsplit(api[name]).path}"
    socket = f"ws://127.0.0.1:{port}"
    api["ws"] = {"spot": f"{socket}/stream/ws", "ws-api": {"spot": f"{socket}/ws-api/v3"}}
    return client


@asynccontextmanager
async def ccxt_client(port: int, key: ApiKey = SANDBOX) -> AsyncIterator[Any]:
    """The real ccxt.pro, which is also the REST client, with its markets loaded."""
    import ccxt.pro

    client = point_at(ccxt.pro.binance(ccxt_options(port, key)), port)
    try:
        await client.load_markets()
        yield client
    finally:
        await client.close()


def signed(values: dict[str, object], now_ms: int, secret: str = SANDBOX.secret) -> str:
    """Parameters as a signed query string."""
    query = urlencode(values | ({} if "timestamp" in values else {"timestamp": now_ms}))
    return f"{query}&signature={hmac.new(secret.encode(), query.encode(), hashlib.sha256).hexdigest()}"


@dataclass
class Reply:
    """What a raw request came back with."""

    status: int
    body: Any
    headers: dict[str, str]

    @property
    def code(self) -> int:
        """The error code."""
        return int(self.body["code"])


class Raw:
    """Requests exactly as written, signed on demand."""

    def __init__(self, session: aiohttp.ClientSession, url: str, clock: Clock) -> None:
        self.session = session
        self._url = url
        self._clock = clock

    async def ask(self, method: str, path: str, query: str = "", body: str | bytes = b"", key: str = "") -> Reply:
        """Any request."""
        from yarl import URL

        address = URL(f"{self._url}{path}" + (f"?{query}" if query else ""), encoded=True)
        headers = {"X-MBX-APIKEY": key} if key else {}
        async with self.session.request(method, address, data=body or None, headers=headers) as response:
            return Reply(response.status, await response.json(content_type=None), dict(response.headers))

    async def signed(self, method: str, path: str, /, **values: object) -> Reply:
        """A request of the sandbox account."""
        query = signed(values, self._clock.now_ms())
        return await self.ask(method, "/api/v3/" + path, query, key=SANDBOX.key)

    async def public(self, path: str, **values: object) -> Reply:
        """A request that needs no key."""
        return await self.ask("GET", "/api/v3/" + path, urlencode(values))


@asynccontextmanager
async def raw_client(venue: Running, clock: Clock | None = None) -> AsyncIterator[Raw]:
    """A raw client of a running venue."""
    async with aiohttp.ClientSession() as session:
        yield Raw(session, venue.url, clock or SystemClock())
