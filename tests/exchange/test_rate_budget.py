"""A minute's requests are counted by the venue's word; what can wait leaves the rest to recovery and orders."""

import asyncio
import json
import tempfile
from itertools import accumulate
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from execution.exchange.budget_file import BAN_MOST_MS
from execution.exchange.ccxt_door import BaseError
from execution.exchange.classify import Verdict, classify
from execution.exchange.gateway import EXTERNAL_ORDERS_EVERY
from execution.exchange.rate_budget import MINUTE_MS, SPARE_SHARE, WEIGHT_PER_MINUTE, Priority, RateBudget
from execution.runtime.clock import ManualClock, SystemClock
from execution.vocabulary.order_states import OrderState
from execution.vocabulary.orders import Side
from tests.exchange.world import BTC, client_at, world

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
            here.client.budget.hear(
                round(WEIGHT_PER_MINUTE * 0.8), now_ms() + MINUTE_MS
            )  # it begins as we speak, and never ends
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


def test_the_end_of_a_minute_is_for_exits_and_cancels(tmp_path: Path) -> None:
    async def scenario() -> None:
        async with world(tmp_path) as here:
            assert (await here.gateway.place(await here.order(quantity="0.01"))).fills
            now_ms = here.gateway.venue_now_ms
            here.client.budget.hear(round(WEIGHT_PER_MINUTE * 0.95), now_ms() + MINUTE_MS)
            here.clock.ahead_s += MINUTE_MS / 1000
            refused = await here.gateway.place(await here.order(quantity="0.01"))
            assert "is for exits" in (refused.refusal or "")
            assert (await here.gateway.place(await here.order(Side.SELL, "0.009"))).fills

    asyncio.run(scenario())


def test_all_processes_of_a_machine_share_one_budget_over_every_restart(tmp_path: Path) -> None:
    clock, file = ManualClock(), tmp_path / "rate_budget"
    one, other = RateBudget(clock, file), RateBudget(clock, file)
    one.hear(4_000, 7 * MINUTE_MS)
    assert other.used_weight(7 * MINUTE_MS) == 4_000 and not other.spare(7 * MINUTE_MS)
    assert other.may(Priority.ENTRY, 7 * MINUTE_MS)
    other.hear(3_000, 7 * MINUTE_MS)  # an older answer that comes late
    assert one.used_weight(7 * MINUTE_MS) == 4_000
    other.hear(5_500, 7 * MINUTE_MS)
    assert not one.may(Priority.ENTRY, 7 * MINUTE_MS) and one.may(Priority.EXIT, 7 * MINUTE_MS)
    assert one.used_weight(8 * MINUTE_MS) == 0

    one.be_quiet(120)
    assert other.quiet_for_s() == 120 and not other.may(Priority.CANCEL, 8 * MINUTE_MS)
    other.be_quiet(5)
    clock.advance(30)
    assert RateBudget(clock, file).quiet_for_s() == 90, "a restart forgets no ban, and a shorter one ends no longer one"
    clock.step_wall(-3600)
    assert RateBudget(clock, file).quiet_for_s() == 120, "a clock that went back makes it no longer than it was to last"


@given(st.binary(max_size=40))
def test_whatever_stands_in_the_file_nobody_is_silenced_for_ever(content: bytes) -> None:
    with tempfile.TemporaryDirectory() as folder:
        file, clock = Path(folder) / "rate_budget", ManualClock()
        file.write_bytes(content)
        budget = RateBudget(clock, file)
        assert 0 <= budget.quiet_for_s() <= BAN_MOST_MS / 1000
        now_ms = clock.now_ms()
        budget.hear(70, now_ms)
        assert RateBudget(clock).used_weight(now_ms) == 0 and budget.used_weight(now_ms) >= 70


def test_a_place_where_nothing_can_be_shared_leaves_each_to_itself(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    budget = RateBudget(ManualClock(), tmp_path / "file" / "rate_budget")
    budget.be_quiet(3)
    assert budget.quiet_for_s() == 3


@pytest.mark.parametrize(("code", "silent_s"), [(-1003, 60), (-1015, 0)])
def test_too_many_requests_silence_us_and_too_many_orders_of_one_account_dont(code: int, silent_s: int) -> None:
    async def scenario() -> None:
        client, reply = client_at(9, SystemClock()), {"code": code, "msg": "Too many."}
        url = "http://127.0.0.1:9/api/v3/order"
        try:
            with pytest.raises(BaseError) as caught:
                client.handle_errors(429, "", url, "POST", {}, json.dumps(reply), reply, {}, "")
            assert classify(caught.value.failure).verdict is Verdict.RATE_LIMITED
            assert round(client.budget.quiet_for_s()) == silent_s
        finally:
            await client.close()

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
