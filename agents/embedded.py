"""What the embedded venue and its clients agree on beside the socket: where it listens, and each account's key.

Keys of the embedded venue are made here, at random, readable by the owner only; they open nothing else.
"""

import logging

from execution.exchange.credentials import Credentials, create_embedded_credentials, load_credentials
from execution.exchange.embedded_access import key_file, port_file, read_port
from execution.exchange.key_provider import refuse_key_of
from execution.runtime.clock import Clock
from execution.runtime.files import write_atomically
from execution.runtime.home import Home
from execution.vocabulary.modes import Account

__all__ = ["key_file", "port_file", "read_port", "venue_keys", "wait_for_key", "wait_for_port", "write_port"]

log = logging.getLogger("nae.venue_access")
WAIT_S = 0.1


def write_port(home: Home, port: int) -> None:
    """Say where the venue listens."""
    write_atomically(port_file(home), f"{port}\n")


def venue_keys(home: Home) -> dict[str, Credentials]:
    """The keys of all accounts, made when they aren't there yet. For the venue, which knows them all."""
    for account in Account:
        if not key_file(home, account).exists():
            create_embedded_credentials(key_file(home, account))
    return {account: load_credentials(key_file(home, account)) for account in Account}


async def wait_for_key(home: Home, account: str, clock: Clock) -> Credentials:
    """One account's key, as soon as the venue has made it."""
    if not key_file(home, account).exists():
        log.info("waiting for the venue to make the key", extra={"fields": {"file": key_file(home, account)}})
    while not key_file(home, account).exists():
        await clock.sleep(WAIT_S)
    credentials = load_credentials(key_file(home, account))
    refuse_key_of(home, Account.LIVE, credentials)  # a real exchange's key opens nothing here, and mustn't be sent here
    return credentials


async def wait_for_port(home: Home, clock: Clock) -> int:
    """The venue's port, as soon as it has one."""
    if not read_port(home):
        log.info("waiting for the venue's port", extra={"fields": {"file": port_file(home)}})
    while not (port := read_port(home)):
        await clock.sleep(WAIT_S)
    return port
