"""What the simulated worlds have found, each as a small test of its own."""

import asyncio
from pathlib import Path

import pytest

from execution.exchange.classify import BadReply
from execution.exchange.reconciliation import open_books
from execution.ledger.store import Ledger
from execution.runtime import steps
from execution.runtime.clock import ManualClock
from execution.runtime.sqlite import DatabaseError
from execution.vocabulary.order_states import OrderEvent, OrderState
from tests.exchange.world import world
from tests.ledger.builders import request


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
