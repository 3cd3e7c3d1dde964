"""The feed and the user stream over real sockets: through silence, cuts and restarts of the venue's line."""

import asyncio
import contextlib
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from decimal import Decimal
from pathlib import Path
from typing import Any

import msgspec
import pytest

from execution.exchange import feed as feed_module
from execution.exchange.feed import MarketFeed
from execution.exchange.user_stream import UserStream
from execution.vocabulary.health import ComponentStatus
from execution.vocabulary.market import Candle, Quote
from execution.vocabulary.order_states import OrderState
from tests.exchange.proxy import Loses
from tests.exchange.world import BTC, CONFIG, ETH, SYMBOLS, World, world
from tests.support import eventually_async

FAST = msgspec.structs.replace(CONFIG, speed=600.0)  # a bar each 0.1 s


@asynccontextmanager
async def running(part: Any) -> AsyncIterator[None]:
    task = asyncio.ensure_future(part.run())
    try:
        yield
    finally:
        task.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await task


def new_feed(here: World) -> tuple[MarketFeed, dict[str, list[Candle]]]:
    seen: dict[str, list[Candle]] = {symbol: [] for symbol in SYMBOLS}
    feed = MarketFeed(here.client, SYMBOLS, "1m", here.clock, lambda symbol, candle: seen[symbol].append(candle))
    return feed, seen


def assert_gapless(seen: dict[str, list[Candle]]) -> None:
    for candles in seen.values():
        times = [candle.open_ms for candle in candles]
        assert times == list(range(times[0], times[-1] + 60_000, 60_000))


async def more_bars(seen: dict[str, list[Candle]], count: int) -> None:
    wanted = len(seen[BTC]) + count
    await eventually_async(lambda: len(seen[BTC]) >= wanted)


async def assert_as_the_venue_says(here: World, seen: dict[str, list[Candle]]) -> None:
    for symbol, candles in seen.items():
        told = await here.gateway.fetch_candles(symbol, "1m", candles[0].open_ms, len(candles))
        assert told == candles[: len(told)]
        assert len(told) >= len(candles) - 1


def test_bars_come_once_in_order_from_warm_start_into_the_stream(tmp_path: Path) -> None:
    async def scenario() -> None:
        async with world(tmp_path, config=FAST) as here:
            feed, seen = new_feed(here)
            await feed.warm(50)
            assert [len(candles) for candles in seen.values()] == [50, 50]
            async with running(feed):
                await eventually_async(lambda: min(map(len, seen.values())) > 60)
                assert feed.get_health().status is ComponentStatus.HEALTHY
                assert feed.stale_for_s() < 2
                quoted: list[Quote] = []
                feed.tell_quotes(quoted.append)
                await eventually_async(lambda: quoted)
                assert quoted[-1] == feed.quote(quoted[-1].symbol)
            assert_gapless(seen)
            await assert_as_the_venue_says(here, seen)

    asyncio.run(scenario())


def test_a_symbol_that_was_missed_at_the_warm_start_gets_its_history_with_the_stream(tmp_path: Path) -> None:
    """A candle question that fails at the start is asked again: without it the symbol would begin without a past."""

    async def scenario() -> None:
        async with world(tmp_path) as here:
            feed, seen = new_feed(here)
            async with running(feed):
                await eventually_async(lambda: all(seen.values()))
                assert min(map(len, seen.values())) >= 40, "not only what the stream has told so far"
            assert_gapless(seen)
            await assert_as_the_venue_says(here, seen)

    asyncio.run(scenario())


def test_a_cut_line_loses_no_bar_and_repeats_none(tmp_path: Path) -> None:
    async def scenario() -> None:
        async with world(tmp_path, config=FAST) as here:
            feed, seen = new_feed(here)
            await feed.warm(5)
            async with running(feed):
                for _ in range(3):
                    await more_bars(seen, 4)
                    await here.proxy.close()  # every connection is cut
            assert_gapless(seen)
            await assert_as_the_venue_says(here, seen)
            assert feed.get_health().metrics["reconnects"] >= 2

    asyncio.run(scenario())


def test_a_silent_line_is_noticed_and_replaced(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    async def scenario() -> None:
        monkeypatch.setattr(feed_module, "STALE_FEED_S", 0.4)
        monkeypatch.setattr(feed_module, "CHECK_PERIOD_S", 0.05)
        async with world(tmp_path, config=FAST) as here:
            feed, seen = new_feed(here)
            await feed.warm(5)
            async with running(feed):
                await eventually_async(lambda: len(seen[BTC]) > 8)
                here.proxy.loses = Loses.EVERYTHING
                await eventually_async(lambda: feed.get_health().status is ComponentStatus.DEGRADED)
                connections = here.proxy.connections
                here.proxy.loses = Loses.NOTHING
                await eventually_async(lambda: here.proxy.connections > connections)
                await more_bars(seen, 5)
                assert feed.get_health().status is ComponentStatus.HEALTHY
            assert_gapless(seen)

    asyncio.run(scenario())


@pytest.mark.parametrize(
    ("bid", "ask"), [("0", "1"), ("NaN", "NaN"), ("50000", "40000"), ("1000000", "1000001"), ("1", "2"), (None, [])]
)
def test_a_quote_that_makes_no_sense_is_refused_and_counted(tmp_path: Path, bid: Any, ask: Any) -> None:
    async def scenario() -> None:
        async with world(tmp_path) as here:
            feed, _ = new_feed(here)
            await feed.warm(1)
            good = feed.quote(BTC)
            feed.on_book_ticker({"s": "BTCUSDT", "b": bid, "a": ask})
            assert feed.quote(BTC) == good
            assert feed.get_health().metrics["refused"] == 1

    asyncio.run(scenario())


async def no_poll() -> None:
    """The stream alone must do."""


def test_fills_come_by_the_stream_when_the_reply_is_lost(tmp_path: Path) -> None:
    async def scenario() -> None:
        async with world(tmp_path) as here:
            stream = UserStream(here.client, here.ledger, SYMBOLS, here.clock, no_poll)
            async with running(stream):
                await eventually_async(lambda: stream.get_health().status is ComponentStatus.HEALTHY)
                here.proxy.loses, here.proxy.match = Loses.REPLY, b"POST /api/v3/order"
                await here.gateway.place(await here.order())
                await eventually_async(lambda: here.ledger.orders()[0].state is OrderState.FILLED)
            here.proxy.loses = Loses.NOTHING
            assert here.ledger.fills_count == 1
            assert here.books() == await here.venue_balances()

    asyncio.run(scenario())


def test_while_the_stream_is_down_fills_are_polled(tmp_path: Path) -> None:
    async def scenario() -> None:
        async with world(tmp_path) as here:
            here.proxy.loses, here.proxy.match = Loses.REQUEST, b"GET /ws-api"

            async def poll() -> None:
                await here.gateway.fetch_new_fills(BTC)

            stream = UserStream(here.client, here.ledger, SYMBOLS, here.clock, poll)
            async with running(stream):
                by_hand = here.client.renewed()
                order = {"symbol": "BTCUSDT", "side": "BUY", "type": "MARKET", "quantity": "0.002"}
                await by_hand.call("privatePostOrder", order)
                await by_hand.close()
                await eventually_async(lambda: here.ledger.fills_count == 1)
                assert stream.get_health().status is ComponentStatus.DEGRADED
            assert here.ledger.positions() == {}
            assert here.ledger.balances()["BTC"] == Decimal("0.001998")

    asyncio.run(scenario())


def test_a_symbol_that_is_not_ours_is_left_to_reconciliation(tmp_path: Path) -> None:
    async def scenario() -> None:
        async with world(tmp_path) as here:
            stream = UserStream(here.client, here.ledger, (ETH,), here.clock, no_poll)
            stream.on_user_event({"e": "executionReport", "s": "BTCUSDT"})
            stream.on_user_event({"e": "executionReport", "s": "ETHUSDT"})  # unreadable
            stream.on_user_event({"e": "outboundAccountPosition"})
            assert stream.get_health().error_count == 1
            assert here.ledger.fills_count == 0

    asyncio.run(scenario())
