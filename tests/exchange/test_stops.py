"""A stop that stands at the venue is an order like any other: one intent, found again, and known to be gone when it is,
without a request of its own as long as the balances say that it stands."""

import asyncio
from decimal import Decimal
from pathlib import Path

import pytest

from execution.ledger.queries import account_report
from execution.venue.faults import Fault, Faults, Rule
from execution.vocabulary.money import floor_to_step
from execution.vocabulary.order_states import OrderState
from execution.vocabulary.orders import Balance, OrderRequest, OrderRow, OrderType, Purpose, Side
from tests.exchange.world import BTC, World, world
from tests.support import eventually_async

ORDER = b"GET /api/v3/order"


async def guarded(here: World, below: str = "0.9") -> OrderRow:
    """Something held, and its stop, `below` the price."""
    assert (await here.gateway.place(await here.order(quantity="0.01"))).fills
    rules = here.gateway.rules[BTC]
    held = floor_to_step(here.ledger.positions()[BTC].quantity, rules.lot_step)
    stop = floor_to_step(here.quotes[BTC].bid * Decimal(below), rules.price_tick)
    request = OrderRequest(BTC, Side.SELL, OrderType.STOP_LOSS, held, stop, Purpose.EXIT, "trend", "stop_loss", 0)
    outcome = await here.gateway.place(request)
    assert outcome.state is OrderState.OPEN and outcome.client_order_id is not None
    order = here.ledger.order(outcome.client_order_id)
    assert order is not None and order.guards
    return order


async def state_of(here: World, order: OrderRow) -> OrderState:
    assert (await here.reconcile()).reconciled
    found = here.ledger.order(order.client_order_id)
    assert found is not None
    return found.state


def test_a_standing_stop_costs_no_question_and_isnt_an_open_order_of_the_report(tmp_path: Path) -> None:
    async def scenario() -> None:
        async with world(tmp_path) as here:
            order = await guarded(here)
            asked = here.proxy.count(ORDER)
            for _ in range(3):
                assert await state_of(here, order) is OrderState.OPEN
            assert here.proxy.count(ORDER) == asked
            report = account_report(here.ledger.path)
            assert (report.open_orders, report.protective_exits) == (0, 1)

    asyncio.run(scenario())


def test_a_stop_that_somebody_cancelled_unheard_is_found_out_by_the_balances(tmp_path: Path) -> None:
    async def scenario() -> None:
        async with world(tmp_path) as here:
            order = await guarded(here)
            parameters = {"symbol": "BTCUSDT", "origClientOrderId": order.client_order_id}
            await here.client.call("privateDeleteOrder", parameters)
            assert await state_of(here, order) is OrderState.CANCELED
            assert account_report(here.ledger.path).protective_exits == 0

    asyncio.run(scenario())


def test_while_a_stop_stands_no_sale_passes_the_gate_and_after_its_cancel_one_does(tmp_path: Path) -> None:
    async def scenario() -> None:
        async with world(tmp_path) as here:
            order = await guarded(here)
            refused = await here.gateway.place(await here.order(Side.SELL, str(order.quantity)))
            assert "being sold already" in (refused.refusal or "")
            assert (await here.gateway.cancel(order.client_order_id)).state is OrderState.CANCELED
            assert (await here.gateway.place(await here.order(Side.SELL, str(order.quantity)))).fills
            assert (await here.reconcile()).reconciled

    asyncio.run(scenario())


def test_a_stop_survives_a_restart_and_the_next_process_knows_it(tmp_path: Path) -> None:
    async def scenario() -> None:
        async with world(tmp_path) as here:
            order = await guarded(here)
            await here.restart()
            assert (await here.reconcile()).reconciled
            assert [row.client_order_id for row in here.ledger.unsettled() if row.guards] == [order.client_order_id]

    asyncio.run(scenario())


# the venue doesn't know it any more


def lose(here: World, faults: Faults, *requests: str) -> None:
    """From now on the venue says "no such order" to these."""
    for request in requests:
        faults.add(Rule(Fault.ERROR_CODE, request, value=Decimal(-2013)))
    here.clock.ahead_s += 60


async def cancelled_unheard(here: World, order: OrderRow) -> None:
    parameters = {"symbol": "BTCUSDT", "origClientOrderId": order.client_order_id}
    await here.client.call("privateDeleteOrder", parameters)


@pytest.mark.parametrize("code", [-2013, -2026])
def test_a_stop_that_the_venue_knows_nowhere_any_more_keeps_nobody_from_selling(tmp_path: Path, code: int) -> None:
    async def scenario() -> None:
        faults = Faults()
        async with world(tmp_path, faults=faults) as here:
            order = await guarded(here)
            await cancelled_unheard(here, order)
            faults.add(Rule(Fault.ARCHIVE, value=Decimal("0.001")))
            here.clock.ahead_s += 60
            if code == -2013:
                lose(here, faults, "GET /api/v3/order")
            gone = await here.gateway.cancel(order.client_order_id)
            assert gone.state is OrderState.CANCELED and gone.note
            faults.remove()
            assert (await here.gateway.place(await here.order(Side.SELL, str(order.quantity)))).fills
            assert (await here.reconcile()).reconciled

    asyncio.run(scenario())


def test_a_lost_stop_is_found_out_by_reconciling_too(tmp_path: Path) -> None:
    async def scenario() -> None:
        faults = Faults()
        async with world(tmp_path, faults=faults) as here:
            order = await guarded(here)
            await cancelled_unheard(here, order)
            faults.add(Rule(Fault.ARCHIVE, value=Decimal("0.001")))
            lose(here, faults, "GET /api/v3/order")
            assert await state_of(here, order) is OrderState.CANCELED

    asyncio.run(scenario())


@pytest.mark.parametrize("hidden", ["open orders", "balances"])
def test_no_such_order_is_no_evidence_while_anything_else_shows_the_stop(tmp_path: Path, hidden: str) -> None:
    async def scenario() -> None:
        faults = Faults()
        async with world(tmp_path, faults=faults) as here:
            order, evidence = await guarded(here), here.gateway.evidence
            faults.add(Rule(Fault.READ_LAG, "GET /api/v3/order", value=Decimal(3600)))
            here.clock.ahead_s += 60
            await here.gateway.fresh_clock()
            if hidden == "open orders":
                faults.add(Rule(Fault.READ_LAG, "GET /api/v3/openOrders", value=Decimal(3600)))
            else:
                evidence.reader.fetch_balances = no_balances  # type: ignore[method-assign]
            assert (await evidence.look_up(order)).state is OrderState.OPEN
            faults.remove()
            assert await evidence.reader.fetch_open_orders() == [("BTCUSDT", order.client_order_id)]

    asyncio.run(scenario())


async def no_balances() -> dict[str, Balance]:
    return {}


def test_a_stop_the_venue_cannot_show_yet_is_left_alone_before_the_fence(tmp_path: Path) -> None:
    async def scenario() -> None:
        faults = Faults()
        async with world(tmp_path, faults=faults) as here:
            order = await guarded(here)
            await cancelled_unheard(here, order)
            faults.add(Rule(Fault.READ_LAG, value=Decimal(3600)))
            assert (await here.gateway.evidence.look_up(order)).state is OrderState.OPEN
            assert here.proxy.count(b"GET /api/v3/openOrders") <= 1

    asyncio.run(scenario())


def test_a_lost_stop_that_had_gone_off_is_filled_and_not_cancelled(tmp_path: Path) -> None:
    async def scenario() -> None:
        faults = Faults()
        async with world(tmp_path, faults=faults) as here:
            order = await guarded(here, below="0.9999")
            faults.add(Rule(Fault.SPIKE, "BTCUSDT", value=Decimal("-0.05")))
            reader = here.gateway.reader

            async def gone_off() -> bool:
                return not await reader.fetch_open_orders()

            await eventually_async(gone_off)
            faults.add(Rule(Fault.READ_LAG, "GET /api/v3/order", value=Decimal(36000)))
            here.clock.ahead_s += 60
            await here.gateway.fresh_clock()
            assert (await here.gateway.evidence.look_up(order)).state is OrderState.FILLED
            assert BTC not in here.ledger.positions()

    asyncio.run(scenario())
