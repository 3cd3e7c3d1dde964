"""The live account has two traders and one lock: who dies, hangs or hands over, the other goes on at once.

Real processes and a real venue; what became of every order is judged from the venue's own files. NAE_ROUNDS=50 is the
full count of kills in the middle of orders.
"""

import random
from pathlib import Path

import pytest

from execution.autonomous.stop_marker import request_stop, withdraw_stop
from execution.ledger.account_lock import account_lock, holder_of
from execution.ledger.audit_log import recent
from execution.runtime.bus import Refused, ask
from execution.runtime.clock import SystemClock, block
from execution.runtime.locks import is_held
from tests.chaos.twins import FIRST, OTHER, SECOND, Twins, twins_in
from tests.support import eventually, rounds

PACE_S = 2.0  # in a longer row of kills: every start asks the venue for something, and a minute has its limit


def tell(twins: Twins, name: str, verb: str, **words: object) -> dict[str, object]:
    return ask(twins.family.home.run, name, verb, SystemClock(), deadline_s=5, **words)


def test_killed_in_the_middle_of_orders_its_twin_goes_on_and_nothing_is_doubled_or_forgotten(tmp_path: Path) -> None:
    chance = random.Random(7)
    with twins_in(tmp_path / "home", speed=600) as twins:
        for number in range(rounds()):
            holder, standby = twins.ready()
            block(PACE_S if number > 5 else 0.0)
            twins.trades_on()
            block(chance.choice((0.0, 0.001, 0.003, 0.01, chance.uniform(0.0, 1.0))))
            twins.family.kill(holder)
            told = twins.taken_over(standby, number + 2)  # one epoch for each takeover
            assert "reconciled=True" in told, told
            assert twins.holder() == standby
            twins.family.start(holder)
        holder, _ = twins.ready()  # the fallen one stands by again
        twins.trades_on()
        assert twins.epoch() == rounds() + 1
        twins.settle()


def test_the_first_of_both_to_start_is_active_and_the_second_waits_warm(tmp_path: Path) -> None:
    with twins_in(tmp_path / "home") as twins:
        assert twins.ready() == (FIRST, SECOND)
        waiting, active = twins.says(SECOND), twins.says(FIRST)
        assert (waiting["role"], active["role"]) == ("standby", "active")
        assert "epoch" not in waiting and active["epoch"] == 1
        with pytest.raises(Refused, match=f"stands by: {FIRST} holds the live account"):
            tell(twins, SECOND, "pause", reason="not yours to stop")
        # the standby's death is nothing to the account
        twins.family.kill(SECOND)
        twins.family.start(SECOND)
        assert twins.ready() == (FIRST, SECOND) and twins.epoch() == 1


def test_what_the_account_holds_is_known_to_the_one_that_waits(tmp_path: Path) -> None:
    with twins_in(tmp_path / "home") as twins:
        twins.ready()

        def is_known() -> bool:
            if not twins.says(FIRST).get("positions"):
                return False
            twins.family.hold(FIRST)  # what it holds would be sold by the time that anybody has looked twice
            try:
                held = sorted(twins.family.report("live").positions)
                if held:
                    eventually(lambda: twins.says(SECOND).get("holds") == held)
                return bool(held)
            finally:
                twins.family.go_on(FIRST)

        eventually(is_known, within_s=40)


def test_an_account_is_handed_over_only_to_a_standby_that_is_ready_and_both_trails_say_why(tmp_path: Path) -> None:
    with twins_in(tmp_path / "home") as twins:
        holder, standby = twins.ready()
        twins.family.kill(standby)
        with pytest.raises(Refused, match="no standby is ready"):
            tell(twins, holder, "handover", reason="nobody there")
        twins.family.start(standby)
        twins.ready()
        eventually(lambda: _handed_over(twins, holder), within_s=10)
        twins.taken_over(standby, 2)
        assert twins.family.process(holder).wait(8) == 0  # planned: no crash
        for name, kind in ((holder, "handover"), (standby, "takeover")):
            trail = recent(twins.family.home.audit_trail(name), 1, kind)
            assert [row["reason"] for row in trail] == ["it leaks"], name
        twins.family.start(holder)
        assert twins.ready() == (standby, holder)
        twins.settle()


def _handed_over(twins: Twins, holder: str) -> bool:
    try:
        return bool(tell(twins, holder, "handover", reason="it leaks"))
    except Refused:
        return False


def test_told_to_stop_the_active_one_lets_go_of_the_account_and_its_twin_goes_on(tmp_path: Path) -> None:
    with twins_in(tmp_path / "home") as twins:
        for epoch in (2, 3):
            holder, standby = twins.ready()
            assert twins.family.stop(holder) == 0
            twins.taken_over(standby, epoch)
            twins.family.start(holder)
        holder, standby = twins.ready()
        request_stop(twins.family.home.run, "the test", SystemClock())  # of all: then nobody takes over
        assert [twins.family.stop(name) for name in (holder, standby)] == [0, 0]
        assert "epoch=4" not in twins.family.log(standby)
        withdraw_stop(twins.family.home.run)
        twins.family.start(holder, standby)
        twins.ready()
        twins.settle()


def test_a_held_trader_keeps_the_account_until_it_is_killed_and_goes_on_alone_when_it_isnt(tmp_path: Path) -> None:
    with twins_in(tmp_path / "home", speed=600) as twins:
        holder, standby = twins.ready()
        twins.family.hold(holder)
        block(1.5)
        assert holder_of(twins.family.home, "live") == holder
        twins.family.go_on(holder)
        twins.trades_on()
        assert twins.epoch() == 1 and twins.says(standby)["role"] == "standby"
        twins.family.hold(holder)
        twins.family.kill(holder)  # as a manager does with one that hangs
        twins.taken_over(standby, 2)
        twins.family.start(holder)
        twins.ready()
        twins.settle()


def test_both_killed_the_account_is_free_and_the_next_start_recovers(tmp_path: Path) -> None:
    with twins_in(tmp_path / "home", speed=600) as twins:
        for _ in range(rounds(1)):
            twins.ready()
            twins.trades_on()
            twins.family.kill(FIRST, SECOND)
            assert not is_held(account_lock(twins.family.home, "live").path)
            twins.family.start(FIRST, SECOND)
        twins.ready()
        twins.trades_on()
        twins.settle()


def test_a_lock_file_put_in_its_place_ends_the_holder_and_one_of_both_goes_on(tmp_path: Path) -> None:
    with twins_in(tmp_path / "home") as twins:
        holder, standby = twins.ready()
        path = account_lock(twins.family.home, "live").path
        path.rename(tmp_path / "taken away")
        assert twins.family.process(holder).wait(10) == 0
        assert "the account's lock is lost" in twins.family.log(holder)
        twins.taken_over(standby, 2)
        assert OTHER[twins.holder()] == holder
        twins.family.start(holder)
        twins.ready()
        twins.settle()
