"""What became of our orders, by the venue's word alone: looked up one by one, and swept up from the trades.

Sends no orders. "No such order" is evidence only once the venue could no longer accept the request; until then, and
whenever the venue can't tell, an order stays what it is.
"""

import asyncio
import logging
from collections.abc import Iterable, Mapping, Set
from decimal import Decimal

from execution.exchange import translate
from execution.exchange.booking import book, came_before, find_order
from execution.exchange.classify import BadReply, VenueError, Verdict
from execution.exchange.client import VenueClient
from execution.exchange.venue_reader import PAGE, VenueReader
from execution.ledger.store import Ledger
from execution.vocabulary.limits import READ_LAG_MARGIN_MS, RECV_WINDOW_MS
from execution.vocabulary.money import ZERO
from execution.vocabulary.order_states import SETTLED, OrderEvent, OrderState
from execution.vocabulary.orders import Fill, OrderRow, Side

LOG = logging.getLogger("nae.gateway")
CLOCK_GOOD_FOR_S = 60.0
GONE = "doesn't know it any more: not by its name, nor among its open orders, nor in what is locked"
_RESTING = (OrderState.OPEN, OrderState.PARTIALLY_FILLED)


class VenueEvidence:
    """Evidence for one account's ledger. `in_flight` are orders whose reply is still awaited: not to be asked about."""

    def __init__(self, client: VenueClient, reader: VenueReader, ledger: Ledger, in_flight: Set[str]) -> None:
        self.reader = reader
        self.ledger = ledger
        self.in_flight = in_flight
        self.error_count = 0
        self.last_error = ""
        self._client = client
        self._swept_newest: dict[str, str] = {}
        self.outside: dict[str, Decimal] = {}  # money that came or went without a trade, as the venue told, by currency

    def money_moved(self, currency: str, amount: Decimal) -> None:
        """The venue tells of a deposit or a withdrawal. Nothing is booked by it."""
        self.outside[currency] = self.outside.get(currency, ZERO) + amount
        LOG.warning("%s %s came or went without a trade", amount, currency)

    async def fresh_clock(self) -> None:
        """Know the venue's time well enough to judge by it. VenueError when it doesn't tell."""
        if self._client.venue_clock.age_s > CLOCK_GOOD_FOR_S:
            await self._client.synchronise_clock()

    async def settle_unknown(self) -> list[OrderRow]:
        """Ask the venue about every order whose fate is unknown; those it could tell. Never raises for the venue."""
        for order in self.ledger.unsettled():
            if order.state in (OrderState.INTENT, OrderState.SENT) and order.client_order_id not in self.in_flight:
                self.ledger.mark(order.client_order_id, OrderEvent.AMBIGUOUS)
        pending = [order for order in self.ledger.unsettled() if order.state is OrderState.UNKNOWN]
        found = await asyncio.gather(*map(self._settle, pending))
        return [order for order in found if order is not None]

    async def _settle(self, order: OrderRow) -> OrderRow | None:
        """The order once its fate is known; None while it isn't."""
        try:
            await self.fresh_clock()
            now = await self.look_up(order)
        except (VenueError, BadReply) as error:
            self._note(error)
            return None
        return None if now.state is OrderState.UNKNOWN else now

    async def refresh_resting(self) -> None:
        """Ask about orders in the book, which may have been filled unheard. VenueError, BadReply. Stops wait for long:
        whether they still stand is seen in the balances, which cost nothing more."""
        await self._look_up_all(
            order for order in self.ledger.unsettled() if order.state in _RESTING and not order.guards
        )

    async def refresh_stops(self, locked: Mapping[str, Decimal]) -> int:
        """Ask about the stops of currencies of which the venue has `locked` another amount than our orders lock: one is
        gone, or somebody else sells, too. How many were asked about. VenueError, BadReply."""
        unsettled = self.ledger.unsettled()
        doubtful = []
        for order in (order for order in unsettled if order.guards):
            currency, needed = locked_by(order, unsettled)
            if locked.get(currency, ZERO) != needed:
                doubtful.append(order)
        await self._look_up_all(doubtful)
        return len(doubtful)

    async def _look_up_all(self, orders: Iterable[OrderRow]) -> None:
        await asyncio.gather(*(self.look_up(order) for order in orders if order.client_order_id not in self.in_flight))

    async def look_up(self, order: OrderRow) -> OrderRow:
        """Learn one order's state from the venue. VenueError or BadReply when it can't tell: nothing changed then."""
        # judged before asking: an answer of "no such order" proves nothing about requests still under way
        fence_passed = self._client.venue_clock.surely_past(order.sent_ms + RECV_WINDOW_MS + READ_LAG_MARGIN_MS)
        try:
            report = await self.reader.fetch_order(order.symbol, client_order_id=order.client_order_id)
        except VenueError as error:
            if error.outcome.verdict is Verdict.ARCHIVED and not order.filled:
                return self.ledger.mark(order.client_order_id, OrderEvent.CANCELED, note="it ended unfilled, long ago")
            if error.outcome.verdict is not Verdict.NOT_FOUND:
                raise
            if fence_passed and order.state is OrderState.UNKNOWN:
                note = "the venue never accepted it, and can't any more"
                return self.ledger.mark(order.client_order_id, OrderEvent.REJECTED, note=note)
            return await self._missed(order) if fence_passed and order.state in _RESTING else order
        if not book(self.ledger, report):
            await self.fetch_missing_fills(report)
        return self.ledger.order(order.client_order_id) or order

    async def _missed(self, order: OrderRow) -> OrderRow:
        """The venue had this order in its book, and finds it no more. One missing answer is no end: it is gone when
        neither the open orders nor the balances show it, and what it traded is in our books. VenueError, BadReply."""
        standing = await self.reader.fetch_standing(order.symbol)
        held = await self.reader.fetch_balances()
        currency, needed = locked_by(order, self.ledger.unsettled())
        locked = held[currency].locked if currency in held else ZERO
        if locked >= needed or any(row.client_order_id == order.client_order_id for row in standing):
            return order
        if order.venue_order_id is not None:
            self.ledger.record_fills(await self.reader.fetch_order_fills(order.symbol, order.venue_order_id))
        now = self.ledger.order(order.client_order_id) or order
        if now.state in SETTLED:
            return now
        LOG.warning("order %s: the venue %s", order.client_order_id, GONE)
        return self.ledger.mark(order.client_order_id, OrderEvent.CANCELED, note=f"the venue {GONE}")

    async def fetch_new_fills(self, symbol: str) -> list[Fill]:
        """Trades of the account we didn't know, booked. VenueError, BadReply.

        The mark up to which nothing can be missing follows one sweep behind: the venue's reads may lag its matching.
        """
        mark = self.ledger.last_trade_id(symbol)
        fills = await self.reader.fetch_trades(symbol, from_id=mark, since_ms=self.ledger.opened_ms)
        while len(fills) and len(fills) % PAGE == 0:
            more = await self.reader.fetch_trades(symbol, from_id=str(int(fills[-1].trade_id) + 1))
            if not more:
                break
            fills += more
        unknown = [fill for fill in fills if not self.ledger.has_fill(symbol, fill.trade_id)]
        new = [fill for fill in unknown if not came_before(self.ledger, fill)]
        for venue_order_id in sorted({fill.venue_order_id for fill in new}):
            if self.ledger.order_by_venue_id(symbol, venue_order_id) is None:
                await self._recognise(symbol, venue_order_id)
        seen_before = self._swept_newest.get(symbol)
        self.ledger.record_fills(new, swept={symbol: seen_before} if seen_before and seen_before != mark else None)
        if fills:
            self._swept_newest[symbol] = fills[-1].trade_id
        return new

    async def _recognise(self, symbol: str, venue_order_id: str) -> None:
        """Trades don't say our order id: an order of ours whose reply was lost is recognised by asking for it."""
        report = await self.reader.fetch_order(symbol, venue_order_id=venue_order_id)
        if self.ledger.order(report.client_order_id) is not None:
            self.ledger.mark(report.client_order_id, OrderEvent.ACKNOWLEDGED, venue_order_id)

    async def fetch_missing_fills(self, report: translate.OrderReport) -> list[Fill]:
        """The reply didn't list every fill: ask for them; what can't be had now, reconciliation asks for again."""
        try:
            fills = await self.reader.fetch_order_fills(report.symbol, report.venue_order_id)
        except (VenueError, BadReply) as error:
            self._note(error)
            return report.fills
        self.ledger.record_fills(fills)
        order = find_order(self.ledger, report)
        if order is not None and order.filled >= report.executed:
            book(self.ledger, report)
        return fills

    def _note(self, error: Exception) -> None:
        self.error_count += 1
        self.last_error = str(error)
        LOG.warning("%s", error)


def locked_by(order: OrderRow, unsettled: Iterable[OrderRow]) -> tuple[str, Decimal]:
    """The currency that this order locks at the venue, and how much of it all orders of ours like it lock together."""
    same = [row for row in unsettled if row.side is order.side and _pays_with(row) == _pays_with(order)]
    if order.side is Side.SELL:
        return _pays_with(order), sum((row.remaining for row in same), ZERO)
    return _pays_with(order), sum((row.remaining * (row.limit_price or ZERO) for row in same), ZERO)


def _pays_with(order: OrderRow) -> str:
    base, _, quote = order.symbol.partition("/")
    return base if order.side is Side.SELL else quote
