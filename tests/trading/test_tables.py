"""The small tables: triggers dropped, approved orders held back, entries off, and what money is free."""

import asyncio
import itertools
from decimal import Decimal
from pathlib import Path

import msgspec
import pytest

from execution.research.regime import Regime
from execution.runtime.settings import TradingConfig
from execution.trading.assistants.order_execution import filter_reason
from execution.trading.assistants.signal_generation import Trigger, drop_reason
from execution.trading.entry_rules import entries_off
from execution.trading.portfolio import Portfolio, portfolio
from execution.vocabulary.lifecycle import TradingState
from execution.vocabulary.market import Quote
from execution.vocabulary.order_states import OrderState
from execution.vocabulary.orders import OrderRequest, OrderRow, OrderType, Purpose, Side
from tests.trading.test_risk_management import account, proposal
from tests.trading.test_sell_coordinator import holding, position
from tests.trading.world import START_MS, World, condition, rules_of

CONFIG = TradingConfig()
TRIGGER = Trigger(condition(-1), START_MS, 1.0)
LISTING = proposal().listing
DUST = msgspec.structs.replace(holding(), dust=True)


@pytest.mark.parametrize(
    ("listing", "held", "cost", "reason"),
    [
        (LISTING, account(), 0.0024, ""),
        (None, account(), 0.0024, "not_in_universe"),
        (LISTING, account(unsettled=frozenset({"BTC/USDT"})), 0.0024, "order_unsettled"),
        (LISTING, account(holdings={"BTC/USDT": holding()}), 0.0024, "position_held"),
        (LISTING, account(holdings={"BTC/USDT": DUST}), 0.0024, ""),
        (msgspec.structs.replace(LISTING, regime=Regime.CRASH), account(), 0.0024, "crash"),
        (msgspec.structs.replace(LISTING, regime=Regime.TREND_DOWN), account(), 0.0024, "regime"),
        (msgspec.structs.replace(LISTING, volatility=0.0003), account(), 0.0024, "target_out_of_reach"),
        (msgspec.structs.replace(LISTING, volatility=float("nan")), account(), 0.0024, "target_out_of_reach"),
        (LISTING, account(), 0.0041, "target_below_cost"),
        (LISTING, account(), 0.0039, ""),
    ],
)
def test_a_trigger_is_dropped_for(listing: object, held: Portfolio, cost: float, reason: str) -> None:
    assert drop_reason(TRIGGER, listing, held, cost, CONFIG) == reason  # type: ignore[arg-type]


def order(purpose: Purpose, reference: str = "100") -> OrderRequest:
    return OrderRequest(
        symbol="BTC/USDT",
        side=Side.BUY if purpose is Purpose.ENTRY else Side.SELL,
        type=OrderType.MARKET,
        quantity=Decimal(1),
        reference_price=Decimal(reference),
        purpose=purpose,
        strategy="trend",
        reason="a test",
        signal_bar_ms=START_MS,
    )


@pytest.mark.parametrize(
    ("bid", "ask", "age_s", "reason"),
    [
        ("100", "100.05", 0.0, ""),
        ("100", "100.05", 10.1, "old_quote"),
        ("100", "101", 0.0, "wide_spread"),
        ("100.55", "100.6", 0.0, ""),
        ("100.6", "100.61", 0.0, "price_ran_away"),
        ("90", "90.05", 0.0, ""),
    ],
)
def test_an_entry_approved_a_moment_ago_is_held_back_for(bid: str, ask: str, age_s: float, reason: str) -> None:
    quote = Quote("BTC/USDT", Decimal(bid), Decimal(ask), 0.0)
    assert filter_reason(order(Purpose.ENTRY), quote, age_s, CONFIG) == reason
    assert filter_reason(order(Purpose.EXIT), quote, age_s, CONFIG) == ""


def test_without_a_quote_entries_wait_and_exits_do_not() -> None:
    assert filter_reason(order(Purpose.ENTRY), None, 0.0, CONFIG) == "old_quote"
    assert filter_reason(order(Purpose.EXIT), None, 0.0, CONFIG) == ""


def test_entries_are_on_only_when_everything_agrees() -> None:
    for state, stopping, stale, reconciled, differ in itertools.product(
        TradingState, (False, True), (0.0, 10.0, 10.1, float("nan")), (False, True), (False, True)
    ):
        reason = entries_off(state, stopping, stale, reconciled, differ)
        fine = state is TradingState.ACTIVE and not stopping and stale <= 10.0 and reconciled and not differ
        assert (reason == "") == fine


def test_what_a_person_said_is_named_before_differing_builds_and_those_before_the_market() -> None:
    assert entries_off(TradingState.PAUSED, False, 99.0, False, builds_differ=True) == "trading_paused"
    assert entries_off(TradingState.ACTIVE, False, 99.0, False, builds_differ=True) == "builds_differ"


def row(symbol: str, side: Side, purpose: Purpose, quantity: str, filled: str = "0") -> OrderRow:
    return OrderRow(
        client_order_id="x",
        epoch=1,
        symbol=symbol,
        side=side,
        type=OrderType.MARKET,
        quantity=Decimal(quantity),
        filled=Decimal(filled),
        reference_price=Decimal(100),
        limit_price=None,
        purpose=purpose,
        strategy="trend",
        reason="a test",
        signal_bar_ms=0,
        correlation_id="",
        state=OrderState.UNKNOWN,
        venue_order_id=None,
        created_ms=0,
        sent_ms=0,
        updated_ms=0,
    )


def test_what_an_entry_may_still_cost_is_neither_free_nor_unexposed() -> None:
    quotes = {name: Quote(name, Decimal(100), Decimal(101), 0.0) for name in ("BTC/USDT", "ETH/USDT")}
    found = portfolio(
        "USDT",
        balances={"USDT": Decimal(1_000), "BTC": Decimal("4.995"), "EUR": Decimal(7)},
        positions={"BTC/USDT": position()},
        unsettled=[
            row("ETH/USDT", Side.BUY, Purpose.ENTRY, "3", "1"),
            row("BTC/USDT", Side.SELL, Purpose.EXIT, "2"),
        ],
        rules={name: rules_of(name) for name in quotes},
        quote=quotes.get,
    )
    assert found.equity == Decimal("1499.5")
    assert found.free == Decimal(800)
    assert found.exposure == Decimal("699.5")
    assert found.unsettled == {"BTC/USDT", "ETH/USDT"}
    assert found.open_positions == 2


def test_a_request_for_a_symbol_with_an_open_question_never_reaches_the_gateway(tmp_path: Path) -> None:
    async def run() -> None:
        world = World(tmp_path)
        await world.system.start()
        world.venue.answers.append("unknown")
        execution = world.system.assistants.execution
        assert (await execution.execute(order(Purpose.ENTRY))).unknown
        second = await execution.execute(order(Purpose.EXIT))
        assert second.filtered == "order_unsettled" and len(world.venue.placed) == 1
        assert execution.get_health().status == "degraded"

    asyncio.run(run())


def test_nothing_is_written_for_people_while_nothing_was_filled(tmp_path: Path) -> None:
    async def run() -> None:
        world = World(tmp_path)
        await world.system.start()
        await world.system.assistants.execution.execute(order(Purpose.ENTRY))
        await world.manager.run_cycle()
        (tmp_path / "state.json").unlink()
        await world.manager.run_cycle()
        assert not (tmp_path / "state.json").exists()

    asyncio.run(run())
