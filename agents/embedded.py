"""What the embedded venue and its clients agree on beside the socket: where it listens, and each account's key.

Keys of the embedded venue are made here, at random, readable by the owner only; they open nothing else.
"""

import logging
from collections.abc import Awaitable, Callable
from pathlib import Path

from execution.exchange.classify import VenueError
from execution.exchange.credentials import Credentials, create_embedded_credentials, load_credentials
from execution.exchange.endpoint import Endpoint
from execution.runtime.backoff import Backoff
from execution.runtime.clock import Clock
from execution.runtime.config import TradingConfig
from execution.runtime.files import write_atomically
from execution.runtime.home import Home
from execution.vocabulary.exit_codes import ConfigError
from execution.vocabulary.market import SymbolRules
from execution.vocabulary.modes import Account

log = logging.getLogger("nae.venue_access")

WAIT_S = 0.1


def port_file(home: Home) -> Path:
    """Where the venue says which port it has."""
    return home.data / "venue" / "port"


def write_port(home: Home, port: int) -> None:
    """Say where the venue listens."""
    write_atomically(port_file(home), f"{port}\n")


def read_port(home: Home) -> int:
    """The port of the last start, or 0."""
    try:
        return int(port_file(home).read_text())
    except (FileNotFoundError, ValueError):
        return 0


def key_file(home: Home, account: str) -> Path:
    """The key of one account on the embedded venue."""
    return home.account(account) / "venue_key.json"


def venue_keys(home: Home) -> dict[str, Credentials]:
    """The keys of all accounts, made when they aren't there yet. For the venue, which knows them all."""
    for account in Account:
        if not key_file(home, account).exists():
            create_embedded_credentials(key_file(home, account))
    return {account: load_credentials(key_file(home, account)) for account in Account}


async def wait_for_key(home: Home, account: str, clock: Clock) -> Credentials:
    """One account's key, as soon as the venue has made it."""
    while not key_file(home, account).exists():
        await clock.sleep(WAIT_S)
    return load_credentials(key_file(home, account))


async def wait_for_port(home: Home, clock: Clock) -> int:
    """The venue's port, as soon as it has one."""
    while not (port := read_port(home)):
        await clock.sleep(WAIT_S)
    return port


async def reach_embedded_venue(home: Home, clock: Clock) -> Endpoint:
    """Where the embedded venue listens, once it has said so."""
    port = await wait_for_port(home, clock)
    return Endpoint("binance", f"http://127.0.0.1:{port}")


async def wait_for_rules(load: Callable[[], Awaitable[dict[str, SymbolRules]]], clock: Clock) -> dict[str, SymbolRules]:
    """The venue's rules, as soon as it answers. It may be starting, or be away for a moment."""
    backoff = Backoff(first_s=0.1, last_s=2.0)
    while True:
        try:
            return await load()
        except VenueError as error:
            log.info("waiting for the venue", extra={"fields": {"error": error}})
            await clock.sleep(backoff.next_s())


def tradable(rules: dict[str, SymbolRules], config: TradingConfig, place: Path) -> list[str]:
    """The symbols to look at: those asked for, or all in the quote currency. ConfigError when there is none."""
    unknown = [symbol for symbol in config.symbols if symbol not in rules]
    if unknown:
        raise ConfigError(f"{place}: trading.symbols: the venue has no {unknown[0]}; it lists {', '.join(rules)}")
    chosen = list(config.symbols) or [symbol for symbol, rule in rules.items() if rule.quote == config.quote]
    if not chosen:
        quotes = sorted({rule.quote for rule in rules.values()})
        raise ConfigError(f"{place}: trading.quote = {config.quote!r}: the venue trades in {', '.join(quotes)} only")
    return chosen
