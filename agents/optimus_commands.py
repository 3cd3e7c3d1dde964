"""What a person or another process may order of an active trader over the bus. Each verb is one method of its trading
system; the answer is plain values."""

from collections.abc import Callable
from typing import Any

from agents.optimus_healing import heal
from agents.optimus_parts import MarketSide
from execution.exchange.classify import BadReply, VenueError
from execution.runtime.bus import Refused
from execution.trading.quarantine import NotThere
from execution.trading.system import TradingSystem
from execution.vocabulary.lifecycle import TradingState

Arguments = dict[str, Any]


async def carry_out(
    system: TradingSystem, verb: str, arguments: Arguments, side: MarketSide | None = None
) -> dict[str, Any]:
    """Do it. Refused: unknown, or the account's state doesn't allow it. `side`: the trader's lines to the venue."""
    if verb not in VERBS and verb not in AWAITED:
        raise Refused(f"a trader knows {', '.join(sorted([*VERBS, *AWAITED]))}, handover, not {verb}")
    if verb == "heal":
        if side is None:
            raise Refused("without a line to the venue there is nothing to heal")
        return await heal(system, side, arguments)
    if verb == "reconcile":
        return await _reconcile(system, arguments)
    return VERBS[verb](system, arguments)


def _reason(arguments: Arguments, otherwise: str) -> str:
    return str(arguments.get("reason") or otherwise)


def _pause(system: TradingSystem, arguments: Arguments) -> dict[str, Any]:
    return _state(system.pause_trading(_reason(arguments, "paused by the operator")), "paused")


def _resume(system: TradingSystem, arguments: Arguments) -> dict[str, Any]:
    return _state(system.resume_trading(_reason(arguments, "resumed")), "active")


def _reduce_only(system: TradingSystem, arguments: Arguments) -> dict[str, Any]:
    return _state(system.reduce_only(_reason(arguments, "reduce only, by the operator")), "reduce_only")


def _halt(system: TradingSystem, arguments: Arguments) -> dict[str, Any]:
    return _state(system.halt_trading(_reason(arguments, "halted by the operator")), "halted")


async def _reconcile(system: TradingSystem, arguments: Arguments) -> dict[str, Any]:
    """Compare with the venue now; `accept`: the differences that a person, `by`, has seen and wants booked."""
    try:
        if arguments.get("accept"):
            await system.recovery.accept([str(one) for one in arguments["accept"]], str(arguments.get("by") or ""))
        else:
            await system.recovery.run()
    except ValueError as error:
        raise Refused(f"nothing was booked: {error}") from error
    except (VenueError, BadReply) as error:
        raise Refused(f"the venue can't be asked now: {error}") from error
    return {"reconciled": system.recovery.reconciled, "differences": list(system.recovery.differences)}


def _arm(system: TradingSystem, arguments: Arguments) -> dict[str, Any]:
    """Leave a halt. It takes a person's name, and books that agree with the venue's."""
    by = str(arguments.get("by") or "")
    state, reason = system.parts.ledger.trading_state()
    if state is not TradingState.HALTED:
        raise Refused(f"the account is {state}, not halted: there is nothing to arm")
    if not by:
        raise Refused("an account is armed by a person, who gives a name")
    if not system.recovery.reconciled:
        why = "; ".join(system.recovery.differences) or "not compared with the venue yet"
        raise Refused(f"the account isn't reconciled ({why}); it stays halted: {reason}")
    return _state(system.rearm_trading(f"armed after: {reason}", by), "active")


def _sell_everything(system: TradingSystem, arguments: Arguments) -> dict[str, Any]:
    return {"marked": system.sell_everything(_reason(arguments, "sold by the operator"))}


def _quarantine(system: TradingSystem, arguments: Arguments) -> dict[str, Any]:
    """Leave a symbol alone, or not any more; without a symbol, the list. Durable before the answer."""
    symbol, rules = str(arguments.get("symbol") or ""), system.recovery.rules
    if symbol:
        if not arguments.get("lift") and rules and symbol not in rules:
            raise Refused(f"the venue doesn't list {symbol}")
        try:
            system.quarantine.obey(**arguments)
        except NotThere as error:
            raise Refused(str(error)) from error
        system.save_state()
        told = {"symbol": symbol, "why": system.quarantine.why(symbol), "by": str(arguments.get("by") or "operator")}
        system.parts.audit.record("quarantine", **told)
    return system.quarantine.listed()


def _status(system: TradingSystem, _: Arguments) -> dict[str, Any]:
    return system.get_system_status()


def _reflect(system: TradingSystem, _: Arguments) -> dict[str, Any]:
    return system.trigger_reflection()


def _errors(system: TradingSystem, arguments: Arguments) -> dict[str, Any]:
    return {"errors": system.get_recent_errors(float(arguments.get("hours", 24)))}


def _state(state: str, wanted: str) -> dict[str, Any]:
    if state != wanted:
        raise Refused(f"the account is {state}; only a person's re-arming leaves that")
    return {"trading_state": state}


AWAITED = ("heal", "reconcile")
VERBS: dict[str, Callable[[TradingSystem, Arguments], dict[str, Any]]] = {
    "pause": _pause,
    "resume": _resume,
    "reduce_only": _reduce_only,
    "arm": _arm,
    "halt": _halt,
    "sell_everything": _sell_everything,
    "quarantine": _quarantine,
    "status": _status,
    "reflect": _reflect,
    "errors": _errors,
}
