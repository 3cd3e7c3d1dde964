"""The one way an order leaves: risk gate, durable intent, one request, never repeated.

An answer that isn't clear makes the order UNKNOWN; it stays so, its exposure reserved, until the venue tells what
became of it. "No such order" counts only after the venue could no longer accept the request. Takes no decisions.
"""

import logging
from collections.abc import Callable, Sequence

import msgspec

from execution.exchange import translate
from execution.exchange.booking import book
from execution.exchange.classify import BadReply, Outcome, VenueError, Verdict
from execution.exchange.client import VenueClient
from execution.exchange.evidence import VenueEvidence
from execution.exchange.loss_record import LossRecord
from execution.exchange.probe import OrderPathProbe
from execution.exchange.rate_budget import Priority
from execution.exchange.risk_facts import RiskRecord
from execution.exchange.risk_gate import check
from execution.exchange.risk_numbers import numbers
from execution.exchange.venue_reader import VenueReader
from execution.ledger.rows import base36
from execution.ledger.store import Ledger
from execution.runtime.clock import Clock, iso
from execution.runtime.settings import RiskConfig
from execution.runtime.steps import reached
from execution.vocabulary.health import ComponentHealth, ComponentStatus
from execution.vocabulary.market import Candle, Quote, SymbolRules
from execution.vocabulary.modes import TradeMode
from execution.vocabulary.order_states import OrderEvent, OrderState
from execution.vocabulary.orders import Balance, Fill, OrderOutcome, OrderRequest, OrderRow, Purpose
from execution.vocabulary.reasons import NoTradeReason

LOG = logging.getLogger("nae.gateway")
EXTERNAL_ORDERS_EVERY = 12  # asking for all open orders is dear


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
        on_step: Callable[[str], None] = reached,
        currency: str = "USDT",
    ) -> None:
        self.reader = VenueReader(client, symbols)
        self.ledger = ledger
        self.limits = limits
        self._client = client
        self._clock = clock
        self._trade_mode = trade_mode
        self._quote = quote
        self._may_send = may_send
        self._on_step = on_step  # hears the durable steps of an order's life
        self.losses = LossRecord(ledger, limits, currency, quote, self.venue_now_ms, clock.monotonic)
        self._record = RiskRecord(ledger, clock, self.losses, self.venue_now_ms)
        self.in_flight: set[str] = set()
        self.evidence = VenueEvidence(client, self.reader, ledger, self.in_flight)
        self._probe = OrderPathProbe(client, quote, base36(ledger.epoch))
        self.rules: dict[str, SymbolRules] = {}
        self.symbols = tuple(symbols)
        self._external: list[str] = []
        self._external_turn = 0
        self._counts = dict.fromkeys(("placed", "refused", "rejected", "unknown", "errors"), 0)
        self._last_error = ""
        self._last_ok_ms: int | None = None

    # reading

    async def load_rules(self) -> dict[str, SymbolRules]:
        """The venue's rules by symbol; remembered for the checks before an order, and for what counts as dust. Those
        known stay while this minute's requests are wanted for more urgent questions."""
        if not self.rules or self._client.spare():
            self.know_rules(await self.reader.load_rules())
        return self.rules

    def know_rules(self, rules: dict[str, SymbolRules]) -> None:
        """Take rules that somebody has just loaded."""
        self.rules = rules
        self.ledger.set_lot_steps({symbol: row.lot_step for symbol, row in rules.items()})

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

    def forget_time(self) -> None:
        """Our clocks have jumped: ask the venue for its time before anything is signed again."""
        self._client.venue_clock.forget()

    def quiet_for_s(self) -> float:
        """How long the venue wants to hear nothing from us; 0 when it may be asked."""
        return self._client.budget.quiet_for_s()

    def ask_for_strangers_later(self) -> None:
        """As if it had just been asked for them: who takes an account over has more urgent questions."""
        self._external_turn = 1

    async def find_external_orders(self) -> list[str]:
        """Open orders on the account that aren't ours, as "BTCUSDT their-id". Not asked each time."""
        if not self._client.spare():
            return self._external
        self._external_turn += 1
        if self._external_turn % EXTERNAL_ORDERS_EVERY != 1:
            return self._external
        rows = await self.reader.fetch_open_orders()
        self._external = [f"{symbol} {order}" for symbol, order in rows if self.ledger.order(order) is None]
        return self._external

    # orders

    async def place(self, request: OrderRequest) -> OrderOutcome:
        """Check, write the intent durably, send once. A refusal is an outcome, not an error.

        Raises sqlite's DatabaseError when the intent can't be made durable: then nothing was sent.
        """
        untimed = await self._learn_time()
        facts = self._record.facts(request, self.rules.get(request.symbol), self._quote)
        refusal = check(request, facts, self.limits) or self._may_send() or untimed
        if refusal is None and self._trade_mode is TradeMode.DRY_RUN:
            refusal = NoTradeReason.DRY_RUN
        if refusal is None:
            refusal = self._no_room_for(request)
        if refusal is not None:
            self._counts["refused"] += 1
            return OrderOutcome(None, None, [], refusal, numbers(request, facts, self.limits))
        sent_ms = self._client.venue_clock.now_ms()
        client_order_id = self.ledger.record_intent(request, sent_ms=sent_ms)
        self._record.sent(request)
        self._on_step("intent_durable")
        self.in_flight.add(client_order_id)
        try:
            outcome = await self._send(request, client_order_id, sent_ms)
            return msgspec.structs.replace(outcome, checked=numbers(request, facts, self.limits))
        finally:
            self.in_flight.discard(client_order_id)
            self._leave_no_loose_end(client_order_id)

    def _no_room_for(self, request: OrderRequest) -> str | None:
        """Why the venue's limits on asking leave no room for this order, if so. The end of a minute is for exits."""
        if quiet := self.quiet_for_s():
            return f"the venue wants to hear nothing for {quiet:.0f} s"
        entry = request.purpose is Purpose.ENTRY
        if self._client.budget.may(Priority.ENTRY if entry else Priority.EXIT, self.venue_now_ms()) or not entry:
            return None
        return "what is left of this minute's requests is for exits"

    async def _learn_time(self) -> str | None:
        """An order carries the venue's time, never our wall clock's: one dated an hour ahead by mistake could be
        accepted for an hour, and its fate be unknown for as long. Why nothing may be sent, if the venue won't tell."""
        if self._client.venue_clock.synchronised or self._trade_mode is TradeMode.DRY_RUN:
            return None
        try:
            await self._client.synchronise_clock()
        except (VenueError, BadReply) as error:
            return f"the venue's time isn't known: {error}"
        return None

    async def _send(self, request: OrderRequest, client_order_id: str, sent_ms: int) -> OrderOutcome:
        self.ledger.mark(client_order_id, OrderEvent.SENT)
        self._counts["placed"] += 1
        try:
            parameters = translate.order_parameters(request, client_order_id, sent_ms)
            self._on_step("leaving")
            reply = await self._client.call("privatePostOrder", parameters)
            self._on_step("reply_read")
            report = translate.order_report_of(reply, request.symbol)
        except VenueError as error:
            return self._failed(client_order_id, error.outcome)
        except BadReply as error:
            return self._unknown(client_order_id, str(error))
        fills = report.fills
        if not book(self.ledger, report):
            fills = await self.evidence.fetch_missing_fills(report)
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
            return await self.evidence.look_up(order)  # it isn't open: filled, or cancelled already
        if not book(self.ledger, report):
            await self.evidence.fetch_missing_fills(report)
        return self.ledger.order(client_order_id) or order

    def loss_limit_reached(self) -> str:
        """Take in what the account is worth now; the loss limit it has reached, "" when none. DatabaseError."""
        return self.losses.look()

    def accept_losses(self) -> None:
        """A person re-arms: what was lost so far is measured against no limit any more."""
        self.losses.begin_anew()

    async def probe(self, number: int) -> str | None:
        """Try the order path without an order; None when the venue accepted it, else why not. Never raises for the
        venue. Under the same lease as an order; no row in the ledger."""
        refusal = self._may_send()
        if refusal is None and self._trade_mode is TradeMode.DRY_RUN:
            refusal = NoTradeReason.DRY_RUN
        return refusal if refusal is not None else await self._probe.send(number, self.rules)

    # what became of orders

    async def fresh_clock(self) -> None:
        """Know the venue's time well enough to judge by it. VenueError when it doesn't tell."""
        await self.evidence.fresh_clock()

    async def settle_unknown(self) -> list[OrderRow]:
        """Ask the venue about every order whose fate is unknown; those it could tell. Never raises for the venue."""
        return await self.evidence.settle_unknown()

    async def fetch_new_fills(self, symbol: str) -> list[Fill]:
        """Trades of the account we didn't know, booked. VenueError, BadReply."""
        return await self.evidence.fetch_new_fills(symbol)

    def get_health(self) -> ComponentHealth:
        """Can orders be sent? `metrics`: counts since the start, the venue's limits as last heard, clock offset."""
        quiet, strange = self.quiet_for_s(), self._client.strange_codes
        unknown = sum(1 for order in self.ledger.unsettled() if order.state is OrderState.UNKNOWN)
        return ComponentHealth(
            status=ComponentStatus.DEGRADED if quiet or unknown or strange else ComponentStatus.HEALTHY,
            last_activity=None if self._last_ok_ms is None else iso(self._last_ok_ms),
            error_count=self._counts["errors"] + self.evidence.error_count,
            metrics={
                **self._counts,
                "unknown_now": unknown,
                "last_error": self._last_error or self.evidence.last_error,
                "strange_codes": sorted(strange.values()),
                "requests": self._client.requests_sent,
                "probes": self._probe.sent,
                "probe_errors": self._probe.errors,
                "used_weight": self._client.used_weight(),
                "quiet_for_s": round(quiet, 1),
                "clock_offset_ms": self._client.venue_clock.now_ms() - self._clock.now_ms(),
            },
        )
