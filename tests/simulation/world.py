"""SimWorld(seed): a venue, a line, a machine and one or two traders, and everything that goes wrong between them.

`SimWorld(seed).run()` lives through one world and judges it by the venue's log and the ledger's file alone. The same
seed takes the same steps, told in `trace`.
"""

import asyncio
import contextlib
import logging
import random
import secrets
import shutil
import tempfile
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from decimal import Decimal
from pathlib import Path
from unittest import mock

from execution.exchange.gateway import ExchangeGateway
from execution.exchange.reconciliation import reconcile
from execution.ledger.rows import LedgerTaken
from execution.runtime import steps
from execution.runtime.backoff import Backoff
from execution.vocabulary.market import SymbolRules
from tests.simulation.checker import judge
from tests.simulation.machine import Lock, Machine
from tests.simulation.network import Network
from tests.simulation.trader import FORESEEN, Trader
from tests.simulation.venue import OURS, Refusal, SimVenue
from tests.simulation.virtual_time import RUNNING, VirtualClock, VirtualLoop
from tests.simulation.weather import Weather, weather_of

SECONDS = 40.0
QUIET_LEAST_S, QUIET_MOST_S = 16.0, 90.0  # a request may be under way for twelve
MEMORY = Path("/dev/shm")  # a file system in memory, where there is one


@dataclass
class Judged:
    """What one world came to."""

    seed: int
    findings: list[str]
    trace: list[str]
    counts: Counter[str] = field(default_factory=Counter)


class SimWorld:
    """See the module. `gateway`: the kind of gateway that is tried; `weather`: another than the seed's."""

    def __init__(
        self, seed: int, gateway: type[ExchangeGateway] = ExchangeGateway, weather: Weather | None = None
    ) -> None:
        self.seed = seed
        self.make_gateway = gateway
        self.hand = random.Random(f"{seed} hand")
        self.weather = weather or weather_of(random.Random(f"{seed} weather"), SECONDS)
        self.trace: list[str] = []
        self.findings: list[str] = []
        self.signals: list[tuple[str, int]] = []
        self.refusals: Counter[str] = Counter()
        self.rules: dict[str, SymbolRules] = {}
        self.over = False
        self.loop = VirtualLoop()
        self.clock = VirtualClock(self.loop, self.weather.wrong_ms)
        self._chance = random.Random(f"{seed} world")
        self._slept_ms = 0
        self._began = self.loop.time()
        self.venue = SimVenue(random.Random(f"{seed} venue"), self._venue_ms, self.weather.fee_in)
        self.venue.lag_ms, self.venue.archives_ms = self.weather.lag_ms, self.weather.archives_ms
        self.network = Network(self.loop, self.venue, self.weather, random.Random(f"{seed} line"), self.tell)
        self.machine = Machine(self, random.Random(f"{seed} machine"))

    @property
    def lock(self) -> Lock:
        return self.machine.lock

    def _venue_ms(self) -> int:
        return VirtualClock(self.loop).now_ms() + self._slept_ms

    def tell(self, what: str) -> None:
        process = RUNNING.get()
        self.trace.append(f"{self.loop.time() - self._began:9.4f} {process.name if process else '':>4} {what}")

    def unforeseen(self, place: str, error: BaseException) -> None:
        told = f"unforeseen in {place}: {type(error).__name__}: {error}"
        if told not in self.findings:
            self.findings.append(told)

    def run(self) -> Judged:
        """Live through it, then judge."""
        self.tell(f"seed {self.seed}: {self.weather.told()}")
        with self._apart() as folder:
            self.ledger_path = folder / "ledger.db"
            self.loop.run_until_complete(self._live())
            self.findings += judge(self.venue, self.ledger_path)
        counts: Counter[str] = Counter({f"requests {fate}": count for fate, count in self.network.sent.items()})
        ours = [order for order in self.venue.orders.values() if order.owner == OURS]
        counts.update(
            {
                "deaths": self.machine.died,
                "orders": len(ours),
                "stops": sum(order.stop is not None for order in ours),
                "trades": sum(len(order.trades) for order in ours),
            }
        )
        return Judged(self.seed, self.findings, self.trace, counts)

    @contextlib.contextmanager
    def _apart(self) -> Iterator[Path]:
        """A folder of its own; nothing heard by others, no chance but the seed's; all given back."""
        folder = Path(tempfile.mkdtemp(prefix="nae-world-", dir=MEMORY if MEMORY.is_dir() else None))
        disabled, chance, begin = logging.root.manager.disable, random.Random(f"{self.seed} ids"), Backoff.__init__

        def begin_by_seed(backoff: Backoff, first_s: float, last_s: float, seed: int | None = None) -> None:
            begin(backoff, first_s, last_s, chance.getrandbits(32) if seed is None else seed)

        logging.disable(logging.CRITICAL)
        steps.listen(self.machine.on_step)
        self.loop.on_tick = self.machine.on_tick
        try:
            with (
                mock.patch.object(secrets, "choice", chance.choice),
                mock.patch.object(Backoff, "__init__", begin_by_seed),
            ):
                yield folder
        finally:
            steps.listen(None)
            logging.disable(disabled)
            self.loop.close()
            shutil.rmtree(folder, ignore_errors=True)

    async def _live(self) -> None:
        machine, weather = self.machine, self.weather
        happening = [
            asyncio.ensure_future(work)
            for work in (
                machine.run(),
                *(machine.die(death) for death in weather.deaths),
                *(machine.hold(at_s, for_s) for at_s, for_s in weather.holds),
                *(machine.lose_lock(at_s) for at_s in weather.steals),
                *(self._sleep(at_s, for_s) for at_s, for_s in weather.sleeps),
                *(self._step_wall(at_s, by_ms) for at_s, by_ms in weather.wall_steps),
                *(self._somebody(at_s, what) for at_s, what in weather.people),
            )
        ]
        try:
            await self.clock.sleep(weather.seconds)
            await self._quiet()
        finally:
            for task in happening:
                task.cancel()
            await asyncio.gather(*happening, return_exceptions=True)
            await machine.end()

    async def _sleep(self, at_s: float, for_s: float) -> None:
        """The machine sleeps: the venue's clock goes on, ours doesn't."""
        await self.clock.sleep(at_s)
        self.tell(f"the machine slept {for_s} s")
        self._slept_ms += int(for_s * 1000)
        self.clock.wrong_ms += int(for_s * 1000)

    async def _step_wall(self, at_s: float, by_ms: int) -> None:
        await self.clock.sleep(at_s)
        self.tell(f"the wall clock steps by {by_ms} ms")
        self.clock.wrong_ms += by_ms

    async def _somebody(self, at_s: float, what: str) -> None:
        """Another person, on the same account."""
        await self.clock.sleep(at_s)
        if self.over:
            return
        self.tell(f"somebody {what}")
        stamp = self.venue.now_ms()
        with contextlib.suppress(Refusal):
            match what:
                case "pays_in":
                    self.venue.flow("USDT", Decimal("123.45"))
                case "pays_out":
                    self.venue.flow("USDT", Decimal("-77.7"))
                case "trades":
                    side = self._chance.choice(("BUY", "SELL"))
                    self.venue.place("BTCUSDT", side, "MARKET", Decimal("0.0123"), None, "web_1", stamp)
                case "rests":
                    self.venue.place("BTCUSDT", "BUY", "LIMIT", Decimal("0.001"), Decimal("39000.00"), "web_2", stamp)

    async def _quiet(self) -> None:
        """The weather clears; what is left must come to an end, and be known."""
        self.tell("quiet")
        self.over = self.network.calm = True
        self.venue.lag_ms = 0
        self.machine.release()
        until = self.loop.time() + QUIET_MOST_S
        await self.clock.sleep(QUIET_LEAST_S)
        trader: Trader | None = None
        while self.loop.time() < until:
            trader = self.machine.traders.get(self.lock.holder) if self.lock.holder else None
            traded_out = not self.venue.open_orders  # nothing can be filled while both sides are compared
            if traded_out and trader and trader.ledger and trader.gateway and not trader.ledger.unsettled():
                with contextlib.suppress(LedgerTaken, *FORESEEN):
                    found = await reconcile(trader.gateway, trader.ledger)
                    if not found.unknown_orders:
                        return
            await self.clock.sleep(1.0)
        left = trader.ledger.unsettled() if trader and trader.ledger else "nobody trades"
        standing = [order.client_id for order in self.venue.open_orders.values()]
        kind = "not quiet" if left or not standing else "forgotten"
        self.findings.append(f"{kind}: after {QUIET_MOST_S} s the venue has {standing}, the ledger {left}")
