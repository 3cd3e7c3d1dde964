"""What the healer may order of an active trader: `heal` with `what`, one row each. Streams and connections anew, the
venue's time and rules anew, fewer questions for a while, smaller entries, a pause, a symbol or a strategy left alone.

Everything only makes risk smaller, or asks again; no exit, stop or cancel is held up, no limit is touched. `mark` is
the fault it is done for: what it put, it alone takes back (`undo`). `check` only says whether it could be done.
"""

import asyncio
from collections.abc import Awaitable, Callable
from decimal import Decimal, InvalidOperation
from typing import Any, NamedTuple

from agents.optimus_parts import MarketSide
from execution.exchange.classify import BadReply, VenueError, Verdict
from execution.exchange.drift import changes
from execution.exchange.fresh_line import close_later, with_fresh_line
from execution.research.strategies import STRATEGIES
from execution.runtime.bus import Refused
from execution.trading.quarantine import Quarantine
from execution.trading.restraints import FOR_MAX_S, HEALING
from execution.trading.system import TradingSystem
from execution.vocabulary.lifecycle import TradingState
from execution.vocabulary.limits import COMMAND_DEADLINE_S

Arguments = dict[str, Any]
Told = dict[str, Any]
WITHIN_S = COMMAND_DEADLINE_S * 0.75  # whoever asks shall have an answer
REACHED_WITHIN_S = 0.8
CHANGES_NAMED = 20


class Trader(NamedTuple):
    """One active trader, and what is asked of it."""

    system: TradingSystem
    side: MarketSide
    arguments: Arguments

    @property
    def mark(self) -> str:
        """For which fault."""
        return str(self.arguments["mark"])

    @property
    def reason(self) -> str:
        """What people shall read."""
        return str(self.arguments.get("reason") or "a fault")

    def named(self, what: str) -> str:
        """An argument that must be there."""
        if not (value := str(self.arguments.get(what) or "")):
            raise Refused(f"which {what}? heal {self.arguments.get('what')} needs one")
        return value

    def for_s(self, otherwise: float | None) -> float | None:
        """For how long. Refused: no time that makes sense."""
        given = self.arguments.get("for_s", otherwise)
        if given is not None and (not isinstance(given, int | float) or not 0 < given <= FOR_MAX_S):
            raise Refused(f"for_s = {given!r}; a number of seconds up to {FOR_MAX_S:g} would be right")
        return given


class Deed(NamedTuple):
    """`obstacle`: why not, or ''. `undo`: take back what `do` put; None where nothing lasts. `needs_venue`: it makes no
    sense while nobody reaches the venue."""

    do: Callable[[Trader], Awaitable[Told]]
    obstacle: Callable[[Trader], str] = lambda trader: ""
    undo: Callable[[Trader], bool] | None = None
    needs_venue: bool = False


async def heal(system: TradingSystem, side: MarketSide, arguments: Arguments) -> Told:
    """Do it, take it back, or say whether it could be done. Refused says why not; then nothing has changed."""
    what = str(arguments.get("what") or "")
    if what not in DEEDS or not arguments.get("mark"):
        raise Refused(f"heal needs a mark and what = one of {', '.join(DEEDS)}, not {what!r}")
    deed, trader = DEEDS[what], Trader(system, side, arguments)
    if arguments.get("undo"):
        return _undone(deed, trader, what)
    why = deed.obstacle(trader)
    away = "" if why or not deed.needs_venue else await _away(trader)
    if arguments.get("check"):
        return {"what": what, "obstacle": why or away, "venue_away": bool(away)}
    if why or away:
        raise Refused(why or away)
    try:
        async with asyncio.timeout(WITHIN_S):
            told = await deed.do(trader)
    except (VenueError, BadReply) as error:
        raise Refused(f"the venue can't be asked now: {error}") from error
    except TimeoutError as error:
        raise Refused(f"the venue didn't answer within {WITHIN_S:g} s") from error
    told = {"what": what, "lasts": deed.undo is not None} | told
    _record(trader, told | {"reason": trader.reason})
    return told


def _undone(deed: Deed, trader: Trader, what: str) -> Told:
    if deed.undo is None:
        return {"what": what, "undone": False, "why": "it left nothing to put back"}
    undone = deed.undo(trader)
    trader.system.save_state()
    _record(trader, {"what": what, "undone": undone})
    return {"what": what, "undone": undone, "why": "" if undone else "nothing of it is there any more"}


def _record(trader: Trader, fields: Told) -> None:
    trader.system.parts.audit.record(HEALING, **{"mark": trader.mark} | fields)


async def _away(trader: Trader) -> str:
    """Does a line of its own, made for this, reach the venue? If not, no line of ours is to blame. '' when it does."""
    client = trader.side.client.renewed()
    try:
        async with asyncio.timeout(REACHED_WITHIN_S):
            await client.call("publicGetTime")
    except VenueError as error:
        if error.outcome.verdict not in (Verdict.UNREACHABLE, Verdict.UNKNOWN):
            return ""  # it has answered
        return f"the venue or the network is away: {error}"
    except TimeoutError:
        return f"the venue or the network is away: nothing came within {REACHED_WITHIN_S:g} s"
    finally:
        await client.drop()
    return ""


# lines, clock, rules: asked again


async def _reconnect(trader: Trader) -> Told:
    system = trader.system
    names = await system.streams.renew()
    system.dependencies.user_stream.try_soon()
    system.keep_streams()
    return {"reopened": names}


async def _new_client(trader: Trader) -> Told:
    """Orders on their way end on the old connections, which are closed when none can be any more."""
    old = with_fresh_line(trader.side.client)
    trader.side.closing.add(task := asyncio.create_task(close_later(old, trader.system.parts.clock)))
    task.add_done_callback(trader.side.closing.discard)
    return await _reconnect(trader) | {"connections": "new"}


async def _resync_clock(trader: Trader) -> Told:
    client, clock = trader.side.client, trader.system.parts.clock
    before_ms = client.venue_clock.now_ms() - clock.now_ms() if client.venue_clock.synchronised else None
    client.venue_clock.forget()  # until the venue has told, nothing is signed by what was known
    await client.synchronise_clock()
    after_ms = client.venue_clock.now_ms() - clock.now_ms()
    return {"offset_before_ms": before_ms, "offset_ms": after_ms}


async def _reload_markets(trader: Trader) -> Told:
    recovery = trader.system.recovery
    known = recovery.rules
    await recovery.load_rules()
    found = changes(known, recovery.rules)
    return {"symbols": len(recovery.rules), "changed": len(found), "changes": found[:CHANGES_NAMED]}


def _unasked(trader: Trader) -> str:
    if quiet_s := trader.system.parts.gateway.quiet_for_s():
        return f"the venue wants to hear nothing for {quiet_s:.0f} s"
    return "" if trader.side.client.spare() else "what is left of this minute's requests is for orders"


# less for a while


async def _back_off(trader: Trader) -> Told:
    trader.system.easing.ease(trader.for_s(600.0) or 600.0)
    return {"for_s": round(trader.system.easing.left_s, 1)}


def _ask_as_usual(trader: Trader) -> bool:
    eased = trader.system.easing.left_s > 0
    trader.system.easing.end()
    return eased


async def _reduce_size(trader: Trader) -> Told:
    restraints = trader.system.restraints
    before = restraints.share()
    restraints.cut(trader.mark, _share(trader), trader.reason, trader.for_s(86_400.0) or 86_400.0)
    trader.system.save_state()
    return {"share_before": str(before), "share": str(restraints.share())}


def _share(trader: Trader) -> Decimal:
    try:
        share = Decimal(str(trader.arguments.get("share", "0.5")))
    except InvalidOperation:
        share = Decimal("NaN")
    if not (share.is_finite() and 0 < share < 1):
        raise Refused(f"share = {trader.arguments.get('share')!r}; a number above 0 and below 1 would be right")
    return share


def _no_smaller(trader: Trader) -> str:
    return trader.system.restraints.obstacle_to_cut(trader.mark, _share(trader))


async def _pause(trader: Trader) -> Told:
    trader.system.restraints.pause(trader.system, trader.mark, trader.reason, trader.for_s(None))
    return {"trading_state": trader.system.parts.ledger.trading_state()[0].value}


def _no_pause(trader: Trader) -> str:
    state, why = trader.system.parts.ledger.trading_state()
    return "" if state is TradingState.ACTIVE else f"the account is {state.value} already: {why}"


def _resume(trader: Trader) -> bool:
    return trader.system.restraints.resume(trader.system, trader.mark)


# left alone


async def _quarantine_symbol(trader: Trader) -> Told:
    return _left_alone(trader, trader.system.quarantine, trader.named("symbol"))


async def _quarantine_strategy(trader: Trader) -> Told:
    return _left_alone(trader, trader.system.restraints.strategies, trader.named("strategy"))


def _left_alone(trader: Trader, among: Quarantine, name: str) -> Told:
    for_s = trader.for_s(21_600.0) or 21_600.0
    until_ms = trader.system.parts.clock.now_ms() + round(for_s * 1000)
    among.put(name, trader.reason, until_ms, _by(trader))
    trader.system.save_state()
    return {"left_alone": name, "for_s": for_s}


def _by(trader: Trader) -> str:
    return f"{HEALING} {trader.mark}"


def _no_symbol(trader: Trader) -> str:
    name, rules = trader.named("symbol"), trader.system.recovery.rules
    if rules and name not in rules:
        return f"the venue doesn't list {name}"
    why = trader.system.quarantine.why(name)
    return f"{name} is left alone already: {why}" if why else ""


def _no_strategy(trader: Trader) -> str:
    name = trader.named("strategy")
    if name not in STRATEGIES:
        return f"there is no strategy {name!r}; one of {', '.join(STRATEGIES)} would be right"
    why = trader.system.restraints.strategies.why(name)
    return f"{name} is left alone already: {why}" if why else ""


def _lift(among: Quarantine, name: str, trader: Trader) -> bool:
    row = among.rows().get(name)
    return row is not None and row.by == _by(trader) and among.lift(name)


def _lift_symbol(trader: Trader) -> bool:
    return _lift(trader.system.quarantine, trader.named("symbol"), trader)


def _lift_strategy(trader: Trader) -> bool:
    return _lift(trader.system.restraints.strategies, trader.named("strategy"), trader)


DEEDS: dict[str, Deed] = {
    "reconnect": Deed(_reconnect, needs_venue=True),
    "new_client": Deed(_new_client, needs_venue=True),
    "resync_clock": Deed(_resync_clock),
    "reload_markets": Deed(_reload_markets, _unasked),
    "back_off": Deed(_back_off, undo=_ask_as_usual),
    "reduce_size": Deed(_reduce_size, _no_smaller, lambda trader: trader.system.restraints.uncut(trader.mark)),
    "pause": Deed(_pause, _no_pause, _resume),
    "quarantine_symbol": Deed(_quarantine_symbol, _no_symbol, _lift_symbol),
    "quarantine_strategy": Deed(_quarantine_strategy, _no_strategy, _lift_strategy),
}
