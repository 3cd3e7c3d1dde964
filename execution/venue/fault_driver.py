"""What goes wrong at the venue by itself, without a request: a closed market, a thin one, a leap of the price, money
that comes or goes, lines that are cut, nobody at home. The one place where the venue's own state goes wrong."""

import logging
from collections.abc import Awaitable, Callable, Iterable
from decimal import Decimal

from execution.runtime.clock import Clock
from execution.venue.connection import Connection
from execution.venue.errors import ApiError
from execution.venue.exchange import Exchange
from execution.venue.fault_kinds import Fault
from execution.venue.faults import Faults, Rule
from execution.venue.market_state import MarketState
from execution.venue.symbols import Symbol
from execution.venue.user_stream import UserStream

log = logging.getLogger("nae.venue")

LOOK_PERIOD_S = 0.02


class FaultDriver:
    """Keeps the venue as faulty as the rules say, a few dozen times a second."""

    def __init__(
        self,
        faults: Faults,
        exchange: Exchange,
        market: MarketState,
        users: UserStream,
        *,
        connections: Callable[[str], Iterable[Connection]],
        listen: Callable[[bool], Awaitable[None]],
        clock: Clock,
    ) -> None:
        """`connections` gives those of a door, "streams" or "ws-api"; `listen` opens all doors, or shuts them."""
        self._faults = faults
        self._exchange = exchange
        self._market = market
        self._users = users
        self._connections = connections
        self._listen = listen
        self._listening = True
        self._notionals = {name: symbol.notional_min for name, symbol in exchange.symbols.items()}
        self._refused: set[tuple[Rule, str]] = set()
        self._clock = clock

    async def run(self) -> None:
        """For ever."""
        while True:
            await self.look()
            await self._clock.sleep(LOOK_PERIOD_S)

    async def look(self) -> None:
        """Do what is due now."""
        for name in self._exchange.symbols:
            closed = self._faults.standing(Fault.MAINTENANCE, name) is not None
            self._exchange.symbols[name].halt(Fault.MAINTENANCE, closed)
            self._change_filters(self._exchange.symbols[name])
            gap = self._faults.standing(Fault.GAP, name)
            self._market.gaps[name] = float(gap.amount) if gap else 0.0
            thin = self._faults.standing(Fault.DRIBBLE, name)
            self._market.shares[name] = float(thin.amount) if thin else 1.0
        await self._open_or_shut_doors()
        for account in self._exchange.accounts:
            if self._faults.standing(Fault.REVOKED_KEY, account) is not None:
                self._users.end_all(account)
        for rule in self._faults.due():
            if rule.fault is Fault.DISCONNECT:
                await self._disconnect(rule)
            elif rule.fault is Fault.SPIKE:
                self._market.leap(rule.on, float(rule.amount))
            elif rule.fault is Fault.END_USER_STREAM:
                for account in filter(rule.reaches, self._exchange.accounts):
                    self._users.end_all(account)
            elif rule.fault in (Fault.DELIST, Fault.LIST):
                self._show(rule)
            else:
                self._pay(rule)

    def _show(self, rule: Rule) -> None:
        for name in filter(rule.reaches, self._exchange.symbols):
            try:
                self._exchange.show(name, rule.fault is Fault.LIST, self._clock.now_ms())
            except ApiError as error:
                _cant_happen(rule, str(error))

    def _change_filters(self, symbol: Symbol) -> None:
        notional = self._faults.standing(Fault.MIN_NOTIONAL, symbol.name)
        symbol.notional_min = notional.amount if notional else self._notionals[symbol.name]
        symbol.tick_size = self._steps(Fault.TICK_SIZE, symbol.name, symbol.tick)
        symbol.step_size = self._steps(Fault.STEP_SIZE, symbol.name, symbol.lot)

    def _steps(self, kind: Fault, name: str, step: Decimal) -> int:
        """How many of its own steps a symbol's filter asks for."""
        rule = self._faults.standing(kind, name)
        if rule is None:
            return 1
        count = rule.amount / step
        if count >= 1 and count == count.to_integral_value():
            return int(count)
        if (rule, name) not in self._refused:
            self._refused.add((rule, name))
            _cant_happen(rule, f"{rule.amount:f} is no multiple of {step:f} ({name})")
        return 1

    async def _open_or_shut_doors(self) -> None:
        wanted = self._faults.standing(Fault.OFFLINE) is None
        if wanted == self._listening:
            return
        try:
            await self._listen(wanted)
        except OSError as error:
            log.warning("the port isn't free yet", extra={"fields": {"error": str(error)}})
            return  # tried again at the next look
        self._listening = wanted

    async def _disconnect(self, rule: Rule) -> None:
        for connection in [c for door in ("streams", "ws-api") if rule.reaches(door) for c in self._connections(door)]:
            connection.cut()

    def _pay(self, rule: Rule) -> None:
        account, _, asset = rule.on.partition("/")
        try:
            self._exchange.pay_in(account, asset, rule.amount, self._clock.now_ms())
        except ApiError as error:
            _cant_happen(rule, str(error))
            return
        self._users.paid_in(account, asset, rule.amount)


def _cant_happen(rule: Rule, why: str) -> None:
    log.warning("a fault can't happen", extra={"fields": {"fault": rule.fault, "on": rule.on, "error": why}})
