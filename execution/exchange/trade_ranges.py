"""A burst of trades as one fact: what a symbol's trades went through in one turn of the event loop, told when the turn
is over. Nothing is left out: the lowest and the highest are in it. Decides nothing."""

import asyncio
from collections.abc import Callable

from execution.vocabulary.market import Trade, TradedRange

Hear = Callable[[TradedRange], None]


class TradeRanges:
    """Collects trades and tells ranges."""

    def __init__(self) -> None:
        self.hear: Hear | None = None
        self.told = 0
        self._open: dict[str, TradedRange] = {}

    def add(self, trade: Trade) -> None:
        """One trade. Needs a running event loop."""
        if self.hear is None:
            return
        symbol, price, at_ms = trade.symbol, trade.price, trade.trade_ms
        if not self._open:
            asyncio.get_running_loop().call_soon(self._tell)
        so_far = self._open.get(symbol)
        if so_far is None:
            self._open[symbol] = TradedRange(symbol, price, price, price, 1, at_ms, trade.received)
            return
        low, high, count = min(so_far.low, price), max(so_far.high, price), so_far.count + 1
        self._open[symbol] = TradedRange(symbol, low, high, price, count, at_ms, so_far.received)

    def _tell(self) -> None:
        ranges, self._open = self._open, {}
        for traded in ranges.values():
            self.told += 1
            if self.hear is not None:
                self.hear(traded)
