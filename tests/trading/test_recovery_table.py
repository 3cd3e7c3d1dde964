"""The recovery table, row by row, each with the real part failing: what breaks is left out, said, and tried again; what
is held is looked after all the time."""

import asyncio
from decimal import Decimal
from pathlib import Path

import pytest

from execution.exchange.venue_reader import VenueReader
from execution.learning.conditions import CONDITIONS_MAX
from execution.runtime.sqlite import open_writer
from execution.trading.saved_state import restore
from execution.venue.faults import Fault, Faults, Rule
from execution.vocabulary.market import Condition
from execution.vocabulary.money import floor_to_step
from execution.vocabulary.orders import OrderRequest, OrderType, Purpose, Side
from tests.support import eventually_async
from tests.trading.test_lessons import BTC, Refusing, try_to_buy
from tests.trading.venue import Trader, running_venue
from tests.trading.world import World, condition, flat, jump

ETH = "ETH/USDT"


def test_feed_cut_off_it_connects_again_by_itself_and_entries_come_back(tmp_path: Path) -> None:
    async def run() -> None:
        faults = Faults(7)
        async with running_venue(tmp_path, faults=faults) as port:
            trader = Trader(tmp_path, port)
            await trader.start()
            await eventually_async(lambda: not trader.system.entries_off(), within_s=15)
            faults.add(Rule(Fault.OFFLINE, for_s=3.0))
            await eventually_async(lambda: trader.system.components()["feed"].metrics["reconnects"] >= 1)
            bars = sum(trader.bars.newest().values())
            await eventually_async(lambda: sum(trader.bars.newest().values()) > bars)
            await eventually_async(lambda: not trader.system.entries_off())
            await eventually_async(lambda: trader.system.dependencies.user_stream.facts()["state"] == "closed")
            await trader.stop()

    asyncio.run(run())


def test_one_entry_that_raises_is_left_out_and_the_others_are_made(tmp_path: Path) -> None:
    async def run() -> None:
        world = World(tmp_path, symbols=(BTC, ETH))
        await world.system.start()
        world.system.arm([condition(-1, BTC, name="b"), condition(-1, ETH, score=0.5, name="e")])
        world.bar(jump(0), BTC)
        world.bar(jump(0), ETH)
        world.venue.answers.append(KeyError("a bug in one symbol's order"))
        done = await world.manager.run_cycle()
        assert done.entries == 1 and set(world.ledger.positions()) == {ETH}
        (line,) = world.audit.get_recent_cycles(1)
        assert "exception:KeyError" in str(line["entry_orders"])
        assert world.system.get_recent_errors(1)[-1]["kind"] == "KeyError"
        await world.system.stop()

    asyncio.run(run())


def test_research_that_falls_silent_leaves_the_last_conditions_until_their_time_is_over_then_no_trade(
    tmp_path: Path,
) -> None:
    async def run() -> None:
        world = World(tmp_path)
        system = world.system
        await system.start()
        system.arm([condition(-1, ttl=3)])
        world.clock.advance(25)
        for _ in range(3):
            world.clock.advance(11)
            system.watch_dependencies()
        assert system.dependencies.conditions.facts()["state"] == "open"
        health = system.components()["breakers"]
        assert (
            health.status == "degraded" and "nothing heard" in health.metrics["failing"]["conditions"]["last_failure"]
        )

        world.bar(jump(0))
        assert (await world.manager.run_cycle()).entries == 1, "they still hold"
        for number in range(1, 5):
            world.bar(flat(number, "101"))
        assert (await world.manager.run_cycle()).reason == "no_conditions_armed"

        system.arm([condition(4, name="again")])
        assert system.dependencies.conditions.facts()["state"] == "closed"
        await system.stop()

    asyncio.run(run())


def test_conditions_that_make_no_sense_replace_no_sound_ones(tmp_path: Path) -> None:
    async def run() -> None:
        world = World(tmp_path)
        system = world.system
        await system.start()
        assert system.arm([condition(-1)]) == 1
        mad = Condition("x", BTC, "clairvoyance", {}, "range", 1.0, 0, CONDITIONS_MAX)
        for _ in range(3):
            assert system.arm([mad]) == 1
        assert system.dependencies.conditions.facts()["state"] == "open"
        assert "clairvoyance" in system.dependencies.conditions.last_failure
        assert system.arm([mad, condition(-1, name="b")]) == 1, "one sound one is a set"
        assert system.arm([]) == 0, "research may find that nothing is worth it"
        await system.stop()

    asyncio.run(run())


def test_a_symbol_that_research_has_not_studied_since_its_start_keeps_what_it_had(tmp_path: Path) -> None:
    async def run() -> None:
        world = World(tmp_path, symbols=(BTC, ETH))
        system = world.system
        await system.start()
        system.arm([condition(-1, BTC, name="b"), condition(-1, ETH, name="e")], studied=[BTC, ETH])
        assert system.arm([], studied=[BTC]) == 1
        assert [row.id for row in system.sniper.of_others([])] == ["e"]
        assert system.arm([condition(-1, BTC, name="b2")], studied=[BTC]) == 2
        assert system.arm([], studied=[BTC, ETH]) == 0
        await system.stop()

    asyncio.run(run())


def test_a_ledger_that_cannot_be_written_stops_entries_and_is_tried_again_until_it_can(tmp_path: Path) -> None:
    async def run() -> None:
        world = World(tmp_path)
        system = world.system
        await system.start()
        world.ledger._connection.execute(
            "PRAGMA busy_timeout=0"
        )  # who waits two seconds tests no more than who doesn't
        stranger = open_writer(tmp_path / "ledger.db", "")
        stranger.execute("BEGIN IMMEDIATE")
        system.arm([condition(-1)])
        world.bar(jump(0))
        placed = len(world.venue.placed)
        assert (await world.manager.run_cycle()).reason == "exception:OperationalError"
        assert world.ledger.orders() == [] and len(world.venue.placed) - placed <= 1
        assert system.entries_off() == "ledger_failing"
        assert world.system.components()["ledger"].status == "failed"
        for seconds in (0, 1, 2, 4):
            world.clock.advance(seconds)
            system.watch_dependencies()
        assert system.dependencies.ledger.facts()["state"] == "open", "it was tried, each time later"
        assert system.dependencies.ledger.facts()["retry_in_s"] == 8
        assert "ledger" in system.off_numbers()["failing"]

        stranger.execute("ROLLBACK")
        stranger.close()
        world.clock.advance(8)
        system.watch_dependencies()
        assert system.dependencies.ledger.facts()["state"] == "closed"
        assert system.entries_off() == "" and system.components()["ledger"].status == "healthy"
        await system.stop()

    asyncio.run(run())


def test_a_venue_that_takes_no_orders_stops_entries_and_never_an_exit_and_one_try_begins_again(tmp_path: Path) -> None:
    async def run() -> None:
        world = World(tmp_path, symbols=(BTC, ETH))
        await world.system.start()
        world.system.arm([condition(-1, ETH, name="held")])
        world.bar(jump(0), ETH)
        await world.manager.run_cycle()
        assert set(world.ledger.positions()) == {ETH}

        Refusing(world, "ECONNREFUSED")
        for number in range(1, 241, 40):  # three in a row open it; each try after that doubles the wait
            assert await try_to_buy(world, number) == "rejected"
        assert world.system.quarantine.rows() == {}, "the symbol isn't to blame"
        assert world.system.entries_off() == "venue_orders_breaker_open"
        world.market.price(ETH, "90")
        world.system.save_state()
        world.ledger.close()

        second = World(tmp_path, symbols=(BTC, ETH), clock=world.clock)
        second.market.price(ETH, "90")
        Refusing(second, "ECONNREFUSED")
        assert world.system.entries_off() == "venue_orders_breaker_open"
        second.system.recovery.reconciled = True
        restore(second.system, second.ledger.restore_runtime_state() or {})
        assert second.system.entries_off() == "venue_orders_breaker_open", "a restart forgives nothing"
        await second.system.start()
        await second.manager.check_exits()
        assert second.ledger.positions() == {}, "what is held is sold"
        assert second.system.dependencies.venue_orders.facts()["state"] == "closed", "and that was an answer"
        assert second.system.entries_off() == ""
        await second.system.stop()

    asyncio.run(run())


def test_a_stream_that_ends_again_and_again_is_started_ever_more_rarely(tmp_path: Path) -> None:
    async def run() -> None:
        world = World(tmp_path)
        starts = 0

        async def ends() -> None:
            nonlocal starts
            starts += 1

        breaker = world.system.dependencies.user_stream
        for _ in range(20):
            world.system.streams.keep("user_stream", ends, breaker)
            await asyncio.gather(*world.system.streams._running.values())
            world.clock.advance(1)
        assert breaker.facts()["state"] != "closed" and starts <= 6
        await world.system.streams.stop()

    asyncio.run(run())


def test_a_venue_whose_reads_fail_is_asked_ever_more_rarely_and_at_once_when_the_market_is_heard_again(
    tmp_path: Path,
) -> None:
    async def run() -> None:
        world = World(tmp_path)
        system = world.system
        await system.start()
        asked = 0

        world.verdict_error = ConnectionError("nobody listens")
        world.market.stale = 30.0
        for _ in range(60):
            world.clock.advance(1)
            before = system.recovery._tried_at
            try:
                await system.recovery.keep_up()
            except ConnectionError:
                asked += system.recovery._tried_at != before
            system.watch_dependencies()
        assert asked < 15 and system.dependencies.venue_data.facts()["state"] != "closed"
        assert system.entries_off() == "stale_market_data"

        world.verdict_error = None
        world.market.stale = 0.0
        system.watch_dependencies()
        assert system.recovery.wanted.is_set()
        await system.recovery.keep_up()
        assert system.recovery.reconciled and system.entries_off() == ""
        await system.stop()

    asyncio.run(run())


def test_a_disk_with_no_room_left_stops_entries(tmp_path: Path) -> None:
    async def run() -> None:
        world = World(tmp_path)
        await world.system.start()
        world.system.dependencies.least_free_bytes = 1 << 62
        world.system.watch_dependencies()
        assert world.system.entries_off() == "ledger_failing"
        assert world.system.off_numbers()["failing"]["ledger"]["disk_free_bytes"] > 0
        await world.system.stop()

    asyncio.run(run())


def test_a_filter_that_the_venue_changes_is_learned_from_the_first_refusal_and_its_rules_are_loaded_anew(
    tmp_path: Path,
) -> None:
    async def run() -> None:
        faults = Faults(7)
        async with running_venue(tmp_path, faults=faults) as port:
            trader = Trader(tmp_path, port)
            await trader.start()
            system = trader.system
            await eventually_async(lambda: not system.entries_off(), within_s=15)
            faults.add(Rule(Fault.MIN_NOTIONAL, "BTCUSDT", value=Decimal(90)))

            async def told() -> bool:
                return (await VenueReader(trader.client).load_rules())[BTC].notional_min == 90

            await eventually_async(told)  # what was bought before would count against the limits of our own
            turn = [0]

            async def refused() -> bool:
                quote = system.parts.feed.quote(BTC)
                assert quote is not None
                quantity = floor_to_step(Decimal(60) / quote.ask, system.recovery.rules[BTC].lot_step)
                request = OrderRequest(
                    BTC, Side.BUY, OrderType.MARKET, quantity, quote.ask, Purpose.ENTRY, "trend", "a test", turn[0]
                )
                turn[0] += 60_000
                done = await system.assistants.execution.execute(request)
                return done.outcome is not None and done.outcome.state == "rejected"

            await eventually_async(refused)
            assert 60 < system.lessons.minimum(BTC) < 70
            await eventually_async(lambda: system.recovery.rules[BTC].notional_min == 90)
            assert system.quarantine.why(BTC) == "" and system.dependencies.venue_orders.facts()["state"] == "closed"
            await trader.stop()

    asyncio.run(run())


def test_a_venue_left_alone_is_asked_all_the_same_while_the_end_of_an_order_is_unknown(tmp_path: Path) -> None:
    async def run() -> None:
        world = World(tmp_path)
        system = world.system
        await system.start()
        world.venue.answers = ["unknown"]
        price = Decimal(100)
        await world.venue.place(
            OrderRequest(BTC, Side.BUY, OrderType.MARKET, Decimal(1), price, Purpose.ENTRY, "trend", "a test", 60_000)
        )
        world.verdict_error = ConnectionError("nobody listens")
        for _ in range(10):
            world.clock.advance(1)
            before = system.recovery._tried_at
            with pytest.raises(ConnectionError):
                await system.recovery.keep_up()
            assert system.recovery._tried_at != before, "an exit may wait for this answer"
        assert system.dependencies.venue_data.facts()["state"] != "closed"

    asyncio.run(run())
