"""A market order becomes an immediate limit order where that was seen to be cheaper; never larger, never dearer."""

import asyncio
from decimal import Decimal
from pathlib import Path

import msgspec
from hypothesis import given
from hypothesis import strategies as st

from execution.learning.execution_quality import Quality
from execution.trading.order_feedback import as_immediate
from execution.vocabulary.orders import OrderRequest, OrderType, Purpose, Side
from tests.trading.world import World, rules_of

BTC = "BTC/USDT"


def entry(quantity: Decimal, price: Decimal) -> OrderRequest:
    return OrderRequest(BTC, Side.BUY, OrderType.MARKET, quantity, price, Purpose.ENTRY, "s", "why", 0)


prices = st.integers(1, 10**9).map(lambda ticks: ticks * Decimal("0.01"))
lots = st.integers(1, 10**9).map(lambda steps: steps * Decimal("0.00001"))


@given(lots, prices)
def test_it_is_worth_no_more_than_before_and_stands_on_tick_and_step(quantity: Decimal, price: Decimal) -> None:
    rules, before = rules_of(), entry(quantity, price)
    after = as_immediate(before, rules, "cheaper")
    assert after.value <= before.value and after.quantity <= before.quantity
    if after is before:
        return
    assert after.type is OrderType.LIMIT and after.immediate and after.limit_price is not None
    assert price <= after.limit_price <= price * Decimal("1.0005")
    assert after.limit_price % rules.price_tick == 0 and after.quantity % rules.lot_step == 0
    assert after.quantity * price >= rules.notional_min and "cheaper" in after.reason


def test_where_lots_are_coarse_no_entry_becomes_too_small_to_be_sold_again_at_its_stop(tmp_path: Path) -> None:
    async def run() -> None:
        world = World(tmp_path)
        await world.system.start()
        ask = world.market.quotes[BTC].ask
        coarse = msgspec.structs.replace(rules_of(), lot_step=Decimal("0.06"), lot_min=Decimal("0.06"))
        world.system.recovery.rules[BTC] = coarse
        assert world.system.lessons.quality(BTC, OrderType.MARKET) == Quality()
        world.system.lessons._put("execution", f"{BTC} market", Quality(orders=20, slippage=0.01, filled=1.0))
        feedback = world.system.assistants.execution._feedback
        assert feedback is not None
        small, large = entry(Decimal("0.12"), ask), entry(Decimal("6"), ask)
        assert {feedback.shaped(small).quantity for _ in range(8)} == {Decimal("0.12")}
        assert {feedback.shaped(large).type for _ in range(8)} == {OrderType.MARKET, OrderType.LIMIT}
        await world.system.stop()

    asyncio.run(run())


def test_where_market_orders_slip_one_entry_in_four_is_an_immediate_limit_and_exits_stay_as_they_are(
    tmp_path: Path,
) -> None:
    async def run() -> None:
        world = World(tmp_path)
        await world.system.start()
        execution = world.system.assistants.execution
        assert world.system.lessons.quality(BTC, OrderType.MARKET) == Quality()
        world.system.lessons._put("execution", f"{BTC} market", Quality(orders=20, slippage=0.01, filled=1.0))
        for _ in range(4):
            assert (await execution.execute(entry(Decimal("0.2"), world.market.quotes[BTC].ask))).fills
        kinds = [request.type for request in world.venue.placed]
        assert kinds == [OrderType.MARKET] * 3 + [OrderType.LIMIT]
        assert "a market order slips" in world.ledger.orders()[0].reason, "told with its numbers"
        assert world.system.lessons.quality(BTC, OrderType.LIMIT).orders == 1
        world.market.price(BTC, "90")
        await world.manager.check_exits()
        assert world.venue.placed[-1].type is OrderType.MARKET and world.ledger.positions() == {}
        await world.system.stop()

    asyncio.run(run())
