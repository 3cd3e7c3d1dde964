"""What is held has its stop at the venue, exactly once and for exactly as much, whoever dies and whatever is lost."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from decimal import Decimal
from functools import partial
from pathlib import Path

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as some

from execution.exchange.reconciliation import reconcile
from execution.runtime.settings import TradingConfig
from execution.trading.portfolio import Holding
from execution.trading.protection import NO_STOPS, plan
from execution.trading.sell_coordinator import Exiting
from execution.venue.faults import Fault, Faults
from execution.vocabulary.limits import PROTECTED_WITHIN_S
from execution.vocabulary.order_states import OrderState
from execution.vocabulary.orders import OrderOutcome, OrderRequest, OrderRow, OrderType, Position, Purpose, Side
from tests.support import eventually_async, rounds
from tests.trading.venue import Trader, running_venue
from tests.trading.world import World, rules_of

BTC, ETH = "BTC/USDT", "ETH/USDT"
RULES = rules_of(stop_type="stop_loss")
HOLDS_ON = TradingConfig(
    stop_loss=Decimal("0.5"),
    profit_target=Decimal("0.9"),
    time_exit_bars=1_000_000,
    trailing_distance=Decimal(0),
    exit_regimes=(),
)
ENDS_SOON = TradingConfig(
    stop_loss=Decimal("0.0001"), protective_gap=Decimal(0), profit_target=Decimal("0.9"), time_exit_bars=1_000_000
)


def holding(quantity: str = "2", paid: str = "100", dust: bool = False) -> Holding:
    amount = Decimal(quantity)
    position = Position(BTC, amount, amount * Decimal(paid), 0, "trend", 60_000, Decimal(0))
    return Holding(position, Decimal(paid), amount, amount * Decimal(paid), dust)


def stop_order(quantity: str = "2", stop: str = "99.20", filled: str = "0", name: str = "s1") -> OrderRow:
    return OrderRow(
        client_order_id=name,
        epoch=1,
        symbol=BTC,
        side=Side.SELL,
        type=OrderType.STOP_LOSS,
        quantity=Decimal(quantity),
        filled=Decimal(filled),
        reference_price=Decimal(stop),
        limit_price=None,
        purpose=Purpose.EXIT,
        strategy="trend",
        reason="stop_loss",
        signal_bar_ms=0,
        correlation_id="",
        state=OrderState.OPEN,
        venue_order_id="1",
        created_ms=0,
        sent_ms=0,
        updated_ms=0,
    )


# the plan


def test_a_position_without_a_stop_gets_one_a_little_below_the_traders_own() -> None:
    step = plan(holding(), [], RULES, Decimal(100), TradingConfig())
    assert step.cancel == () and step.place is not None
    assert (step.place.type, step.place.side, step.place.purpose) == (OrderType.STOP_LOSS, Side.SELL, Purpose.EXIT)
    assert (step.place.quantity, step.place.reference_price) == (Decimal(2), Decimal("99.20"))


def test_a_strategy_with_a_nearer_stop_of_its_own_has_a_nearer_one_at_the_venue() -> None:
    own = msgspec.structs.replace(holding().position, strategy="micro_profit")
    held = msgspec.structs.replace(holding(), position=own)
    step = plan(held, [stop_order()], RULES, Decimal(100), TradingConfig())
    assert step.place is not None and step.place.reference_price == Decimal("99.40")
    assert (
        plan(held, [], RULES, Decimal("99.60"), TradingConfig()).bare == "its stop has been reached: it is being sold"
    )


def test_a_venue_that_knows_only_stops_with_a_limit_gets_one_with_a_limit_below() -> None:
    step = plan(holding(), [], rules_of(stop_type="stop_loss_limit"), Decimal(100), TradingConfig())
    assert step.place is not None and step.place.limit_price == Decimal("98.20")


@pytest.mark.parametrize(
    ("standing", "left_alone"),
    [
        ([stop_order()], True),
        ([stop_order(stop="99.50")], True),  # higher is kept: a stop never moves down
        ([stop_order(quantity="3", filled="1")], True),
        ([stop_order(stop="99.10")], False),
        ([stop_order(quantity="1")], False),
        ([stop_order(quantity="3")], False),
        ([stop_order(), stop_order(name="s2")], False),
    ],
)
def test_a_stop_that_fits_stays_and_any_other_is_replaced(standing: list[OrderRow], left_alone: bool) -> None:
    step = plan(holding(), standing, RULES, Decimal(100), TradingConfig())
    assert (step.place is None) is left_alone
    assert step.cancel == (() if left_alone else tuple(order.client_order_id for order in standing))


@pytest.mark.parametrize(
    ("held", "rules", "bid", "says"),
    [
        (holding("0.04", "100"), RULES, "100", "too little for a stop"),
        (holding(), rules_of(), "100", NO_STOPS),
        (holding(), rules_of(stop_type="stop_loss", trading=False), "100", "doesn't trade it"),
        (holding(), None, "100", "doesn't list it"),
        (holding(), RULES, "99.40", "being sold"),
    ],
)
def test_what_can_have_no_stop_says_why(held: Holding, rules: object, bid: str, says: str) -> None:
    step = plan(held, [], rules, Decimal(bid), TradingConfig())  # type: ignore[arg-type]
    assert step.place is None and says in step.bare


def test_a_stop_of_what_is_gone_or_dust_is_taken_away() -> None:
    assert plan(None, [stop_order()], RULES, None, TradingConfig()).cancel == ("s1",)
    dust = plan(holding("0.01", dust=True), [stop_order()], RULES, None, TradingConfig())
    assert dust.cancel == ("s1",) and dust.place is None and dust.bare == ""


amounts = some.integers(1, 10**6).map(lambda lots: Decimal(lots) * Decimal("0.00001"))
prices = some.integers(100, 10**7).map(lambda ticks: Decimal(ticks) * Decimal("0.01"))


@given(amounts, prices, some.lists(some.tuples(amounts, prices), max_size=3), some.none() | prices)
def test_whatever_stands_there_the_plan_leads_to_one_stop_for_all_that_is_held_or_says_why_not(
    quantity: Decimal, paid: Decimal, stops: list[tuple[Decimal, Decimal]], bid: Decimal | None
) -> None:
    held = holding(str(quantity), str(paid))
    standing = [stop_order(str(lots), str(price), name=f"s{n}") for n, (lots, price) in enumerate(stops)]
    step = plan(held, standing, RULES, bid, TradingConfig())
    left = [order for order in standing if order.client_order_id not in step.cancel]
    if step.place is not None:
        assert left == [] and step.place.quantity == quantity and step.place.reference_price < paid
    elif not step.bare:
        assert [order.remaining for order in left] == [quantity]
    assert plan(held, left, RULES, bid, TradingConfig()) == plan(held, left, RULES, bid, TradingConfig())


# one account on a small venue


def test_a_sale_takes_the_stop_away_first_and_sells_no_more_than_is_held(tmp_path: Path) -> None:
    async def run() -> None:
        world = World(tmp_path)
        world.venue.rules[BTC] = RULES
        await world.system.start()
        await world.venue.place(entry_of(Decimal(2)))
        await look(world)
        (stop,) = world.ledger.unsettled()
        assert stop.guards and stop.quantity == Decimal("1.998")
        await look(world)
        assert [order.client_order_id for order in world.ledger.unsettled()] == [stop.client_order_id]

        world.market.price(BTC, "99.30")  # below the trader's own stop, above the venue's
        await world.manager.check_exits()
        assert world.ledger.order(stop.client_order_id).state is OrderState.CANCELED  # type: ignore[union-attr]
        assert not world.ledger.positions() and not world.ledger.unsettled()
        await look(world)
        assert not world.ledger.unsettled()
        await world.system.stop()

    asyncio.run(run())


def test_what_has_no_stop_for_too_long_is_said_in_health_and_facts(tmp_path: Path) -> None:
    async def run() -> None:
        world = World(tmp_path)
        world.venue.rules[BTC] = RULES
        await world.system.start()
        await world.venue.place(entry_of(Decimal(2)))
        world.venue.answers = ["refuse"] * 10
        await look(world)
        assert world.system.protector.unprotected() == {}
        world.clock.advance(PROTECTED_WITHIN_S + 0.1)
        await look(world)
        assert world.system.components()["protection"].status == "degraded"
        assert BTC in world.system.facts()["unprotected"]
        assert "held without a stop at the venue: BTC/USDT" in world.system.facts()["note"]
        world.venue.answers = []
        world.clock.advance(30)
        await look(world)
        assert world.system.components()["protection"].status == "healthy"
        assert world.system.facts()["positions"][BTC]["stop"] == "99.2"
        await world.system.stop()

    asyncio.run(run())


def test_a_slow_answer_about_one_stop_keeps_no_other_position_without_its_own(tmp_path: Path) -> None:
    async def run() -> None:
        world = World(tmp_path, symbols=(BTC, ETH))
        for symbol in (BTC, ETH):
            world.venue.rules[symbol] = rules_of(symbol, stop_type="stop_loss")
        await world.system.start()
        place, answered = world.venue.place, asyncio.Event()

        async def slowly(request: OrderRequest) -> OrderOutcome:
            if request.symbol == BTC and request.side is Side.SELL:
                await answered.wait()
            return await place(request)

        world.venue.place = slowly  # type: ignore[method-assign]
        await world.venue.place(entry_of(Decimal(2)))
        watching = asyncio.create_task(world.system.protector.watch(partial(look, world)))
        await eventually_async(lambda: BTC in world.system.assistants.execution.blocked())
        await world.venue.place(msgspec.structs.replace(entry_of(Decimal(2)), symbol=ETH))
        await eventually_async(lambda: [row.symbol for row in world.ledger.unsettled()] == [ETH], within_s=2)
        assert not watching.done()
        answered.set()
        await watching
        assert sorted(row.symbol for row in world.ledger.unsettled()) == [BTC, ETH]
        await world.system.stop()

    asyncio.run(run())


async def look(world: World) -> None:
    await world.system.protector.look(world.manager.portfolio(), world.system.recovery.rules, world.market.quote)


def entry_of(quantity: Decimal, price: Decimal = Decimal(100)) -> OrderRequest:
    return OrderRequest(BTC, Side.BUY, OrderType.MARKET, quantity, price, Purpose.ENTRY, "trend", "signal", 0)


# the whole system on the real venue


@asynccontextmanager
async def holding_trader(
    folder: Path, config: TradingConfig, faults: Faults | None = None
) -> AsyncIterator[tuple[Trader, int]]:
    """A trader on a venue of its own that has just bought; and the venue's port."""
    async with running_venue(folder, faults=faults) as port:
        trader = Trader(folder, port, config=config)
        await trader.start()
        assert (await buy(trader)).state is OrderState.FILLED
        yield trader, port


async def buy(trader: Trader, quantity: str = "0.005") -> OrderOutcome:
    quote = await eventually_async(lambda: trader.system.parts.feed.quote(BTC))
    return await trader.gateway.place(entry_of(Decimal(quantity), quote.ask))


def stops_of(trader: Trader) -> list[OrderRow]:
    return [order for order in trader.ledger.unsettled() if order.guards]


async def at_the_venue(trader: Trader) -> list[tuple[str, str]]:
    return await trader.gateway.reader.fetch_open_orders()


async def assert_protected(trader: Trader) -> OrderRow:
    """One stop in the ledger and the same one at the venue, for everything held."""
    await eventually_async(partial(stops_of, trader), within_s=PROTECTED_WITHIN_S)
    (stop,) = stops_of(trader)
    assert await at_the_venue(trader) == [("BTCUSDT", stop.client_order_id)]
    held = trader.ledger.positions()[BTC].quantity
    assert held - Decimal("0.00001") < stop.remaining <= held
    return stop


def test_within_two_seconds_what_was_bought_has_its_stop_also_after_a_death_and_only_one(tmp_path: Path) -> None:
    async def run() -> None:
        async with holding_trader(tmp_path, HOLDS_ON) as (first, port):
            stop = await assert_protected(first)
            await first.vanish()
            second = Trader(tmp_path, port, config=HOLDS_ON)
            await second.start()
            assert (await assert_protected(second)).client_order_id == stop.client_order_id
            await buy(second)  # more is held now: the stop grows with it
            await eventually_async(lambda: [row.quantity for row in stops_of(second)] > [stop.quantity])
            await assert_protected(second)
            second.system.sell_everything("enough")
            await eventually_async(lambda: not second.ledger.positions() and not second.ledger.unsettled())
            assert await at_the_venue(second) == []
            assert (await reconcile(second.gateway, second.ledger)).reconciled
            await second.stop()

    asyncio.run(run())


def test_a_stop_that_goes_off_while_nobody_is_there_is_found_by_the_next_one(tmp_path: Path) -> None:
    async def run() -> None:
        async with holding_trader(tmp_path, HOLDS_ON) as (first, port):
            await assert_protected(first)
            await first.vanish()
            second = Trader(tmp_path, port, config=ENDS_SOON)
            second.system.assistants.exits.look = lambda *_, **__: Exiting([], [])  # type: ignore[method-assign]
            await second.start()
            await eventually_async(second.ledger.closed_trades, within_s=30)
            (trade,) = second.ledger.closed_trades()
            assert trade.exit_reason == "protective_stop" and not second.ledger.positions()
            await eventually_async(lambda: not second.ledger.unsettled())
            assert (await reconcile(second.gateway, second.ledger)).reconciled
            await second.stop()

    asyncio.run(run())


def test_what_a_slow_reply_has_not_told_yet_has_its_stop_as_soon_as_the_stream_tells_it(tmp_path: Path) -> None:
    async def run() -> None:
        faults = Faults(7, {}, delay_s=60)
        async with holding_trader(tmp_path, HOLDS_ON, faults) as (trader, _):
            first = await assert_protected(trader)
            await eventually_async(lambda: not trader.system.entries_off())
            execution = trader.system.assistants.execution
            quote = trader.system.parts.feed.quote(BTC)
            assert quote is not None
            faults.plan("POST /api/v3/order", Fault.LATE_REPLY)
            entry = asyncio.create_task(execution.execute(entry_of(Decimal("0.005"), quote.ask)))
            await eventually_async(lambda: trader.ledger.positions()[BTC].quantity > Decimal("0.006"))
            await eventually_async(
                lambda: [row.quantity for row in stops_of(trader)] > [first.quantity], within_s=PROTECTED_WITHIN_S
            )
            assert not entry.done() and BTC in execution.blocked()
            await assert_protected(trader)
            assert not entry.done(), "the stop waited for the reply"
            trader.system.sell_everything("enough")  # nor is a sale held back: all that was asked for has been bought
            await eventually_async(lambda: not trader.ledger.positions() and not trader.ledger.unsettled())
            assert not entry.done() and BTC in execution.blocked()
            assert (await entry).outcome.state is OrderState.FILLED  # type: ignore[union-attr]
            assert (await reconcile(trader.gateway, trader.ledger)).reconciled
            await trader.stop()

    asyncio.run(run())


def test_a_stop_that_a_person_cancels_is_put_back(tmp_path: Path) -> None:
    async def run() -> None:
        async with holding_trader(tmp_path, HOLDS_ON) as (trader, _):
            stop = await assert_protected(trader)
            parameters = {"symbol": "BTCUSDT", "origClientOrderId": stop.client_order_id}
            await trader.client.call("privateDeleteOrder", parameters)
            await eventually_async(
                lambda: [row.client_order_id for row in stops_of(trader)] not in ([], [stop.client_order_id])
            )
            await assert_protected(trader)
            await trader.stop()

    asyncio.run(run())


@pytest.mark.parametrize("lost", [Fault.REFUSE_504, Fault.EXECUTE_CUT])
def test_lost_answers_leave_one_stop_and_never_two(tmp_path: Path, lost: Fault) -> None:
    async def run(folder: Path) -> None:
        faults = Faults(7, {}, delay_s=0.01)
        async with holding_trader(folder, HOLDS_ON, faults) as (trader, _):
            await assert_protected(trader)
            faults._rates = {lost: 0.5}
            for _ in range(3):
                sent = trader.client.requests_sent
                await buy(trader, "0.001")
                await eventually_async(partial(_asked_again, trader, sent))
            faults._rates = {}
            await eventually_async(lambda: not [row for row in trader.ledger.unsettled() if not row.guards], 15)
            await eventually_async(partial(_all_covered, trader), within_s=15)
            await assert_protected(trader)
            trader.system.sell_everything("enough")
            await eventually_async(lambda: not trader.ledger.positions() and not trader.ledger.unsettled(), 15)
            assert (await reconcile(trader.gateway, trader.ledger)).reconciled
            await trader.stop()

    for number in range(rounds(1)):
        asyncio.run(run(tmp_path / str(number)))


def _asked_again(trader: Trader, sent: int) -> bool:
    return trader.client.requests_sent > sent + 1


def _all_covered(trader: Trader) -> bool:
    held = trader.ledger.positions()[BTC].quantity
    return [held - row.remaining < Decimal("0.00001") for row in stops_of(trader)] == [True]
