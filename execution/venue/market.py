"""The market's driver: walks candle after candle of its source at the wanted speed, moves the books through each one's
prices, closes it, and remembers where it is. Market time stands still while the venue is down."""

import logging
import math
from functools import partial
from itertools import groupby
from operator import attrgetter

from execution.runtime.clock import Clock
from execution.venue.bars import Bar, Move, Source
from execution.venue.candles import Progress
from execution.venue.exchange import Exchange
from execution.venue.market_state import MarketState, Tick, for_ever
from execution.venue.price_path import grown, level_lots, quotes, stress

log = logging.getLogger("nae.venue")

STEPS_LEAST = 4
TRADE_IDS_SPARE = 1_000
LATE_MAX_S = 1.0  # further behind than this, lost time is dropped instead of caught up


class Market(MarketState):
    """A market that is made up or recorded."""

    def __init__(self, exchange: Exchange, source: Source, clock: Clock, speed: float, history_bars: int) -> None:
        super().__init__(exchange, source, clock, self._first_index(source, history_bars), history_bars)
        self._source = source
        self._bar_s = source.interval_ms / 1000 / speed
        self._steps = max(STEPS_LEAST, math.ceil(self._bar_s))
        self._reserve = max(1, math.ceil(1 / self._bar_s))
        self._stored_index = 0

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
        for name, symbol in self._exchange.symbols.items():
            bar = self._source.bar(name, self.candles.next_index - 1)
            self._exchange.engine.last_ticks[name] = bar.close
            self._average(name)
            if symbol.listed:
                self._quote(name, bar)
        self._end_if_over()

    def remember_exactly(self) -> None:
        """Store the present candle, at a clean stop. Raises ApiError when the store refuses."""
        self._remember(self.candles.next_index)

    def _remember(self, index: int) -> None:
        trades = self._source.moves_most(self._steps) * len(self._exchange.symbols)
        ahead = (self._reserve + 1) * trades + TRADE_IDS_SPARE
        next_id = max(self._exchange.engine.next_trade_ids.values())
        trade_id = str(next_id + ahead)  # those on the tape aren't stored one by one
        values = {"name": self._source.name, "next_index": str(index), "next_trade_id": trade_id}
        self._exchange.remember_market(values)
        self._stored_index = index

    def _quote(self, name: str, bar: Bar) -> None:
        symbol = self._exchange.symbols[name]
        lots = level_lots(symbol, bar)
        self._exchange.move(name, bar.close, lots, quotes(bar.close, lots, symbol.tick_size), self._clock.now_ms())

    # time

    async def run(self) -> None:
        """Make market time pass, for ever; after the last candle of a recorded market, wait."""
        due = self._clock.monotonic()
        while not self.ended:
            bars = {name: self._source.bar(name, self.candles.next_index) for name in self._exchange.listed}
            index, steps = self.candles.next_index, self._steps
            moves = {name: self._source.moves(name, index, steps) for name in bars}
            for step in range(steps):
                self._guarded(partial(self._step, step, bars, moves))
                due = await self._wait(due + self._bar_s / self._steps)
            self._guarded(self._close)
            self._end_if_over()
        await for_ever()

    async def _wait(self, due: float) -> float:
        behind = self._clock.monotonic() - due
        await self._clock.sleep(max(0.0, -behind))
        return due if behind < LATE_MAX_S else due + behind

    def _step(self, step: int, bars: dict[str, Bar], moves: dict[str, list[list[Move]]]) -> None:
        self._stepped()
        index = self.candles.next_index
        self._time_ms = self.candles.now_ms() + step * self._source.interval_ms // self._steps
        for name, bar in bars.items():
            if name not in self._exchange.listed:
                continue
            fresh = self._go(name, bar, moves[name][step])
            so_far = self.candles.progress.get(name)
            last = step == self._steps - 1
            reached = bar if last else grown(so_far.bar if so_far else None, moves[name][step])
            self.candles.progress[name] = Progress(index, reached)
            self._average(name)
            self.tape[name].extend(fresh)
            self._tell(name, fresh, False)

    def _go(self, name: str, bar: Bar, moves: list[Move]) -> list[Tick]:
        """Take the book to each price in turn; the trades for the tape."""
        symbol, shift, fresh = self._exchange.symbols[name], self._shift(name), []
        strain = stress(bar, self._source.interval_ms)
        best = self._on_offer(name, level_lots(symbol, bar, strain))
        for ticks, run in groupby(moves, key=attrgetter("ticks")):
            same = list(run)
            price = max(1, round(ticks * shift)) if shift != 1 else ticks
            lots = sum(move.volume_e8 for move in same) // symbol.lot_e8
            reach = self._on_offer(name, lots) if self._source.exact else max(best, self._on_offer(name, lots))
            book = quotes(price, best, symbol.tick_size, strain)
            self._exchange.move(name, price, reach, book, self._clock.now_ms())
            for move in same:
                volume = move.volume_e8 // symbol.lot_e8
                if volume:
                    trade = self._exchange.engine.print_trade(name, price, volume, move.falling)
                    fresh.append(Tick(trade, move.time_ms))
        return fresh

    def _close(self) -> None:
        index = self.candles.next_index + 1
        if index > self._stored_index:  # stored before anybody hears of it, some candles ahead when they are short
            length = self._source.length
            self._remember(min(index + self._reserve - 1, length or index + self._reserve))
        self._closed(index)

    def _end_if_over(self) -> None:
        if self.ended or self._source.length is None or self.candles.next_index < self._source.length:
            return
        self.ended = True
        for symbol in self._exchange.symbols.values():
            symbol.halt("ended")
        log.warning("replay ended; the market is closed", extra={"fields": {"market": self._source.name}})
