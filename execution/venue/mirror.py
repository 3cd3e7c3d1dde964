"""The market of another exchange, mirrored: its book stands here, and customers' orders meet it without moving it. An
order that rests here fills when the original trades through its price, or quotes there. Without word from the original
nothing is traded: the market stands (BREAK) until its book is heard again."""

import asyncio
import logging
from collections.abc import Sequence
from decimal import Decimal
from functools import partial

from execution.runtime.clock import Clock
from execution.venue.bars import Move
from execution.venue.candles import Progress
from execution.venue.exchange import Exchange
from execution.venue.market_state import MarketState, Tick
from execution.venue.mirrored import MINUTE_MS, MirroredBars, Rows, levels_of, ticks_of
from execution.venue.price_path import grown
from execution.venue.symbols import E8, Symbol
from execution.vocabulary.limits import STALE_FEED_S
from execution.vocabulary.market import Candle

log = logging.getLogger("nae.venue")

STEP_S = 0.1
QUIET_MAX_S = 30.0  # one symbol alone may be quiet for longer than the whole exchange
ROWS_LATE_MAX_S = 5.0  # a closed candle that the original still hasn't got then is a flat one
LATE_TRADES_MS = 2_000  # a minute is over when a trade after it is heard, or so long after its end
TRADE_IDS_AHEAD = 20_000
STALE = "the mirrored exchange isn't heard"


class Mirror(MarketState):
    """Drives the venue by what the original says (see mirrored.Hearer)."""

    def __init__(self, exchange: Exchange, bars: MirroredBars, clock: Clock, history_bars: int) -> None:
        super().__init__(exchange, bars, clock, bars.known, history_bars)
        self._bars = bars
        self._books: dict[str, tuple[Rows, Rows]] = {}
        self._heard: dict[str, float] = {}
        self._versions: dict[str, int] = {}
        self._ahead: dict[str, list[Move]] = {name: [] for name in exchange.symbols}
        self._seen_ms = self.candles.now_ms()
        self._seen_at = clock.monotonic()
        self._due_at: float | None = None
        self._ids_stored = 0

    def resume(self) -> None:
        """Nothing is quoted before the original is heard."""
        self._remember()
        self.lost = STALE
        for symbol in self._exchange.symbols.values():
            symbol.halt(STALE)
            self._average(symbol.name)
            self._exchange.engine.last_ticks[symbol.name] = self._bars.bar(symbol.name, self._bars.known - 1).close

    def remember_exactly(self) -> None:
        """Where the original is, it says itself."""
        self._remember()

    def _remember(self) -> None:
        self._ids_stored = max(self._exchange.engine.next_trade_ids.values()) + TRADE_IDS_AHEAD
        self._exchange.remember_market({"name": self._bars.name, "next_trade_id": str(self._ids_stored)})

    async def run(self) -> None:
        """Listen, and see that time passes; for ever."""
        async with asyncio.TaskGroup() as running:
            running.create_task(self._bars.original.follow(self))
            running.create_task(self._keep_time())

    async def _keep_time(self) -> None:
        while True:
            self._stepped()
            self._guarded(self._look)
            if self._is_due():
                await self._close_candles()
            await self._clock.sleep(STEP_S)

    # what the original says

    def on_book(self, pair: str, bids: Rows, asks: Rows) -> None:
        """Its book takes the place of the last one."""
        symbol = self._bars.pairs[pair]
        self._heard[symbol.name] = self._clock.monotonic()
        self._books[symbol.name] = (bids, asks)
        if not symbol.listed:
            return
        self._guarded(partial(self._quote, symbol))
        self._stand(symbol, False)
        self._tell(symbol.name, [], False)

    def on_trade(self, pair: str, price: Decimal, quantity: Decimal, sold: bool, time_ms: int) -> None:
        """Orders that it went through are filled, by no more than was traded."""
        symbol = self._bars.pairs[pair]
        move = Move(ticks_of(symbol, price), int(quantity * E8), sold, time_ms)
        if time_ms > self._seen_ms:
            self._seen_ms, self._seen_at = time_ms, self._clock.monotonic()
        self._time_ms = max(self._time_ms, self._seen_ms)
        if symbol.halts or not symbol.listed:
            return
        self._guarded(partial(self._trade, symbol, move))

    def on_lost(self, why: str) -> None:
        """Nobody trades on what may be no longer true."""
        log.warning("the mirrored exchange is lost", extra={"fields": {"market": self._bars.name, "why": why}})
        for symbol in self._exchange.symbols.values():
            self._guarded(partial(self._stand, symbol, True))

    def _trade(self, symbol: Symbol, move: Move) -> None:
        name, lots = symbol.name, move.volume_e8 // symbol.lot_e8
        if self._exchange.engine.next_trade_ids[name] + TRADE_IDS_AHEAD // 2 > self._ids_stored:
            self._remember()
        self._exchange.mirror_trade(name, move.ticks, lots, self._clock.now_ms())
        self._grow(name, move)
        if lots:
            fresh = [Tick(self._exchange.engine.print_trade(name, move.ticks, lots, move.falling), move.time_ms)]
            self.tape[name].extend(fresh)
            self._tell(name, fresh, False)

    def _grow(self, name: str, move: Move) -> None:
        """The candle in progress; a trade of a later one waits until this one is closed, an older one is late."""
        open_ms = self.candles.now_ms()
        if move.time_ms >= open_ms + MINUTE_MS:
            self._ahead[name].append(move)
        elif move.time_ms >= open_ms:
            so_far = self.candles.progress.get(name)
            bar = grown(so_far.bar if so_far else None, [move])
            self.candles.progress[name] = Progress(self.candles.next_index, bar)
            self._average(name)

    def _quote(self, symbol: Symbol) -> None:
        name, (bids, asks) = symbol.name, self._books[symbol.name]
        shift = self._shift(name)
        quotes = levels_of(symbol, bids, shift, False), levels_of(symbol, asks, shift, True)
        thin = [[(ticks, self._on_offer(name, lots)) for ticks, lots in side] for side in quotes]
        self._exchange.mirror_book(name, (thin[0], thin[1]), self._clock.now_ms())
        self._versions[name] = self._exchange.engine.books[name].version

    # time

    def _look(self) -> None:
        """What customers took is there again, as it is on the original; what wasn't heard of stands."""
        now = self._clock.monotonic()
        silent = now - max(self._heard.values(), default=now) > STALE_FEED_S
        for symbol in self._exchange.listed.values():
            heard = self._heard.get(symbol.name)
            stale = heard is None or silent or now - heard > QUIET_MAX_S
            if stale:
                self._stand(symbol, True)
            elif STALE not in symbol.halts and (
                self._versions.get(symbol.name) != self._exchange.engine.books[symbol.name].version
            ):
                self._quote(symbol)

    def _stand(self, symbol: Symbol, stale: bool) -> None:
        if stale and STALE not in symbol.halts:
            self._heard.pop(symbol.name, None)
            self._exchange.mirror_book(symbol.name, ([], []), self._clock.now_ms())
        symbol.halt(STALE, stale)
        self.lost = STALE if all(STALE in one.halts for one in self._exchange.symbols.values()) else ""

    def _is_due(self) -> bool:
        """Is the candle in progress over?"""
        since_ms = int((self._clock.monotonic() - self._seen_at) * 1000)
        end_ms = self.candles.now_ms() + MINUTE_MS
        over = not self.lost and max(self._seen_ms, self._seen_ms + since_ms - LATE_TRADES_MS) >= end_ms
        self._due_at = (self._due_at or self._clock.monotonic()) if over else None
        return over

    async def _close_candles(self) -> None:
        """Closed candles are the original's own."""
        bars = self._bars
        behind = [(pair, symbol) for pair, symbol in bars.pairs.items() if bars.length_of(symbol) < self._wanted()]
        try:
            asked = [bars.original.candles(pair, bars.next_ms(symbol)) for pair, symbol in behind]
            found: list[Sequence[Candle]] = await asyncio.gather(*asked)
        except ConnectionError as error:
            self.failures += 1
            log.warning("no candles of the mirrored exchange", extra={"fields": {"error": str(error)}})
            return
        for (_, symbol), rows in zip(behind, found, strict=True):
            bars.extend(symbol, rows)
        late = self._due_at is not None and self._clock.monotonic() - self._due_at > ROWS_LATE_MAX_S
        if late:
            for symbol in self._exchange.symbols.values():
                bars.fill(symbol, self._wanted())
        while self.candles.next_index < min(bars.length_of(symbol) for symbol in bars.symbols):
            self._closed(self.candles.next_index + 1)
            self._due_at = None
            for name, moves in self._ahead.items():
                waiting, moves[:] = list(moves), []
                for move in waiting:
                    self._grow(name, move)

    def _wanted(self) -> int:
        """How many candles are over, of each symbol."""
        return max(self.candles.next_index + 1, (self._seen_ms - self._bars.first_ms) // MINUTE_MS)
