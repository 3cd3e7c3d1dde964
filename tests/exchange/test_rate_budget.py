"""A minute's requests are counted by the venue's word; what can wait leaves the rest to recovery and orders."""

import asyncio
from itertools import accumulate
from pathlib import Path

from hypothesis import given
from hypothesis import strategies as st

from execution.exchange.gateway import EXTERNAL_ORDERS_EVERY
from execution.exchange.rate_budget import MINUTE_MS, SPARE_SHARE, WEIGHT_PER_MINUTE, RateBudget
from execution.runtime.clock import ManualClock
from execution.vocabulary.order_states import OrderState
from tests.exchange.world import BTC, world

RULES, STRANGERS = b"GET /api/v3/exchangeInfo", b"GET /api/v3/openOrders"
TRADES, ACCOUNT = b"GET /api/v3/myTrades", b"GET /api/v3/account"


@given(st.lists(st.tuples(st.integers(0, 40_000), st.integers(1, 400)), min_size=1, max_size=40))
def test_what_is_left_of_a_minute_is_never_overrated_and_the_next_begins_anew(steps: list[tuple[int, int]]) -> None:
    budget, minutes = RateBudget(ManualClock()), dict[int, int]()
    for now_ms, (_, weight) in zip(accumulate(after for after, _ in steps), steps, strict=True):
        minutes[now_ms // MINUTE_MS] = used = minutes.get(now_ms // MINUTE_MS, 0) + weight
        budget.hear(used, now_ms)
        budget.hear(used - weight, now_ms)  # an older answer that comes late
        assert budget.used_weight(now_ms) == used
        assert budget.spare(now_ms) == (used < WEIGHT_PER_MINUTE * SPARE_SHARE)
        assert budget.used_weight(now_ms + MINUTE_MS) == 0


def test_late_in_a_dear_minute_only_recovery_and_orders_ask(tmp_path: Path) -> None:
    async def scenario() -> None:
        async with world(tmp_path) as here:
            now_ms = here.gateway.venue_now_ms
            here.client.budget.hear(WEIGHT_PER_MINUTE, now_ms() + MINUTE_MS)  # it begins as we speak, and never ends
            here.clock.ahead_s += MINUTE_MS / 1000
            asked = len(here.proxy.requests)
            rules = here.gateway.rules
            assert await here.gateway.load_rules() is rules
            for _ in range(EXTERNAL_ORDERS_EVERY):
                assert (await here.reconcile()).reconciled
            assert (await here.gateway.place(await here.order())).state is OrderState.FILLED
            assert (await here.reconcile()).reconciled
            later = here.proxy.requests[asked:]
            assert not [request for request in later if request.startswith((RULES, STRANGERS))]
            assert [request for request in later if request.startswith(ACCOUNT)]

    asyncio.run(scenario())


def test_where_the_money_differs_is_looked_first_and_everywhere_only_after_that(tmp_path: Path) -> None:
    async def scenario() -> None:
        async with world(tmp_path) as here:
            by_hand = here.client.renewed()
            order = {"symbol": "BTCUSDT", "side": "BUY", "type": "MARKET", "quantity": "0.002"}
            await by_hand.call("privatePostOrder", order)
            await by_hand.close()
            before = here.proxy.count(TRADES)
            result = await here.reconcile()
            assert (result.reconciled, result.new_fills) == (True, 1)
            assert here.proxy.count(TRADES) == before + 1
            here.ledger.record_cash_flow("BTC", here.ledger.balances()["BTC"], "external", "only dreamt of")
            before = here.proxy.count(TRADES)
            assert not (await here.reconcile()).reconciled
            assert here.proxy.count(TRADES) > before + 2
            assert here.gateway.symbols_of_interest() > {BTC}

    asyncio.run(scenario())
