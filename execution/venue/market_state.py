"""What any market of the venue shows, whatever makes it pass: its candles, its tape, who listens, whether it stands. It
moves no book."""

import asyncio
import fnmatch
import logging
from collections import deque
from collections.abc import Callable
from typing import NamedTuple

from execution.runtime.clock import Clock
from execution.venue.bars import Bars
from execution.venue.candles import Candles
from execution.venue.engine import Outcome, Print
from execution.venue.errors import ApiError
from execution.venue.exchange import Exchange

log = logging.getLogger("nae.venue")

TAPE_MAX = 500


class Tick(NamedTuple):
    """A trade on the tape, with its market time."""

    trade: Print
    time_ms: int


StepListener = Callable[[str, list[Tick], bool], None]


class MarketState:
    """The present of market time. `shares` is how much of the usual size is on offer, `gaps` by which share a price is
    off for now; `lost` says why nothing moves."""

    def __init__(self, exchange: Exchange, bars: Bars, clock: Clock, next_index: int, history_bars: int) -> None:
        self.candles = Candles(bars, next_index, history_bars)
        self.tape: dict[str, deque[Tick]] = {name: deque(maxlen=TAPE_MAX) for name in exchange.symbols}
        self.listeners: list[StepListener] = []
        self.shares = dict.fromkeys(exchange.symbols, 1.0)
        self.ended = False
        self.lost = ""
        self.bars_closed = 0
        self.failures = 0
        self.last_step = clock.monotonic()
        self.last_step_ms = 0
        self._exchange = exchange
        self._clock = clock
        self._time_ms = self.candles.now_ms()
        self.gaps: dict[str, float] = {}
        self._leaps: list[tuple[str, float]] = []
        exchange.listeners.append(self._record)

    def resume(self) -> None:
        """Go to where the store says the market is, and quote the books there. Call once the exchange is open."""
        raise NotImplementedError

    def remember_exactly(self) -> None:
        """Store where the market is, at a clean stop. Raises ApiError when the store refuses."""
        raise NotImplementedError

    async def run(self) -> None:
        """Make market time pass, for ever."""
        raise NotImplementedError

    def leap(self, pattern: str, share: float) -> None:
        """At the next step the price of these symbols is off by a share, for that step; no candle remembers it."""
        self._leaps += [(name, share) for name in fnmatch.filter(self._exchange.symbols, pattern)]

    def _shift(self, name: str) -> float:
        shift = 1.0 + self.gaps.get(name, 0.0)
        for leap in [leap for leap in self._leaps if leap[0] == name]:
            self._leaps.remove(leap)
            shift *= 1 + leap[1]
        return shift

    def _on_offer(self, name: str, lots: int) -> int:
        share = self.shares[name]
        return lots if share >= 1 else max(1, int(lots * share))

    def _guarded(self, act: Callable[[], None]) -> None:
        """A step that the store refused is counted; the books are back to what is stored and the market goes on."""
        try:
            act()
        except ApiError as error:
            self.failures += 1
            log.error("a market step was not stored", extra={"fields": {"error": str(error)}})

    def _stepped(self) -> None:
        self.last_step, self.last_step_ms = self._clock.monotonic(), self._clock.now_ms()

    def _closed(self, index: int) -> None:
        """The candle before `index` is over, and everybody hears of it."""
        self.candles.next_index = index
        self.bars_closed += 1
        for name in self._exchange.listed:
            self._tell(name, [], True)
        self.candles.progress.clear()

    def _average(self, name: str) -> None:
        """What the filters hold an order against."""
        self._exchange.symbols[name].average = self.candles.average_ticks(name)

    def _record(self, outcome: Outcome, _balances: object) -> None:
        """Customers' trades are on the tape too."""
        fresh = [Tick(trade, self._time_ms) for trade in outcome.prints]
        self.tape[outcome.symbol].extend(fresh)
        self._tell(outcome.symbol, fresh, False)

    def _tell(self, name: str, fresh: list[Tick], closed: bool) -> None:
        for listener in self.listeners:
            listener(name, fresh, closed)


async def for_ever() -> None:
    """Nothing more happens."""
    await asyncio.Event().wait()
