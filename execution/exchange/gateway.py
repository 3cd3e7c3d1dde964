"""The one way an order leaves: risk gate, durable intent, one request, never repeated.

An answer that isn't clear makes the order UNKNOWN; it stays so, its exposure reserved, until the venue tells what
became of it. "No such order" counts only after the venue could no longer accept the request. Takes no decisions.
"""

import logging
from collections.abc import Callable, Sequence

from execution.exchange import translate
from execution.exchange.booking import book, find_order
from execution.exchange.classify import BadReply, Outcome, VenueError, Verdict
from execution.exchange.client import VenueClient
from execution.exchange.risk_facts import RiskRecord
from execution.exchange.risk_gate import check
from execution.exchange.venue_reader import PAGE, VenueReader
from execution.ledger.store import Ledger
from execution.runtime.clock import Clock, iso
from execution.runtime.config import RiskConfig
from execution.vocabulary.health import ComponentHealth, ComponentStatus
from execution.vocabulary.limits import READ_LAG_MARGIN_MS, RECV_WINDOW_MS
from execution.vocabulary.market import Candle, Quote, SymbolRules
from execution.vocabulary.modes import TradeMode
from execution.vocabulary.order_states import OrderEvent, OrderState
from execution.vocabulary.orders import Balance, Fill, OrderOutcome, OrderRequest, OrderRow
from execution.vocabulary.reasons import NoTradeReason

LOG = logging.getLogger("nae.gateway")
CLOCK_GOOD_FOR_S = 60.0
EXTERNAL_ORDERS_EVERY = 6  # asking for all open orders is dear on a real exchange
_RESTING = (OrderState.OPEN, OrderState.PARTIALLY_FILLED)


class ExchangeGateway:
    """One account's orders. `quote` gives a symbol's last quote; `may_send` a reason not to send (a lost lease)."""

    def __init__(
        self,
        client: VenueClient,
        ledger: Ledger,
        limits: RiskConfig,
        clock: Clock,
        *,
        trade_mode: TradeMode,
        quote: Callable[[str], Quote | None],
        symbols: Sequence[str] = (),
        may_send: Callable[[], str | None] = lambda: None,
        on_step: Callable[[str], None] = lambda step: None,
    ) -> None:
        self.reader = VenueReader(client, symbols)
        self.ledger = ledger
        self.limits = limits
        self._client = client
        self._clock = clock
        self._trade_mode = trade_mode
        self._quote = quote
        self._may_send = may_send
        self._on_step = on_step  # crash tests end the process at a named step
        self._record = RiskRecord(ledger, clock)
        self.in_flight: set[str] = set()
        self._swept_newest: dict[str, str] = {}
        self.rules: dict[str, SymbolRules] = {}
        self.symbols = tuple(symbols)
        self._external: list[str] = []
        self._external_turn = 0
        self._counts = dict.fromkeys(("placed", "refused", "rejected", "unknown", "errors"), 0)
        self._last_error = ""
        self._last_ok_ms: int | None = None

    # reading

    async def load_rules(self) -> dict[str, SymbolRules]:
        """The venue's rules by symbol; remembered for the checks before an order, and for what counts as dust."""
        self.rules = await self.reader.load_rules()
        self.ledger.set_lot_steps({symbol: rules.lot_step for symbol, rules in self.rules.items()})
        return self.rules

    async def fetch_candles(self, symbol: str, timeframe: str, since_ms: int | None, limit: int) -> list[Candle]:
        """Closed bars, oldest first."""
        return await self.reader.fetch_candles(symbol, timeframe, since_ms, limit)

    async def fetch_quotes(self, symbols: Sequence[str]) -> dict[str, Quote]:
        """Best bid and ask by symbol."""
        return await self.reader.fetch_quotes(symbols)

    async def fetch_balances(self) -> dict[str, Balance]:
        """What the venue says the account holds, by currency."""
        return await self.reader.fetch_balances()

    def symbols_of_interest(self) -> set[str]:
        """Where fills of ours may turn up: the symbols we were given, or all that trade, and our own orders'."""
        configured = self.symbols or tuple(symbol for symbol, rules in self.rules.items() if rules.trading)
        return {*configured, *self.ledger.positions(), *(order.symbol for order in self.ledger.unsettled())}

    def venue_now_ms(self) -> int:
        """The venue's clock."""
        return self._client.venue_clock.now_ms()

    async def find_external_orders(self) -> list[str]:
        """Open orders on the account that aren't ours, as "BTCUSDT their-id". On a real exchange not each time."""
        self._external_turn += 1
        if not self._client.embedded and self._external_turn % EXTERNAL_ORDERS_EVERY != 1:
            return self._external
        rows = await self.reader.fetch_open_orders()
        self._external = [f"{symbol} {order}" for symbol, order in rows if self.ledger.order(order) is None]
        return self._external

    async def fresh_clock(self) -> None:
        """Know the venue's time well enough to judge by it. VenueError when it doesn't tell."""
        if self._client.venue_clock.age_s > CLOCK_GOOD_FOR_S:
            await self._client.synchronise_clock()

    # orders

    async def place(self, request: OrderRequest) -> OrderOutcome:
        """Check, write the intent durably, send once. A refusal is an outcome, not an error.

        Raises sqlite's DatabaseError when the intent can't be made durable: then nothing was sent.
        """
        facts = self._record.facts(request, self.rules.get(request.symbol), self._quote)
        refusal = check(request, facts, self.limits) or self._may_send()
        if refusal is None and self._trade_mode is TradeMode.DRY_RUN:
            refusal = NoTradeReason.DRY_RUN
        if refusal is not None:
            self._counts["refused"] += 1
            return OrderOutcome(None, None, [], refusal)
        sent_ms = self._client.venue_clock.now_ms()
        client_order_id = self.ledger.record_intent(request, sent_ms=sent_ms)
        self._record.sent(request)
        self._on_step("intent_durable")
        self.in_flight.add(client_order_id)
        try:
            return await self._send(request, client_order_id, sent_ms)
        finally:
            self.in_flight.discard(client_order_id)
            self._leave_no_loose_end(client_order_id)

    async def _send(self, request: OrderRequest, client_order_id: str, sent_ms: int) -> OrderOutcome:
        self.ledger.mark(client_order_id, OrderEvent.SENT)
        self._counts["placed"] += 1
        try:
            parameters = translate.order_parameters(request, client_order_id, sent_ms)
            reply = await self._client.call("privatePostOrder", parameters)
            self._on_step("reply_read")
            report = translate.order_report_of(reply, request.symbol)
        except VenueError as error:
            return self._failed(client_order_id, error.outcome)
        except BadReply as error:
            return self._unknown(client_order_id, str(error))
        fills = report.fills
        if not book(self.ledger, report):
            fills = await self._fetch_missing_fills(report)
        self._on_step("fills_recorded")
        self._last_ok_ms = self._clock.now_ms()
        order = self.ledger.order(client_order_id)
        return OrderOutcome(client_order_id, order.state if order else None, fills, None)

    def _failed(self, client_order_id: str, outcome: Outcome) -> OrderOutcome:
        self._last_error = str(outcome.reason)
        self._counts["errors"] += 1
        if not outcome.never_executed:
            return self._unknown(client_order_id, outcome.reason)
        self._counts["rejected"] += 1
        order = self.ledger.mark(client_order_id, OrderEvent.REJECTED, note=outcome.reason)
        return OrderOutcome(client_order_id, order.state, [], None)

    def _unknown(self, client_order_id: str, why: str) -> OrderOutcome:
        self._counts["unknown"] += 1
        LOG.warning("order %s has an unknown fate: %s", client_order_id, why)
        order = self.ledger.mark(client_order_id, OrderEvent.AMBIGUOUS, note=why)
        return OrderOutcome(client_order_id, order.state, [], None)

    def _leave_no_loose_end(self, client_order_id: str) -> None:
        """Cancelled in the middle, or failed in a way nobody foresaw: the order's fate is unknown."""
        order = self.ledger.order(client_order_id)
        if order is not None and order.state in (OrderState.INTENT, OrderState.SENT):
            self._unknown(client_order_id, "the answer wasn't waited for")

    async def _fetch_missing_fills(self, report: translate.OrderReport) -> list[Fill]:
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

    async def cancel(self, client_order_id: str) -> OrderRow:
        """Cancel one order; the order as it stands then. KeyError: no such order. VenueError: try again later."""
        order = self.ledger.order(client_order_id)
        if order is None:
            raise KeyError(f"no order {client_order_id}")
        parameters = {"symbol": translate.market_id(order.symbol), "origClientOrderId": client_order_id}
        try:
            reply = await self._client.call("privateDeleteOrder", parameters)
            report = translate.order_report_of(reply, order.symbol)
        except VenueError as error:
            if error.outcome.verdict is not Verdict.NOT_FOUND:
                raise
            return await self.look_up(order)  # it isn't open: filled, or cancelled already
        if not book(self.ledger, report):
            await self._fetch_missing_fills(report)
        return self.ledger.order(client_order_id) or order

    # what became of orders

    async def settle_unknown(self) -> list[OrderRow]:
        """Ask the venue about every order whose fate is unknown; those it could tell. Never raises for the venue."""
        for order in self.ledger.unsettled():
            if order.state in (OrderState.INTENT, OrderState.SENT) and order.client_order_id not in self.in_flight:
                self.ledger.mark(order.client_order_id, OrderEvent.AMBIGUOUS)
        pending = [order for order in self.ledger.unsettled() if order.state is OrderState.UNKNOWN]
        settled = []
        for order in pending:
            try:
                await self.fresh_clock()
                now = await self.look_up(order)
            except (VenueError, BadReply) as error:
                self._note(error)
                continue
            if now.state is not OrderState.UNKNOWN:
                settled.append(now)
        return settled

    async def refresh_resting(self) -> None:
        """Ask about orders in the book, which may have been filled unheard. VenueError, BadReply."""
        for order in self.ledger.unsettled():
            if order.state in _RESTING and order.client_order_id not in self.in_flight:
                await self.look_up(order)

    async def look_up(self, order: OrderRow) -> OrderRow:
        """Learn one order's state from the venue. VenueError or BadReply when it can't tell: nothing changed then."""
        # judged before asking: an answer of "no such order" proves nothing about requests still under way
        fence_passed = self._client.venue_clock.surely_past(order.sent_ms + RECV_WINDOW_MS + READ_LAG_MARGIN_MS)
        try:
            report = await self.reader.fetch_order(order.symbol, client_order_id=order.client_order_id)
        except VenueError as error:
            if error.outcome.verdict is not Verdict.NOT_FOUND:
                raise
            if fence_passed and order.state is OrderState.UNKNOWN:
                note = "the venue never accepted it, and can't any more"
                return self.ledger.mark(order.client_order_id, OrderEvent.REJECTED, note=note)
            return order
        if not book(self.ledger, report):
            await self._fetch_missing_fills(report)
        return self.ledger.order(order.client_order_id) or order

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
        new = [fill for fill in fills if not self.ledger.has_fill(symbol, fill.trade_id)]
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

    def _note(self, error: Exception) -> None:
        self._counts["errors"] += 1
        self._last_error = str(error)
        LOG.warning("%s", error)

    def get_health(self) -> ComponentHealth:
        """Can orders be sent? `metrics`: counts since the start, the venue's limits as last heard, clock offset."""
        quiet = self._client.budget.quiet_for_s()
        unknown = sum(1 for order in self.ledger.unsettled() if order.state is OrderState.UNKNOWN)
        return ComponentHealth(
            status=ComponentStatus.DEGRADED if quiet or unknown else ComponentStatus.HEALTHY,
            last_activity=None if self._last_ok_ms is None else iso(self._last_ok_ms),
            error_count=self._counts["errors"],
            metrics={
                **self._counts,
                "unknown_now": unknown,
                "last_error": self._last_error,
                "requests": self._client.requests_sent,
                "used_weight": self._client.budget.used_weight,
                "quiet_for_s": round(quiet, 1),
                "clock_offset_ms": self._client.venue_clock.now_ms() - self._clock.now_ms(),
            },
        )
