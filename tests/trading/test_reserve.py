"""What is put aside of the profit, and that nothing of it is ever spent on an entry."""

import asyncio
from decimal import Decimal
from pathlib import Path

from hypothesis import given
from hypothesis import strategies as st

from execution.ledger.store import Ledger
from execution.runtime.settings import TradingConfig
from execution.trading.reserve import Reserve, harvested
from execution.vocabulary.order_states import OrderEvent
from execution.vocabulary.orders import Side
from tests.ledger.builders import fill, request
from tests.trading.world import World, condition, jump

HARVEST = TradingConfig(reinvest="harvest")
ALL = TradingConfig(reinvest="harvest", harvest_share=Decimal(1))
HALF = Decimal("0.5")


def earned(ledger: Ledger, profit: int) -> None:
    """A finished round trip that brought so much, or lost it."""
    for side, price in ((Side.BUY, 1000), (Side.SELL, 1000 + profit)):
        trade = ledger.fills_count + 1
        order = ledger.record_intent(request(side, "1", str(price)))
        ledger.mark(order, OrderEvent.SENT)
        ledger.record_fill(fill(trade, order, side, "1", str(price), venue_order_id=str(trade)))


def held_back(world: World) -> Decimal:
    return world.system.reserve.look()


def test_the_first_look_puts_nothing_aside_and_each_new_high_a_share() -> None:
    first = harvested(None, Decimal(100), Decimal(1000), HALF)
    assert first == Reserve(Decimal(0), Decimal(100), Decimal(1000))
    higher = harvested(first, Decimal(140), Decimal(1000), HALF)
    assert (higher.amount, higher.mark) == (Decimal(20), Decimal(140))
    lower = harvested(higher, Decimal(90), Decimal(1000), HALF)
    assert (lower.amount, lower.mark) == (Decimal(20), Decimal(140))
    assert harvested(lower, Decimal(150), Decimal(1000), HALF).amount == Decimal(25)


def test_what_was_lost_before_must_be_won_back_first() -> None:
    begun = harvested(None, Decimal(-50), Decimal(1000), HALF)
    assert harvested(begun, Decimal(0), Decimal(1000), HALF).amount == 0
    assert harvested(begun, Decimal(10), Decimal(1000), HALF).amount == 5


def test_money_that_is_taken_out_comes_out_of_the_reserve_first() -> None:
    now = Reserve(Decimal(30), Decimal(60), Decimal(1000))
    assert harvested(now, Decimal(60), Decimal(990), HALF).amount == 20
    assert harvested(now, Decimal(60), Decimal(900), HALF).amount == 0
    assert harvested(now, Decimal(60), Decimal(2000), HALF).amount == 30


amounts = st.decimals("-10000", "10000", places=2)


@given(st.lists(st.tuples(amounts, amounts), min_size=1, max_size=20), st.decimals("0.01", "1", places=2))
def test_no_course_of_profits_puts_more_aside_than_the_share_of_the_highest(
    looks: list[tuple[Decimal, Decimal]], share: Decimal
) -> None:
    reserve: Reserve | None = None
    for realised, paid_in in looks:
        before, reserve = reserve, harvested(reserve, realised, paid_in, share)
        assert 0 <= reserve.amount <= share * max(Decimal(0), *(row[0] for row in looks))
        assert harvested(reserve, realised, paid_in, share) == reserve  # a second look changes nothing
        if before is not None and paid_in >= before.paid_in:
            assert reserve.amount >= before.amount


def test_harvested_profit_survives_a_restart_and_is_equity_but_not_to_be_spent(tmp_path: Path) -> None:
    world = World(tmp_path, config=HARVEST)
    assert held_back(world) == 0
    earned(world.ledger, 40)
    assert held_back(world) == 20
    earned(world.ledger, -30)
    assert held_back(world) == 20
    world.ledger.close()
    again = World(tmp_path, config=HARVEST)
    held = again.manager.portfolio()
    assert (held.reserve, held.equity, held.free, held.tradable) == tuple(map(Decimal, (20, 10_010, 9_990, 9_990)))
    assert again.system.facts()["reserve"] == "20"
    again.ledger.record_cash_flow("USDT", Decimal(-15), "withdrawal")
    assert held_back(again) == 5


def test_an_entry_is_sized_without_the_reserve_and_takes_nothing_of_it(tmp_path: Path) -> None:
    async def run(config: TradingConfig, folder: Path) -> Decimal:
        world = World(folder, config=config)
        held_back(world)
        earned(world.ledger, 9_900)
        await world.system.start()
        world.system.arm([condition(-1)])
        world.bar(jump(0))
        await world.manager.run_cycle()
        assert world.ledger.balances()["USDT"] >= world.manager.portfolio().reserve
        return world.venue.placed[-1].value

    compounding = asyncio.run(run(TradingConfig(), tmp_path / "compound"))
    harvesting = asyncio.run(run(ALL, tmp_path / "harvest"))
    assert harvesting < compounding


def test_who_goes_back_to_compounding_has_all_of_it_to_trade_again(tmp_path: Path) -> None:
    world = World(tmp_path, config=HARVEST)
    held_back(world)
    earned(world.ledger, 40)
    held_back(world)
    world.ledger.close()
    again = World(tmp_path)
    assert again.manager.portfolio().reserve == 0
    assert held_back(again) == 0 and again.ledger.reserve() is None
    told = [row for row in (tmp_path / "audit.jsonl").read_text().splitlines() if '"reserve"' in row]
    assert len(told) == 2
