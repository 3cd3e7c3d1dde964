"""How much a client may ask: what each request weighs, what is refused beyond the limits, and for how long."""

import asyncio
import json
from collections.abc import Callable
from pathlib import Path

import aiohttp
import pytest
from hypothesis import given
from hypothesis import strategies as st

from execution.runtime.clock import ManualClock
from execution.venue import limits
from execution.venue.errors import ApiError
from execution.venue.limits import RateLimits
from execution.venue.weights import METHOD_USUAL, SAME_AS, method_weight, request_weight
from tests.venue.support import raw_client, running

Act = Callable[[RateLimits, int], object]
HERE, NOW = "127.0.0.1", 1_700_000_100_000
HUNDRED = json.dumps([f"A{number}" for number in range(100)])


@pytest.mark.parametrize(
    ("request_line", "weight"),
    [
        ("GET depth?symbol=BTCUSDT", 5),
        ("GET depth?symbol=BTCUSDT&limit=100", 5),
        ("GET depth?symbol=BTCUSDT&limit=101", 25),
        ("GET depth?symbol=BTCUSDT&limit=500", 25),
        ("GET depth?symbol=BTCUSDT&limit=1000", 50),
        ("GET depth?symbol=BTCUSDT&limit=5000", 250),
        ("GET depth?symbol=BTCUSDT&limit=x", 5),
        ("GET ticker/24hr", 80),
        ("GET ticker/24hr?type=MINI", 80),
        ("GET ticker/24hr?symbol=BTCUSDT", 2),
        ("GET ticker/24hr?symbols=%5B%22A%22%2C%22B%22%5D", 2),
        (f"GET ticker/24hr?symbols={HUNDRED}", 40),
        ("GET ticker?symbol=BTCUSDT", 4),
        (f"GET ticker?symbols={HUNDRED}", 200),
        ("GET ticker/tradingDay?symbols=[%22A%22,%22B%22]", 8),
        ("GET ticker/price", 4),
        ("GET ticker/price?symbol=BTCUSDT", 2),
        ("GET ticker/bookTicker?symbols=[%22A%22]", 4),
        ("GET openOrders?timestamp=1", 80),
        ("GET openOrders?symbol=BTCUSDT", 6),
        ("GET myTrades?symbol=BTCUSDT", 20),
        ("GET myTrades?symbol=BTCUSDT&orderId=5", 5),
        ("POST order/test?symbol=BTCUSDT", 1),
        ("POST order/test?computeCommissionRates=true", 20),
        ("GET account", 7),
        ("GET depth?" + "a=1&" * 200, 5),
    ],
)
def test_a_request_weighs_what_its_parameters_say(request_line: str, weight: int) -> None:
    name, _, query = request_line.partition("?")
    method, path = name.split()
    assert request_weight(method, f"/api/v3/{path}", query, 7) == weight


def test_a_method_of_the_web_socket_api_weighs_the_same_as_its_request() -> None:
    for method, name in SAME_AS.items():
        verb, path = name.split()
        for query, values in (("", {}), ("symbol=A", {"symbol": "A"}), ("orderId=1", {"orderId": "1"})):
            assert method_weight(method, values) == request_weight(verb, f"/api/v3/{path}", query, 0)
    assert method_weight("order.place", {}) == 1
    assert method_weight("session.logon", {}) == METHOD_USUAL


def refusal(act: Callable[[], object]) -> tuple[int, int, bool] | None:
    """(status, code, is a time to wait given) of what is refused."""
    try:
        act()
    except ApiError as error:
        return error.status, error.code, error.retry_after_s is not None
    return None


def test_each_limit_is_reached_exactly_and_is_forgotten_when_its_time_is_over() -> None:
    cases: tuple[tuple[int, int, Act, bool], ...] = (
        (limits.WEIGHT_PER_MINUTE, 60, lambda counts, now: counts.spend(HERE, 1, now), True),
        (limits.REQUESTS_PER_5_MIN, 300, lambda counts, now: counts.spend(HERE, 0, now), True),
        (limits.CONNECTIONS_PER_5_MIN, 300, lambda counts, now: counts.connect(HERE, now), True),
        (limits.ORDERS_PER_10_S, 10, lambda counts, now: counts.count_order("anna", now), False),
    )
    for most, period_s, act, waits in cases:
        counts = RateLimits()
        assert {refusal(lambda: act(counts, NOW)) for _ in range(most)} == {None}, most  # noqa: B023
        expected = (429, -1003 if waits else -1015, waits)
        assert refusal(lambda: act(counts, NOW)) == expected, "one too many"  # noqa: B023
        begun = NOW - NOW % (1000 * period_s)
        assert refusal(lambda: act(counts, begun + 1000 * period_s)) is None, "a new period"  # noqa: B023


def test_a_day_has_its_own_limit_of_orders() -> None:
    day = NOW - NOW % limits.DAY_MS
    counts = RateLimits()
    for number in range(limits.ORDERS_PER_DAY):
        counts.count_order("anna", day + 400 * number)
    assert refusal(lambda: counts.count_order("anna", day + limits.DAY_MS - 1)) == (429, -1015, False)
    assert counts.count_order("bob", day + limits.DAY_MS - 1) == (1, 1), "each account for itself"


@given(times=st.integers(1, 30))
def test_a_ban_is_twice_as_long_each_time_up_to_three_days(times: int) -> None:
    counts, now_ms, waited = RateLimits(), NOW, 0
    for _ in range(times):
        while True:
            try:
                counts.spend(HERE, 7_000, now_ms)
            except ApiError as error:
                if error.status == 418:
                    waited = error.retry_after_s or 0
                    break
        now_ms += 1000 * waited
    assert waited - 1 == min(259_200, 120 * 2 ** (times - 1))
    assert refusal(lambda: counts.spend("elsewhere", 1, now_ms)) is None


def test_lines_beyond_three_hundred_in_five_minutes_are_refused_at_the_door(tmp_path: Path) -> None:
    async def scene() -> None:
        clock = ManualClock(NOW)
        async with running(tmp_path, clock=clock, driven=False) as venue, raw_client(venue, clock) as raw:
            for _ in range(limits.CONNECTIONS_PER_5_MIN - 1):
                venue.server._rest._office.limits.connect(HERE, clock.now_ms())
            async with raw.session.ws_connect(f"{venue.url}/ws/btcusdt@trade") as last:
                for path in ("/ws", "/ws-api/v3"):
                    with pytest.raises(aiohttp.WSServerHandshakeError, match="429"):
                        await raw.session.ws_connect(venue.url + path)
                assert not last.closed
            clock.advance(300)
            async with raw.session.ws_connect(f"{venue.url}/ws"):
                pass
            rows = (await raw.public("exchangeInfo")).body["rateLimits"]
            assert {row["rateLimitType"]: row["limit"] for row in rows}["RAW_REQUESTS"] == limits.REQUESTS_PER_5_MIN

    asyncio.run(scene())


def test_what_there_isn_t_and_what_is_malformed_costs_too(tmp_path: Path) -> None:
    async def scene() -> None:
        clock = ManualClock(NOW)
        async with running(tmp_path, clock=clock, driven=False) as venue, raw_client(venue, clock) as raw:
            used = [
                int((await raw.ask("GET", path)).headers["X-MBX-USED-WEIGHT-1M"])
                for path in ("/api/v3/nothing", "/api/v3/depth?limit=5000&limit=5000", "/api/v3/depth?%ff=1")
            ]
            assert used == [1, 251, 256]
            async with raw.session.get(f"{venue.url}/ws/no@stream") as refused:
                assert refused.status == 400
            assert venue.server._rest._office.limits.weight_used(HERE, clock.now_ms()) == 256 + limits.CONNECTION_WEIGHT

    asyncio.run(scene())
