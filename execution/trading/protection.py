"""Protection: what is held has a stop order at the venue, in case nobody is there to sell it in time.

The stop stands a little below the trader's own, so that the two don't race; a sale takes it away first
(order_execution.py). It follows the quantity, only ever moves up, and goes when nothing is held. Where the venue takes
no stops, what is held is watched here alone. `plan` is pure; intents, ids and fills are those of any order.
"""

import asyncio
import logging
from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from decimal import Decimal

import msgspec

from execution.ledger.audit_log import AuditLogger
from execution.ledger.store import Ledger
from execution.research.exit_terms import stop_share
from execution.runtime.clock import Clock, iso
from execution.runtime.settings import TradingConfig
from execution.trading.assistants.order_execution import OrderExecutionAssistant, Pauses
from execution.trading.portfolio import Holding, Portfolio
from execution.trading.ports import Gateway
from execution.vocabulary.health import ComponentHealth, ComponentStatus
from execution.vocabulary.limits import PROTECTED_WITHIN_S
from execution.vocabulary.market import Quote, SymbolRules
from execution.vocabulary.money import floor_to_step, text
from execution.vocabulary.order_states import SETTLED
from execution.vocabulary.orders import OrderRequest, OrderRow, OrderType, Purpose, Side
from execution.vocabulary.reasons import ExitReason

log = logging.getLogger("nae.trading")
LIMIT_BELOW_STOP = Decimal("0.01")  # of a stop with a limit: what falls further is sold by the trader
LOOKED_AGAIN_S = 0.25  # while a request is on its way ...
WATCHED_ON_S = 3.0  # ... and so long at most: then who waits still is waited for
NO_STOPS = "the venue takes no stop orders: it is sold from here alone"


class Step(msgspec.Struct, frozen=True):
    """Cancel these, then place this. `bare` says why what is held then has no stop; "" when it has one."""

    cancel: tuple[str, ...] = ()
    place: OrderRequest | None = None
    bare: str = ""


def stop_price(holding: Holding, rules: SymbolRules, config: TradingConfig) -> Decimal:
    """Where the stop of a position stands; zero or less when there is no such price."""
    return floor_to_step(
        holding.price_paid * (1 - _own_stop(holding, config) - config.protective_gap), rules.price_tick
    )


def _own_stop(holding: Holding, config: TradingConfig) -> Decimal:
    """How far below what was paid the trader itself sells: its strategy may have a nearer stop than the account."""
    return Decimal(repr(stop_share(config, holding.position.strategy)))


def fits(order: OrderRow, holding: Holding, stop: Decimal) -> bool:
    """Does this stop protect the whole position, at `stop` or above?"""
    return order.remaining == holding.sellable and order.reference_price >= stop


def plan(
    holding: Holding | None,
    standing: Sequence[OrderRow],
    rules: SymbolRules | None,
    bid: Decimal | None,
    config: TradingConfig,
) -> Step:
    """What one symbol needs, with the stops that stand there."""
    everything = tuple(order.client_order_id for order in standing)
    if holding is None or holding.sellable <= 0:
        return Step(cancel=everything)
    if rules is None:
        return Step(bare="the venue doesn't list it")
    stop = stop_price(holding, rules, config)
    if len(standing) == 1 and fits(standing[0], holding, stop):
        return Step()
    if holding.dust or holding.sellable < rules.lot_min or holding.sellable * stop < rules.notional_min:
        return Step(cancel=everything, bare="" if holding.dust else "it is too little for a stop order")
    if not rules.stop_type or stop <= 0:
        return Step(cancel=everything, bare=NO_STOPS)
    if not rules.trading:
        return Step(bare="the venue doesn't trade it now")
    if bid is not None and bid <= holding.price_paid * (1 - _own_stop(holding, config)):
        return Step(bare="its stop has been reached: it is being sold")
    return Step(everything, request_of(holding, stop, rules))


def request_of(holding: Holding, stop: Decimal, rules: SymbolRules) -> OrderRequest:
    """The stop order for a whole position."""
    kind = OrderType(rules.stop_type)
    limit = floor_to_step(stop * (1 - LIMIT_BELOW_STOP), rules.price_tick)
    return OrderRequest(
        symbol=holding.position.symbol,
        side=Side.SELL,
        type=kind,
        quantity=holding.sellable,
        reference_price=stop,
        purpose=Purpose.EXIT,
        strategy=holding.position.strategy,
        reason=ExitReason.PROTECTIVE_STOP.value,
        signal_bar_ms=holding.position.signal_bar_ms,
        limit_price=limit if kind is OrderType.STOP_LOSS_LIMIT else None,
    )


class Protector:
    """Sees to it. One thing at a time per symbol: what is being sold is left alone, and the other way round."""

    def __init__(
        self,
        config: TradingConfig,
        *,
        gateway: Gateway,
        ledger: Ledger,
        execution: OrderExecutionAssistant,
        audit: AuditLogger,
        clock: Clock,
    ) -> None:
        self._config = config
        self._gateway = gateway
        self._ledger = ledger
        self._execution = execution
        self._audit = audit
        self._clock = clock
        self._pauses = Pauses(clock)
        self._bare: dict[str, tuple[float, str]] = {}  # since when, and why
        self._held: set[str] = set()
        self._acted_ms: int | None = None
        self.wanted = asyncio.Event()
        self.placed = 0

    async def watch(self, look: Callable[[], Awaitable[None]]) -> None:
        """Look; and while a symbol waits for a slow answer, look after all the others. Ends when nothing is on its way;
        then raises the first error, if there was one."""
        looks = {asyncio.ensure_future(look())}
        errors: list[BaseException] = []
        until = self._clock.monotonic() + WATCHED_ON_S
        try:
            while looks:
                done, looks = await asyncio.wait(looks, timeout=LOOKED_AGAIN_S)
                errors += [error for one in done if (error := one.exception()) is not None]
                if looks and self._clock.monotonic() < until:
                    looks.add(asyncio.ensure_future(look()))
        finally:
            for one in looks:
                one.cancel()
            await asyncio.gather(*looks, return_exceptions=True)
        if errors:
            raise errors[0]

    async def look(
        self, held: Portfolio, rules: Mapping[str, SymbolRules], quote: Callable[[str], Quote | None]
    ) -> None:
        """Every position once, all side by side; then raises the first error of the venue's, if there was one."""
        standing: dict[str, list[OrderRow]] = {}
        for order in self._ledger.unsettled():
            if order.guards:
                standing.setdefault(order.symbol, []).append(order)
        self._held = {symbol for symbol, row in held.holdings.items() if not row.dust}
        symbols = held.holdings.keys() | standing.keys()
        self._bare = {symbol: row for symbol, row in self._bare.items() if symbol in symbols}
        quiet = self._gateway.quiet_for_s()
        busy = self._execution.selling() | self._pauses.waiting()
        steps = {}
        for symbol in sorted(symbols):
            quoted = quote(symbol)
            bid = quoted.bid if quoted is not None else None
            step = plan(held.holdings.get(symbol), standing.get(symbol, ()), rules.get(symbol), bid, self._config)
            self._note(symbol, step.bare or ("its stop order is still to be placed" if step.place else ""))
            if (step.cancel or step.place) and not quiet and symbol not in busy:
                steps[symbol] = step
        done = await asyncio.gather(*(self._do(*step) for step in steps.items()), return_exceptions=True)
        for result in done:
            if isinstance(result, BaseException):
                raise result

    async def _do(self, symbol: str, step: Step) -> None:
        if symbol in self._execution.selling():
            return  # a sale came between
        with self._execution.alone_with(symbol):
            well = False
            try:
                well = await self._carry_out(symbol, step)
            finally:
                (self._pauses.worked if well else self._pauses.failed)(symbol)

    async def _carry_out(self, symbol: str, step: Step) -> bool:
        """Did it come to what was planned? Of a stop that goes off meanwhile, the next look sees what is left."""
        for client_order_id in step.cancel:
            order = await self._gateway.cancel(client_order_id)
            self._tell("protective_exit_cancelled", symbol, client_order_id, state=order.state.value)
            if order.state not in SETTLED:
                return False
            if order.filled:
                return True
        if step.place is None:
            return True
        outcome = await self._gateway.place(step.place)
        if outcome.client_order_id is None or outcome.state is None or outcome.state in SETTLED:
            why = outcome.refusal or f"its stop order was {outcome.state}"
            self._note(symbol, why)
            log.warning("no protective exit", extra={"fields": {"symbol": symbol, "why": why}})
            return bool(outcome.fills)
        self.placed += 1
        self._note(symbol, "")
        amounts = {"quantity": text(step.place.quantity), "stop": text(step.place.reference_price)}
        self._tell("protective_exit", symbol, outcome.client_order_id, state=outcome.state.value, **amounts)
        return True

    def _tell(self, kind: str, symbol: str, order: str, **fields: str) -> None:
        self._acted_ms = self._clock.now_ms()
        self._audit.record(kind, symbol=symbol, order=order, **fields)

    def _note(self, symbol: str, why: str) -> None:
        if why:
            since = self._bare[symbol][0] if symbol in self._bare else self._clock.monotonic()
            self._bare[symbol] = (since, why)
        else:
            self._bare.pop(symbol, None)

    def unprotected(self, for_s: float = PROTECTED_WITHIN_S) -> dict[str, str]:
        """What has had no stop at the venue for longer than it may, and why."""
        now = self._clock.monotonic()
        return {symbol: why for symbol, (since, why) in sorted(self._bare.items()) if now - since > for_s}

    def get_health(self) -> ComponentHealth:
        """Degraded while something held has had no stop for too long, where the venue takes stops."""
        bare = self.unprotected()
        amiss = any(why != NO_STOPS for why in bare.values())
        return ComponentHealth(
            status=ComponentStatus.DEGRADED if amiss else ComponentStatus.HEALTHY,
            last_activity=None if self._acted_ms is None else iso(self._acted_ms),
            metrics={"placed": self.placed, "protected": len(self._held - set(self._bare)), "unprotected": bare},
        )


def guarded(orders: Iterable[OrderRow]) -> dict[str, Decimal]:
    """The stop price that stands at the venue, by symbol."""
    return {order.symbol: order.reference_price for order in orders if order.guards}
