"""What the simulated worlds have found, each as a small test of its own."""

import asyncio
from decimal import Decimal
from pathlib import Path

import msgspec
import pytest

from execution.exchange.booking import book
from execution.exchange.classify import BadReply
from execution.exchange.reconciliation import open_books, reconcile
from execution.exchange.translate import OrderReport
from execution.ledger.store import Ledger
from execution.runtime import steps
from execution.runtime.clock import ManualClock
from execution.runtime.sqlite import DatabaseError
from execution.vocabulary.order_states import OrderEvent, OrderState
from execution.vocabulary.orders import Balance
from tests.exchange.world import world
from tests.ledger.builders import BTC, fill, request
from tests.simulation.world import SimWorld


def test_an_order_that_has_left_is_not_forgotten_when_the_disk_refuses_a_later_commit(tmp_path: Path) -> None:
    ledger = Ledger(tmp_path / "ledger.db", "live", ManualClock())
    order = ledger.record_intent(request())
    ledger.mark(order, OrderEvent.SENT)

    def refuse(step: str) -> None:
        if step == "order written":
            raise DatabaseError("disk I/O error")

    steps.listen(refuse)
    try:
        with pytest.raises(DatabaseError):
            ledger.mark(order, OrderEvent.ACKNOWLEDGED, "1")
    finally:
        steps.listen(None)
    assert ledger.mark(order, OrderEvent.PARTLY_FILLED, "1").state is OrderState.PARTIALLY_FILLED
    ledger.close()


def test_books_are_opened_once_when_two_look_at_a_new_account_side_by_side(tmp_path: Path) -> None:
    async def scenario() -> None:
        async with world(tmp_path, ready=False) as here:
            await here.gateway.load_rules()
            await asyncio.gather(*(open_books(here.gateway, here.ledger) for _ in range(3)))
            assert here.books() == await here.venue_balances()

    asyncio.run(scenario())


def test_a_time_that_cannot_be_read_is_an_answer_that_cannot_be_read(tmp_path: Path) -> None:
    async def scenario() -> None:
        async with world(tmp_path) as here:
            garbages: tuple[object, ...] = (None, [], "ok", {"serverTime": "soon"})
            for garbage in garbages:

                async def call(method: str, parameters: object = None, told: object = garbage) -> object:
                    return told

                here.client.call = call  # type: ignore[method-assign]
                with pytest.raises(BadReply):
                    await here.client.synchronise_clock()

    asyncio.run(scenario())


def test_an_order_is_never_dated_by_our_wall_clock(tmp_path: Path) -> None:
    """Dated an hour ahead it would be of unknown fate for an hour, and its symbol blocked as long."""

    async def scenario() -> None:
        async with world(tmp_path) as here:
            request = await here.order()
            here.client.venue_clock.forget()
            here.clock.wall_s += 3600
            outcome = await here.gateway.place(request)
            assert outcome.state is OrderState.FILLED and here.client.venue_clock.synchronised
            here.client.venue_clock.forget()
            await here.venue.stop()
            outcome = await here.gateway.place(request)
            assert outcome.client_order_id is None and "venue's time isn't known" in str(outcome.refusal)

    asyncio.run(scenario())


def test_what_a_stop_sells_is_never_accepted_as_somebodys_money() -> None:
    """Money is paid in all the time and a person accepts it, while stops go off and the venue tells late."""
    accepted = 0
    for seed in range(20, 26):
        here = SimWorld(seed)
        here.weather.people = [(at_s, "pays_in") for at_s in range(3, 40, 2)]
        here.weather.guarded, here.weather.lag_ms, here.venue.lag_ms = True, 1000, 1000
        judged = here.run()
        assert judged.findings == [], f"seed {seed}"
        accepted += sum("accepted what differed" in line for line in judged.trace)
    assert accepted


def test_a_strangers_trade_from_before_the_books_is_in_what_they_were_opened_with(tmp_path: Path) -> None:
    """The account's stream may tell it before the books are opened, or long after."""
    ledger = Ledger(tmp_path / "ledger.db", "live", ManualClock())

    def told(trade_id: int) -> bool:
        one = msgspec.structs.replace(fill(trade_id, None), trade_id=str(trade_id))
        report = OrderReport(BTC, one.venue_order_id, "web_1", OrderEvent.FILLED_IN_FULL, one.quantity, [one])
        return book(ledger, report) and ledger.has_fill(BTC, one.trade_id)

    assert not told(9)
    ledger.open_books({"USDT": Decimal(1000)}, {BTC: "9"}, 1)
    assert (told(8), told(9), told(10), told(11)) == (False, False, True, True)
    ledger.close()


def test_books_are_not_opened_while_the_account_moves(tmp_path: Path) -> None:
    async def scenario() -> None:
        async with world(tmp_path, ready=False) as here:
            await here.gateway.load_rules()
            really = here.gateway.fetch_balances
            reads = iter(range(100))

            async def moving() -> dict[str, Balance]:
                return {**await really(), "BNB": Balance("BNB", Decimal(next(reads)), Decimal(0))}

            here.gateway.fetch_balances = moving  # type: ignore[method-assign]
            with pytest.raises(BadReply, match="can't be opened yet"):
                await open_books(here.gateway, here.ledger)
            assert here.ledger.opened_ms is None

    asyncio.run(scenario())


def test_who_never_heard_the_rules_asks_for_them_before_anything_is_taken_for_money_from_elsewhere(
    tmp_path: Path,
) -> None:
    async def scenario() -> None:
        async with world(tmp_path, ready=False) as here:
            here.gateway.symbols = ()
            assert not here.gateway.rules
            await reconcile(here.gateway, here.ledger, adopt=True)
            assert "BTC/USDT" in here.gateway.symbols_of_interest()

    asyncio.run(scenario())
    assert SimWorld(22427).run().findings == []
