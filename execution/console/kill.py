"""What `nae kill` does with one account: halted first, durably; then every open order is cancelled; then, if wanted,
everything is sold. With the account's lock in our hand we do it ourselves; a trader that lives and answers halts and
sells itself, and we cancel beside it. Cancelling can't double anything; what sells has the lock."""

import asyncio
import os
from contextlib import closing
from dataclasses import dataclass

import msgspec

from execution.console.taking_over import Hand, OutOfReach, ask_holder, take_in_hand
from execution.console.without_stop import without_stop, without_stop_by
from execution.exchange.desk import Desk, open_desk
from execution.exchange.emergency import Keep, Swept, cancel_all, kept_names, kept_stops
from execution.exchange.gateway import ExchangeGateway
from execution.ledger.audit_log import AuditLogger
from execution.ledger.queries import positions, recent_orders
from execution.ledger.rebuild import open_or_rebuild
from execution.ledger.rows import UNREADABLE
from execution.ledger.store import Ledger
from execution.runtime.bus import NoAnswer, Refused, ask
from execution.runtime.clock import Clock
from execution.runtime.home import Home
from execution.runtime.settings import Config
from execution.runtime.sqlite import DatabaseError
from execution.trading.flatten import flatten
from execution.vocabulary.exit_codes import BusyError, ConfigError
from execution.vocabulary.lifecycle import TradingState
from execution.vocabulary.order_states import OrderState
from execution.vocabulary.orders import STOPS

IN_HAND_WITHIN_S = 3.0
DONE_WITHIN_S = 4.5  # halting and cancelling, of the five seconds that are promised
LOOK_S = 0.2
LAST_LOOK_S = 1.0
BY = "operator"
NEWEST = 1000  # orders of an account that are looked through
DUST = "dust: too little for any order"


class Killed(msgspec.Struct):
    """What was done with one account, and what wasn't."""

    account: str
    halted: bool = False
    by: str = ""  # who halted it: the trader that holds the account, or this command
    ended: list[int] = []  # processes that held it and didn't answer
    cancelled: list[str] = []
    stops_left: list[str] = []  # protective stops of what is still held
    without_stop: dict[str, str] = {}  # held, and nothing stands at the venue to sell it
    orders_left: list[str] = []
    sold: list[str] = []
    left: dict[str, str] = {}
    unknown: list[str] = []
    problems: list[str] = []
    seconds: float = 0.0

    @property
    def done(self) -> bool:
        """Is nothing left to do?"""
        held = [why for why in self.left.values() if not why.startswith("dust")]
        return self.halted and not (self.problems or self.orders_left or self.unknown or held)


@dataclass
class Order:
    """The person's wish."""

    home: Home
    config: Config
    clock: Clock
    reason: str
    flatten: bool
    within_s: float  # for selling


def kill_account(order: Order, account: str) -> Killed:
    """Do it; never raises for a part that is dead."""
    clock, told = order.clock, Killed(account)
    began = clock.monotonic()
    halt = ask_holder(order.home, "halt", clock, reason=order.reason)
    name = f"nae_kill pid {os.getpid()}"
    try:
        hand = take_in_hand(order.home, account, name, clock=clock, deadline=began + IN_HAND_WITHIN_S, obey=halt)
    except (OutOfReach, OSError) as problem:
        told.problems.append(str(problem))
        hand = Hand()
    told.ended = hand.killed
    try:
        if hand.lock is not None:
            _ourselves(order, told, hand, began)
        else:
            told.halted, told.by = bool(hand.holder), hand.holder
            asyncio.run(_beside(order, told, hand, began))
    except (DatabaseError, OSError) as problem:
        told.problems.append(str(problem))
    finally:
        hand.release()
    told.seconds = round(clock.monotonic() - began, 3)
    return told


def _ourselves(order: Order, told: Killed, hand: Hand, began: float) -> None:
    """Nobody else writes: the halt into the ledger first, whatever the venue says then."""
    told.by = "nae kill"
    path = order.home.ledger(told.account)
    try:
        with closing(open_or_rebuild(path, told.account, order.clock)) as ledger:
            ledger.set_trading_state(TradingState.HALTED, order.reason, BY)
            told.halted = True
            asyncio.run(_with_ledger(order, told, hand, ledger, began))
    except (ConfigError, DatabaseError, OSError) as problem:
        what = f"{path} or the audit trail can't be written" if told.halted else "the halt couldn't be written"
        told.problems.append(f"{what}: {problem}")
        asyncio.run(_beside(order, told, hand, began))  # what stands at the venue is cancelled all the same


async def _with_ledger(order: Order, told: Killed, hand: Hand, ledger: Ledger, began: float) -> None:
    trail = order.home.audit_trail(f"operator_{told.account}")
    audit = AuditLogger(trail, order.clock, "nae_kill")  # one writer: the lock is ours
    audit.record("kill", reason=order.reason, flatten=order.flatten, epoch=ledger.epoch, ended=told.ended)
    desk = _desk(order, told)
    try:
        if desk is not None and hand.lock is not None:
            gateway = desk.gateway(ledger, hand.lock)
            # of unknown fate, too: a trader that was killed may have a stop there whose answer it never read
            stops = [row.client_order_id for row in ledger.unsettled() if row.type in STOPS]
            ours = await _key_is_ours(desk, told)
            keep = kept_names([] if order.flatten else stops) if ours else kept_stops
            swept = await cancel_all(desk.client, order.clock, began + DONE_WITHIN_S, gateway, keep)
            _note(told, swept)
            if order.flatten and ours:
                await _sell(order, told, desk, gateway, audit)
            else:
                shown = swept.kept if swept.seen else None
                told.without_stop = without_stop(ledger.positions(), ledger.unsettled(), shown)
        audit.record("killed", **msgspec.structs.asdict(told))
    finally:
        audit.close()
        if desk is not None:
            await desk.close()


async def _key_is_ours(desk: Desk, told: Killed) -> bool:
    """Another home may trade this account with the same key: then its stops are left alone, and it has to sell."""
    try:
        await desk.claim_key("nae_kill")
    except (BusyError, ConfigError, OSError) as problem:
        told.problems.append(f"nothing is sold from here: {problem}; NAE_HOME=FOLDER nae kill stops it there, too")
        return False
    return True


async def _sell(order: Order, told: Killed, desk: Desk, gateway: ExchangeGateway, audit: AuditLogger) -> None:
    deadline = order.clock.monotonic() + order.within_s
    found = await flatten(gateway, desk.look, audit, order.clock, deadline=deadline, reason=order.reason)
    told.sold, told.left, told.unknown = found.sold, found.left, found.unknown
    if told.orders_left or told.problems:  # the venue has had time to come back
        told.problems.clear()
        _note(told, await cancel_all(desk.client, order.clock, order.clock.monotonic() + LAST_LOOK_S, gateway))
    told.problems += [f"the venue: {found.problem}"] if found.problem else []


async def _beside(order: Order, told: Killed, hand: Hand, began: float) -> None:
    """A trader has the ledger and has halted; or nobody can have it. We only cancel, and have it sell."""
    desk = _desk(order, told)
    if desk is None:
        return
    try:
        until = max(began + DONE_WITHIN_S, order.clock.monotonic() + LAST_LOOK_S)
        ours = bool(hand.holder) or await _key_is_ours(desk, told)
        swept = await cancel_all(desk.client, order.clock, until, keep=_stops(order, told) if ours else kept_stops)
        _note(told, swept)
    finally:
        await desk.close()
    if not order.flatten:
        told.without_stop = await asyncio.to_thread(_bare, order, told, hand, swept)
    elif hand.holder:
        await _have_it_sell(order, told, hand)
    else:
        told.problems.append("nothing was sold: nobody holds a ledger to sell from")


async def _have_it_sell(order: Order, told: Killed, hand: Hand) -> None:
    """The trader sells; asked again while something is held, for an order may have been on its way."""
    path = order.home.ledger(told.account)
    sell = ask_holder(order.home, "sell_everything", order.clock, reason=order.reason)
    deadline = order.clock.monotonic() + order.within_s
    before = {row.client_order_id for row in recent_orders(path, NEWEST)}
    while True:
        try:
            told.left = await asyncio.to_thread(_holdings, order, hand.holder)
            unknown = recent_orders(path, NEWEST, [OrderState.UNKNOWN])
            if not unknown and all(why == DUST for why in told.left.values()):
                break
            await asyncio.to_thread(sell, hand.holder)
        except (NoAnswer, Refused) as silence:
            told.problems.append(f"{silence}; ask again: nae kill --flatten")
            break
        if order.clock.monotonic() >= deadline:
            break
        await order.clock.sleep(LOOK_S)
    told.sold = [row.client_order_id for row in recent_orders(path, NEWEST) if row.client_order_id not in before]
    told.unknown = [row.client_order_id for row in recent_orders(path, NEWEST, [OrderState.UNKNOWN])]
    told.stops_left = [row.client_order_id for row in recent_orders(path, NEWEST) if row.guards]


def _bare(order: Order, told: Killed, hand: Hand, swept: Swept) -> dict[str, str]:
    """What has no stop, as its trader tells, else as far as its ledger's file can be read."""
    path = order.home.ledger(told.account)
    try:
        if hand.holder:
            return without_stop_by(ask(order.home.run, hand.holder, "status", order.clock))
        return without_stop(positions(path), recent_orders(path, NEWEST), swept.kept if swept.seen else None)
    except (NoAnswer, Refused, FileNotFoundError, DatabaseError, *UNREADABLE) as problem:
        told.problems.append(f"whether all that is held has a stop can't be told: {problem}")
        return {}


def _holdings(order: Order, holder: str) -> dict[str, str]:
    """What the trader still holds, and whether it can be sold at all. NoAnswer, Refused."""
    status = ask(order.home.run, holder, "status", order.clock)
    return {name: DUST if row["dust"] else f"{holder} hasn't sold it yet" for name, row in status["positions"].items()}


def _desk(order: Order, told: Killed) -> Desk | None:
    try:
        return open_desk(order.home, told.account, order.config, order.clock)
    except (ConfigError, OSError) as problem:
        told.problems.append(f"nothing was cancelled: {problem}")
        return None


def _stops(order: Order, told: Killed) -> Keep:
    """Protective stops, as the ledger's file tells, or the venue; its trader takes them away itself when it sells."""
    try:
        rows = recent_orders(order.home.ledger(told.account), NEWEST)
    except (FileNotFoundError, DatabaseError):
        return kept_stops
    return kept_names([row.client_order_id for row in rows if row.type in STOPS])


def _note(told: Killed, swept: Swept) -> None:
    told.cancelled, told.stops_left, told.orders_left = told.cancelled + swept.cancelled, swept.kept, swept.left
    if not swept.seen:
        told.problems.append(f"the venue doesn't tell what stands there: {swept.problem}; nae kill asks again")
