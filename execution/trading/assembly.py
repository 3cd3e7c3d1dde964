"""How a trading system's assistants and what they learn from are put together: who is given what. No behaviour."""

from decimal import Decimal
from typing import TYPE_CHECKING

from execution.ledger.knowledge_file import NAME, KnowledgeFile
from execution.research.exit_terms import net_target
from execution.runtime.settings import RiskConfig, TradingConfig
from execution.trading.assistants.data_analysis import DataAnalysisAssistant
from execution.trading.assistants.order_execution import OrderExecutionAssistant
from execution.trading.assistants.performance_tracking import PerformanceTrackingAssistant
from execution.trading.assistants.risk_management import RiskManagementAssistant
from execution.trading.assistants.signal_generation import SignalGenerationAssistant
from execution.trading.lessons import Lessons
from execution.trading.manager import Assistants
from execution.trading.order_feedback import OrderFeedback
from execution.trading.reallocation import Reallocation
from execution.trading.sell_coordinator import UnifiedSellCoordinator
from execution.vocabulary.market import SymbolRules

if TYPE_CHECKING:
    from execution.trading.system import TradingSystem


def make_lessons(system: "TradingSystem", config: TradingConfig) -> Lessons:
    """Learned from here on, and from the ledger; kept in a file of the account's own, beside it."""
    parts = system.parts

    def least(symbol: str) -> Decimal:
        rules = rules_now(system, symbol)
        return config.minimum_order if rules is None else max(config.minimum_order, rules.notional_min)

    return Lessons(
        parts.ledger,
        KnowledgeFile(parts.ledger.path.with_name(NAME)),
        system.quarantine,
        system.dependencies.knowledge,
        parts.clock,
        least=least,
        note_error=system.errors.note,
        doubted=system.recovery.doubt_rules,
    )


def rules_now(system: "TradingSystem", symbol: str) -> SymbolRules | None:
    """The venue's rules of a symbol, as they were loaded last."""
    return system.recovery.rules.get(symbol)


def make_assistants(system: "TradingSystem", config: TradingConfig, limits: RiskConfig, explore: bool) -> Assistants:
    """The five, and the coordinator of exits."""
    parts, lessons, clock = system.parts, system.lessons, system.parts.clock
    feedback = OrderFeedback(
        config,
        parts.ledger,
        system.dependencies.venue_orders,
        lessons,
        system.quarantine,
        rules=lambda symbol: rules_now(system, symbol),
        note_error=system.errors.note,
    )
    execution = OrderExecutionAssistant(
        config,
        parts.gateway,
        parts.ledger,
        parts.feed,
        clock,
        may_enter=system.entries_off,
        feedback=feedback,
        note_error=system.errors.note,
    )
    return Assistants(
        data=DataAnalysisAssistant(
            config,
            parts.bars,
            parts.feed,
            clock,
            universe=system.universe,
            quarantined=system.quarantine.why,
            slippage=lessons.slippage,
        ),
        signals=SignalGenerationAssistant(
            config,
            parts.bars,
            system.sniper,
            clock,
            lessons.standing,
            note_error=system.errors.note,
            quarantined=system.restraints.strategies.why,
        ),
        risk=RiskManagementAssistant(
            config, limits, explore, lessons.record, lessons.minimum, restraint=system.restraints.share
        ),
        execution=execution,
        performance=PerformanceTrackingAssistant(parts.ledger, parts.state_store, clock, lessons),
        exits=UnifiedSellCoordinator(config, parts.bars, clock),
        reallocation=Reallocation(
            config,
            parts.bars,
            rank=lambda symbol, strategy: rank_now(system, symbol, strategy),
            waiting=execution.exits_waiting,
            target=lambda strategy: net_target(config, strategy),
        ),
    )


def rank_now(system: "TradingSystem", symbol: str, strategy: str) -> float:
    """What a symbol and a strategy would be worth as a proposal now: what is armed for them, and what trades taught."""
    armed = system.sniper.active(symbol, system.parts.bars.series(symbol).newest_ms)
    score = max((row.score for row in armed if row.strategy == strategy), default=0.0)
    return score + system.lessons.standing(symbol, strategy)
