"""A person's own way to an account's venue, for a command that must work when no process of the operation does: the
client with the account's key, and a gateway on a ledger whose lock the command holds. Decides nothing."""

from collections.abc import Iterable
from dataclasses import dataclass, field

from execution.exchange.client import VenueClient
from execution.exchange.credentials import load_credentials
from execution.exchange.embedded_access import key_file, port_file, read_port
from execution.exchange.endpoint import Endpoint, build_client
from execution.exchange.gateway import ExchangeGateway
from execution.exchange.venue_reader import VenueReader
from execution.ledger.account_lock import AccountLock
from execution.ledger.store import Ledger
from execution.runtime.clock import Clock
from execution.runtime.home import Home
from execution.runtime.settings import Config
from execution.vocabulary.exit_codes import ConfigError
from execution.vocabulary.market import Quote
from execution.vocabulary.modes import TradeMode


@dataclass
class Desk:
    """The venue as a command sees it. `quotes` are those last asked for."""

    endpoint: Endpoint
    client: VenueClient
    clock: Clock
    config: Config
    quotes: dict[str, Quote] = field(default_factory=dict)

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

    def gateway(self, ledger: Ledger, lock: AccountLock) -> ExchangeGateway:
        """The one way an order leaves, for whoever holds the account's lock."""
        return ExchangeGateway(
            self.client,
            ledger,
            self.config.risk,
            self.clock,
            trade_mode=self.client_mode,
            quote=self.quotes.get,
            may_send=lock.lost,
        )

    @property
    def client_mode(self) -> TradeMode:
        """A person's order is sent, whatever the traders' mode is: paper on the embedded venue, else live."""
        return TradeMode.PAPER if self.endpoint.embedded else TradeMode.LIVE

    async def close(self) -> None:
        """Let go of the venue."""
        await self.client.drop()


def open_desk(home: Home, account: str, config: Config, clock: Clock) -> Desk:
    """The way to `account`'s venue; nothing is sent yet. ConfigError when there is no key or no venue yet."""
    port = read_port(home)
    if not port:
        raise ConfigError(f"{port_file(home)}: the venue hasn't said yet where it listens; scripts/nae up starts it")
    endpoint = Endpoint("binance", f"http://127.0.0.1:{port}")
    credentials = load_credentials(key_file(home, account))
    return Desk(endpoint, build_client(endpoint, credentials, clock), clock, config)
