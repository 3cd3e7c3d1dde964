"""An order's life as a state machine whose steps come in any order: whatever is heard, lost, told twice, asked for,
refused by the disk or cut off by a restart, the ledger never claims more than the venue did, and in the end as much."""

import json
import random
import shutil
import tempfile
from decimal import Decimal
from pathlib import Path
from typing import Any

from hypothesis import HealthCheck, settings
from hypothesis.stateful import Bundle, RuleBasedStateMachine, consumes, initialize, invariant, multiple, rule
from hypothesis.strategies import booleans, integers, sampled_from

from execution.exchange import translate
from execution.exchange.booking import book
from execution.ledger.store import Ledger
from execution.runtime import steps
from execution.runtime.clock import ManualClock
from execution.runtime.sqlite import DatabaseError
from execution.vocabulary.money import ZERO
from execution.vocabulary.order_states import SETTLED, OrderEvent, OrderState
from execution.vocabulary.orders import OrderRequest, OrderType, Purpose, Side
from tests.simulation.door import Door
from tests.simulation.venue import Event, SimVenue
from tests.simulation.world import MEMORY
from tests.support import rounds

BTC, BTCUSDT = "BTC/USDT", "BTCUSDT"


class OrderLife(RuleBasedStateMachine):
    """The ledger and what books into it, against a venue that is told the truth."""

    orders: Bundle[str] = Bundle("orders")
    events: Bundle[Event] = Bundle("events")
    replies: Bundle[tuple[str, Any]] = Bundle("replies")

    @initialize(seed=integers(0, 10_000), fee_in=sampled_from(("received", "quote", "bnb")))
    def begin(self, seed: int, fee_in: str) -> None:
        self.folder = Path(tempfile.mkdtemp(prefix="nae-life-", dir=MEMORY if MEMORY.is_dir() else None))
        self.clock = ManualClock()
        self.venue = SimVenue(random.Random(seed), self.clock.now_ms, fee_in)
        self.door = Door(self.venue)
        self.told: list[Event] = []
        self.venue.publish = self.told.append
        self.ledger = Ledger(self.folder / "ledger.db", "live", self.clock)
        self.ledger.open_books(self.venue.totals(), {}, self.clock.now_ms())
        self.never_arrived: set[str] = set()

    def new_events(self) -> Any:
        """What the venue has said since, to be heard some time or never."""
        new, self.told[:] = list(self.told), []
        return multiple(*new)

    @rule(target=orders, rests=booleans(), side=sampled_from(Side), quantity=integers(1, 400))
    def decide(self, rests: bool, side: Side, quantity: int) -> str:
        bid, ask = self.venue.quote(BTCUSDT)
        request = OrderRequest(
            symbol=BTC,
            side=side,
            type=OrderType.LIMIT if rests else OrderType.MARKET,
            quantity=Decimal(quantity) / 10_000,
            reference_price=ask,
            purpose=Purpose.ENTRY,
            strategy="life",
            reason="signal",
            signal_bar_ms=0,
            limit_price=bid if rests else None,
        )
        now_ms = self.clock.now_ms()
        name = self.ledger.record_intent(request, sent_ms=now_ms)
        self.ledger.mark(name, OrderEvent.SENT)
        self.requests = {**getattr(self, "requests", {}), name: translate.order_parameters(request, name, now_ms)}
        return name

    @rule(target=replies, order=orders)
    def the_venue_gets_it(self, order: str) -> Any:
        if order not in self.requests or order in self.never_arrived:
            return multiple()
        words = {name: str(value) for name, value in self.requests.pop(order).items()}
        status, body = self.door.answer("POST", "/api/v3/order", words | {"recvWindow": "60000"})
        if status == 200:
            return (order, json.loads(body))
        self.never_arrived.add(order)
        self.ledger.mark(order, OrderEvent.REJECTED)
        return multiple()

    @rule(target=events)
    def it_speaks(self) -> Any:
        return self.new_events()

    @rule(steps_on=integers(1, 3))
    def the_market_moves(self, steps_on: int) -> None:
        for _ in range(steps_on):
            self.clock.advance(0.5)
            self.venue.move_market()

    @rule(order=orders)
    def somebody_cancels(self, order: str) -> None:
        self.door.answer("DELETE", "/api/v3/order", {"symbol": BTCUSDT, "origClientOrderId": order})

    @rule(reply=consumes(replies), refused=booleans())
    def the_reply_arrives(self, reply: tuple[str, Any], refused: bool) -> None:
        self.booked(translate.order_report_of(reply[1], BTC), refused)

    @rule(order=orders)
    def no_clear_answer(self, order: str) -> None:
        self.ledger.mark(order, OrderEvent.AMBIGUOUS)

    @rule(event=events, refused=booleans())
    def an_event_is_heard(self, event: Event, refused: bool) -> None:
        """Some twice, some never, some long after; the bundle keeps them."""
        self.booked(translate.execution_report_of(event, BTC), refused)

    @rule(order=orders)
    def it_is_asked_about(self, order: str) -> None:
        status, body = self.door.answer("GET", "/api/v3/order", {"symbol": BTCUSDT, "origClientOrderId": order})
        if status != 200:
            return
        report = translate.order_report_of(json.loads(body), BTC)
        if not book(self.ledger, report):
            words = {"symbol": BTCUSDT, "orderId": report.venue_order_id}
            rows = json.loads(self.door.answer("GET", "/api/v3/myTrades", words)[1])
            self.ledger.record_fills(translate.trades_of(rows, BTC))
            assert book(self.ledger, report)

    @rule(order=orders)
    def it_can_arrive_no_more(self, order: str) -> None:
        if order in self.requests:
            del self.requests[order]
            self.never_arrived.add(order)
            self.ledger.mark(order, OrderEvent.REJECTED)

    @rule()
    def the_trader_dies_and_comes_back(self) -> None:
        self.ledger.close()
        self.ledger = Ledger(self.ledger.path, "live", self.clock)

    def booked(self, report: translate.OrderReport, refused: bool) -> None:
        """Booked, unless the disk refuses: then memory is as before, and nothing is lost but this word."""
        before = (self.ledger.balances(), self.ledger.fills_count, self.ledger.unsettled())
        if not refused:
            book(self.ledger, report)
            return

        def refuse(step: str) -> None:
            raise DatabaseError("disk I/O error")

        steps.listen(refuse)
        try:
            book(self.ledger, report)
        except DatabaseError:
            assert before == (self.ledger.balances(), self.ledger.fills_count, self.ledger.unsettled())
        finally:
            steps.listen(None)

    @invariant()
    def nothing_is_claimed_that_did_not_happen(self) -> None:
        if not hasattr(self, "ledger"):
            return
        there = {order.client_id: order for order in self.venue.orders.values()}
        trades = {str(trade.trade_id) for trade in self.venue.trades.get(BTCUSDT, [])}
        fills = self.ledger.fills(limit=10_000)
        assert {fill.trade_id for fill in fills} <= trades and len(fills) == len({fill.trade_id for fill in fills})
        reserved = ZERO
        for order in self.ledger.orders(limit=10_000):
            now = self.ledger.order(order.client_order_id) or order
            executed = there[now.client_order_id].executed if now.client_order_id in there else ZERO
            assert now.filled <= executed
            assert now.filled == sum((f.quantity for f in fills if f.client_order_id == now.client_order_id), ZERO)
            if now.state in SETTLED and now.client_order_id not in self.never_arrived:
                venues = there[now.client_order_id]
                assert not venues.is_open and now.filled == executed, f"{now.state} too early"
            if now.state not in SETTLED and now.side is Side.BUY:
                reserved += now.remaining * (now.limit_price or now.reference_price)
        assert self.ledger.reserved_exposure() == reserved

    def teardown(self) -> None:
        """All is asked about: then both sides agree."""
        if not hasattr(self, "ledger"):
            return
        try:
            for order in self.venue.orders.values():
                self.it_is_asked_about(order.client_id)
                ours = self.ledger.order(order.client_id)
                assert ours is not None and ours.filled == order.executed
                assert ours.state.value == {"NEW": OrderState.OPEN.value}.get(order.status, order.status.lower())
            held = {asset: amount for asset, amount in self.venue.totals().items() if amount}
            assert {asset: amount for asset, amount in self.ledger.balances().items() if amount} == held
        finally:
            self.ledger.close()
            shutil.rmtree(self.folder)


OrderLife.TestCase.settings = settings(
    max_examples=25 * rounds(), stateful_step_count=40, deadline=None, suppress_health_check=list(HealthCheck)
)
TestOrderLife = OrderLife.TestCase
