"""Which exchange, and where: the embedded venue by its URL, or a real one by its name. Builds clients for it.

Only exchanges that can say by our own order id what became of an order are supported: without that, a lost reply could
never be resolved safely.
"""

from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

from execution.exchange.client import VenueClient
from execution.exchange.credentials import Credentials
from execution.exchange.rate_budget import RateBudget
from execution.exchange.venue_clock import VenueClock
from execution.runtime.clock import Clock
from execution.vocabulary.exit_codes import ConfigError
from execution.vocabulary.limits import RECV_WINDOW_MS, REQUEST_TIMEOUT_MOST_S, REQUEST_TIMEOUT_S
from execution.vocabulary.modes import TradeMode

SUPPORTED = ("binance",)
LOOPBACK = frozenset({"127.0.0.1", "::1"})
REAL_HOSTS = frozenset({"api.binance.com", "stream.binance.com", "ws-api.binance.com"})


@dataclass(frozen=True)
class Endpoint:
    """`base_url` (http://127.0.0.1:PORT) is the embedded venue; None is the real exchange of that name."""

    exchange_id: str
    base_url: str | None = None

    @property
    def embedded(self) -> bool:
        """Is it our own venue?"""
        return self.base_url is not None

    @property
    def name(self) -> str:
        """For people."""
        return "embedded venue" if self.embedded else self.exchange_id


def build_client(  # noqa: PLR0917
    endpoint: Endpoint,
    credentials: Credentials | None,
    clock: Clock,
    trade_mode: TradeMode = TradeMode.PAPER,
    venue_clock: VenueClock | None = None,
    budget: RateBudget | None = None,
    *,
    reads_only: bool = False,
    timeout_s: float = REQUEST_TIMEOUT_S,
) -> VenueClient:
    """A client for `endpoint`; without credentials it sees public data only, with `reads_only` it can't send an order.
    Sends nothing yet. A request is given up after `timeout_s`, always within its receive window.

    `renewed()` on it builds another, sharing its clock and its rate budget: one each for orders, feed and user stream.

    Raises ConfigError for an exchange we don't support, an embedded URL that isn't loopback, and for anything but
    TradeMode.LIVE on a real exchange.
    """
    _check(endpoint, trade_mode, credentials)
    shared_clock = venue_clock or VenueClock(clock)
    shared_budget = budget or RateBudget(clock)

    def renew() -> VenueClient:
        now = Endpoint(endpoint.exchange_id, client.base_url)
        same = shared_clock, shared_budget
        again = build_client(now, credentials, clock, trade_mode, *same, reads_only=reads_only, timeout_s=timeout_s)
        again.line = client.line
        return again

    config: dict[str, Any] = {
        "enableRateLimit": False,  # its throttle would hold an exit back for seconds
        "verify": not endpoint.embedded,  # plain http on loopback: don't load a CA file for it, at each new client
        "timeout": int(min(timeout_s, REQUEST_TIMEOUT_MOST_S) * 1000),
        "options": {
            "defaultType": "spot",
            "fetchCurrencies": False,
            "fetchMargins": False,
            "fetchMarkets": {"types": ["spot"]},
            "recvWindow": RECV_WINDOW_MS,
            "maxRetriesOnFailure": 0,
            "ws": {"options": {"compress": 0} if endpoint.embedded else {}},
        },
    }
    if credentials is not None:
        config |= {"apiKey": credentials.key, "secret": credentials.secret}
    client = VenueClient(config, shared_clock, shared_budget, renew)
    client.embedded, client.reads_only = endpoint.embedded, reads_only
    if endpoint.embedded:
        client.timeout_on_exit = 0  # ccxt's wait for TLS connections to end
    client.allowed_hosts = LOOPBACK if endpoint.embedded else REAL_HOSTS
    if endpoint.base_url is not None:
        _point_everything_at(client, endpoint.base_url.rstrip("/"))
    _assert_safe(client)
    return client


def move_to(client: VenueClient, base_url: str) -> None:
    """The embedded venue listens at another URL now: the client's next request and every `renewed()` go there.

    ConfigError when the client isn't one of an embedded venue, or the URL isn't loopback.
    """
    if not client.embedded:
        raise ConfigError("a real exchange doesn't move")
    _check_loopback(base_url)
    _point_everything_at(client, base_url.rstrip("/"))
    _assert_safe(client)


def _check(endpoint: Endpoint, trade_mode: TradeMode, credentials: Credentials | None) -> None:
    if endpoint.exchange_id not in SUPPORTED:
        raise ConfigError(
            f"live.exchange = {endpoint.exchange_id!r} isn't supported; it must be one of {', '.join(SUPPORTED)}"
        )
    if endpoint.base_url is not None:
        _check_loopback(endpoint.base_url)
    elif trade_mode is not TradeMode.LIVE and credentials is not None:
        raise ConfigError(f"trade mode {trade_mode} may not reach {endpoint.exchange_id}: only live trading may")


def _check_loopback(base_url: str) -> None:
    url = urlsplit(base_url)
    if url.scheme != "http" or url.hostname not in LOOPBACK:
        raise ConfigError(f"the embedded venue's URL {base_url!r} must be http://127.0.0.1:PORT")


_PATHS = {"public": "/api/v3", "private": "/api/v3", "v1": "/api/v1", "sapi": "/sapi/v1"}


def _point_everything_at(client: VenueClient, base: str) -> None:
    """Every URL ccxt knows, not only those we use: one left over would send signed requests to the real exchange."""
    stream = "ws" + base.removeprefix("http")
    client.base_url = base
    urls = client.urls
    urls["api"] = {name: base + _PATHS.get(name, f"/{name}") for name in urls["api"] if name != "ws"}
    urls["api"]["ws"] = {"spot": f"{stream}/stream/ws", "ws-api": {"spot": f"{stream}/ws-api/v3"}}
    urls["test"] = urls["demo"] = {}


def _assert_safe(client: VenueClient) -> None:
    """What must hold before the first request. ConfigError names what doesn't."""
    if client.enableRateLimit or client.options.get("maxRetriesOnFailure", 0) != 0:
        raise ConfigError("the exchange client would throttle or repeat requests; it must do neither")
    if client.embedded:
        for url in _all_urls(client.urls["api"]):
            client.check_host(url)


def _all_urls(urls: Any) -> list[str]:
    if isinstance(urls, dict):
        return [url for value in urls.values() for url in _all_urls(value)]
    return [urls]
