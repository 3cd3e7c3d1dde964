"""One trader of the simulated world: the order code itself, as a process that may end at any step.

Ledger, gateway, risk gate, evidence, reconciliation, recovery and user stream are the real ones, wired as agents/ wires
them; only what decides to trade is a hand (hand.py).
"""

import asyncio
import contextlib
import copy
from collections.abc import Awaitable, Callable
from decimal import Decimal
from functools import cache, partial
from typing import TYPE_CHECKING, Any, cast

from execution.exchange.classify import BadReply, VenueError
from execution.exchange.client import VenueClient
from execution.exchange.credentials import Credentials
from execution.exchange.endpoint import Endpoint, build_client
from execution.exchange.gateway import ExchangeGateway
from execution.exchange.rate_budget import RateBudget
from execution.exchange.reconciliation import reconcile
from execution.exchange.user_stream import UserStream
from execution.exchange.venue_clock import VenueClock
from execution.ledger.following import LedgerFollower
from execution.ledger.opening import open_ledger
from execution.ledger.rows import LedgerTaken
from execution.ledger.store import Ledger
from execution.runtime.clock import SystemClock
from execution.runtime.settings import RiskConfig
from execution.runtime.sqlite import DatabaseError
from execution.trading.dependencies import Dependencies
from execution.trading.parts import TradingParts
from execution.trading.recovery import RECONCILE_PERIOD_S, Recovery
from execution.vocabulary.market import Quote
from execution.vocabulary.modes import TradeMode
from tests.simulation.hand import SYMBOLS, Hand
from tests.simulation.network import Line, Session
from tests.simulation.virtual_time import Killed, Process

if TYPE_CHECKING:
    from tests.simulation.world import SimWorld

POSITION_MAX, EXPOSURE_MAX = Decimal(1000), Decimal(1700)
LIMITS = RiskConfig(
    order_value_max=Decimal(900),
    position_value_max=POSITION_MAX,
    exposure_max=EXPOSURE_MAX,
    orders_per_minute_max=1000,
    repeated_orders_max=1000,
    losses_in_row_max=1000,
    daily_loss_max=Decimal(1),
    weekly_loss_max=Decimal(1),
    drawdown_max=Decimal(1),
)
FIRST_WORD_S = 1.0
FORESEEN = (VenueError, BadReply, ConnectionError, TimeoutError, DatabaseError)


@cache
def _pattern() -> VenueClient:
    """ccxt's client takes longer to build than a world lasts: every process gets a copy."""
    return build_client(Endpoint("binance", "http://127.0.0.1:9"), Credentials("k" * 32, "s" * 32), SystemClock())


def _gone(*asked: object) -> None:
    """A request that its process didn't live to send: ccxt would open a real line for it."""
    raise Killed


class _Bars:
    """Bars that are warm already."""

    def newest(self) -> dict[str, int]:
        return dict.fromkeys(SYMBOLS, 1)

    def take_new(self) -> None:
        return None


class Trader:
    """One life, from waiting for the account to its death."""

    def __init__(self, world: "SimWorld", process: Process) -> None:
        self._world, self.process = world, process
        self.ledger: Ledger | None = None
        self.gateway: ExchangeGateway | None = None
        self.recovery: Recovery | None = None

    async def live(self) -> None:
        world = self._world
        client = copy.copy(_pattern())
        client.venue_clock, client.budget = VenueClock(world.clock), RateBudget(world.clock)
        client.session, client.renewed = Session(world.network), cast(Any, partial(Line, world.network))
        client.asyncio_loop, client.embedded = world.loop, False  # this venue's reads lag, as a real one's do
        try:
            await self._live(client)
        finally:
            client.session, client.open = None, _gone
            if self.ledger is not None:
                self.ledger.close()

    async def _live(self, client: VenueClient) -> None:
        world = self._world
        follower = LedgerFollower(world.ledger_path) if world.weather.twin else None
        try:
            await self._wait_for_the_account(follower)
            self.ledger = open_ledger(world.ledger_path, "live", world.clock, follower)
        finally:
            if follower is not None:
                follower.close()
        world.tell(f"{self.process.name} has the account, epoch {self.ledger.epoch}")
        self.gateway = world.make_gateway(
            client,
            self.ledger,
            LIMITS,
            world.clock,
            trade_mode=TradeMode.PAPER,
            quote=self._quote,
            may_send=lambda: world.lock.lost(self.process),
        )
        if world.rules:
            self.gateway.know_rules(world.rules)
        self.recovery = self._recovery(self.gateway, self.ledger)
        with self._foreseen("start"):
            async with asyncio.timeout(FIRST_WORD_S):
                await self.recovery.run()
        stream = UserStream(client, self.ledger, SYMBOLS, world.clock, self._poll)
        async with asyncio.TaskGroup() as group:
            group.create_task(self._every(0.0, stream.run))
            group.create_task(self._every(RECONCILE_PERIOD_S, self.recovery.keep_up, self.recovery.wanted))
            group.create_task(self._every(1.0, self._hasten))
            hand = Hand(world, self.gateway, self.ledger, self._quote)
            group.create_task(self._every(1.0, hand.protect))
            for _ in SYMBOLS:
                group.create_task(self._hands(hand))

    async def _wait_for_the_account(self, follower: LedgerFollower | None) -> None:
        while not self._world.lock.take(self.process):
            if follower is not None:
                with self._foreseen("following"):
                    follower.catch_up()
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(1.0):
                    await self._world.lock.free.wait()

    def _recovery(self, gateway: ExchangeGateway, ledger: Ledger) -> Recovery:
        absent = cast(Any, None)
        parts = TradingParts(
            ledger=ledger,
            gateway=gateway,
            feed=absent,
            bars=cast(Any, _Bars()),
            reconcile=lambda: reconcile(gateway, ledger),
            audit=absent,
            state_store=absent,
            clock=self._world.clock,
            errors=absent,
            rules=self._world.rules,
        )

        def record(kind: str, **fields: object) -> None:
            self._world.tell(f"{kind} {fields}")

        return Recovery(parts, record, Dependencies(ledger, self._world.clock, record).venue_data)

    async def _hands(self, hand: Hand) -> None:
        while True:
            await self._world.clock.sleep(self._world.hand.uniform(0.05, 1.2))
            with self._foreseen("hand"):
                await (hand.tidy() if self._world.over else hand.act())

    async def _poll(self) -> None:
        assert self.gateway is not None and self.ledger is not None
        await reconcile(self.gateway, self.ledger, strangers=False)

    async def _hasten(self) -> None:
        assert self.recovery is not None and self.gateway is not None
        self.recovery.hasten()
        if self.gateway.rules:
            self._world.rules = self.gateway.rules

    async def _every(
        self, period_s: float, run: Callable[[], Awaitable[None]], wake: asyncio.Event | None = None
    ) -> None:
        """As the task runner does: an error is this run's failure, and the next run comes."""
        while True:
            with self._foreseen(getattr(run, "__name__", "run")):
                await run()
            if wake is None:
                await self._world.clock.sleep(period_s or 1.0)
                continue
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(period_s):
                    await wake.wait()
            wake.clear()

    def _foreseen(self, place: str) -> "_Foreseen":
        return _Foreseen(self._world, place)

    def _quote(self, symbol: str) -> Quote | None:
        if symbol not in SYMBOLS:
            return None
        bid, ask = self._world.venue.quote(symbol.replace("/", ""))
        return Quote(symbol, bid, ask, self._world.clock.monotonic())


class _Foreseen:
    """The boundary of one run: what may fail in this world is told; who was overtaken ends."""

    def __init__(self, world: "SimWorld", place: str) -> None:
        self._world, self._place = world, place

    def __enter__(self) -> None:
        return None

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: object) -> bool:
        if error is None or isinstance(error, LedgerTaken) or not isinstance(error, Exception):
            return False
        self._world.tell(f"{self._place} failed: {type(error).__name__} {error}")
        if not isinstance(error, FORESEEN):
            self._world.unforeseen(self._place, error)
        return True
