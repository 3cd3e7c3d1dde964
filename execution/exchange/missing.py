"""What the market's stream didn't say, asked for by REST: bars, quotes, trades. What was asked in vain is asked again,
a little later each time, and the stream goes on meanwhile. What is missing is decided in `symbol_feed`."""

import logging
from collections.abc import Callable, Collection, Mapping

from execution.exchange.classify import BadReply, VenueError
from execution.exchange.complaints import Complaints
from execution.exchange.symbol_feed import SymbolFeed, Wants
from execution.exchange.venue_reader import VenueReader
from execution.runtime.backoff import Backoff
from execution.runtime.clock import Clock
from execution.vocabulary.market import Trade

LOG = logging.getLogger("nae.feed")
QUOTES_PERIOD_S = 1.0  # doubted and silent symbols are asked for this often, at most
FIRST_RETRY_S = 0.2
LAST_RETRY_S = 5.0
PAGE_BARS = 999
GAP_PAGES = 5  # of a thousand trades: more of one gap isn't asked for


class Missing:
    """Asks. `tell` hears the trades that are found; `heard` is called when a quote could be believed."""

    def __init__(
        self, timeframe: str, clock: Clock, tell: Callable[[list[Trade]], None], heard: Callable[[], None]
    ) -> None:
        self._timeframe = timeframe
        self._clock = clock
        self._tell = tell
        self._heard = heard
        self.complaints = Complaints(LOG, clock)
        self.error_count = 0
        self._quotes_at = 0.0
        self._pauses = {kind: Backoff(FIRST_RETRY_S, LAST_RETRY_S) for kind in ("quotes", "bars", "trades")}
        self._not_before: dict[str, float] = {}
        self.begin_anew()

    def begin_anew(self) -> None:
        """A new line: everything is asked for at once."""
        self._quotes_at = self._clock.monotonic() - QUOTES_PERIOD_S
        self._not_before.clear()

    async def look(self, reader: VenueReader, wants: Mapping[SymbolFeed, Wants]) -> None:
        """Ask for all that is wanted, as far as it is time to. What one kind of question meets holds up no other."""
        for kind, ask in (("quotes", self._ask_quotes), ("bars", self._ask_bars), ("trades", self._ask_trades)):
            if self._clock.monotonic() < self._not_before.get(kind, 0.0):
                continue
            try:
                await ask(reader, wants)
                self._pauses[kind].reset()
            except (VenueError, BadReply) as error:
                self.error_count += 1
                self._not_before[kind] = self._clock.monotonic() + self._pauses[kind].next_s()
                self.complaints.say(f"the feed asks for {kind} in vain", str(error))

    async def _ask_quotes(self, reader: VenueReader, wants: Mapping[SymbolFeed, Wants]) -> None:
        now = self._clock.monotonic()
        if any(want.quote for want in wants.values()) and now - self._quotes_at >= QUOTES_PERIOD_S:
            self._quotes_at = now
            await self.read_quotes(reader, wants)

    async def _ask_bars(self, reader: VenueReader, wants: Mapping[SymbolFeed, Wants]) -> None:
        """Those that fail come last: one symbol that is gone keeps no other from its bars."""
        for one in sorted((one for one, want in wants.items() if want.bars), key=lambda one: one.asked_in_vain):
            one.asked_in_vain += 1
            await self.fill(reader, one, PAGE_BARS)

    async def _ask_trades(self, reader: VenueReader, wants: Mapping[SymbolFeed, Wants]) -> None:
        for one, want in wants.items():
            for gap in want.gaps:
                if reader.client.spare():
                    runs = await reader.fetch_trade_runs(one.symbol, gap.from_ms, gap.until_ms, GAP_PAGES)
                    self._tell(one.fill_trades(gap, runs, self._clock.monotonic()))

    async def fill(self, reader: VenueReader, one: SymbolFeed, limit: int) -> None:
        """The closed bars of a symbol since the last known one; the last `limit` when none is. VenueError, BadReply."""
        bars = one.bars
        since = None if bars.last_open_ms is None else bars.last_open_ms + bars.step_ms
        candles = page = await reader.fetch_candles(one.symbol, self._timeframe, since, limit)
        while since is not None and len(page) == limit:
            page = await reader.fetch_candles(one.symbol, self._timeframe, page[-1].open_ms + bars.step_ms, limit)
            candles = candles + page
        one.fill_bars(candles)

    async def read_quotes(self, reader: VenueReader, symbols: Collection[SymbolFeed]) -> None:
        """The best bid and ask of all of them. VenueError, BadReply."""
        quotes = await reader.fetch_quotes([one.symbol for one in symbols])
        for one in symbols:
            quote = quotes.get(one.symbol)
            if quote is not None and one.answer_quote(quote):
                self._heard()
