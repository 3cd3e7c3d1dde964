"""What a trading system says of itself, in plain values: for the bus, for `status`, for people. Amounts are text.

It only reads; shapes may grow keys but never lose one.
"""

import logging
from collections.abc import Mapping
from decimal import Decimal
from typing import TYPE_CHECKING, Any

import msgspec

from execution.runtime.clock import iso
from execution.trading.portfolio import Holding, Portfolio
from execution.trading.protection import guarded
from execution.vocabulary.health import ComponentHealth, ComponentStatus
from execution.vocabulary.market import SymbolRules
from execution.vocabulary.money import text
from execution.vocabulary.order_states import OrderState

if TYPE_CHECKING:
    from execution.trading.system import TradingSystem

DECIMALS = 8


def facts(system: "TradingSystem") -> dict[str, Any]:
    """The summary that rides the bus with every heartbeat."""
    ledger, manager = system.parts.ledger, system.manager
    held = manager.portfolio()
    unsettled = ledger.unsettled()
    state, reason = ledger.trading_state()
    stops = guarded(unsettled)
    last = manager.last
    return {
        "account": ledger.account,
        "trade_mode": system.trade_mode.value,
        "trading_state": state.value,
        "trading_state_reason": reason,
        "venue": system.venue,
        "epoch": ledger.epoch,
        "equity": amount(held),
        "reserve": text(round(held.reserve, DECIMALS)),
        "fills": ledger.fills_count,
        "open_orders": sum(
            row.state in (OrderState.OPEN, OrderState.PARTIALLY_FILLED) and not row.guards for row in unsettled
        ),
        "unknown_orders": sum(row.state is OrderState.UNKNOWN for row in unsettled),
        "reconciled": system.recovery.reconciled,
        "positions": {symbol: position_line(row, stops.get(symbol)) for symbol, row in held.holdings.items()},
        "protective_exits": len(stops),
        "unprotected": system.protector.unprotected(),
        "cycles": manager.cycles,
        "failed_cycles": manager.failed_cycles,
        "last_reason": last.reason if last else None,
        "conditions": system.sniper.held,
        "newest_bars": system.parts.bars.newest(),
        "entries_off": system.entries_off(),
        "infeasible": system.feasibility.why_not,
        "note": "; ".join(filter(None, notes(system, held))),
    }


def notes(system: "TradingSystem", held: Portfolio) -> tuple[str, ...]:
    """What a person should know of the account now; "" where there is nothing."""
    bare = "; ".join(f"{symbol}: {why}" for symbol, why in system.protector.unprotected().items())
    alone = ", ".join(sorted(system.quarantine.rows()))
    return (
        unlisted_note(held, system.recovery.rules),
        system.feasibility.why_not,
        f"held without a stop at the venue: {bare}" if bare else "",
        f"no entries in {alone}: nae quarantine says why" if alone else "",
        *system.restraints.notes(),
    )


def unlisted_note(held: Portfolio, rules: Mapping[str, SymbolRules]) -> str:
    """What a person should know of positions that the venue no longer lists; "" when there are none."""
    lost = sorted(set(held.holdings) - set(rules)) if rules else []
    if not lost:
        return ""
    return f"the venue no longer lists {', '.join(lost)}: what is held of it is neither counted in equity nor sold"


def amount(held: Portfolio) -> str:
    """Equity as text, at most eight decimals."""
    return text(round(held.equity, DECIMALS))


def position_line(row: Holding, stop: Decimal | None) -> dict[str, Any]:
    """One position. `stop`: the price of the stop order that stands at the venue for it, if one does."""
    return {
        "quantity": text(row.position.quantity),
        "entry_price": text(round(row.position.entry_price, DECIMALS)),
        "value": text(round(row.value, DECIMALS)),
        "unrealised": text(round(row.value - row.position.cost, DECIMALS)),
        "strategy": row.position.strategy,
        "opened_ms": row.position.opened_ms,
        "dust": row.dust,
        "stop": None if stop is None else text(stop),
    }


def loop_stats(system: "TradingSystem") -> dict[str, Any]:
    """How often what happened. Cycles and orders since this start; trades in all."""
    manager, five = system.manager, system.assistants
    tally = five.performance.tally()
    return {
        "uptime_hours": round((system.parts.clock.monotonic() - system.started_at) / 3600, 4),
        "cycles": manager.cycles,
        "failed_cycles": manager.failed_cycles,
        "entries": manager.entry_orders,
        "exits": manager.exit_orders,
        "total_trades": tally.trades,
        "winning_trades": tally.wins,
        "net": tally.net,
        "coin_scores": tally.coins,
        "strategy_scores": tally.strategies,
        "total_reflections": five.performance.reflections,
        "conditions": system.sniper.held,
        "condition_sets": system.sniper.sets_received,
        "errors": system.errors.total,
        "stream_restarts": system.streams.restarts,
        "last_reason": manager.last.reason if manager.last else None,
    }


def status(system: "TradingSystem") -> dict[str, Any]:
    """Everything: facts, components, loop, regimes, the last cycle."""
    last = system.manager.last
    return {
        **facts(system),
        "differences": list(system.recovery.differences),
        "regimes": system.assistants.data.regimes,
        "tiers": system.assistants.data.places,
        "components": health(system)["components"],
        "loop": loop_stats(system),
        "last_cycle": None if last is None else msgspec.to_builtins(last),
    }


def components(system: "TradingSystem") -> dict[str, ComponentHealth]:
    """get_health() of every part, by name."""
    parts, five = system.parts, system.assistants
    found = {
        "feed": parts.feed.get_health(),
        "gateway": parts.gateway.get_health(),
        "ledger": parts.ledger.get_health(),
        "audit": parts.audit.get_health(),
        "sniper": system.sniper.get_health(),
        "data_analysis": five.data.get_health(),
        "signal_generation": five.signals.get_health(),
        "risk_management": five.risk.get_health(),
        "order_execution": five.execution.get_health(),
        "performance_tracking": five.performance.get_health(),
        "protection": system.protector.get_health(),
        "sell_coordinator": five.exits.get_health(),
        "reconciliation": system.recovery.get_health(),
        "lessons": system.lessons.get_health(),
        "breakers": system.dependencies.get_health(),
    }
    return found | ({"user_stream": parts.user_stream.get_health()} if parts.user_stream else {})


def health(system: "TradingSystem") -> dict[str, Any]:
    """All components and the worst of them: failed, degraded or healthy. Starting ones are no worry."""
    parts = components(system)
    seen = {part.status for part in parts.values()}
    worrying = (status for status in (ComponentStatus.FAILED, ComponentStatus.DEGRADED) if status in seen)
    return {
        "timestamp": iso(system.parts.clock.now_ms()),
        "overall": next(worrying, ComponentStatus.HEALTHY).value,
        "components": {name: msgspec.to_builtins(part) for name, part in parts.items()},
    }


def health_line(system: "TradingSystem") -> tuple[int, dict[str, Any]]:
    """The whole in one line of the log, and its level: a warning when something isn't healthy, which is then named."""
    whole = health(system)
    worrying = (ComponentStatus.FAILED, ComponentStatus.DEGRADED)
    weak = {name: part["status"] for name, part in whole["components"].items() if part["status"] in worrying}
    fields: dict[str, Any] = {"overall": whole["overall"], "cycles": system.manager.cycles, **weak}
    fields |= {"entries_off": off} if (off := system.entries_off()) else {}
    return (logging.WARNING if weak else logging.INFO), fields
