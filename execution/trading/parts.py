"""What a trading system is made of, chosen and wired by whoever makes one. Parts only; no behaviour."""

from dataclasses import dataclass

from execution.ledger.audit_log import AuditLogger
from execution.ledger.state_store import StateStore
from execution.ledger.store import Ledger
from execution.runtime.clock import Clock
from execution.runtime.errors import ErrorBook
from execution.trading.bars import BarBook
from execution.trading.conversion import Convert
from execution.trading.ports import Feed, Gateway, Reconcile, Stream
from execution.trading.streams import Streams
from execution.vocabulary.market import SymbolRules


@dataclass(frozen=True)
class TradingParts:
    """The parts of one account. `bars.add` is the feed's on_bar.

    `accept`: compare, and book what nobody can explain as a change from outside; a person's decision. `streams`: where
    the feed runs already, begun by whoever made the parts. `rules`: the venue's, when they are known. `convert` sells
    money in other currencies.
    """

    ledger: Ledger
    gateway: Gateway
    feed: Feed
    bars: BarBook
    reconcile: Reconcile
    audit: AuditLogger
    state_store: StateStore
    clock: Clock
    errors: ErrorBook
    accept: Reconcile | None = None
    user_stream: Stream | None = None
    streams: Streams | None = None
    rules: dict[str, SymbolRules] | None = None
    convert: Convert | None = None
