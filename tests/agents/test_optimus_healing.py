"""The verb `heal` of a trader: what it refuses, and that whatever is ordered in whatever order, a person's word stands,
no order gets larger, no limit moves, and taking all back leaves what a person said alone."""

import asyncio
import json
from decimal import Decimal
from typing import Any, cast

import pytest
from hypothesis import given, settings
from hypothesis import strategies as some

from agents.optimus_commands import carry_out
from agents.optimus_healing import DEEDS, heal
from agents.optimus_parts import MarketSide
from execution.runtime.bus import Refused
from execution.runtime.settings import RiskConfig
from execution.trading.saved_state import restore, state_of
from execution.vocabulary.lifecycle import TradingState
from tests.trading.world import World

NO_LINE = cast(MarketSide, None)  # what is ordered here never touches it
BTC, ETH = "BTC/USDT", "ETH/USDT"
LASTING = ("reduce_size", "pause", "quarantine_symbol", "quarantine_strategy")
LIMITS = RiskConfig()

marks = some.sampled_from(["f1", "f2", "f3"])
orders = some.fixed_dictionaries(
    {
        "what": some.sampled_from(LASTING),
        "mark": marks,
        "symbol": some.sampled_from([BTC, ETH]),
        "strategy": some.sampled_from(["trend", "momentum_breakout"]),
    },
    optional={
        "share": some.sampled_from(["0.5", "0.9", "1", "2", "-1", "nan", "many"]),
        "for_s": some.sampled_from([1, 60.0, 1e12, -1, "long"]),
        "undo": some.just(True),
        "check": some.just(True),
    },
)
words: some.SearchStrategy[Any] = some.one_of(
    some.tuples(some.just("quarantine"), some.fixed_dictionaries({"symbol": some.sampled_from([BTC, ETH])})),
    some.tuples(some.sampled_from(["pause", "resume", "halt"]), some.just({})),
)
times = some.integers(1, 30)


def said(world: World) -> dict[str, Any]:
    """What a person has said that holds: quarantines, and a state that isn't healing's."""
    rows = world.system.quarantine.listed()["quarantine"]
    state = world.ledger.trading_state()
    mine = {symbol: row for symbol, row in rows.items() if row["by"] == "ann"}
    return mine | ({"state": state} if state[0] is not TradingState.ACTIVE and "ann" in state[1] else {})


@settings(max_examples=60, deadline=None)
@given(some.lists(some.one_of(orders, words, times), max_size=25))
def test_no_sequence_of_orders_and_reverts_lifts_a_persons_word_enlarges_an_order_or_moves_a_limit(
    tmp_path_factory: pytest.TempPathFactory, steps: list[Any]
) -> None:
    async def play() -> None:
        folder = tmp_path_factory.mktemp("account")
        world = World(folder, limits=LIMITS)
        for step in steps:
            before = said(world)
            if isinstance(step, int):
                world.clock.advance(step)
                world.system.restraints.look(world.system)
            elif isinstance(step, tuple):
                await obeyed(world, *step)
                continue
            else:
                await ordered(world, step)
            assert said(world) == before, step
            assert Decimal(0) < world.system.restraints.share() <= 1
            assert world.system.assistants.risk._limits == LIMITS == RiskConfig()
        await all_taken_back(world)
        world.ledger.close()

    asyncio.run(play())


async def obeyed(world: World, verb: str, arguments: dict[str, Any]) -> None:
    try:
        await carry_out(world.system, verb, arguments | {"reason": "as ann says", "by": "ann"})
    except Refused:
        return  # halted: only arming leaves that


async def ordered(world: World, arguments: dict[str, Any]) -> None:
    share, kept = world.system.restraints.share(), json.dumps(state_of(world.system))
    try:
        await heal(world.system, NO_LINE, arguments)
    except Refused:
        assert json.dumps(state_of(world.system)) == kept, "refused: nothing has changed"
        return
    if not arguments.get("undo"):
        assert world.system.restraints.share() <= share
        assert not arguments.get("check") or json.dumps(state_of(world.system)) == kept
    if not arguments.get("check") or arguments.get("undo"):
        assert state_of(world.system) == world.ledger.restore_runtime_state(), "on the disk before the answer"


async def all_taken_back(world: World) -> None:
    before = said(world)
    for what in LASTING:
        for mark in ("f1", "f2", "f3"):
            for symbol, strategy in ((BTC, "trend"), (ETH, "momentum_breakout")):
                await heal(
                    world.system,
                    NO_LINE,
                    {"what": what, "mark": mark, "symbol": symbol, "strategy": strategy, "undo": True},
                )
    state = state_of(world.system)
    assert state["restraints"] == {} and said(world) == before
    assert set(state["quarantine"]) == {name for name in before if name != "state"}


@pytest.mark.parametrize(
    ("arguments", "why"),
    [
        ({"what": "reduce_size"}, "heal needs a mark"),
        ({"what": "sell_everything", "mark": "f1"}, "what = one of reconnect, new_client"),
        ({"what": "quarantine_symbol", "mark": "f1"}, "which symbol"),
        ({"what": "quarantine_strategy", "mark": "f1", "strategy": "x"}, "there is no strategy 'x'"),
        ({"what": "reduce_size", "mark": "f1", "share": 3}, "above 0 and below 1"),
        ({"what": "pause", "mark": "f1", "for_s": -5}, "a number of seconds up to"),
    ],
)
def test_an_order_that_makes_no_sense_is_refused_with_what_would(
    arguments: dict[str, Any], why: str, tmp_path_factory: pytest.TempPathFactory
) -> None:
    world = World(tmp_path_factory.mktemp("account"))
    with pytest.raises(Refused, match=why):
        asyncio.run(heal(world.system, NO_LINE, arguments))
    assert set(DEEDS) > set(LASTING)


def test_a_trader_started_anew_still_takes_back_what_an_earlier_one_was_ordered(
    tmp_path_factory: pytest.TempPathFactory,
) -> None:
    async def play() -> None:
        folder = tmp_path_factory.mktemp("account")
        world = World(folder)
        world.system.save_state()
        before = world.ledger.restore_runtime_state()
        orders = [{"what": what, "mark": "f1", "symbol": BTC, "strategy": "trend"} for what in LASTING]
        for order in orders:
            assert (await heal(world.system, NO_LINE, order))["lasts"]
        kept = world.ledger.restore_runtime_state()
        assert kept is not None and kept != before
        world.ledger.close()
        again = World(folder)
        restore(again.system, kept)
        for order in orders:
            assert (await heal(again.system, NO_LINE, order | {"undo": True}))["undone"]
            assert not (await heal(again.system, NO_LINE, order | {"undo": True}))["undone"], "twice is once"
        assert again.ledger.restore_runtime_state() == before
        assert again.ledger.trading_state()[0] is TradingState.ACTIVE
        again.ledger.close()

    asyncio.run(play())
