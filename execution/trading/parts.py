"""What a trading system is made of, chosen and wired by whoever makes one. Parts only; no behaviour."""

from dataclasses import dataclass

from execution.ledger.audit_log import AuditLogger
from execution.ledger.state_store import StateStore
from execution.ledger.store import Ledger
from execution.runtime.clock import Clock
from execution.runtime.errors import ErrorBook
from execution.trading.bars import BarBook
from execution.trading.ports import Feed, Gateway, Reconcile, Stream
from execution.vocabulary.market import SymbolRules


@dataclass(frozen=True)
class TradingParts:
    """The parts of one account. `bars.add` is the feed's on_bar.

    `feed_running`: somebody else runs the feed already. `rules`: the venue's, when they are known already.
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
    user_stream: Stream | None = None
    feed_running: bool = False
    rules: dict[str, SymbolRules] | None = None
