"""A limit order that never rests, on the real venue: filled at once, in part or not at all, and then it is gone."""

import asyncio
from decimal import Decimal
from pathlib import Path

import msgspec

from execution.venue.faults import Fault, Faults, Rule
from execution.vocabulary.money import floor_to_step
from execution.vocabulary.order_states import OrderState
from execution.vocabulary.orders import OrderRequest
from tests.exchange.proxy import Loses
from tests.exchange.world import BTC, World, world
from tests.support import eventually_async

POST = b"POST /api/v3/order"


async def immediate(here: World, above: str, quantity: str = "0.001") -> OrderRequest:
    """A purchase at the ask times `above`."""
    request = await here.order(quantity=quantity)
    price = floor_to_step(here.quotes[BTC].ask * Decimal(above), here.gateway.rules[BTC].price_tick)
    return msgspec.structs.replace(
        await here.order(quantity=quantity, limit_price=price), immediate=True, signal_bar_ms=request.signal_bar_ms
    )


def test_it_is_filled_at_once_or_not_at_all_and_nothing_of_it_rests(tmp_path: Path) -> None:
    async def scenario() -> None:
        async with world(tmp_path) as here:
            done = await here.gateway.place(await immediate(here, "1.01"))
            assert done.state is OrderState.FILLED and done.fills
            request = msgspec.structs.replace(await immediate(here, "0.995"), signal_bar_ms=60_000)
            missed = await here.gateway.place(request)
            assert missed.state is OrderState.EXPIRED and missed.fills == []
            assert here.ledger.unsettled() == [] and here.ledger.reserved_exposure() == 0
            assert await here.gateway.reader.fetch_open_orders() == []
            assert (await here.reconcile()).reconciled and here.books() == await here.venue_balances()

    asyncio.run(scenario())


def test_what_the_book_has_is_taken_and_the_rest_is_gone(tmp_path: Path) -> None:
    async def scenario() -> None:
        thin = Faults(7)
        thin.add(Rule(Fault.DRIBBLE, value=Decimal("0.001")))
        async with world(tmp_path, faults=thin) as here:

            async def has_little() -> bool:
                best = await here.client.call("publicGetTickerBookTicker", {"symbol": "BTCUSDT"})
                return Decimal(best["askQty"]) < Decimal("0.005")

            await eventually_async(has_little)
            part = await here.gateway.place(await immediate(here, "1", "0.015"))
            assert part.refusal is None
            order = here.ledger.orders()[0]
            assert part.state is OrderState.EXPIRED and 0 < order.filled < order.quantity
            assert order.filled == sum(fill.quantity for fill in part.fills)
            assert here.ledger.unsettled() == [] and here.ledger.positions()[BTC].quantity > 0
            assert (await here.reconcile()).reconciled and here.books() == await here.venue_balances()

    asyncio.run(scenario())


def test_a_lost_reply_leaves_it_unknown_until_the_venue_has_told_and_it_is_bought_once(tmp_path: Path) -> None:
    async def scenario() -> None:
        async with world(tmp_path) as here:
            request = await immediate(here, "1.01")
            here.proxy.loses, here.proxy.match = Loses.REPLY, POST
            lost = await here.gateway.place(request)
            assert lost.state is OrderState.UNKNOWN
            assert here.ledger.reserved_exposure() == request.value, "its whole exposure stays reserved"
            here.proxy.loses = Loses.NOTHING
            assert (await here.reconcile()).reconciled
            assert here.ledger.orders()[0].state is OrderState.FILLED
            assert here.books() == await here.venue_balances() and here.proxy.count(POST) == 1

    asyncio.run(scenario())
