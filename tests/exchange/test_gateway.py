"""At most one exchange order per intent, every fill exactly once, books equal to the venue's to the last digit."""

import asyncio
import random
import sys
from decimal import Decimal
from pathlib import Path
from typing import Any

import msgspec
import pytest

from execution.exchange.classify import VenueError
from execution.exchange.gateway import EXTERNAL_ORDERS_EVERY
from execution.ledger.backups import back_up, why_not_sound
from execution.ledger.queries import account_report
from execution.ledger.store import Ledger
from execution.runtime.settings import RiskConfig
from execution.vocabulary.health import ComponentStatus
from execution.vocabulary.lifecycle import TradingState
from execution.vocabulary.modes import TradeMode
from execution.vocabulary.money import floor_to_step
from execution.vocabulary.order_states import OrderEvent, OrderState
from execution.vocabulary.orders import Balance, Fill, OrderOutcome, Side
from tests.exchange.proxy import Loses
from tests.exchange.world import BTC, ETH, World, client_at, make_gateway, world

POST = b"POST /api/v3/order"


def test_a_market_order_is_filled_booked_and_equal_to_the_last_digit(tmp_path: Path) -> None:
    async def scenario() -> None:
        async with world(tmp_path) as here:
            outcome = await here.gateway.place(await here.order())
            assert (outcome.state, outcome.refusal) == (OrderState.FILLED, None)
            assert sum(fill.quantity for fill in outcome.fills) == Decimal("0.001")
            assert here.books() == await here.venue_balances()
            assert here.ledger.positions()[BTC].quantity == Decimal("0.000999")  # the fee came off the base
            assert (await here.reconcile()).reconciled

    asyncio.run(scenario())


def test_fifty_random_orders_end_reconciled_to_the_last_digit(tmp_path: Path) -> None:
    async def scenario() -> None:
        chance = random.Random(7)
        async with world(tmp_path) as here:
            for number in range(50):
                symbol = chance.choice([BTC, ETH])
                await one_random_order(here, chance, symbol)
                if number % 20 == 10:
                    await here.restart()
                    assert (await here.reconcile()).reconciled
            for order in here.ledger.unsettled():
                await here.gateway.cancel(order.client_order_id)
            result = await here.reconcile()
            assert result.differences == []
            assert here.books() == await here.venue_balances()
            assert here.ledger.unsettled() == []
            assert here.ledger.fills_count > 30

    asyncio.run(scenario())


async def one_random_order(here: World, chance: random.Random, symbol: str) -> OrderOutcome:
    held = here.ledger.positions().get(symbol)
    step = here.gateway.rules[symbol].lot_step
    selling = sum((each.remaining for each in here.ledger.unsettled() if each.side is Side.SELL), Decimal(0))
    if held and chance.random() < 0.45 and held.quantity - selling > 10 * step:
        quantity = floor_to_step(held.quantity - selling, step)
        return await here.gateway.place(await here.order(Side.SELL, str(quantity), symbol))
    quantity = floor_to_step(Decimal(chance.randint(20, 300)) / (40_000 if symbol == BTC else 2_000), step)
    request = await here.order(Side.BUY, str(quantity), symbol)
    if chance.random() < 0.3:  # a limit order that rests, or fills as the market comes
        price = floor_to_step(request.reference_price * Decimal("0.999"), here.gateway.rules[symbol].price_tick)
        request = await here.order(Side.BUY, str(quantity), symbol, price)
    return await here.gateway.place(request)


def test_a_lost_reply_makes_the_order_unknown_and_only_evidence_resolves_it(tmp_path: Path) -> None:
    async def scenario() -> None:
        async with world(tmp_path) as here:
            request = await here.order()
            here.proxy.loses, here.proxy.match = Loses.REPLY, POST
            outcome = await here.gateway.place(request)
            assert outcome.state is OrderState.UNKNOWN
            assert here.proxy.count(POST) == 1  # never sent again
            assert here.ledger.reserved_exposure() == request.value
            refused = await here.gateway.place(await here.order())
            assert refused.refusal == "an earlier order on this symbol has an unknown fate"
            here.proxy.loses = Loses.NOTHING
            (settled,) = await here.gateway.settle_unknown()
            assert settled.state is OrderState.FILLED
            assert here.ledger.fills_count == 1
            assert (await here.reconcile()).reconciled
            assert here.books() == await here.venue_balances()
            assert here.proxy.count(POST) == 1

    asyncio.run(scenario())


def test_no_such_order_counts_only_after_the_venue_could_no_longer_accept_the_request(tmp_path: Path) -> None:
    async def scenario() -> None:
        async with world(tmp_path) as here:
            request = await here.order()
            here.proxy.loses, here.proxy.match = Loses.REQUEST, POST
            outcome = await here.gateway.place(request)
            assert outcome.state is OrderState.UNKNOWN
            here.proxy.loses = Loses.NOTHING
            assert await here.gateway.settle_unknown() == []
            assert here.ledger.reserved_exposure() == request.value
            here.clock.ahead_s += 5.5  # the receive window is over, the margin for read lag isn't
            assert await here.gateway.settle_unknown() == []
            here.clock.ahead_s += 1.0
            (settled,) = await here.gateway.settle_unknown()
            assert settled.state is OrderState.REJECTED
            assert here.ledger.reserved_exposure() == 0
            assert here.proxy.count(POST) == 1

    asyncio.run(scenario())


@pytest.mark.parametrize("step_s", [-3600.0, 3600.0])
def test_a_step_of_the_wall_clock_makes_no_evidence(tmp_path: Path, step_s: float) -> None:
    async def scenario() -> None:
        async with world(tmp_path) as here:
            here.proxy.loses, here.proxy.match = Loses.REQUEST, POST
            assert (await here.gateway.place(await here.order())).state is OrderState.UNKNOWN
            here.proxy.loses = Loses.NOTHING
            here.clock.wall_s = step_s
            assert await here.gateway.settle_unknown() == []
            if step_s < 0:  # a new process reads the venue's clock anew: it says that the fence is an hour away
                here.client.venue_clock.forget()
                await here.restart()
                assert (await here.reconcile()).unknown_orders == 1
            here.clock.wall_s = 0.0
            here.client.venue_clock.forget()
            assert (await here.reconcile()).unknown_orders == 1
            here.clock.ahead_s += 6.5
            assert (await here.reconcile()).unknown_orders == 0
            assert here.proxy.count(POST) == 1

    asyncio.run(scenario())


@pytest.mark.parametrize("step_s", [-3600.0, 3600.0])
def test_after_a_step_of_the_wall_clock_an_exit_leaves_at_the_second_try(tmp_path: Path, step_s: float) -> None:
    async def scenario() -> None:
        async with world(tmp_path) as here:
            assert (await here.gateway.place(await here.order(quantity="0.002"))).state is OrderState.FILLED
            here.clock.wall_s = step_s
            selling = await here.order(Side.SELL)
            outcome = await here.gateway.place(selling)
            assert outcome.state is OrderState.REJECTED  # our timestamps are an hour off: nothing happened
            assert (await here.gateway.place(selling)).state is OrderState.FILLED
            assert (await here.reconcile()).reconciled

    asyncio.run(scenario())


def test_a_restart_does_not_forget_how_many_orders_the_last_minute_saw(tmp_path: Path) -> None:
    async def scenario() -> None:
        tight = RiskConfig(orders_per_minute_max=2)
        async with world(tmp_path, limits=tight) as here:
            for _ in range(2):
                assert (await here.gateway.place(await here.order())).state is OrderState.FILLED
            await here.restart()
            here.gateway.limits = tight
            assert (await here.reconcile()).reconciled
            refusal = "2 orders in the last minute: risk.orders_per_minute_max"
            assert (await here.gateway.place(await here.order())).refusal == refusal
            here.clock.ahead_s += 61
            assert (await here.gateway.place(await here.order())).state is OrderState.FILLED

    asyncio.run(scenario())


def test_an_order_that_a_restart_finds_unanswered_is_looked_up_not_sent_again(tmp_path: Path) -> None:
    async def scenario() -> None:
        async with world(tmp_path) as here:
            request = await here.order()
            here.proxy.loses, here.proxy.match = Loses.REPLY, POST
            await here.gateway.place(request)
            here.proxy.loses = Loses.NOTHING
            await here.restart()
            result = await here.reconcile()
            assert (result.reconciled, result.unknown_orders) == (True, 0)
            assert here.ledger.orders()[0].state is OrderState.FILLED
            assert here.proxy.count(POST) == 1

    asyncio.run(scenario())


CHILD = """
import asyncio, os, sys
from decimal import Decimal
from pathlib import Path
from execution.ledger.store import Ledger
from tests.exchange.world import World, ShiftedClock, client_at, make_gateway

async def main(folder, port, step):
    clock = ShiftedClock()
    client = client_at(port, clock)
    ledger = Ledger(Path(folder) / "ledger.db", "sandbox", clock)
    quotes = {}
    end = lambda at: os._exit(9) if at == step else None
    gateway = make_gateway(client, ledger, clock, quotes, on_step=end)
    here = World(Path(folder), None, None, clock, client, ledger, gateway, quotes)
    await gateway.load_rules()
    await here.reconcile()
    await gateway.place(await here.order())

asyncio.run(main(sys.argv[1], int(sys.argv[2]), sys.argv[3]))
"""


@pytest.mark.parametrize(
    ("step", "state", "fills"),
    [
        ("intent_durable", OrderState.REJECTED, 0),
        ("reply_read", OrderState.FILLED, 1),
        ("fills_recorded", OrderState.FILLED, 1),
    ],
)
def test_a_process_killed_at_any_step_buys_once_and_forgets_nothing(
    tmp_path: Path, step: str, state: OrderState, fills: int
) -> None:
    async def scenario() -> None:
        async with world(tmp_path) as here:
            here.ledger.close()
            child = await asyncio.create_subprocess_exec(
                sys.executable, "-c", CHILD, str(tmp_path), str(here.proxy.port), step, cwd=Path.cwd()
            )
            assert await child.wait() == 9
            here.ledger = Ledger(here.ledger.path, "sandbox", here.clock)
            (order,) = here.ledger.orders()  # the intent is there, whatever came after it
            await here.restart()
            here.clock.ahead_s += 8  # past the fence
            result = await here.reconcile()
            assert result.differences == []
            order = here.ledger.orders()[0]
            assert (order.state, here.ledger.fills_count) == (state, fills)
            assert here.books() == await here.venue_balances()
            assert here.proxy.count(POST) == fills

    asyncio.run(scenario())


def test_a_cancelled_task_leaves_an_unknown_order_not_a_forgotten_one(tmp_path: Path) -> None:
    async def scenario() -> None:
        async with world(tmp_path) as here:
            request = await here.order()
            here.proxy.loses = Loses.EVERYTHING
            task = asyncio.ensure_future(here.gateway.place(request))
            while not here.proxy.count(POST):
                await asyncio.sleep(0)
            task.cancel()
            with pytest.raises(asyncio.CancelledError):
                await task
            assert [order.state for order in here.ledger.unsettled()] == [OrderState.UNKNOWN]
            assert here.gateway.in_flight == set()
            here.proxy.loses = Loses.NOTHING
            result = await here.reconcile()  # who takes over now manages all other symbols at once
            assert (result.reconciled, result.unknown_orders) == (True, 1)

    asyncio.run(scenario())


def test_a_venue_that_cannot_be_reached_rejects_at_once_and_blocks_nothing(tmp_path: Path) -> None:
    async def scenario() -> None:
        async with world(tmp_path) as here:
            request = await here.order()
            nowhere = client_at(1, here.clock)
            nowhere.venue_clock.learn(here.clock.now_ms(), here.clock.monotonic(), here.clock.monotonic())
            gateway = make_gateway(nowhere, here.ledger, here.clock, here.quotes)
            gateway.rules = here.gateway.rules
            outcome = await gateway.place(request)
            await nowhere.close()
            assert outcome.state is OrderState.REJECTED
            assert here.ledger.reserved_exposure() == 0

    asyncio.run(scenario())


def test_the_venues_refusal_is_final_and_says_why(tmp_path: Path) -> None:
    async def scenario() -> None:
        async with world(tmp_path, RiskConfig(order_value_max=Decimal(10**6), position_value_max=Decimal(10**6),
                                              exposure_max=Decimal(10**6))) as here:  # fmt: skip
            outcome = await here.gateway.place(await here.order(quantity="1"))
            assert outcome.state is OrderState.REJECTED
            order = here.ledger.orders()[0]
            assert "insufficient" in order.note
            assert (await here.reconcile()).reconciled

    asyncio.run(scenario())


def test_a_refused_order_leaves_no_trace_and_a_paused_account_still_exits(tmp_path: Path) -> None:
    async def scenario() -> None:
        async with world(tmp_path) as here:
            await here.gateway.place(await here.order())
            here.ledger.set_trading_state(TradingState.PAUSED, "by hand", "operator")
            refused = await here.gateway.place(await here.order())
            assert refused.refusal == "trading is paused: by hand"
            assert len(here.ledger.orders()) == 1
            exited = await here.gateway.place(await here.order(Side.SELL, "0.00099"))
            assert exited.state is OrderState.FILLED
            too_much = await here.gateway.place(await here.order(Side.SELL, "0.00099"))
            assert "more than" in (too_much.refusal or "")

    asyncio.run(scenario())


def test_a_dry_run_decides_and_sends_nothing(tmp_path: Path) -> None:
    async def scenario() -> None:
        async with world(tmp_path, trade_mode=TradeMode.DRY_RUN) as here:
            outcome = await here.gateway.place(await here.order())
            assert (outcome.client_order_id, outcome.refusal) == (None, "dry_run")
            assert here.proxy.count(POST) == 0
            assert here.ledger.orders() == []

    asyncio.run(scenario())


def test_a_resting_order_is_cancelled_and_cancelling_again_tells_the_same(tmp_path: Path) -> None:
    async def scenario() -> None:
        async with world(tmp_path) as here:
            tick = here.gateway.rules[BTC].price_tick
            request = await here.order()
            price = floor_to_step(request.reference_price * Decimal("0.985"), tick)
            outcome = await here.gateway.place(await here.order(limit_price=price))
            assert outcome.state is OrderState.OPEN
            assert outcome.client_order_id is not None
            assert here.ledger.reserved_exposure() == Decimal("0.001") * price
            assert (await here.reconcile()).reconciled
            for _ in range(2):
                cancelled = await here.gateway.cancel(outcome.client_order_id)
                assert cancelled.state is OrderState.CANCELED
            assert here.ledger.reserved_exposure() == 0

    asyncio.run(scenario())


def test_quantities_reach_the_venue_digit_for_digit(tmp_path: Path) -> None:
    async def scenario() -> None:
        async with world(tmp_path) as here:
            for quantity in ("0.00123", "0.01007", "0.00110"):
                await here.gateway.place(await here.order(quantity=quantity))
                body = [each for each in here.proxy.requests if each.startswith(POST)][-1]
                assert f"quantity={quantity.rstrip('0')}&".encode() in body
            assert here.books() == await here.venue_balances()

    asyncio.run(scenario())


def test_somebody_elses_trade_and_order_are_said_and_the_money_stays_equal(tmp_path: Path) -> None:
    async def scenario() -> None:
        async with world(tmp_path) as here:
            by_hand = here.client.renewed()
            order = {"symbol": "BTCUSDT", "side": "BUY", "type": "MARKET", "quantity": "0.002"}
            await by_hand.call("privatePostOrder", order)
            resting = {"symbol": "ETHUSDT", "side": "BUY", "type": "LIMIT", "quantity": "0.01", "timeInForce": "GTC"}
            quote = (await here.gateway.fetch_quotes([ETH]))[ETH]
            price = floor_to_step(quote.bid * Decimal("0.98"), here.gateway.rules[ETH].price_tick)
            await by_hand.call("privatePostOrder", resting | {"price": str(price)})
            await by_hand.close()
            for _ in range(EXTERNAL_ORDERS_EVERY):  # strangers' orders aren't asked for each time
                result = await here.reconcile()
            assert (result.reconciled, result.external_orders) == (True, 1)
            assert "isn't ours" in result.differences[0]
            assert here.ledger.positions() == {}  # what a person bought isn't ours to sell
            assert here.books() == await here.venue_balances()

    asyncio.run(scenario())


def test_money_that_came_from_elsewhere_stops_entries_until_a_person_adopts_it(tmp_path: Path) -> None:
    async def scenario() -> None:
        async with world(tmp_path) as here:
            here.ledger.record_cash_flow("USDT", Decimal("-1.5"), "external", "a withdrawal we only dreamt of")
            result = await here.reconcile()
            assert not result.reconciled
            assert result.differences == ["USDT: the venue says 10000, our books 9998.5"]
            refused = await here.gateway.place(await here.order())
            assert refused.refusal == "the account isn't reconciled with the venue"
            assert (await here.reconcile(adopt=True)).reconciled
            assert (await here.gateway.place(await here.order())).state is OrderState.FILLED

    asyncio.run(scenario())


def test_a_position_that_a_person_sold_elsewhere_is_written_off_when_a_person_says_so(tmp_path: Path) -> None:
    async def scenario() -> None:
        async with world(tmp_path) as here:
            await here.gateway.place(await here.order(quantity="0.002"))
            by_hand = here.client.renewed()
            sale = {"symbol": "BTCUSDT", "side": "SELL", "type": "MARKET", "quantity": "0.0015"}
            await by_hand.call("privatePostOrder", sale)
            await by_hand.close()
            held = here.ledger.positions()[BTC].quantity
            result = await here.reconcile()
            assert not result.reconciled and "our position is" in result.differences[0]
            assert here.ledger.positions()[BTC].quantity == held, "nothing is adopted in silence"
            assert (await here.reconcile(adopt=True)).reconciled
            left = (await here.venue_balances())["BTC"]
            assert here.ledger.positions()[BTC].quantity == left < held
            assert here.books() == await here.venue_balances()
            assert why_not_sound(back_up(here.ledger.path, here.clock), here.ledger.account) == ""
            sold = await here.gateway.place(await here.order(Side.SELL, str(floor_to_step(left, Decimal("0.00001")))))
            assert sold.state is OrderState.FILLED and not here.ledger.positions()
            again = account_report(here.ledger.path)
            assert not again.positions and again.reconciled
            assert (await here.gateway.place(await here.order())).state is OrderState.FILLED

    asyncio.run(scenario())


def test_an_error_never_carries_a_signature_or_a_key(tmp_path: Path) -> None:
    async def scenario() -> None:
        async with world(tmp_path) as here:
            here.proxy.loses, here.proxy.match = Loses.REQUEST, b"GET /api/v3/account"
            with pytest.raises(VenueError) as caught:
                await here.gateway.fetch_balances()
            told = f"{caught.value!r} {caught.value.__cause__!r} {caught.value.__context__!r}"
            assert "signature" not in told
            assert here.client.apiKey not in told
            assert here.client.last_request_headers is None

    asyncio.run(scenario())


def test_a_trade_the_venue_shows_late_is_found_though_a_newer_one_was_seen_first(tmp_path: Path) -> None:
    async def scenario() -> None:
        async with world(tmp_path) as here:
            by_hand = here.client.renewed()
            order = {"symbol": "BTCUSDT", "side": "BUY", "type": "MARKET", "quantity": "0.002"}
            for _ in range(2):
                await by_hand.call("privatePostOrder", order)
            await by_hand.close()
            whole = here.gateway.reader.fetch_trades

            async def lagging(*arguments: Any, **named: Any) -> list[Fill]:
                return (await whole(*arguments, **named))[1:]

            here.gateway.reader.fetch_trades = lagging  # type: ignore[method-assign]
            assert len(await here.gateway.fetch_new_fills(BTC)) == 1
            here.gateway.reader.fetch_trades = whole  # type: ignore[method-assign]
            assert len(await here.gateway.fetch_new_fills(BTC)) == 1
            assert await here.gateway.fetch_new_fills(BTC) == []
            assert here.books() == await here.venue_balances()

    asyncio.run(scenario())


def test_a_signal_leads_to_one_order_however_often_and_by_however_many_processes_it_is_seen(tmp_path: Path) -> None:
    async def scenario() -> None:
        async with world(tmp_path) as here:
            request = msgspec.structs.replace(await here.order(), signal_bar_ms=60_000)
            assert (await here.gateway.place(request)).state is OrderState.FILLED
            assert (await here.gateway.place(request)).refusal == "this signal has already led to an order"
            await here.restart()
            assert (await here.reconcile()).reconciled
            assert (await here.gateway.place(request)).refusal == "this signal has already led to an order"

    asyncio.run(scenario())


def test_while_the_venue_asks_for_quiet_nothing_is_asked_and_nothing_is_sent(tmp_path: Path) -> None:
    async def scenario() -> None:
        async with world(tmp_path) as here:
            request = await here.order()
            here.client.budget.be_quiet(30.0)
            asked = len(here.proxy.requests)
            outcome = await here.gateway.place(request)
            assert (outcome.state, outcome.refusal) == (None, "the venue wants to hear nothing for 30 s")
            assert here.ledger.orders() == []
            with pytest.raises(VenueError, match="rate_limited"):
                await here.client.renewed().call("publicGetTime")
            assert len(here.proxy.requests) == asked
            assert here.gateway.get_health().status is ComponentStatus.DEGRADED
            here.clock.ahead_s += 31
            assert (await here.reconcile()).reconciled

    asyncio.run(scenario())


def test_fills_that_keep_coming_while_the_venue_answers_prove_nothing(tmp_path: Path) -> None:
    async def scenario() -> None:
        async with world(tmp_path) as here:
            here.ledger.set_reconciliation(False, ["not compared"])
            whole = here.gateway.reader.fetch_balances
            strange = iter(range(10**6, 10**7))

            async def busy() -> dict[str, Balance]:
                trade = str(next(strange))
                here.ledger.record_fill(
                    Fill(BTC, trade, "x", None, Side.BUY, Decimal(1), Decimal(1), Decimal(0), "BTC", int(trade))
                )
                return await whole()

            here.gateway.reader.fetch_balances = busy  # type: ignore[method-assign]
            assert not (await here.reconcile()).reconciled

    asyncio.run(scenario())


def test_a_wrong_verdict_is_put_right_by_a_late_fill(tmp_path: Path) -> None:
    async def scenario() -> None:
        async with world(tmp_path) as here:
            here.proxy.loses, here.proxy.match = Loses.REPLY, POST
            outcome = await here.gateway.place(await here.order())
            here.proxy.loses = Loses.NOTHING
            assert outcome.client_order_id is not None
            here.ledger.mark(outcome.client_order_id, OrderEvent.REJECTED, note="somebody was wrong")
            result = await here.reconcile()
            assert (result.reconciled, result.new_fills) == (True, 1)
            order = here.ledger.order(outcome.client_order_id)
            assert order is not None and order.state is OrderState.FILLED
            assert BTC in here.ledger.positions()

    asyncio.run(scenario())
