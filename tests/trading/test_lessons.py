"""What trades and orders teach: learned at once, kept in the account's file, the same after a kill, and learned again
from the ledger when the file is lost."""

import asyncio
from decimal import Decimal
from pathlib import Path

import pytest

from execution.ledger.knowledge_file import NAME, read_knowledge
from execution.ledger.store import Ledger
from execution.runtime.clock import ManualClock
from execution.runtime.settings import TradingConfig
from execution.runtime.sqlite import open_writer, transaction
from execution.vocabulary.order_states import OrderEvent
from execution.vocabulary.orders import OrderOutcome, OrderRequest
from tests.trading.world import MINUTE, World, condition, flat, jump

BTC = "BTC/USDT"


async def trade(world: World, number: int, win: bool = True) -> None:
    """One position, opened on a breakout and closed at its target or its stop."""
    world.system.arm([condition(number - 1, name=f"c{number}")])
    world.bar(flat(number))
    world.bar(jump(number + 1))
    assert (await world.manager.run_cycle()).entries == 1
    world.market.price(BTC, "102" if win else "99")
    await world.manager.check_exits()
    assert world.ledger.positions() == {}
    world.market.price(BTC, "100")
    for back in range(2, 30):  # the breakout leaves the window
        world.bar(flat(number + back))
    await world.manager.run_cycle()


def test_a_closed_trade_is_in_the_knowledge_file_before_its_cycle_has_ended(tmp_path: Path) -> None:
    async def run() -> None:
        world = World(tmp_path)
        await world.system.start()
        await trade(world, 0)
        known = read_knowledge(world.ledger.path)
        coin, strategy = known["coin"][BTC], known["strategy"]["momentum_breakout"]
        assert coin["trades"] == strategy["trades"] == 1 and coin["streak"] == 1
        assert coin["value"] > 0 and coin["mean_win"] > 0 and coin["updated_ms"] > 0
        await trade(world, 40, win=False)
        coin = read_knowledge(world.ledger.path)["coin"][BTC]
        assert (coin["trades"], coin["wins"], coin["streak"]) == (2, 1, -1) and coin["mean_loss"] > 0
        assert world.system.lessons.record("momentum_breakout").trades == 2
        await world.system.stop()

    asyncio.run(run())


def test_a_kill_between_the_trade_and_its_lesson_loses_nothing_and_counts_nothing_twice(tmp_path: Path) -> None:
    async def run() -> None:
        first = World(tmp_path)
        await first.system.start()
        await trade(first, 0)
        kept = read_knowledge(first.ledger.path)
        first.system.arm([condition(39, name="c40")])
        first.bar(flat(40))
        first.bar(jump(41))
        await first.manager.run_cycle()
        first.market.price(BTC, "102")
        await first.manager.check_exits()  # closed, and no cycle has looked at it yet
        first.ledger.close()
        assert read_knowledge(tmp_path / "ledger.db")["coin"] == kept["coin"]

        second = World(tmp_path, clock=first.clock)
        await second.system.start()
        await second.manager.run_cycle()
        coin = read_knowledge(tmp_path / "ledger.db")["coin"][BTC]
        assert (coin["trades"], coin["wins"], coin["streak"]) == (2, 2, 2)
        await second.system.stop()

    asyncio.run(run())


@pytest.mark.parametrize("harm", ["lost", "garbage", "another build's", "half a value"])
def test_knowledge_that_is_lost_or_not_understood_is_learned_again_from_the_ledger(tmp_path: Path, harm: str) -> None:
    async def run() -> None:
        first = World(tmp_path)
        await first.system.start()
        await trade(first, 0)
        await first.system.stop()
        kept = read_knowledge(tmp_path / "ledger.db")
        for path in tmp_path.glob(f"{NAME}*"):
            path.unlink()
        if harm == "garbage":
            (tmp_path / NAME).write_bytes(b"no database at all, and long enough to be looked at" * 50)
        elif harm != "lost":
            connection = open_writer(tmp_path / NAME, "CREATE TABLE knowledge (kind TEXT, name TEXT, value TEXT)")
            with transaction(connection):
                value = '{"value":' if harm == "half a value" else '"splendid"'
                connection.execute("INSERT INTO knowledge VALUES ('coin', 'BTC/USDT', ?)", (value,))
            connection.close()

        second = World(tmp_path, clock=first.clock)
        await second.system.start()
        await second.manager.run_cycle()
        again = read_knowledge(tmp_path / "ledger.db")
        assert again["coin"] == kept["coin"] and again["strategy"] == kept["strategy"]
        assert {name: row["orders"] for name, row in again["execution"].items()} == {"BTC/USDT market": 2}
        assert len(second.system.get_recent_errors(1)) == (0 if harm == "lost" else 1), "said, and never in the way"
        await second.system.stop()

    asyncio.run(run())


def test_a_file_that_cannot_be_written_keeps_nobody_from_trading_and_has_it_all_later(tmp_path: Path) -> None:
    async def run() -> None:
        world = World(tmp_path)
        await world.system.start()
        assert world.system.lessons.scores() == ({}, {})
        stranger = open_writer(tmp_path / NAME, "")
        stranger.execute("BEGIN IMMEDIATE")
        await trade(world, 0)
        assert world.system.components()["lessons"].status == "degraded"
        assert "coin" not in read_knowledge(world.ledger.path)
        stranger.execute("ROLLBACK")
        stranger.close()
        world.clock.advance(60)
        world.system.lessons.save()
        assert read_knowledge(world.ledger.path)["coin"][BTC]["trades"] == 1
        assert world.system.components()["lessons"].status == "healthy"
        await world.system.stop()

    asyncio.run(run())


class Refusing:
    """A venue that refuses orders of one symbol by a filter."""

    def __init__(self, world: World, note: str, symbol: str = BTC, below: str = "1000000") -> None:
        self._ledger: Ledger = world.ledger
        self._place = world.venue.place
        self._note, self._symbol, self._below = note, symbol, Decimal(below)
        self.asked: list[OrderRequest] = []
        world.venue.place = self.place  # type: ignore[method-assign]

    async def place(self, request: OrderRequest) -> OrderOutcome:
        self.asked.append(request)
        if request.symbol != self._symbol or request.value >= self._below:
            return await self._place(request)
        order_id = self._ledger.record_intent(request)
        row = self._ledger.mark(order_id, OrderEvent.REJECTED, note=self._note)
        return OrderOutcome(order_id, row.state, [], None)


async def try_to_buy(world: World, number: int) -> str:
    """A breakout; what became of the entry."""
    world.system.arm([condition(number - 1, name=f"c{number}")])
    world.bar(flat(number))
    world.bar(jump(number + 1))
    await world.manager.run_cycle()
    (line,) = world.audit.get_recent_cycles(1)
    for back in range(2, 30):
        world.bar(flat(number + back))
    await world.manager.run_cycle()
    orders = line.get("entry_orders") or [{}]
    return str(orders[0].get("outcome", line.get("excluded", {}).get(BTC, line["reason"])))


def test_an_order_refused_as_too_small_teaches_a_least_that_holds_for_a_time(tmp_path: Path) -> None:
    async def run() -> None:
        world = World(tmp_path, config=TradingConfig(position_share=Decimal("0.02")))
        await world.system.start()
        refusing = Refusing(world, "-1013 Filter failure: NOTIONAL", below="54")
        assert await try_to_buy(world, 0) == "rejected"
        assert world.system.recovery.rules_wanted.is_set(), "what we know of the venue's rules may be old"
        refused = refusing.asked[0].value
        assert world.system.lessons.minimum(BTC) == refused * Decimal("1.1") > 5
        assert await try_to_buy(world, 40) == "filled", "just as large as it must be"
        assert refusing.asked[1].value > refused * Decimal("1.1")
        world.clock.advance(3600)
        assert world.system.lessons.minimum(BTC) == 0, "it is tried again"
        await world.system.stop()

    asyncio.run(run())


def test_a_symbol_whose_orders_are_refused_again_and_again_is_left_alone_for_a_while_and_no_other_is(
    tmp_path: Path,
) -> None:
    async def run() -> None:
        world = World(tmp_path, clock=ManualClock(1_700_000_000_000 + 10 * MINUTE))
        await world.system.start()
        refusing = Refusing(world, "-2010 This symbol is not permitted for this account.")
        for number in (0, 40, 80):
            assert await try_to_buy(world, number) == "rejected"
        why = world.system.quarantine.why(BTC)
        assert "not permitted" in why and "3 orders in a row" in why
        assert world.system.quarantine.why("ETH/USDT") == ""
        tried = len(refusing.asked)
        assert await try_to_buy(world, 120) == "quarantine"
        assert len(refusing.asked) == tried, "nothing was sent"

        world.system.save_state()
        world.ledger.close()
        second = World(tmp_path, clock=world.clock)
        await second.system.start()
        assert second.system.quarantine.why(BTC) == why, "it outlives a restart"
        world.clock.advance(3600)
        assert second.system.quarantine.why(BTC) == ""

    asyncio.run(run())
