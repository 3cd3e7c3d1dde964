"""The classic wrong ways to send an order, each put in place of ours on purpose: the worlds must see every one."""

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from dataclasses import dataclass
from typing import Any
from unittest import mock

import msgspec

from execution.exchange import booking, evidence, translate, user_stream
from execution.exchange import gateway as gateways
from execution.exchange.booking import book, find_order
from execution.exchange.classify import BadReply, VenueError, Verdict
from execution.exchange.evidence import VenueEvidence
from execution.exchange.gateway import ExchangeGateway
from execution.exchange.risk_facts import RiskRecord
from execution.exchange.risk_gate import check
from execution.ledger.facts import Facts
from execution.ledger.money_table import MoneyTable
from execution.ledger.store import Ledger
from execution.vocabulary.money import ZERO
from execution.vocabulary.order_states import OrderEvent, OrderState
from execution.vocabulary.orders import Fill, OrderOutcome, OrderRequest, OrderRow
from tests.simulation.weather import Fate
from tests.simulation.world import Judged, SimWorld


class RetriesTheSameId(ExchangeGateway):
    """An unclear answer is asked for again: the same order, under the same id."""

    async def _send(self, request: OrderRequest, client_order_id: str, sent_ms: int) -> OrderOutcome:
        outcome = await super()._send(request, client_order_id, sent_ms)
        if outcome.state is OrderState.UNKNOWN:
            again = translate.order_parameters(request, client_order_id, self._client.venue_clock.now_ms())
            try:
                reply = await self._client.call("privatePostOrder", again)
                book(self.ledger, translate.order_report_of(reply, request.symbol))
            except (VenueError, BadReply):
                pass
        return outcome


class RetriesWithANewId(ExchangeGateway):
    """An unclear answer is no answer: the order is given up, and another one sent in its place."""

    async def _send(self, request: OrderRequest, client_order_id: str, sent_ms: int) -> OrderOutcome:
        outcome = await super()._send(request, client_order_id, sent_ms)
        if outcome.state is OrderState.UNKNOWN:
            self.ledger.mark(client_order_id, OrderEvent.REJECTED, note="no answer: tried again")
            now_ms = self._client.venue_clock.now_ms()
            return await super()._send(request, self.ledger.record_intent(request, sent_ms=now_ms), now_ms)
        return outcome


class PlacesThenCommits(ExchangeGateway):
    """The order is written down once the venue has answered."""

    async def place(self, request: OrderRequest) -> OrderOutcome:
        await self._learn_time()
        facts = self._record.facts(request, self.rules.get(request.symbol), self._quote)
        refusal = check(request, facts, self.limits) or self._may_send()
        if refusal is not None:
            return OrderOutcome(None, None, [], refusal)
        sent_ms = self._client.venue_clock.now_ms()
        name = f"late-{self.ledger.epoch}-{self._client.requests_sent}"
        reply = await self._client.call("privatePostOrder", translate.order_parameters(request, name, sent_ms))
        report = translate.order_report_of(reply, request.symbol)
        self.ledger.record_intent(request, name, sent_ms)
        self.ledger.mark(name, OrderEvent.SENT)
        book(self.ledger, report)
        return OrderOutcome(name, None, report.fills, None)


class _Probing(VenueEvidence):
    """ "No such order", often enough, is taken for the truth."""

    probes = 5

    async def look_up(self, order: OrderRow) -> OrderRow:
        for _ in range(self.probes):
            try:
                await self.reader.fetch_order(order.symbol, client_order_id=order.client_order_id)
                return await super().look_up(order)
            except VenueError as error:
                if error.outcome.verdict is not Verdict.NOT_FOUND or order.state is not OrderState.UNKNOWN:
                    raise
            await self._client.budget.clock.sleep(0.2)
        return self.ledger.mark(order.client_order_id, OrderEvent.REJECTED, note="never found")


class _ProbingOnce(_Probing):
    probes = 1


class ProbesThenRejects(ExchangeGateway):
    """What isn't found a few times is taken as rejected."""

    kind: type[_Probing] = _Probing

    def __init__(self, *parts: Any, **named: Any) -> None:
        super().__init__(*parts, **named)
        self.evidence = self.kind(self._client, self.reader, self.ledger, self.in_flight)


class NotFoundIsFinal(ProbesThenRejects):
    """What isn't found once is taken as rejected."""

    kind = _ProbingOnce


@contextmanager
def fills_by_every_word() -> Iterator[None]:
    """A fill that is told twice is booked twice."""
    once = MoneyTable.insert_fill

    def insert(self: MoneyTable, fill: Fill) -> bool:
        while not once(self, fill):
            fill = msgspec.structs.replace(fill, trade_id=f"{fill.trade_id}0")
        return True

    with mock.patch.object(MoneyTable, "insert_fill", insert):
        yield


@contextmanager
def unknown_is_nothing() -> Iterator[None]:
    """What is of unknown fate isn't counted against the limits."""

    def unsettled(self: Ledger) -> list[OrderRow]:
        return [order for order in self._orders.unsettled() if order.state is not OrderState.UNKNOWN]

    counted = RiskRecord.facts

    def facts(self: RiskRecord, *parts: Any) -> Any:
        with (
            mock.patch.object(Ledger, "unsettled", unsettled),
            mock.patch.object(Ledger, "reserved_exposure", lambda self: ZERO),
        ):
            return counted(self, *parts)

    with mock.patch.object(RiskRecord, "facts", facts):
        yield


@contextmanager
def anybody_writes() -> Iterator[None]:
    """Who was overtaken goes on writing."""
    with mock.patch.object(Facts, "expect", lambda self, name, wanted: None):
        yield


@contextmanager
def settled_by_status() -> Iterator[None]:
    """What the venue calls finished is finished, its fills known or not."""

    def careless(ledger: Ledger, report: translate.OrderReport) -> bool:
        order = find_order(ledger, report)
        told = book(ledger, report)
        if not told and order is not None and report.event not in (OrderEvent.PARTLY_FILLED, OrderEvent.ACKNOWLEDGED):
            ledger.mark(order.client_order_id, report.event, report.venue_order_id)
            return True
        return told

    with (
        mock.patch.object(gateways, "book", careless),
        mock.patch.object(evidence, "book", careless),
        mock.patch.object(user_stream, "book", careless),
    ):
        yield


@contextmanager
def signals_forgotten() -> Iterator[None]:
    """A restarted trader doesn't know which signals it has acted on."""
    fresh = RiskRecord.__init__

    def begin(self: RiskRecord, *parts: Any) -> None:
        fresh(self, *parts)
        self._signals.clear()

    with mock.patch.object(RiskRecord, "__init__", begin):
        yield


@dataclass(frozen=True)
class WrongPolicy:
    """One, and after how many worlds at most it must have been seen."""

    name: str
    within: int
    gateway: type[ExchangeGateway] = ExchangeGateway
    put_in: Callable[[], AbstractContextManager[None]] = nullcontext
    fates: dict[Fate, float] | None = None  # a line that shows it soon


MUCH_HELD = {Fate.SOUND: 0.6, Fate.LATER: 0.3, Fate.HELD: 0.1}
WRONG_POLICIES = (
    WrongPolicy("retry on time-out, same id", 60, RetriesTheSameId),
    WrongPolicy("retry on time-out, new id", 60, RetriesWithANewId),
    WrongPolicy("place, then commit", 20, PlacesThenCommits),
    WrongPolicy("probe, then reject", 100, ProbesThenRejects, fates=MUCH_HELD),
    WrongPolicy("not found is final at once", 60, NotFoundIsFinal, fates=MUCH_HELD),
    WrongPolicy("fills by every word", 20, put_in=fills_by_every_word),
    WrongPolicy("unknown is nothing", 100, put_in=unknown_is_nothing),
    WrongPolicy("anybody writes", 200, put_in=anybody_writes),
    WrongPolicy("settled by status", 200, put_in=settled_by_status),
    WrongPolicy("signals forgotten", 100, put_in=signals_forgotten),
)


FIRST = 20_000


def first_seen(policy: WrongPolicy, seed: int = FIRST) -> tuple[int, Judged] | None:
    """After how many worlds it was seen, and what was seen; None: it wasn't."""
    with policy.put_in():
        for number in range(policy.within):
            world = SimWorld(seed + number, policy.gateway)
            world.weather.fates = policy.fates or world.weather.fates
            verdict = world.run()
            if any(not finding.startswith("unforeseen") for finding in verdict.findings):
                return number + 1, verdict
    return None


assert booking.book is book, "what is put in place of it is put where it is used"
