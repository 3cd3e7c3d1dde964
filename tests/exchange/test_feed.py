"""The feed through a faulty stream: the real venue, real sockets, events lost, doubled, late, turned round, with wrong
prices, lines cut. No bar and no trade is lost or doubled, and the bars are the venue's own."""

import asyncio
import random
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from decimal import Decimal
from pathlib import Path

import msgspec
import pytest

from execution.exchange.feed import MarketFeed
from execution.exchange.venue_reader import VenueReader
from execution.runtime.settings import VenueConfig
from execution.venue.faults import Fault, Faults, Rule
from execution.vocabulary.health import ComponentStatus
from execution.vocabulary.market import Candle, Trade, TradedRange
from tests.exchange.test_streams import FAST, assert_gapless, new_feed, running
from tests.exchange.world import BTC, ETH, World, world
from tests.support import eventually_async, rounds

START = 1_700_000_040_000
MINUTES, TRADES_A_MINUTE = 400, 12
WARM = 5


def recording(folder: Path) -> VenueConfig:
    """Recorded trades, whose bars are exactly what their trades make; some minutes have none."""
    chance = random.Random(5)
    rows, price = ["id,price,qty,time,isBuyerMaker"], 30_000.0
    for number in range(MINUTES * TRADES_A_MINUTE):
        minute, place = divmod(number, TRADES_A_MINUTE)
        if minute % 17 == 3:
            continue
        price = round(price * (1 + chance.gauss(0, 0.0005)), 2)
        at_ms = START + minute * 60_000 + place * 60_000 // TRADES_A_MINUTE + chance.randrange(3000)
        rows.append(f"{number},{price},{chance.randrange(1, 900) / 1000},{at_ms},{chance.choice(('True', 'False'))}")
    path = folder / "BTCUSDT-trades.csv"
    path.write_text("\n".join(rows))
    return VenueConfig(market=f"replay:{path}", history_bars=50, speed=600)


class Heard:
    """What a feed delivered."""

    def __init__(self, feed: MarketFeed, bars: list[Candle]) -> None:
        self.feed = feed
        self.bars = bars
        self.trades: list[Trade] = []
        self.ranges: list[TradedRange] = []
        feed.tell_trades(self.trades.append)
        feed.tell_ranges(self.ranges.append)

    def assert_each_trade_came_once(self) -> None:
        ids = sorted(trade.id for trade in self.trades)
        assert ids == list(range(ids[0], ids[0] + len(ids)))

    def assert_ranges_leave_nothing_out(self) -> None:
        assert sum(each.count for each in self.ranges) == len(self.trades)
        prices = [trade.price for trade in self.trades]
        assert (min(r.low for r in self.ranges), max(r.high for r in self.ranges)) == (min(prices), max(prices))

    async def assert_bars_are_the_venues(self, here: World) -> None:
        assert_gapless({BTC: self.bars})
        told = await VenueReader(here.client).fetch_candles(BTC, "1m", self.bars[0].open_ms, len(self.bars))
        assert told == self.bars[: len(told)]
        assert len(told) >= len(self.bars) - 1


@asynccontextmanager
async def hearing(folder: Path, faults: Faults) -> AsyncIterator[tuple[World, Heard]]:
    async with world(folder, config=recording(folder), ready=False, faults=faults) as here:
        bars: list[Candle] = []
        feed = MarketFeed(here.client, [BTC], "1m", here.clock, lambda _, candle: bars.append(candle))
        await feed.warm(WARM)
        async with running(feed):
            heard = Heard(feed, bars)
            await eventually_async(lambda: len(heard.trades) > 20)
            yield here, heard


async def more(heard: Heard, bars: int) -> None:
    wanted = len(heard.bars) + bars
    await eventually_async(lambda: len(heard.bars) >= wanted, within_s=20)


async def settle(heard: Heard) -> None:
    """Until nothing is missing any more."""
    tape = heard.feed._symbols[BTC].trades.tape
    await eventually_async(lambda: not tape.gaps)


def test_bars_made_of_all_trades_are_the_venues_own_bit_for_bit(tmp_path: Path) -> None:
    async def scenario() -> None:
        async with hearing(tmp_path, Faults()) as (here, heard):
            await more(heard, 15)
            metrics = heard.feed.get_health().metrics
            assert metrics["bars_compared"] >= 10
            assert (metrics["bars_differing"], metrics["trades_missed"]) == (0, 0)
            assert heard.feed.get_health().status is ComponentStatus.HEALTHY
            heard.assert_each_trade_came_once()
            heard.assert_ranges_leave_nothing_out()
            await heard.assert_bars_are_the_venues(here)

    asyncio.run(scenario())


MID_STREAM = {
    "trades lost, twice, late and turned round": [
        Rule(Fault.DROP_EVENT, "*@trade", chance=0.1),
        Rule(Fault.DUPLICATE_EVENT, "*@trade", chance=0.2),
        Rule(Fault.SWAP_EVENTS, "*@trade", chance=0.2),
        Rule(Fault.DELAY_EVENT, "*@trade", chance=0.1, value=Decimal("0.2")),
    ],
    "closes lost, twice, late and turned round": [
        Rule(Fault.DROP_EVENT, "*@kline_1m", chance=0.2),
        Rule(Fault.DUPLICATE_EVENT, "*@kline_1m", chance=0.2),
        Rule(Fault.DELAY_EVENT, "*@kline_1m", chance=0.2, value=Decimal("0.25")),
        Rule(Fault.SWAP_EVENTS, "*@kline_1m", chance=0.2),
    ],
    "prices that can't be true": [
        Rule(Fault.ZERO_PRICE, "*", chance=0.05),
        Rule(Fault.NAN_PRICE, "*", chance=0.05),
        Rule(Fault.PRICE_TIMES, "*", chance=0.1, value=Decimal(10)),
        Rule(Fault.CROSSED_BOOK, "*@bookTicker", chance=0.2),
    ],
}


@pytest.mark.parametrize("what", MID_STREAM)
def test_a_fault_in_mid_stream_loses_and_doubles_nothing(tmp_path: Path, what: str) -> None:
    async def scenario() -> None:
        faults = Faults(seed=11)
        async with hearing(tmp_path, faults) as (here, heard):
            for rule in MID_STREAM[what]:
                faults.add(rule)
            await more(heard, 15 * rounds(1))
            faults.remove()
            await more(heard, 2)
            await settle(heard)
            assert faults.happened
            heard.assert_each_trade_came_once()
            assert heard.feed.get_health().metrics["trades_lost"] == 0
            await heard.assert_bars_are_the_venues(here)
            assert heard.feed.get_health().metrics["bars_differing"] == 0

    asyncio.run(scenario())


def test_a_line_cut_again_and_again_loses_no_trade(tmp_path: Path) -> None:
    async def scenario() -> None:
        async with hearing(tmp_path, Faults()) as (here, heard):
            for _ in range(3):
                await more(heard, 6)
                await here.proxy.close()
            await more(heard, 6)
            await settle(heard)
            heard.assert_each_trade_came_once()
            metrics = heard.feed.get_health().metrics
            assert metrics["trades_found"] == metrics["trades_missed"] > 0
            told = sum(each.count for each in heard.ranges)
            assert told == len(heard.trades) - metrics["trades_found"], "what comes late touches no stop"
            await heard.assert_bars_are_the_venues(here)

    asyncio.run(scenario())


def test_a_stream_without_closes_goes_on_by_bars_made_of_trades(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def scenario() -> None:
        monkeypatch.setattr("execution.exchange.symbol_feed.KLINE_GRACE_S", 0.2)
        faults = Faults()
        config = msgspec.structs.replace(recording(tmp_path), speed=120.0)
        async with world(tmp_path, config=config, ready=False, faults=faults) as here:
            bars: list[Candle] = []
            feed = MarketFeed(here.client, [BTC], "1m", here.clock, lambda _, candle: bars.append(candle))
            await feed.warm(WARM)
            async with running(feed):
                await eventually_async(lambda: feed.get_health().metrics["bars_compared"] >= 2)
                faults.add(Rule(Fault.DROP_EVENT, "*@kline_1m", for_s=30))
                known = len(bars)
                asked = here.proxy.count(b"GET /api/v3/klines")
                await eventually_async(lambda: len(bars) >= known + 2)
                assert feed.get_health().metrics["bars_from_trades"] >= 1
                assert here.proxy.count(b"GET /api/v3/klines") == asked
            await Heard(feed, bars).assert_bars_are_the_venues(here)

    asyncio.run(scenario())


def test_a_real_leap_of_the_price_gets_through_and_back(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    async def scenario() -> None:
        monkeypatch.setattr("execution.exchange.price_sense.CONFIRMED_AFTER_S", 0.2)
        monkeypatch.setattr("execution.exchange.missing.QUOTES_PERIOD_S", 0.1)
        faults = Faults()
        async with world(tmp_path, config=FAST, faults=faults) as here:
            feed, seen = new_feed(here)
            await feed.warm(WARM)
            async with running(feed):
                await eventually_async(lambda: len(seen[BTC]) > WARM + 2)
                before = feed.quote(BTC)
                assert before is not None
                number = faults.add(Rule(Fault.GAP, "BTCUSDT", for_s=60, value=Decimal(10)))
                await eventually_async(lambda: feed.quote(BTC).bid > 9 * before.bid)  # type: ignore[union-attr]
                known = len(seen[BTC])
                await eventually_async(lambda: len(seen[BTC]) > known + 2)
                faults.remove(number)
                await eventually_async(lambda: feed.quote(BTC).bid < 2 * before.bid)  # type: ignore[union-attr]
            assert_gapless(seen)
            assert feed.get_health().metrics["leaps"] >= 2

    asyncio.run(scenario())


def test_a_symbol_whose_own_stream_is_broken_gets_a_new_line(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    async def scenario() -> None:
        monkeypatch.setattr("execution.exchange.symbol_feed.STALE_FEED_S", 0.8)
        monkeypatch.setattr("execution.exchange.feed.STALE_FEED_S", 0.8)
        monkeypatch.setattr("execution.exchange.symbol_feed.QUIET_LOOK_S", 0.2)
        monkeypatch.setattr("execution.exchange.missing.QUOTES_PERIOD_S", 0.2)
        faults = Faults()
        async with world(tmp_path, config=FAST, faults=faults) as here:
            feed, seen = new_feed(here)
            await feed.warm(WARM)
            async with running(feed):
                await eventually_async(lambda: min(map(len, seen.values())) > WARM + 2)
                lines = feed.get_health().metrics["reconnects"]
                faults.add(Rule(Fault.DROP_EVENT, "ethusdt@*", for_s=60))
                await eventually_async(lambda: feed.get_health().metrics["reconnects"] > lines)
                assert feed.stale_for_s(ETH) < 3, "its quote comes by REST meanwhile"
                faults.add(Rule(Fault.ENDPOINT_GONE, "GET /api/v3/ticker/bookTicker", for_s=60))
                await eventually_async(lambda: feed.get_health().metrics["silent"] == ETH)
                assert feed.get_health().status is ComponentStatus.DEGRADED
                known = len(seen[ETH])
                await eventually_async(lambda: len(seen[ETH]) > known + 2)
                faults.remove()
            assert_gapless(seen)

    asyncio.run(scenario())


def test_while_rest_is_gone_the_stream_goes_on_and_nothing_is_missing_afterwards(tmp_path: Path) -> None:
    async def scenario() -> None:
        faults = Faults()
        async with hearing(tmp_path, faults) as (here, heard):
            await more(heard, 3)
            faults.add(Rule(Fault.ENDPOINT_GONE, "GET /api/v3/*", for_s=60))
            await here.proxy.close()
            trades = len(heard.trades)
            await eventually_async(lambda: len(heard.trades) > trades + 20)
            health = heard.feed.get_health()
            assert health.status is ComponentStatus.HEALTHY
            assert (health.metrics["reconnects"], health.error_count > 1) == (1, True)
            assert heard.feed._symbols[BTC].wants_bars
            faults.remove()
            await more(heard, 3)
            await settle(heard)
            heard.assert_each_trade_came_once()
            await heard.assert_bars_are_the_venues(here)

    asyncio.run(scenario())
