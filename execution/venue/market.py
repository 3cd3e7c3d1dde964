"""The market's driver: walks candle after candle of its source at the wanted speed, moves the books through each one's
prices, closes it, and remembers where it is. Market time stands still while the venue is down."""

import asyncio
import fnmatch
import logging
import math
from collections import deque
from collections.abc import Callable
from functools import partial
from itertools import groupby
from operator import attrgetter
from typing import NamedTuple

from execution.runtime.clock import Clock
from execution.venue.bars import Bar, Move, Source
from execution.venue.candles import Candles, Progress
from execution.venue.engine import Outcome, Print
from execution.venue.errors import ApiError
from execution.venue.exchange import Exchange
from execution.venue.price_path import grown, level_lots, quotes
from execution.venue.symbols import BREAK

log = logging.getLogger("nae.venue")

STEPS_LEAST = 4
TAPE_MAX = 500
TRADE_IDS_SPARE = 1_000
LATE_MAX_S = 1.0  # further behind than this, lost time is dropped instead of caught up


class Tick(NamedTuple):
    """A trade on the tape, with its market time."""

    trade: Print
    time_ms: int


StepListener = Callable[[str, list[Tick], bool], None]


class Market:
    """The present of market time, and what makes it pass."""

    def __init__(self, exchange: Exchange, source: Source, clock: Clock, speed: float, history_bars: int) -> None:
        self.candles = Candles(source, self._first_index(source, history_bars), history_bars)
        self.tape: dict[str, deque[Tick]] = {name: deque(maxlen=TAPE_MAX) for name in exchange.symbols}
        self.listeners: list[StepListener] = []
        self.shares = dict.fromkeys(exchange.symbols, 1.0)  # of the usual size that is on offer
        self.ended = False
        self.bars_closed = 0
        self.failures = 0
        self.last_step = clock.monotonic()
        self.last_step_ms = 0
        self._exchange = exchange
        self._source = source
        self._clock = clock
        self._time_ms = self.candles.now_ms()
        self._bar_s = source.interval_ms / 1000 / speed
        self._steps = max(STEPS_LEAST, math.ceil(self._bar_s))
        self._reserve = max(1, math.ceil(1 / self._bar_s))
        self._stored_index = 0
        self._leaps: list[tuple[str, float]] = []
        exchange.listeners.append(self._record)

    @staticmethod
    def _first_index(source: Source, history_bars: int) -> int:
        if source.length is None:
            return history_bars
        return history_bars if history_bars < source.length else source.length // 2  # half is left to be traded

    # position

    def resume(self) -> None:
        """Go to where the store says the market is, and quote the books there. Call once the exchange is open."""
        stored = self._exchange.store.market()
        if stored.get("name") == self._source.name:
            self.candles.next_index = int(stored["next_index"])
        elif stored.get("name"):
            fields = {"before": stored["name"], "now": self._source.name}
            log.warning("the market is another one than before and starts anew", extra={"fields": fields})
        length = self._source.length
        if length is not None:
            self.candles.next_index = min(self.candles.next_index, length)
        self._remember(self.candles.next_index)
        self._time_ms = self.candles.now_ms()
        for name in self._exchange.symbols:
            self._quote(name, self._source.bar(name, self.candles.next_index - 1))
        self._end_if_over()

    def remember_exactly(self) -> None:
        """Store the present candle, at a clean stop. Raises ApiError when the store refuses."""
        self._remember(self.candles.next_index)

    def _remember(self, index: int) -> None:
        trades = self._source.moves_most(self._steps) * len(self._exchange.symbols)
        ahead = (self._reserve + 1) * trades + TRADE_IDS_SPARE
        trade_id = str(self._exchange.engine.next_trade_id + ahead)  # those on the tape aren't stored one by one
        values = {"name": self._source.name, "next_index": str(index), "next_trade_id": trade_id}
        self._exchange.remember_market(values)
        self._stored_index = index

    def _quote(self, name: str, bar: Bar) -> None:
        lots = level_lots(self._exchange.symbols[name], bar)
        self._exchange.move(name, bar.close, lots, quotes(bar.close, lots), self._clock.now_ms())

    # time

    async def run(self) -> None:
        """Make market time pass, for ever; after the last candle of a recorded market, wait."""
        due = self._clock.monotonic()
        while not self.ended:
            bars = {name: self._source.bar(name, self.candles.next_index) for name in self._exchange.symbols}
            index, steps = self.candles.next_index, self._steps
            moves = {name: self._source.moves(name, index, steps) for name in bars}
            for step in range(steps):
                self._guarded(partial(self._step, step, bars, moves))
                due = await self._wait(due + self._bar_s / self._steps)
            self._guarded(self._close)
            self._end_if_over()
        await asyncio.Event().wait()

    async def _wait(self, due: float) -> float:
        behind = self._clock.monotonic() - due
        await self._clock.sleep(max(0.0, -behind))
        return due if behind < LATE_MAX_S else due + behind

    def _guarded(self, act: Callable[[], None]) -> None:
        """A step that the store refused is counted; the books are back to what is stored and the market goes on."""
        try:
            act()
        except ApiError as error:
            self.failures += 1
            log.error("a market step was not stored", extra={"fields": {"error": str(error)}})

    def _step(self, step: int, bars: dict[str, Bar], moves: dict[str, list[list[Move]]]) -> None:
        self.last_step, self.last_step_ms = self._clock.monotonic(), self._clock.now_ms()
        index = self.candles.next_index
        self._time_ms = self.candles.now_ms() + step * self._source.interval_ms // self._steps
        for name, bar in bars.items():
            fresh = self._go(name, bar, moves[name][step])
            so_far = self.candles.progress.get(name)
            last = step == self._steps - 1
            reached = bar if last else grown(so_far.bar if so_far else None, moves[name][step])
            self.candles.progress[name] = Progress(index, reached)
            self.tape[name].extend(fresh)
            self._tell(name, fresh, False)

    def _go(self, name: str, bar: Bar, moves: list[Move]) -> list[Tick]:
        """Take the book to each price in turn; the trades for the tape."""
        symbol, shift, fresh = self._exchange.symbols[name], self._shift(name), []
        best = self._on_offer(name, level_lots(symbol, bar))
        for ticks, run in groupby(moves, key=attrgetter("ticks")):
            same = list(run)
            price = max(1, round(ticks * shift)) if shift != 1 else ticks
            lots = sum(move.volume_e8 for move in same) // symbol.lot_e8
            reach = max(best, self._on_offer(name, lots)) if len(moves) == 1 else self._on_offer(name, lots)
            self._exchange.move(name, price, reach, quotes(price, best), self._clock.now_ms())
            for move in same:
                volume = move.volume_e8 // symbol.lot_e8
                if volume:
                    trade = self._exchange.engine.print_trade(price, volume, move.falling)
                    fresh.append(Tick(trade, move.time_ms))
        return fresh

    def leap(self, pattern: str, share: float) -> None:
        """At the next step the price of these symbols is off by a share, for that step; no candle remembers it."""
        self._leaps += [(name, share) for name in fnmatch.filter(self._exchange.symbols, pattern)]

    def _shift(self, name: str) -> float:
        shift = 1.0
        for leap in [leap for leap in self._leaps if leap[0] == name]:
            self._leaps.remove(leap)
            shift *= 1 + leap[1]
        return shift

    def _on_offer(self, name: str, lots: int) -> int:
        share = self.shares[name]
        return lots if share >= 1 else max(1, int(lots * share))

    def _close(self) -> None:
        index = self.candles.next_index + 1
        if index > self._stored_index:  # stored before anybody hears of it, some candles ahead when they are short
            length = self._source.length
            self._remember(min(index + self._reserve - 1, length or index + self._reserve))
        self.candles.next_index = index
        self.bars_closed += 1
        for name in self._exchange.symbols:
            self._tell(name, [], True)
        self.candles.progress.clear()

    def _end_if_over(self) -> None:
        if self.ended or self._source.length is None or self.candles.next_index < self._source.length:
            return
        self.ended = True
        for symbol in self._exchange.symbols.values():
            symbol.status = BREAK
        log.warning("replay ended; the market is closed", extra={"fields": {"market": self._source.name}})

    def _record(self, outcome: Outcome, _balances: object) -> None:
        """Customers' trades are on the tape too."""
        fresh = [Tick(trade, self._time_ms) for trade in outcome.prints]
        self.tape[outcome.symbol].extend(fresh)
        self._tell(outcome.symbol, fresh, False)

    def _tell(self, name: str, fresh: list[Tick], closed: bool) -> None:
        for listener in self.listeners:
            listener(name, fresh, closed)
