"""The processes `sandbox_optimus`, `live_optimus` and `live_optimus_standby`: one account, traded by whoever holds its
lock. `python -m agents.optimus --sandbox|--live [--standby]`.

A trader without a twin takes the account's lock before anything else. Of twins, who has the lock is active; the other
gets everything ready and waits for it (standby.py). Every one of them recovers before it trades.
"""

import argparse
import asyncio
import logging
import os
import signal
import sys
from typing import Any

from agents.optimus_commands import carry_out
from agents.optimus_parts import MarketSide, build_system, reach_market
from agents.process import Context, in_background, run_process
from agents.standby import Standby, Twin
from agents.venue_access import reach_embedded_venue
from execution.autonomous.stop_marker import stop_is_requested
from execution.exchange.client import VenueClient
from execution.exchange.endpoint import move_to
from execution.ledger.account_lock import AccountLock, account_lock, holder_of, key_holder, key_lock
from execution.ledger.following import LedgerFollower
from execution.ledger.rebuild import open_or_rebuild
from execution.ledger.store import Ledger
from execution.runtime.bus import Refused
from execution.runtime.tasks import Task
from execution.trading.system import TradingSystem
from execution.vocabulary.exit_codes import BusyError
from execution.vocabulary.health import ComponentHealth
from execution.vocabulary.messages import Conditions, Fact, Heartbeat, OperationHealth
from execution.vocabulary.modes import Account
from execution.vocabulary.programs import BY_NAME, MANAGER, optimus_of, standby_of

log = logging.getLogger("nae.optimus")
FOLLOW_PERIOD_S = 2.0
LOCK_PERIOD_S = 1.0
PROBE_PERIOD_S = 0.5
AFTER_THE_ANSWER_S = 0.05


class OptimusAgent:
    """One account of the embedded venue, and the part this process has in it. `by_hand` never waits as a standby."""

    def __init__(self, context: Context, account: Account, by_hand: bool = False) -> None:
        self._context = context
        self._account = account
        self._lock = account_lock(context.home, account)
        self._key_lock: AccountLock | None = None
        self._holder = f"{context.name} pid {os.getpid()}"
        self._twin = None if by_hand else _twin_of(context)
        self._standby: Standby | None = None
        self._waiting: asyncio.Task[None] | None = None
        self._side: MarketSide | None = None
        self._ledger: Ledger | None = None
        self._system: TradingSystem | None = None
        self._conditions: Conditions | None = None
        self._builds_differ = False
        self._handover = ""  # why the account is being given to the twin
        self._probes = 0

    @property
    def system(self) -> TradingSystem:
        """The trading system, once active."""
        assert self._system is not None, "not active"
        return self._system

    async def start(self) -> None:
        context = self._context
        if self._twin is None or not context.name.endswith("_standby"):
            first = await self._lock_now()
        else:
            first = False  # it gets ready before it asks: where all begin anew, its twin is the active one
        if first:
            await self._begin()
        else:
            self._standby = Standby(context, self._account)
            await self._standby.prepare()
            self._side = self._standby.side
            self._waiting = in_background(context, self._stand_by(self._standby), "stand_by")
        heard = ["ralph", MANAGER, *([self._twin.name] if self._twin else [])]
        in_background(context, context.bus.listen(heard, self._hear), "listen")

    async def _lock_now(self) -> bool:
        """The lock, at once or after a dying predecessor. False: the twin has it. BusyError: somebody else has."""
        if self._twin is None:
            await self._lock.acquire_soon(self._holder)
            return True
        try:
            self._lock.acquire(self._holder)
        except BusyError:
            return False
        return True

    async def _begin(self) -> None:
        """From nothing: the account is ours, all the rest is still to be fetched."""
        self._open(None)
        ledger = self._ledger
        assert ledger is not None
        concerned = [*ledger.positions(), *(order.symbol for order in ledger.unsettled())]
        self._side = await reach_market(self._context, self._account, concerned, _at_once)
        await self._trade(self._side, ledger)

    def _open(self, followed: LedgerFollower | None) -> None:
        context, path = self._context, self._context.home.ledger(self._account)
        self._ledger = open_or_rebuild(path, self._account, context.clock, followed, context.errors.note)

    async def _trade(self, side: MarketSide, ledger: Ledger) -> None:
        if not side.endpoint.embedded:  # that account is the same from every home of this machine
            self._key_lock = key_lock(side.key_fingerprint)
            await self._key_lock.acquire_soon(key_holder(self._context.name, self._context.home))
        self._system = system = build_system(self._context, side, ledger, self._lost)
        await system.start(self._probe)
        if self._conditions is not None:
            system.arm(self._conditions.conditions, self._conditions.studied)
        system.heed_builds(self._builds_differ)

    async def _stand_by(self, standby: Standby) -> None:
        await self._lock.acquire_when_free(self._holder)
        if stop_is_requested(self._context.home.run):  # everything ends, we too in a moment: no epoch for nothing
            self._lock.release()
        else:
            await self._take_over(standby)
        await asyncio.Event().wait()  # the account is ours until the process ends

    async def _take_over(self, standby: Standby) -> None:
        """The same recovery as at any start, with everything at hand; each step's time is said."""
        clock, times = self._context.clock, list[float]()
        times.append(clock.monotonic())
        self._open(await standby.hand_over())
        times.append(clock.monotonic())
        ledger = self._ledger
        assert ledger is not None
        await self._trade(standby.side, ledger)
        times.append(clock.monotonic())
        self._context.runner.switch(self.tasks())
        self._context.changed.set()
        reason = str(self._twin.last_facts.get("handover") or "") if self._twin else ""
        fields: dict[str, Any] = {
            "epoch": ledger.epoch,
            "reconciled": self.system.recovery.reconciled,
            "reason": reason or "its holder is gone",
            "ledger_ms": round((times[1] - times[0]) * 1000, 2),
            "recovery_ms": round((times[2] - times[1]) * 1000, 2),
        }
        standby.side.audit.record("takeover", **fields)
        log.warning("took the account over", extra={"fields": fields})

    def _hear(self, fact: Fact) -> None:
        if isinstance(fact, Conditions):
            self._conditions = fact
            if self._system is not None:
                self._system.arm(fact.conditions, fact.studied)
        elif isinstance(fact, OperationHealth) and self._account is Account.LIVE:
            self._builds_differ = fact.builds_differ
            if self._system is not None:
                self._system.heed_builds(fact.builds_differ)
        elif isinstance(fact, Heartbeat) and self._twin is not None and fact.process == self._twin.name:
            self._twin.hear(fact)

    # what runs

    def tasks(self) -> list[Task]:
        everywhere = [Task("venue_port", FOLLOW_PERIOD_S, self._follow_venue)]
        if self._system is None:
            assert self._standby is not None
            return [*self._standby.tasks(), *everywhere]
        first, *others = self._system.tasks()
        return [
            first,
            Task("probe", PROBE_PERIOD_S, self._probe),
            *others,
            *everywhere,
            Task("account_lock", LOCK_PERIOD_S, self._watch_lock, critical=True),
        ]

    async def _probe(self) -> None:
        """Show the venue, and whoever reads its journal, that the live account is managed: only while that is so."""
        system = self.system
        if self._account is Account.LIVE and system.recovery.reconciled and system.manager.manages():
            self._probes += 1
            await system.parts.gateway.probe(self._probes)

    def _lost(self) -> str | None:
        """Why nothing may be sent any more, if so."""
        return self._lock.lost() or (self._key_lock.lost() if self._key_lock is not None else None)

    async def _watch_lock(self) -> None:
        """Without the lock we may neither send nor write: end, and let a new start ask for the account in order."""
        if lost := self._lost():
            log.error("the account's lock is lost: stopping", extra={"fields": {"why": lost}})
            signal.raise_signal(signal.SIGTERM)

    async def _follow_venue(self) -> None:
        """A venue whose port was taken while it was away comes back on another one."""
        endpoint = await reach_embedded_venue(self._context.home, self._context.clock)
        client = self._side.client if self._side is not None else None
        if client is not None and endpoint.base_url is not None and endpoint.base_url != client.base_url:
            log.warning("the venue has moved", extra={"fields": {"to": endpoint.base_url}})
            move_to(client, endpoint.base_url)

    # what it says and hears

    def components(self) -> dict[str, ComponentHealth]:
        if self._system is not None:
            return self._system.components()
        return self._standby.components() if self._standby is not None else {}

    def facts(self) -> dict[str, Any]:
        if self._system is not None:
            return self._system.facts() | self._part()
        assert self._standby is not None
        why = self._standby.not_ready()
        return {
            "role": "standby",
            "account": self._account.value,
            "standby_ready": not why,
            "not_ready": why,
            "holds": self._standby.holds(),
        }

    def _part(self) -> dict[str, Any]:
        """What only the active one of twins says."""
        return {"role": "active", "holds": sorted(self.system.parts.ledger.positions()), "handover": self._handover}

    async def command(self, verb: str, arguments: dict[str, Any]) -> dict[str, Any]:
        if self._system is not None:
            if verb == "handover":
                return self._hand_over(str(arguments.get("reason", "")), bool(arguments.get("force")))
            answer = await carry_out(self._system, verb, arguments, self._side)
            return answer | self._part() if verb == "status" else answer
        if verb == "status":
            return self.facts()
        holder = holder_of(self._context.home, self._account) or "nobody"
        raise Refused(f"{self._context.name} stands by: {holder} holds the {self._account} account")

    def _hand_over(self, reason: str, force: bool) -> dict[str, Any]:
        """End in good order, with a standby there to go on. `force`: also without one."""
        if not reason:
            raise Refused("a handover needs a reason")
        if not force and (self._twin is None or not self._twin.ready):
            why = str(self._twin.last_facts.get("not_ready") or "not heard yet") if self._twin else "there is none"
            raise Refused(f"no standby is ready to take the account over ({why}); nae status says when one is")
        if not self._handover:
            self._handover = reason
            self.system.parts.audit.record("handover", reason=reason, force=force)
            log.warning("handing the account over", extra={"fields": {"reason": reason}})
            # not before the answer is out; until then everything goes on as it is
            asyncio.get_running_loop().call_later(AFTER_THE_ANSWER_S, signal.raise_signal, signal.SIGTERM)
        return {"handover": self._handover, "to": self._twin.name if self._twin else None}

    async def stop(self) -> None:
        """Nobody may open the ledger before we have let go of it: the lock goes last of what a successor needs, however
        far the start came. Connections, which nobody waits for, are closed after it."""
        if self._waiting is not None:
            self._waiting.cancel()
            await asyncio.wait({self._waiting})
        try:
            if self._system is not None:
                await self._system.stop()
            elif self._standby is not None:
                await self._standby.stop()
        finally:
            if self._ledger is not None:
                self._ledger.close()
            if self._key_lock is not None:
                self._key_lock.release()
            self._lock.release()
        if self._side is not None:
            await self._side.client.close()


async def _at_once(_: VenueClient) -> None:
    """An account without a trader waits for nothing."""


def _twin_of(context: Context) -> Twin | None:
    name = BY_NAME[context.name].twin if context.name in BY_NAME else None
    return Twin(name, context) if name and context.config.operation.standby else None


def main(arguments: list[str]) -> int:
    """The process, as supervisord starts it."""
    parser = argparse.ArgumentParser(prog="agents.optimus", description=__doc__)
    which = parser.add_mutually_exclusive_group(required=True)
    which.add_argument("--sandbox", action="store_true", help="trade the sandbox account")
    which.add_argument("--live", action="store_true", help="trade the live account")
    parser.add_argument("--standby", action="store_true", help="the second of a pair, by its name and its patience")
    words = parser.parse_args(arguments)
    account = Account.LIVE if words.live else Account.SANDBOX
    if words.standby and standby_of(account) is None:
        parser.error(f"the {account} account has no standby")
    name = (standby_of(account) if words.standby else None) or optimus_of(account)
    return run_process(name, lambda context: OptimusAgent(context, account))


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
