"""The processes `sandbox_optimus` and `live_optimus`: one account, traded. `python -m agents.optimus --sandbox|--live`.

Takes the account's lock before anything else, recovers, and trades on whatever the bus brings from research. Both
accounts run this same program down to the socket.
"""

import argparse
import logging
import os
import signal
import sys
from typing import Any

from agents.embedded import wait_for_key
from agents.process import Context, in_background, run_process
from agents.venue_access import reach_embedded_venue, tradable, wait_for_rules, watched
from execution.exchange.endpoint import build_client, move_to
from execution.exchange.feed import MarketFeed
from execution.exchange.gateway import ExchangeGateway
from execution.exchange.reconciliation import reconcile
from execution.exchange.user_stream import UserStream
from execution.ledger.account_lock import account_lock
from execution.ledger.audit_log import AuditLogger
from execution.ledger.opening import open_ledger
from execution.ledger.state_store import StateStore
from execution.ledger.store import Ledger
from execution.runtime.bus import Refused
from execution.runtime.tasks import Task
from execution.trading.bars import BarBook
from execution.trading.system import TradingParts, TradingSystem
from execution.vocabulary.health import ComponentHealth
from execution.vocabulary.messages import Conditions, Fact, OperationHealth
from execution.vocabulary.modes import Account, TradeMode
from execution.vocabulary.programs import MANAGER, optimus_of

log = logging.getLogger("nae.optimus")
FOLLOW_PERIOD_S = 2.0
LOCK_PERIOD_S = 1.0


class OptimusAgent:
    """Wires one trading system to one account of the embedded venue."""

    def __init__(self, context: Context, account: Account) -> None:
        self._context = context
        self._account = account
        self._lock = account_lock(context.home, account)
        self._ledger: Ledger | None = None
        self._system: TradingSystem | None = None
        self._client: Any = None

    @property
    def system(self) -> TradingSystem:
        """The trading system, once started."""
        assert self._system is not None, "not started yet"
        return self._system

    async def start(self) -> None:
        context, home, clock = self._context, self._context.home, self._context.clock
        self._lock.acquire(f"{context.name} pid {os.getpid()}")
        credentials = await wait_for_key(home, self._account, clock)
        endpoint = await reach_embedded_venue(home, clock)
        trade_mode = TradeMode(context.config.trading.trade_mode)
        self._client = build_client(endpoint, credentials, clock, trade_mode)
        self._ledger = ledger = open_ledger(home.ledger(self._account), self._account, clock)
        bars = BarBook(context.config.trading.timeframe)
        feed: MarketFeed
        gateway = ExchangeGateway(
            self._client,
            ledger,
            context.config.risk,
            clock,
            trade_mode=trade_mode,
            quote=lambda symbol: feed.quote(symbol),  # noqa: PLW0108 - the feed is made after the gateway
            may_send=self._lock.lost,
        )
        rules = await wait_for_rules(gateway.load_rules, clock)
        chosen = tradable(rules, context.config.trading, home.config_file)
        symbols = watched(chosen, [*ledger.positions(), *(order.symbol for order in ledger.unsettled())], rules)
        feed = MarketFeed(self._client, symbols, context.config.trading.timeframe, clock, bars.add)

        async def poll() -> None:
            for symbol in symbols:
                await gateway.fetch_new_fills(symbol)

        parts = TradingParts(
            ledger=ledger,
            gateway=gateway,
            feed=feed,
            bars=bars,
            reconcile=lambda: reconcile(gateway, ledger),
            audit=AuditLogger(home.audit_trail(context.name), clock, context.name),
            state_store=StateStore(home.account(self._account) / "state.json"),
            clock=clock,
            errors=context.errors,
            user_stream=UserStream(self._client, ledger, symbols, clock, poll),
            rules=rules,
        )
        self._system = TradingSystem(
            parts,
            context.config.trading,
            context.config.risk,
            trade_mode=trade_mode,
            venue=endpoint.name,
            explore=endpoint.embedded,
        )
        await self._system.start()
        in_background(context, context.bus.listen(["ralph", MANAGER], self._hear), "listen")

    def _hear(self, fact: Fact) -> None:
        if isinstance(fact, Conditions):
            self.system.arm(fact.conditions)
        elif isinstance(fact, OperationHealth) and self._account is Account.LIVE:
            self.system.heed_builds(fact.builds_differ)

    def tasks(self) -> list[Task]:
        return [
            *self.system.tasks(),
            Task("venue_port", FOLLOW_PERIOD_S, self._follow_venue),
            Task("account_lock", LOCK_PERIOD_S, self._watch_lock, critical=True),
        ]

    async def _watch_lock(self) -> None:
        """Without the lock we may neither send nor write: end, and let a new start ask for the account in order."""
        if lost := self._lock.lost():
            log.error("the account's lock is lost: stopping", extra={"fields": {"why": lost}})
            signal.raise_signal(signal.SIGTERM)

    async def _follow_venue(self) -> None:
        """A venue whose port was taken while it was away comes back on another one."""
        endpoint = await reach_embedded_venue(self._context.home, self._context.clock)
        if endpoint.base_url is not None and endpoint.base_url != self._client.base_url:
            log.warning("the venue has moved", extra={"fields": {"to": endpoint.base_url}})
            move_to(self._client, endpoint.base_url)

    def components(self) -> dict[str, ComponentHealth]:
        return self.system.components()

    def facts(self) -> dict[str, Any]:
        return self.system.facts()

    async def command(self, verb: str, arguments: dict[str, Any]) -> dict[str, Any]:
        system, reason = self.system, str(arguments.get("reason", ""))
        if verb == "pause":
            return {"trading_state": _answered(system.pause_trading(reason or "paused by the operator"), "paused")}
        if verb == "resume":
            return {"trading_state": _answered(system.resume_trading(reason or "resumed"), "active")}
        if verb == "status":
            return system.get_system_status()
        if verb == "reflect":
            return system.trigger_reflection()
        if verb == "errors":
            return {"errors": system.get_recent_errors(float(arguments.get("hours", 24)))}
        raise Refused(f"{self._context.name} knows pause, resume, status, reflect, errors, not {verb}")

    async def stop(self) -> None:
        """Nobody may open the ledger before we have let go of it: the lock goes last, however far the start came."""
        try:
            if self._system is not None:
                await self._system.stop()
            if self._client is not None:
                await self._client.close()
        finally:
            if self._ledger is not None:
                self._ledger.close()
            self._lock.release()


def _answered(state: str, wanted: str) -> str:
    if state != wanted:
        raise Refused(f"the account is {state}; only a person's re-arming leaves that")
    return state


def _account(words: argparse.Namespace) -> Account:
    return Account.LIVE if words.live else Account.SANDBOX


def main(arguments: list[str]) -> int:
    """The process, as supervisord starts it."""
    parser = argparse.ArgumentParser(prog="agents.optimus", description=__doc__)
    which = parser.add_mutually_exclusive_group(required=True)
    which.add_argument("--sandbox", action="store_true", help="trade the sandbox account")
    which.add_argument("--live", action="store_true", help="trade the live account")
    account = _account(parser.parse_args(arguments))
    return run_process(optimus_of(account), lambda context: OptimusAgent(context, account))


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
