"""What a trading system keeps in its ledger that isn't derived from it, and how it finds that again after a restart."""

import logging
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import msgspec

if TYPE_CHECKING:
    from execution.trading.system import TradingSystem

log = logging.getLogger("nae.trading")
ERRORS_KEPT = 50
ERRORS_KEPT_HOURS = 24


def state_of(system: "TradingSystem") -> dict[str, Any]:
    """All of it, as plain values; equal as long as nothing has changed."""
    return {
        "conditions": system.sniper.to_state(),
        "errors": system.errors.recent(ERRORS_KEPT_HOURS)[-ERRORS_KEPT:],
        "emergencies": system.assistants.exits.emergencies,
        "reflections": system.assistants.performance.reflections,
        "breakers": system.dependencies.to_state(),
        "quarantine": system.quarantine.to_state(),
        "restraints": system.restraints.to_state(),
    }


def restore(system: "TradingSystem", state: Mapping[str, Any]) -> None:
    """Put back what state_of() gave. What isn't understood (another build's) is an error counted; the rest is taken."""
    for part in (_errors, _emergencies, _quarantine, _restraints, _breakers, _conditions):
        try:
            part(system, state)
        except (msgspec.ValidationError, TypeError, ValueError) as error:
            system.errors.note(error)
            log.warning("saved state not understood", extra={"fields": {"part": part.__name__, "error": str(error)}})


def _errors(system: "TradingSystem", state: Mapping[str, Any]) -> None:
    system.errors.restore(state.get("errors", []))
    system.assistants.performance.reflections = int(state.get("reflections", 0))


def _emergencies(system: "TradingSystem", state: Mapping[str, Any]) -> None:
    for symbol, reason in msgspec.convert(state.get("emergencies", {}), dict[str, str]).items():
        system.assistants.exits.sell_all([symbol], reason)


def _quarantine(system: "TradingSystem", state: Mapping[str, Any]) -> None:
    system.quarantine.restore(state.get("quarantine", {}))


def _restraints(system: "TradingSystem", state: Mapping[str, Any]) -> None:
    system.restraints.restore(state.get("restraints", {}))


def _breakers(system: "TradingSystem", state: Mapping[str, Any]) -> None:
    system.dependencies.restore(msgspec.convert(state.get("breakers", {}), dict[str, dict[str, Any]]))


def _conditions(system: "TradingSystem", state: Mapping[str, Any]) -> None:
    if state.get("conditions"):
        system.sniper.restore(state["conditions"])
