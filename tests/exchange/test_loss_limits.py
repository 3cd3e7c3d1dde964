"""An account stops where its limits say, by what trading alone lost; no restart, deposit or clock forgives it."""

import asyncio
from decimal import Decimal
from pathlib import Path

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as some

from execution.exchange.gateway import ExchangeGateway
from execution.exchange.loss_limits import DAY_MS, LossMarks, advanced, begun_anew, breach, losses_in_row
from execution.ledger.store import Ledger
from execution.runtime.settings import RiskConfig
from execution.vocabulary.market import Quote
from execution.vocabulary.orders import OrderOutcome, OrderRequest, Side
from execution.vocabulary.performance import ClosedTrade
from execution.vocabulary.reasons import ExitReason
from tests.exchange.world import BTC, GENEROUS, World, make_gateway, world

D = Decimal
LIMITS = RiskConfig()
MONDAY_MS = 4 * DAY_MS  # 5 January 1970


def after(*profits: int, start_ms: int = MONDAY_MS, step_ms: int = 60_000) -> LossMarks:
    marks = None
    for number, profit in enumerate(profits):
        marks = advanced(marks, D(profit), start_ms + number * step_ms)
    assert marks is not None
    return marks


@pytest.mark.parametrize(
    ("marks", "says"),
    [
        (after(0, 300, -199), ""),
        (after(0, -499), ""),
        (after(0, -500), "lost 5.00% today: risk.daily_loss_max"),
        (after(0, -300, -600, step_ms=DAY_MS), ""),
        (after(0, -400, -800, -1100, step_ms=DAY_MS), "this week: risk.weekly_loss_max"),
        (
            after(0, 4000, 3600, 3200, 2800, 2400, 2000, 1600, 1190, step_ms=7 * DAY_MS),
            "since its best: risk.drawdown_max",
        ),
    ],
)
def test_each_limit_holds_by_itself(marks: LossMarks, says: str) -> None:
    found = breach(marks, D(10_000), LIMITS)
    assert says in found and bool(says) is bool(found)


def test_an_account_without_capital_left_has_lost_all() -> None:
    assert "lost all" in breach(after(0, -5), D(0), LIMITS)


def test_what_was_lost_while_nobody_looked_counts_on_the_day_somebody_looks() -> None:
    marks = after(0, -600, step_ms=DAY_MS)
    assert "today" in breach(marks, D(10_000), LIMITS)


def test_a_clock_that_goes_back_begins_no_new_day() -> None:
    marks = advanced(after(0, -400, start_ms=MONDAY_MS + DAY_MS), D(-500), MONDAY_MS)
    assert "today" in breach(marks, D(10_000), LIMITS)
    assert "today" in breach(advanced(marks, D(-500), MONDAY_MS + DAY_MS), D(10_000), LIMITS), "nor does its return"


looks = some.lists(some.tuples(some.integers(-5_000, 5_000), some.integers(0, 3 * DAY_MS)), min_size=1, max_size=30)


@given(looks)
def test_marks_never_forgive_within_a_day_and_the_best_never_falls(moments: list[tuple[int, int]]) -> None:
    marks: LossMarks | None = None
    now = MONDAY_MS
    for profit, later in moments:
        before, now = marks, now + later
        marks = advanced(before, D(profit), now)
        assert marks.best >= D(profit) and marks.last == D(profit)
        if before is not None:
            assert marks.best >= before.best and marks.day >= before.day and marks.week >= before.week
            if now // DAY_MS == before.day:
                assert marks.day_began == before.day_began
    assert marks is not None and breach(begun_anew(marks), D(100_000), LIMITS) == ""


def trade(pnl: int, closed_ms: int, symbol: str = BTC) -> ClosedTrade:
    return ClosedTrade(symbol, "trend", 0, D(1), D(1), D(1), D(0), D(pnl), 0, closed_ms, ExitReason.STOP_LOSS)


def test_losses_are_counted_back_to_the_last_gain_of_the_same_symbol() -> None:
    newest_first = [trade(-1, 9), trade(5, 8, "ETH/USDT"), trade(-1, 7), trade(1, 6), trade(-1, 5)]
    assert losses_in_row(newest_first, BTC) == (2, 9)
    assert losses_in_row(newest_first, "ETH/USDT") == (0, 0)


# in the gateway's path


async def bought(here: World, quantity: str = "0.05") -> OrderOutcome:
    return await here.gateway.place(await here.order(Side.BUY, quantity))


def fall(here: World, share: str) -> None:
    """The price falls; what is held is worth less."""
    quote = here.quotes[BTC]
    here.quotes[BTC] = Quote(BTC, quote.bid * D(share), quote.ask * D(share), quote.received)


def test_an_open_position_that_loses_too_much_ends_entries_at_once_and_is_a_breach_after_a_second(
    tmp_path: Path,
) -> None:
    strict = msgspec.structs.replace(GENEROUS, daily_loss_max=D("0.01"), order_value_max=D(9000))

    async def scenario() -> None:
        async with world(tmp_path, strict) as here:
            assert (await bought(here)).fills
            assert here.gateway.loss_limit_reached() == ""
            fall(here, "0.9")
            refused = await here.gateway.place(await _same_price(here))
            assert "today: risk.daily_loss_max" in (refused.refusal or "")
            assert here.gateway.loss_limit_reached() == "", "one wrong price halts nobody"
            here.clock.ahead_s += 1.1
            assert "risk.daily_loss_max is 1.00%" in here.gateway.loss_limit_reached()

            again = _gateway_anew(here, strict)
            assert again.loss_limit_reached() == ""
            here.clock.ahead_s += 1.1
            assert "daily_loss_max" in again.loss_limit_reached(), "a restart forgives nothing"
            here.ledger.record_cash_flow("USDT", D(1_000), "deposit")
            assert "daily_loss_max" in again.loss_limit_reached(), "nor does a deposit"
            again.accept_losses()
            assert again.loss_limit_reached() == ""

    asyncio.run(scenario())


async def _same_price(here: World) -> OrderRequest:
    quotes = dict(here.quotes)
    request = await here.order(Side.BUY, "0.001")
    here.quotes.update(quotes)
    return request


def _gateway_anew(here: World, limits: RiskConfig) -> ExchangeGateway:
    here.ledger.close()
    here.ledger = Ledger(here.ledger.path, "sandbox", here.clock)
    return make_gateway(here.client, here.ledger, here.clock, here.quotes, limits)


def test_a_withdrawal_is_no_loss(tmp_path: Path) -> None:
    async def scenario() -> None:
        async with world(tmp_path, RiskConfig(daily_loss_max=D("0.01"))) as here:
            assert here.gateway.loss_limit_reached() == ""
            here.ledger.record_cash_flow("USDT", D(-5_000), "withdrawal")
            here.clock.ahead_s += 2
            assert here.gateway.loss_limit_reached() == ""

    asyncio.run(scenario())


def test_the_very_same_entry_again_and_again_is_refused_also_by_the_next_process(tmp_path: Path) -> None:
    async def scenario() -> None:
        async with world(tmp_path, RiskConfig(repeated_orders_max=2)) as here:
            for _ in range(2):
                assert (await bought(here, "0.001")).fills
            assert "same order 2 times" in ((await bought(here, "0.001")).refusal or "")
            assert (await bought(here, "0.002")).fills
            here.gateway = _gateway_anew(here, RiskConfig(repeated_orders_max=2))
            here.gateway.know_rules(await here.gateway.reader.load_rules())
            assert (await here.reconcile()).reconciled
            assert "same order 2 times" in ((await bought(here, "0.001")).refusal or "")
            here.clock.ahead_s += 61
            assert (await bought(here, "0.001")).fills

    asyncio.run(scenario())
