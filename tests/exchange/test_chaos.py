"""A venue that misbehaves at random, by seed: whatever is lost, nothing is bought twice and nothing is forgotten."""

import asyncio
import random
from collections import Counter
from decimal import Decimal
from pathlib import Path

import pytest

from execution.exchange.classify import BadReply, VenueError
from execution.venue.faults import Fault, Faults
from execution.vocabulary.money import floor_to_step
from execution.vocabulary.order_states import OrderState
from execution.vocabulary.orders import Side
from tests.exchange.proxy import Loses
from tests.exchange.world import BTC, ETH, SYMBOLS, World, world

RATES = {
    Fault.REFUSE_504: 0.06,
    Fault.EXECUTE_504: 0.06,
    Fault.CUT: 0.06,
    Fault.EXECUTE_CUT: 0.06,
    Fault.DELAY: 0.03,
    Fault.LATE_REPLY: 0.03,
}


@pytest.mark.parametrize("seed", range(5))
def test_nothing_is_bought_twice_and_nothing_is_forgotten(tmp_path: Path, seed: int) -> None:
    async def scenario() -> None:
        chance = random.Random(seed)
        faults = Faults(seed, {}, delay_s=0.01)
        async with world(tmp_path, faults=faults) as here:
            faults._rates = dict(RATES)
            for _ in range(40):
                await one_step(here, chance)
            faults._rates = {}
            here.proxy.loses = Loses.NOTHING
            here.clock.ahead_s += 7
            await here.reconcile()
            for order in here.ledger.unsettled():  # what still rests could be filled while we compare
                await here.gateway.cancel(order.client_order_id)
            result = await here.reconcile()
            assert (result.differences, result.unknown_orders) == ([], 0)
            assert here.books() == await here.venue_balances()
            await assert_the_venue_agrees(here)
            assert faults.happened

    asyncio.run(scenario())


async def one_step(here: World, chance: random.Random) -> None:
    """One thing a trader, a person or a machine might do."""
    try:
        draw = chance.random()
        if draw < 0.08:
            await here.restart()
        elif draw < 0.25:
            await here.reconcile()
        elif draw < 0.35:
            here.clock.ahead_s += 3
        elif draw < 0.45:
            for order in here.ledger.unsettled():
                if order.state is OrderState.OPEN:
                    await here.gateway.cancel(order.client_order_id)
        else:
            await trade(here, chance, chance.choice(SYMBOLS))
    except (VenueError, BadReply):
        pass  # asked again in a later step


async def trade(here: World, chance: random.Random, symbol: str) -> None:
    step = here.gateway.rules[symbol].lot_step
    held = here.ledger.positions().get(symbol)
    if held and chance.random() < 0.4:
        await here.gateway.place(await here.order(Side.SELL, str(floor_to_step(held.quantity / 2, step)), symbol))
        return
    quantity = floor_to_step(Decimal(chance.randint(20, 200)) / (40_000 if symbol == BTC else 2_000), step)
    request = await here.order(Side.BUY, str(quantity), symbol)
    if chance.random() < 0.3:
        price = floor_to_step(request.reference_price * Decimal("0.999"), here.gateway.rules[symbol].price_tick)
        request = await here.order(Side.BUY, str(quantity), symbol, price)
    await here.gateway.place(request)


async def assert_the_venue_agrees(here: World) -> None:
    """Order by order and trade by trade, from the venue's own lists."""
    for symbol in (BTC, ETH):
        rows = await here.client.call("privateGetAllOrders", {"symbol": symbol.replace("/", "")})
        counted = Counter(row["clientOrderId"] for row in rows)
        assert all(count == 1 for count in counted.values())
        ours = {order.client_order_id: order for order in here.ledger.orders(limit=1000) if order.symbol == symbol}
        assert counted.keys() <= ours.keys()
        for row in rows:
            assert Decimal(row["executedQty"]) == ours[row["clientOrderId"]].filled
        for missing in ours.keys() - counted.keys():
            assert ours[missing].state is OrderState.REJECTED
        trades = await here.gateway.reader.fetch_trades(symbol, from_id="0")
        assert all(here.ledger.has_fill(symbol, fill.trade_id) for fill in trades)
