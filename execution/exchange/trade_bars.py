"""Candles made from trades, as the venue makes its own: one symbol, one length. Every trade counts once, in whatever
order it comes: a bar opens with its lowest number and closes with its highest.

No I/O. A bar is `made` only when a later trade was heard and no trade of it is missing; whether the venue's own candle
says the same is compared as soon as both are known.
"""

from collections.abc import Sequence
from decimal import Decimal
from typing import NamedTuple

import msgspec

from execution.exchange.trade_tape import Gap, Seen, TradeTape
from execution.vocabulary.market import Candle, Trade

KEPT = 64  # bars back; older ones are told and compared long ago


class TradeRun(NamedTuple):
    """Trades of one order at one price, as the venue sums them up: numbers `first` to `last`."""

    first: int
    last: int
    price: Decimal
    quantity: Decimal
    trade_ms: int


class _Bar:
    """A bar in the making."""

    __slots__ = ("close", "close_id", "high", "low", "open", "open_id", "volume")

    def __init__(self, number: int, price: Decimal, quantity: Decimal) -> None:
        self.open_id = self.close_id = number
        self.open = self.high = self.low = self.close = price
        self.volume = quantity

    def add(self, number: int, price: Decimal, quantity: Decimal) -> None:
        if number > self.close_id:
            self.close_id, self.close = number, price
        elif number < self.open_id:
            self.open_id, self.open = number, price
        if price > self.high:
            self.high = price
        elif price < self.low:
            self.low = price
        self.volume += quantity


class TradeBars:
    """One symbol's trades and the bars they make. `agrees`: the last bar compared was the venue's own, to the last
    digit."""

    def __init__(self, step_ms: int) -> None:
        self.tape = TradeTape()
        self.agrees = False
        self.compared = 0
        self.differing = 0
        self.volumes_differing = 0  # as on a market that is made up from candles: trades come in whole lots
        self._step_ms = step_ms
        self._bars: dict[int, _Bar] = {}
        self._torn: set[int] = set()
        self._told: dict[int, Candle] = {}
        self._newest_ms = -1

    def add(self, trade: Trade) -> Seen:
        """One trade of the stream."""
        first = self.tape.newest is None
        seen = self.tape.note(trade.id, trade.trade_ms, trade.received)
        if seen is Seen.KNOWN:
            return seen
        if first:
            self._tear(trade.trade_ms, trade.trade_ms)  # what was traded before in this bar wasn't heard
        self._count(trade.id, trade.trade_ms, trade.price, trade.quantity)
        return seen

    def fill(self, gap: Gap, runs: Sequence[TradeRun]) -> list[TradeRun]:
        """What the venue has of a gap, oldest first; those that were missing. What it hasn't is lost, or was never a
        trade: that is so when its answer reaches over both ends of the gap."""
        found = []
        for run in runs:
            missing = self.tape.missing(run.first, run.last)
            if not missing:
                continue
            self.tape.take(run.first, run.last)
            quantity = run.quantity
            if missing <= run.last - run.first:  # how much of its quantity is known already, nobody says
                self._tear(run.trade_ms, run.trade_ms)
                quantity = Decimal(0)
            self._count(run.first, run.trade_ms, run.price, quantity)
            found.append(run)
        answered = bool(runs) and runs[0].first < gap.first and runs[-1].last > gap.last
        for left in [each for each in self.tape.gaps if gap.first <= each.first and each.last <= gap.last]:
            if answered:
                self.tape.strike(left)
            else:
                self.give_up(left)
        return found

    def give_up(self, gap: Gap) -> None:
        """Nobody has these trades any more: the bars they belong to can't be made from trades."""
        self._tear(gap.from_ms, gap.until_ms)
        self.tape.give_up(gap)

    def _count(self, number: int, trade_ms: int, price: Decimal, quantity: Decimal) -> None:
        open_ms = trade_ms - trade_ms % self._step_ms
        bar = self._bars.get(open_ms)
        if bar is not None:
            bar.add(number, price, quantity)
            return
        self._bars[open_ms] = _Bar(number, price, quantity)
        self._newest_ms = max(self._newest_ms, open_ms)
        if len(self._bars) > KEPT:
            del self._bars[min(self._bars)]
        self._torn = {each for each in self._torn if each > open_ms - KEPT * self._step_ms}

    def _tear(self, from_ms: int, until_ms: int) -> None:
        first, last = from_ms - from_ms % self._step_ms, until_ms - until_ms % self._step_ms
        self._torn.update(range(max(first, last - KEPT * self._step_ms), last + 1, self._step_ms))

    @property
    def newest_ms(self) -> int:
        """When the newest bar with a trade opened; -1 before the first."""
        return self._newest_ms

    def made(self, open_ms: int, last_close: Decimal) -> Candle | None:
        """A bar as it was traded, flat at `last_close` when nothing was; None while it isn't over, or not all of it is
        known."""
        end_ms = open_ms + self._step_ms
        if self._newest_ms < end_ms or not self._bars or open_ms < min(self._bars) or open_ms in self._torn:
            return None
        if any(gap.from_ms < end_ms and gap.until_ms >= open_ms for gap in self.tape.gaps):
            return None
        bar = self._bars.get(open_ms)
        if bar is None:
            return Candle(open_ms, last_close, last_close, last_close, last_close, Decimal(0))
        return Candle(open_ms, bar.open, bar.high, bar.low, bar.close, bar.volume)

    def tell(self, candle: Candle) -> None:
        """What the venue says of a closed bar."""
        self._told[candle.open_ms] = candle
        if len(self._told) > KEPT:
            del self._told[min(self._told)]

    def compare(self) -> tuple[Candle, Candle] | None:
        """Hold the venue's own candles against what was traded, where both are known. The last whose prices differ:
        (as traded, as the venue says)."""
        difference = None
        for open_ms in [each for each in self._told if each + self._step_ms <= self._newest_ms]:
            told = self._told[open_ms]
            made = self.made(open_ms, told.open)
            if made is None and any(gap.until_ms >= open_ms for gap in self.tape.gaps):
                continue  # not yet
            del self._told[open_ms]
            if made is None:
                continue
            self.compared += 1
            self.agrees = made == told
            if msgspec.structs.replace(made, volume=told.volume) != told:
                self.differing += 1
                difference = (made, told)
            elif not self.agrees:
                self.volumes_differing += 1
        return difference
