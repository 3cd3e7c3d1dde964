"""All that the feed knows of one symbol: its quote, its trades, the bars they make and the bars the venue closes; what
of it can be true, and what must be asked for by REST.

No I/O; time is an argument. The venue's own closed candle is what is delivered, the moment its stream says that it is
closed. When that word is lost, the bar made of trades stands in, if it is complete and the last one was the venue's own
to the last digit; else REST is asked.
"""

from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple

from execution.exchange import translate
from execution.exchange.bar_sequence import BarSequence
from execution.exchange.classify import BadReply
from execution.exchange.price_sense import PriceSense
from execution.exchange.trade_bars import KEPT, TradeBars, TradeRun
from execution.exchange.trade_tape import Gap, Seen
from execution.vocabulary.limits import STALE_FEED_S
from execution.vocabulary.market import Candle, Quote, Trade

KLINE_GRACE_S = 2.0  # so long the venue's word that a bar is closed may come after the first trade of the next
GAP_PATIENCE_S = 0.5  # a trade that is late comes by itself
GAP_LOST_AFTER_S = 60.0  # what nobody has brought by then is lost
GAP_SPAN_MAX_MS = 3_600_000  # venues answer for an hour at a time; a gap that long is told by its bars
QUIET_LOOK_S = 2.5  # a symbol without a word is asked for this often
DEAF_AFTER = 2  # the price moved so often, by REST, without a word of the symbol's stream: the stream is broken


class Wants(NamedTuple):
    """What REST should bring."""

    bars: bool
    quote: bool
    gaps: tuple[Gap, ...]


class SymbolFeed:
    """One symbol. `on_bar(symbol, candle)` is called once per closed bar, oldest first."""

    def __init__(self, symbol: str, timeframe: str, on_bar: Callable[[str, Candle], None]) -> None:
        self.symbol = symbol
        self.bars = BarSequence(symbol, timeframe, self._deliver)
        self.trades = TradeBars(self.bars.step_ms)
        self.sense = PriceSense()
        self.quote: Quote | None = None
        self.difference: tuple[Candle, Candle] | None = None  # the newest bar as traded, and as the venue says
        self.wants_bars = False
        self.asked_in_vain = 0
        self.bars_from_trades = 0
        self.trades_heard = 0
        self.heard_at: float | None = None
        self._on_bar = on_bar
        self._last: Candle | None = None
        self._behind: tuple[int, float] | None = None
        self._moved_unheard = 0
        self._unquoted = False
        self._begun_at = 0.0

    def _deliver(self, symbol: str, candle: Candle) -> None:
        self._last = candle
        if self.sense.last is None:
            self.sense.accepts(candle.close)
        self._on_bar(symbol, candle)

    # what the stream says

    def hear_quote(self, message: Mapping[str, Any], now: float) -> Quote:
        """A new best bid and ask. BadReply: it can't be true."""
        quote = translate.quote_of(self.symbol, message["b"], message["a"], now)
        last = self.sense.last
        if not self.sense.accepts(quote.mid):
            raise BadReply(f"{self.symbol}: {quote.mid} after {last} is a mistake")
        self.quote = quote
        self._hear(now)
        return quote

    def hear_trade(self, message: Mapping[str, Any], now: float) -> Trade | None:
        """A trade; None when it is known. BadReply: it can't be true; its number stays missing, and REST is asked."""
        trade = translate.trade_of_stream(self.symbol, message, now)
        last = self.sense.last
        if not self.sense.accepts(trade.price):
            raise BadReply(f"{self.symbol}: a trade at {trade.price} after {last} is a mistake")
        self._hear(now)
        if self.trades.add(trade) is Seen.KNOWN:
            return None
        self.trades_heard += 1
        return trade

    def hear_closed(self, kline: Mapping[str, Any], now: float) -> None:
        """The venue's own candle, closed. BadReply: it can't be true; REST is asked for it."""
        try:
            candle = translate.candle_of_stream(kline)
            if not self.sense.fits(candle.low, candle.high):
                raise BadReply(f"{self.symbol}: a candle from {candle.low} to {candle.high} is a mistake")
        except BadReply:
            self.wants_bars = True
            raise
        self._hear(now)
        self.trades.tell(candle)
        if self.bars.last_open_ms is None and self.wants_bars:
            self.bars.hold(candle)  # its history is on its way
        elif not self.bars.add(candle) and not self._stand_in(candle.open_ms):
            self.wants_bars = True

    def _hear(self, now: float) -> None:
        self.heard_at = now
        self._moved_unheard = 0

    # what is missing

    def begin_anew(self, now: float) -> None:
        """A new line: what was said meanwhile is missing; everything, where the warm start brought nothing."""
        self._begun_at = now
        self.wants_bars = True
        self._unquoted = True
        self._moved_unheard = 0

    def look(self, now: float, market_ms: int) -> Wants:
        """What should be asked for now. `market_ms`: when the newest closed bar of any symbol opened."""
        self.difference = self.trades.compare()
        gaps = []
        for gap in list(self.trades.tape.gaps):
            if now - gap.since > GAP_LOST_AFTER_S or gap.until_ms - gap.from_ms > GAP_SPAN_MAX_MS:
                self.trades.give_up(gap)
            elif now - gap.since >= GAP_PATIENCE_S:
                gaps.append(gap)
        if self._is_late(now, market_ms):
            self.wants_bars = True
        quoted_s = QUIET_LOOK_S if self.quote is None else now - self.quote.received
        quiet = self.is_silent(now) and quoted_s >= QUIET_LOOK_S
        return Wants(self.wants_bars, self._unquoted or quiet or self.sense.doubted is not None, tuple(gaps))

    def is_silent(self, now: float) -> bool:
        """Has the stream said nothing of this symbol for long?"""
        return now - max(self._begun_at, self.heard_at or self._begun_at) > STALE_FEED_S

    def _is_late(self, now: float, market_ms: int) -> bool:
        """A bar is over, by the trades after it or by other symbols, and nobody has said that it is closed."""
        if self.bars.last_open_ms is None:
            return False
        step_ms = self.bars.step_ms
        due, reached = self.bars.last_open_ms + step_ms, max(self.trades.newest_ms, market_ms + step_ms)
        if due >= reached:
            self._behind = None
            return False
        if self._behind is None or self._behind[0] != due:
            self._behind = (due, now)
        if now - self._behind[1] < KLINE_GRACE_S:
            return False
        self._behind = (due, now)
        return not self._stand_in(reached)

    def _stand_in(self, until_ms: int) -> bool:
        """Deliver bars made of trades up to the one before `until_ms`; False when that can't be."""
        if self._last is None or not self.trades.agrees:
            return False
        if until_ms - self._last.open_ms > KEPT * self.bars.step_ms:
            return False
        made: list[Candle] = []
        last = self._last
        while last.open_ms + self.bars.step_ms < until_ms:
            candle = self.trades.made(last.open_ms + self.bars.step_ms, last.close)
            if candle is None:
                return False
            made.append(candle)
            last = candle
        self.bars_from_trades += len(made)
        for candle in made:
            self.bars.add(candle)
        return True

    # what REST says

    def fill_bars(self, candles: list[Candle]) -> None:
        """Closed bars, oldest first."""
        self.wants_bars, self.asked_in_vain = False, 0
        for candle in candles:
            self.trades.tell(candle)
        self.bars.fill(candles)

    def fill_trades(self, gap: Gap, runs: Sequence[TradeRun], now: float) -> list[Trade]:
        """What the venue has of a gap; those that were missing."""
        found = self.trades.fill(gap, runs)
        return [Trade(self.symbol, run.first, run.price, run.quantity, run.trade_ms, now) for run in found]

    def answer_quote(self, quote: Quote) -> bool:
        """The quote by REST; False when it can't be believed yet."""
        if not self.sense.answered(quote.mid, quote.received):
            return False
        last, self.quote, self._unquoted = self.quote, quote, False
        moved = last is not None and (last.bid, last.ask) != (quote.bid, quote.ask)
        if moved and self.is_silent(quote.received):
            self._moved_unheard += 1
        return True

    @property
    def deaf(self) -> bool:
        """The market moves and the symbol's stream doesn't say so."""
        return self._moved_unheard >= DEAF_AFTER
