"""The parts of one trader, chosen and wired: its side of the market, which anybody with a key may have, and the trading
system on top of it, which only the holder of the account's lock may have. Decides nothing."""

import asyncio
import contextlib
import logging
from collections.abc import Awaitable, Callable, Collection, Iterable
from dataclasses import dataclass, field

from agents.embedded import wait_for_key
from agents.line_probe import LineProbe
from agents.process import Context
from agents.venue_access import budget_file, reach_embedded_venue, tradable, wait_for_rules, watched
from agents.venue_rules import RulesNote
from execution.exchange.client import VenueClient
from execution.exchange.endpoint import Endpoint, build_client
from execution.exchange.feed import MarketFeed
from execution.exchange.gateway import ExchangeGateway
from execution.exchange.key_rights import refuse_dangerous_key
from execution.exchange.rate_budget import RateBudget
from execution.exchange.reconciliation import reconcile
from execution.exchange.user_stream import UserStream
from execution.exchange.venue_reader import VenueReader
from execution.ledger.audit_log import AuditLogger, config_hash
from execution.ledger.state_store import StateStore
from execution.ledger.store import Ledger
from execution.runtime.build import build_id
from execution.trading.bars import BarBook
from execution.trading.conversion import BY, CONVERT_WITHIN_S
from execution.trading.liquidation import Liquidated, Liquidation
from execution.trading.streams import Streams
from execution.trading.system import TradingParts, TradingSystem
from execution.vocabulary.market import Quote, SymbolRules
from execution.vocabulary.modes import Account, TradeMode

log = logging.getLogger("nae.optimus")


@dataclass
class MarketSide:
    """What a trader has of the venue before it has the account: a client with the key, the rules, the feed."""

    account: Account
    endpoint: Endpoint
    key_fingerprint: str
    trade_mode: TradeMode
    client: VenueClient
    rules: dict[str, SymbolRules]
    bars: BarBook
    feed: MarketFeed
    streams: Streams
    audit: AuditLogger
    closing: set[asyncio.Task[None]] = field(default_factory=set)  # old connections, until nothing is on its way there


async def reach_market(
    context: Context, account: Account, concerned: Iterable[str], before: Callable[[VenueClient], Awaitable[None]]
) -> MarketSide:
    """As soon as the venue is there. `concerned`: symbols that the account holds or has an order in. `before` comes
    before all requests. The feed isn't running yet. ConfigError when a person must change something."""
    home, clock, trading = context.home, context.clock, context.config.trading
    credentials = await wait_for_key(home, account, clock)
    endpoint = await reach_embedded_venue(home, clock)
    trade_mode = TradeMode(trading.trade_mode)
    budget = RateBudget(clock, budget_file(home, endpoint))
    timeout_s = context.config.operation.request_timeout_s
    client = build_client(endpoint, credentials, clock, trade_mode, budget=budget, timeout_s=timeout_s)
    context.parts["line"], context.probe = client.line.get_health, LineProbe(client, clock)
    async with contextlib.AsyncExitStack() as undone:
        undone.push_async_callback(client.close)
        await before(client)
        if client.spare() and (untold := await refuse_dangerous_key(client)):
            log.warning("whether the key may withdraw isn't known", extra={"fields": {"why": untold}})
        note = RulesNote(home, account)
        rules = note.read(clock.now_ms()) or await note.renew(
            lambda: wait_for_rules(VenueReader(client).load_rules, clock), clock.now_ms
        )
        symbols = watched(tradable(rules, trading, home.config_file), concerned, rules)
        bars = BarBook(trading.timeframe)
        side = MarketSide(
            account=account,
            endpoint=endpoint,
            key_fingerprint=credentials.fingerprint,
            trade_mode=trade_mode,
            client=client,
            rules=rules,
            bars=bars,
            feed=MarketFeed(client, symbols, trading.timeframe, clock, bars.add),
            streams=Streams(context.errors.note),
            audit=_trail(context),
        )
        undone.pop_all()
    return side


def _trail(context: Context) -> AuditLogger:
    """The process's audit trail; it begins with the settings whose hash stands in every line."""
    config = context.config
    name = config_hash(config)
    trail = AuditLogger(context.home.audit_trail(context.name), context.clock, context.name, config=name)
    trail.record("settings", build=build_id(), trading=config.trading, universe=config.universe, risk=config.risk)
    return trail


def build_system(
    context: Context, side: MarketSide, ledger: Ledger, may_send: Callable[[], str | None]
) -> TradingSystem:
    """The trading system of `side`'s account, not yet recovered. `may_send`: why nothing may be sent, if so."""
    home, clock, config = context.home, context.clock, context.config
    feed = side.feed
    gateway = ExchangeGateway(
        side.client,
        ledger,
        config.risk,
        clock,
        trade_mode=side.trade_mode,
        quote=feed.quote,
        may_send=may_send,
        currency=config.trading.quote,
    )
    gateway.know_rules(side.rules)
    gateway.ask_for_strangers_later()

    async def poll() -> None:  # a comparison costs one request, and asks for trades only where money differs
        await reconcile(gateway, ledger, strangers=False)

    async def look(symbols: Iterable[str]) -> dict[str, Quote]:
        return await gateway.reader.fetch_quotes(sorted(symbols))

    async def convert(only: Collection[str], avoid: Collection[str]) -> Liquidated:
        saga = Liquidation(gateway, look, side.audit, clock, quote=config.trading.quote, only=only, avoid=avoid, by=BY)
        return await saga.run(clock.monotonic() + CONVERT_WITHIN_S)

    parts = TradingParts(
        ledger=ledger,
        gateway=gateway,
        feed=feed,
        bars=side.bars,
        reconcile=lambda: reconcile(gateway, ledger),
        accept=lambda: reconcile(gateway, ledger, adopt=True),
        audit=side.audit,
        state_store=StateStore(home.account(side.account) / "state.json"),
        clock=clock,
        errors=context.errors,
        user_stream=UserStream(side.client, ledger, feed.symbols, clock, poll, outside=gateway.evidence.money_moved),
        streams=side.streams,
        rules=side.rules,
        convert=convert,
    )
    return TradingSystem(
        parts,
        config.trading,
        config.risk,
        trade_mode=side.trade_mode,
        venue=side.endpoint.name,
        explore=side.endpoint.embedded,
        universe=config.universe,
    )
