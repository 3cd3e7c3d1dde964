"""What healing holds back in a trader: it only makes risk smaller, outlives a restart, and takes back its own alone."""

import asyncio
from decimal import Decimal
from pathlib import Path
from typing import Any

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as some

from execution.runtime.clock import ManualClock
from execution.runtime.settings import RiskConfig, TradingConfig
from execution.trading.easing import EASED_PERIODS_S, Easing
from execution.trading.restraints import LEAST_SHARE, ONE, Restraints
from execution.trading.saved_state import restore, state_of
from execution.trading.sizing import shares
from execution.trading.system import TradingSystem
from execution.vocabulary.lifecycle import TradingState
from tests.trading.test_sizing import GOOD, listing
from tests.trading.world import World, condition, jump

HALF, HOUR_S = Decimal("0.5"), 3600.0


def entered(world: World) -> Decimal:
    """The value of what one breakout buys."""
    assert asyncio.run(_broken_out(world)), "nothing was bought"
    request = world.venue.placed[-1]
    return request.quantity * request.reference_price


async def _broken_out(world: World) -> bool:
    await world.system.start()
    world.system.arm([condition(-1)])
    world.bar(jump(0))
    await world.manager.run_cycle()
    return bool(world.venue.placed)


def test_a_cut_makes_the_next_entry_half_as_large_and_taken_back_it_is_as_before(tmp_path: Path) -> None:
    (tmp_path / "a").mkdir()
    (tmp_path / "b").mkdir()
    (tmp_path / "c").mkdir()
    whole = entered(World(tmp_path / "a"))
    world = World(tmp_path / "b")
    world.system.restraints.cut("f1", HALF, "no funds", HOUR_S)
    world.system.save_state()  # a start finds again what was kept, nothing else
    assert entered(world) == pytest.approx(whole / 2, rel=Decimal("0.01"))
    again = World(tmp_path / "c")
    again.system.restraints.cut("f1", HALF, "no funds", HOUR_S)
    assert again.system.restraints.uncut("f1") and not again.system.restraints.uncut("f1")
    assert entered(again) == whole


def test_cuts_multiply_up_to_a_bound_each_mark_counts_once_and_each_ends_by_itself() -> None:
    clock = ManualClock()
    made = Restraints(clock)
    made.cut("f1", HALF, "x", HOUR_S)
    with pytest.raises(ValueError, match="smaller for f1 already"):
        made.cut("f1", HALF, "x", HOUR_S)
    made.cut("f2", HALF, "y", 2 * HOUR_S)
    with pytest.raises(ValueError, match=r"at least 0\.25 are left"):
        made.cut("f3", HALF, "z", HOUR_S)
    assert made.share() == LEAST_SHARE and made.notes() == ("healing: entries get 0.25 of their usual size",)
    clock.advance(HOUR_S)
    assert made.share() == HALF
    clock.advance(HOUR_S)
    assert made.share() == ONE and made.notes() == () and made.to_state() == {}


@pytest.mark.parametrize("share", ["0", "-1", "1.01", "NaN", "Infinity"])
def test_a_kept_share_that_would_enlarge_orders_or_is_no_number_is_refused(share: str) -> None:
    kept = {"cuts": {"f1": {"share": share, "reason": "x", "until_ms": 2**45}}}
    made = Restraints(ManualClock())
    with pytest.raises(msgspec.ValidationError):
        made.restore(kept)
    assert made.share() == ONE


def test_a_share_above_1_would_count_as_1_wherever_it_came_from() -> None:
    config = TradingConfig()
    assert shares(listing(), 1.0, GOOD, config, explore=True, healing=Decimal(7)).all == ONE
    assert shares(listing(), 1.0, GOOD, config, explore=True, healing=HALF).smallest == "healing"


def test_a_strategy_left_alone_isnt_even_stepped_and_its_positions_are_still_sold(tmp_path: Path) -> None:
    async def scene() -> None:
        world = World(tmp_path)
        assert await _broken_out(world)
        world.system.restraints.strategies.put("momentum_breakout", "it raises", by="healing f1")
        world.bar(jump(1, "101", "90"))
        await world.manager.check_exits()
        assert world.venue.placed[-1].side.value == "sell", "an exit is never asked"
        world.system.arm([condition(1)])
        world.bar(jump(2, "90", "95"))
        placed = len(world.venue.placed)
        await world.manager.run_cycle()
        assert len(world.venue.placed) == placed
        last = world.manager.last
        assert last is not None and (last.triggers, last.entries) == (0, 0)
        assert '"c1":"strategy_quarantined"' in (tmp_path / "audit.jsonl").read_text()
        assert world.system.get_system_status()["note"] == "healing: no entries by momentum_breakout"

    asyncio.run(scene())


def test_all_of_it_is_the_same_after_a_restart(tmp_path: Path) -> None:
    world = World(tmp_path)
    system = world.system
    system.restraints.cut("f1", HALF, "no funds", HOUR_S)
    system.restraints.strategies.put("momentum_breakout", "it raises", by="healing f2")
    system.restraints.pause(system, "f3", "the clock", None)
    kept = world.ledger.restore_runtime_state()
    assert kept is not None
    world.ledger.close()
    again = World(tmp_path).system
    restore(again, kept)
    assert again.restraints.to_state() == system.restraints.to_state() == kept["restraints"]
    assert again.restraints.resume(again, "f3") and again.parts.ledger.trading_state() == (TradingState.ACTIVE, "")


def test_a_pause_ends_with_its_time_and_says_again_what_was_said_before(tmp_path: Path) -> None:
    world = World(tmp_path)
    system = world.system
    system.resume_trading("resumed by ann")
    before = state_of(system)
    system.restraints.pause(system, "f1", "the clock", 60.0)
    assert world.ledger.trading_state() == (TradingState.PAUSED, "healing f1: the clock")
    with pytest.raises(ValueError, match="the account is paused"):
        system.restraints.pause(system, "f2", "the clock", 60.0)
    world.clock.advance(59)
    system.restraints.look(system)
    assert world.ledger.trading_state()[0] is TradingState.PAUSED
    world.clock.advance(2)
    system.restraints.look(system)
    assert world.ledger.trading_state() == (TradingState.ACTIVE, "resumed by ann")
    assert state_of(system) == before == world.ledger.restore_runtime_state()


@pytest.mark.parametrize("word", ["pause_trading", "reduce_only", "halt_trading"])
def test_what_a_person_says_meanwhile_stands(word: str, tmp_path: Path) -> None:
    world = World(tmp_path)
    system = world.system
    system.restraints.pause(system, "f1", "the clock", 60.0)
    getattr(system, word)("by ann")
    stands = world.ledger.trading_state()
    assert not system.restraints.resume(system, "f1")
    world.clock.advance(61)
    system.restraints.look(system)
    assert world.ledger.trading_state() == stands and stands[1] == "by ann"


def test_a_venue_is_asked_less_while_eased_and_what_is_asked_for_at_once_is_always_due() -> None:
    clock = ManualClock()
    easing = Easing(clock)

    def asked(seconds: int) -> int:
        due = 0
        for _ in range(0, seconds, 5):
            clock.advance(5)
            due += easing.due("reconcile", 5.0)
        return due

    assert asked(60) == 12
    easing.ease(60)
    assert asked(60) == 60 / EASED_PERIODS_S["reconcile"]
    assert asked(60) == 12, "it is over by itself"
    easing.ease(600)
    asked(30)
    clock.advance(1)
    assert easing.due("reconcile", 5.0), "somebody wanted it"
    easing.end()
    assert easing.left_s == 0


# whatever is ordered, in whatever order

LIMITS = RiskConfig()
orders = some.one_of(
    some.tuples(some.just("cut"), some.sampled_from("abc"), some.decimals("0.01", "0.99", places=2)),
    some.tuples(some.just("uncut"), some.sampled_from("abc")),
    some.tuples(some.just("pause"), some.sampled_from("abc"), some.sampled_from([None, 5.0])),
    some.tuples(some.just("resume"), some.sampled_from("abc")),
    some.tuples(some.just("person"), some.sampled_from(["pause_trading", "halt_trading", "resume_trading"])),
    some.tuples(some.just("time"), some.integers(1, 10)),
    some.tuples(some.just("restart")),
)


@settings(max_examples=60, deadline=None)
@given(some.lists(orders, max_size=25))
def test_no_sequence_enlarges_an_order_lifts_a_persons_word_or_touches_a_limit(
    tmp_path_factory: pytest.TempPathFactory, steps: list[tuple[Any, ...]]
) -> None:
    folder = tmp_path_factory.mktemp("account")
    world = World(folder, limits=LIMITS)
    persons: tuple[TradingState, str] | None = None
    for number, (kind, *given_) in enumerate(steps):
        system = world.system
        if kind == "person":
            state = getattr(system, given_[0])(f"ann {number}")
            if given_[0] != "resume_trading" or state is TradingState.HALTED:
                persons = world.ledger.trading_state()
            else:
                persons = None
        elif kind == "restart":
            world.ledger.close()
            kept = state_of(system)
            world = World(folder, limits=LIMITS, clock=world.clock)
            restore(world.system, kept)
        else:
            _heal(world, kind, given_)
        assert Decimal(0) < world.system.restraints.share() <= ONE
        if persons is not None:
            assert world.ledger.trading_state() == persons
        assert world.system.assistants.risk._limits == LIMITS == RiskConfig()
    world.ledger.close()


def _heal(world: World, kind: str, given_: list[Any]) -> None:
    system: TradingSystem = world.system
    restraints = system.restraints
    if kind == "cut" and not restraints.obstacle_to_cut(given_[0], given_[1]):
        before = restraints.share()
        restraints.cut(given_[0], given_[1], "x", HOUR_S)
        assert restraints.share() < before
    elif kind == "uncut":
        restraints.uncut(given_[0])
    elif kind == "pause" and world.ledger.trading_state()[0] is TradingState.ACTIVE:
        restraints.pause(system, given_[0], "x", given_[1])
    elif kind == "resume":
        restraints.resume(system, given_[0])
    elif kind == "time":
        world.clock.advance(given_[0])
        restraints.look(system)
