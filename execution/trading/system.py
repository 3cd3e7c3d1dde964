"""TradingSystem: one account being traded. Owns its ledger, gateway, feed, streams, reconciliation and manager.

start() recovers first (rules, reconciliation, bars) and trades after; what recovery couldn't reach is tried again by
its tasks. It knows no processes, locks or signals: whoever made it holds the account's lock and runs its tasks().
"""

import asyncio
import logging
from collections.abc import Awaitable, Callable, Sequence
from typing import Any

from execution.ledger.rows import LedgerTaken
from execution.runtime.settings import RiskConfig, TradingConfig, UniverseConfig
from execution.runtime.tasks import Task
from execution.trading.assembly import make_assistants, make_lessons
from execution.trading.controls import AccountControls
from execution.trading.conversion import Converter
from execution.trading.dependencies import Dependencies
from execution.trading.easing import Easing
from execution.trading.entry_rules import entries_off, off_numbers
from execution.trading.error_log import ErrorLog
from execution.trading.feasibility import Feasibility
from execution.trading.manager import InfinityTradingManager
from execution.trading.parts import TradingParts
from execution.trading.protection import Protector
from execution.trading.quarantine import Quarantine
from execution.trading.recovery import Recovery
from execution.trading.report import components, facts, health, loop_stats, status
from execution.trading.reserve import ReserveBook
from execution.trading.restraints import Restraints
from execution.trading.saved_state import restore, state_of
from execution.trading.sniper import Sniper, refusal
from execution.trading.streams import Streams
from execution.trading.task_table import task_table
from execution.vocabulary.health import ComponentHealth
from execution.vocabulary.market import Condition, Quote, TradedRange
from execution.vocabulary.modes import TradeMode

__all__ = ["TradingParts", "TradingSystem"]

log = logging.getLogger("nae.trading")

FIRST_WORD_S = 1.0
SILENT_AFTER_S = 2.0  # a market that is heard again after this was away


class TradingSystem(AccountControls):
    """Trades one account. `explore=False` refuses what research found unprofitable; real money always trades so."""

    def __init__(
        self,
        parts: TradingParts,
        config: TradingConfig,
        limits: RiskConfig,
        *,
        trade_mode: TradeMode,
        venue: str,
        explore: bool,
        universe: UniverseConfig | None = None,
    ) -> None:
        super().__init__(parts.ledger, parts.audit, parts.gateway)
        self.parts = parts
        self.trade_mode = trade_mode
        self.venue = venue
        self.config = config
        self.errors = ErrorLog(parts.clock, parts.errors)
        self.dependencies = Dependencies(parts.ledger, parts.clock, self._record)
        self.recovery = Recovery(parts, self._record, self.dependencies.venue_data)
        self.quarantine = Quarantine(parts.clock)
        self.restraints, self.easing = Restraints(parts.clock), Easing(parts.clock)
        self.lessons = make_lessons(self, config)
        self.feasibility = Feasibility(config, limits, self._record)
        self.reserve = ReserveBook(config, parts.ledger, self._record)
        self._stopping = False
        self._builds_differ = False
        self._saved: dict[str, Any] = {}
        self.exit_wanted = asyncio.Event()
        self.started_at = parts.clock.monotonic()
        self.sniper = Sniper(parts.bars.step_ms, parts.clock)
        self.streams = parts.streams or Streams(self.errors.note)
        self.streams.note_error = self.errors.note
        self.universe = universe or UniverseConfig()
        self.assistants = make_assistants(self, config, limits, explore and trade_mode is not TradeMode.LIVE)
        self.converter = Converter(config, parts, self.assistants.execution)
        self.protector = self._protector_of(parts)
        self.manager = InfinityTradingManager(
            config,
            self.assistants,
            ledger=parts.ledger,
            feed=parts.feed,
            bars=parts.bars,
            audit=parts.audit,
            clock=parts.clock,
            rules=lambda: self.recovery.rules,
            entries_off=self.entries_off,
            off_numbers=self.off_numbers,
            note_error=self.errors.note,
            entered=self.protector.wanted.set,
            reserve=self.reserve,
        )
        parts.feed.tell_quotes(self._heed)
        parts.feed.tell_ranges(self._heed_trades)

    def _protector_of(self, parts: TradingParts) -> Protector:
        return Protector(
            self.config,
            gateway=parts.gateway,
            ledger=parts.ledger,
            execution=self.assistants.execution,
            audit=parts.audit,
            clock=parts.clock,
        )

    # life

    async def start(self, managed: Callable[[], Awaitable[None]] | None = None) -> None:
        """Recover, look after what is held, then be ready to trade. A venue that can't be reached now is an error
        counted here and tried again by the reconcile task; until then nothing is bought. `managed` is awaited as soon
        as the account is looked after, before anything that can wait."""
        restore(self, self.parts.ledger.restore_runtime_state() or {})
        try:
            async with asyncio.timeout(self._patience_s()):
                await self.recovery.run()
            await self.manager.check_exits()
            if managed is not None:
                await managed()
        except Exception as error:
            self.errors.note(error)
            log.exception("recovery incomplete")
        self.keep_streams()
        self._record("started", epoch=self.parts.ledger.epoch, reconciled=self.recovery.reconciled, venue=self.venue)

    def _patience_s(self) -> float | None:
        """Who has the rules and a market goes on without the venue's word after a while: comparing is the reconcile
        task's, and meanwhile what is held is looked after."""
        return FIRST_WORD_S if self.recovery.rules and self.parts.bars.newest() else None

    def _heed(self, quote: Quote) -> None:
        """A price that ends a position, or that a shot waits for, is acted on at once; tasks look at all the rest."""
        if self.assistants.exits.ended_by(quote):
            self.exit_wanted.set()
        self.manager.heed(quote)

    def _heed_trades(self, traded: TradedRange) -> None:
        """So are trades: no low and no high of a burst is missed."""
        if self.assistants.exits.ended_by_trades(traded.symbol, traded.low, traded.high):
            self.exit_wanted.set()

    async def stop(self) -> None:
        """Finish the running cycle, open nothing more, save, let go of the ledger. Positions stay as they are."""
        self._stopping = True
        await self.manager.finished()
        await self.streams.stop()
        try:
            self.save_state()
        except LedgerTaken as error:  # what is kept there is another process's by now
            log.warning("nothing saved: %s", error)
        try:
            self.assistants.performance.update()  # the brief tells of the last fills, too
        except OSError as error:  # it is as it was; the ledger has them
            log.warning("the brief isn't up to date: %s", error)
        self.lessons.close()
        self._record("stopped", cycles=self.manager.cycles)
        self.parts.audit.close()
        self.parts.ledger.close()

    def keep_streams(self) -> None:
        """Have the feed and the user stream running; one that ended is an error and is started again. The feed starts
        on warm bars, for what it delivered already can't be put in front later."""
        if self.recovery.warm:
            self.streams.keep("feed", self.parts.feed.run)
        if self.parts.user_stream is not None:
            self.streams.keep("user_stream", self.parts.user_stream.run, self.dependencies.user_stream)

    def watch_dependencies(self) -> None:
        """How what we depend on is doing; what failed and may be repeated is tried again when it is due."""
        self.dependencies.watch_ledger(lambda: state_of(self))
        self.dependencies.watch_stream(self.parts.user_stream)
        self.dependencies.watch_conditions()
        if self.dependencies.watch_market(self.parts.feed.stale_for_s(), SILENT_AFTER_S):
            self.recovery.wanted.set()

    def tasks(self) -> list[Task]:
        """What must be run, and how often."""
        return task_table(self)

    # state over restarts

    def save_state(self) -> None:
        """Keep in the ledger what isn't derived from it; nothing is written while nothing changed."""
        state = state_of(self)
        if state != self._saved:
            self.parts.ledger.save_runtime_state(state)
            self._saved = state

    # orders of people and of other parts

    def entries_off(self) -> str:
        """Why no position may be opened now, or ''."""
        state, _ = self.parts.ledger.trading_state()
        stale_for_s = self.parts.feed.stale_for_s()
        off = entries_off(state, self._stopping, stale_for_s, self.recovery.reconciled, self._builds_differ)
        return off or self.dependencies.entries_off()

    def off_numbers(self) -> dict[str, Any]:
        """What entries_off is judged by."""
        state, why = self.parts.ledger.trading_state()
        stale_for_s = self.parts.feed.stale_for_s()
        numbers = off_numbers(state, why, stale_for_s, self.recovery.differences, self._builds_differ)
        return numbers | self.dependencies.numbers()

    def heed_builds(self, differ: bool) -> None:
        """Do the operation's processes run different code? Holds until told otherwise: exits go on, entries don't."""
        if differ is not self._builds_differ:
            self._builds_differ = differ
            self._record("builds", differ=differ)

    def arm(self, conditions: list[Condition], studied: Sequence[str] = ()) -> int:
        """Put a new set of conditions in force; how many then are. One in which nothing can be armed leaves the last
        good set as it is, until its time to live is over; and what holds for symbols that aren't `studied` yet stays
        (none named: all are)."""
        problems = [why for row in conditions if (why := refusal(row))]
        sound = not conditions or len(problems) < len(conditions)
        self.dependencies.conditions_heard(sound, problems[0] if problems else "")
        kept = self.sniper.of_others(studied) if studied else []
        return self.sniper.arm([*conditions, *kept]) if sound else self.sniper.held

    def sell_everything(self, reason: str) -> list[str]:
        """Mark every position for sale at once, whatever its price; the symbols marked. Kept over a restart."""
        marked = self.assistants.exits.sell_all(self.parts.ledger.positions(), reason)
        self.save_state()
        self._record("sell_everything", reason=reason, symbols=marked)
        return marked

    def trigger_reflection(self) -> dict[str, Any]:
        """Go through all closed trades again; what they teach about coins and strategies."""
        found = self.assistants.performance.reflect()
        self._record("reflection", **found)
        return found

    def _record(self, kind: str, **fields: Any) -> None:
        self.parts.audit.record(kind, **fields)
        log.info(kind.replace("_", " "), extra={"fields": fields})

    # what it says of itself

    def components(self) -> dict[str, ComponentHealth]:
        """get_health() of every part, by name."""
        return components(self)

    async def health_check(self) -> dict[str, Any]:
        """All components and the worst of them: failed, degraded or healthy."""
        return health(self)

    def get_system_status(self) -> dict[str, Any]:
        """The whole account in plain values."""
        return status(self)

    def get_loop_stats(self) -> dict[str, Any]:
        """How often what happened, since this start and in all."""
        return loop_stats(self)

    def get_recent_errors(self, hours: float = 24) -> list[dict[str, Any]]:
        """Single errors of the last `hours`, newest last."""
        return self.errors.recent(hours)

    def facts(self) -> dict[str, Any]:
        """A small summary for the bus; amounts are text."""
        return facts(self)
