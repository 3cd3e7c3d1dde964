"""New connections under a client that is at work: an order on its way ends where it was sent, once, and the next one
leaves on a new line."""

import asyncio
from decimal import Decimal
from pathlib import Path

from execution.exchange.fresh_line import close_later, with_fresh_line
from execution.runtime.clock import ManualClock
from execution.venue.fault_kinds import Fault
from execution.venue.faults import Faults, Rule
from execution.vocabulary.order_states import OrderState
from tests.exchange.world import world
from tests.support import eventually_async

LATE_S = Decimal("0.5")


def test_an_order_on_its_way_is_answered_and_the_next_one_leaves_on_a_new_line(tmp_path: Path) -> None:
    async def scene() -> None:
        faults = Faults()
        async with world(tmp_path, faults=faults) as here:
            request = await here.order()
            faults.add(Rule(Fault.LATE_REPLY, "POST /api/v3/order", value=LATE_S))
            placing = asyncio.ensure_future(here.gateway.place(request))
            await eventually_async(lambda: here.gateway.in_flight)
            old, made = with_fresh_line(here.client), here.proxy.connections
            assert here.client.session is not old.session and here.client.tcp_connector is not old.connector
            outcome = await placing
            assert outcome.state is OrderState.FILLED and len(outcome.fills) == 1, "nothing unknown, nothing twice"
            await close_later(old, ManualClock())
            assert old.session.closed and not here.client.session.closed
            again = await here.gateway.place(await here.order())
            assert again.state is OrderState.FILLED and here.proxy.connections > made
            assert (await here.reconcile()).reconciled and here.ledger.fills_count == 2

    asyncio.run(scene())


def test_a_client_that_has_asked_nothing_yet_has_no_old_line_to_give_back(tmp_path: Path) -> None:
    async def scene() -> None:
        async with world(tmp_path) as here:
            fresh = here.client.renewed()
            await close_later(with_fresh_line(fresh), ManualClock())
            await fresh.synchronise_clock()
            await fresh.drop()

    asyncio.run(scene())
