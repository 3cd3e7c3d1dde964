"""A person's own way to an account's venue, for a command that must work when no process of the operation does: the
client with the account's key, and a gateway on a ledger whose lock the command holds. On a real exchange no order is
sent before the key is locked for the whole machine, too. Decides nothing."""

from collections.abc import Iterable
from dataclasses import dataclass, field

from execution.exchange.client import VenueClient
from execution.exchange.credentials import load_credentials
from execution.exchange.embedded_access import key_file, port_file, read_port
from execution.exchange.endpoint import Endpoint, build_client
from execution.exchange.gateway import ExchangeGateway
from execution.exchange.venue_reader import VenueReader
from execution.ledger.account_lock import AccountLock, key_holder, key_lock
from execution.ledger.store import Ledger
from execution.runtime.clock import Clock
from execution.runtime.home import Home
from execution.runtime.settings import Config
from execution.vocabulary.exit_codes import ConfigError
from execution.vocabulary.market import Quote
from execution.vocabulary.modes import TradeMode

KEY_WITHIN_S = 0.5  # a killed holder's locks are freed one after the other


@dataclass
class Desk:
    """The venue as a command sees it. `quotes` are those last asked for."""

    home: Home
    fingerprint: str
    endpoint: Endpoint
    client: VenueClient
    clock: Clock
    config: Config
    quotes: dict[str, Quote] = field(default_factory=dict)
    key: AccountLock | None = None

    @property
    def reader(self) -> VenueReader:
        """Reading without a ledger."""
        return VenueReader(self.client)

    async def look(self, symbols: Iterable[str]) -> dict[str, Quote]:
        """Quotes of this moment, kept for the gateway's checks. VenueError."""
        wanted = sorted(symbols)
        if wanted:
            self.quotes.update(await self.reader.fetch_quotes(wanted))
        return self.quotes

    async def claim_key(self, process: str) -> None:
        """An account on a real exchange is the same from every home of this machine: who sends for it has its key
        locked until the desk is closed. BusyError names who has it; ConfigError, OSError: no fit place for the lock."""
        if self.endpoint.embedded or self.key is not None:
            return
        lock = key_lock(self.fingerprint)
        await lock.acquire_soon(key_holder(process, self.home), KEY_WITHIN_S)
        self.key = lock

    def gateway(self, ledger: Ledger, lock: AccountLock) -> ExchangeGateway:
        """The one way an order leaves, for whoever holds the account's lock."""
        return ExchangeGateway(
            self.client,
            ledger,
            self.config.risk,
            self.clock,
            trade_mode=self.client_mode,
            quote=self.quotes.get,
            may_send=lambda: lock.lost() or self._key_lost(),
        )

    def _key_lost(self) -> str | None:
        if self.key is None:
            return None if self.endpoint.embedded else "the account's key isn't locked for this machine"
        return self.key.lost()

    @property
    def client_mode(self) -> TradeMode:
        """A person's order is sent, whatever the traders' mode is: paper on the embedded venue, else live."""
        return TradeMode.PAPER if self.endpoint.embedded else TradeMode.LIVE

    async def close(self) -> None:
        """Let go of the venue and of the key."""
        if self.key is not None:
            self.key.release()
            self.key = None
        await self.client.drop()


def open_desk(home: Home, account: str, config: Config, clock: Clock) -> Desk:
    """The way to `account`'s venue; nothing is sent yet. ConfigError when there is no key or no venue yet."""
    port = read_port(home)
    if not port:
        raise ConfigError(f"{port_file(home)}: the venue hasn't said yet where it listens; scripts/nae up starts it")
    endpoint = Endpoint("binance", f"http://127.0.0.1:{port}")
    credentials = load_credentials(key_file(home, account))
    client = build_client(endpoint, credentials, clock, timeout_s=config.operation.request_timeout_s)
    return Desk(home, credentials.fingerprint, endpoint, client, clock, config)
