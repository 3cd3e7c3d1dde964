"""A takeover at its worst: whoever takes over is killed as well, and whoever was overtaken comes back to life."""

import random
from pathlib import Path

from execution.ledger.account_lock import account_lock
from execution.runtime.bus import ask
from execution.runtime.clock import SystemClock, block
from execution.runtime.sqlite import read_all
from tests.chaos.twins import FIRST, SECOND, Twins, twins_in
from tests.support import eventually, rounds

MOMENTS_S = (0.0, 0.001, 0.004, 0.01, 0.03)


def tell(twins: Twins, name: str, verb: str, reason: str) -> None:
    ask(twins.family.home.run, name, verb, SystemClock(), deadline_s=5, reason=reason)


def test_who_takes_over_is_killed_too_and_a_handover_is_cut_off(tmp_path: Path) -> None:
    chance = random.Random(11)
    with twins_in(tmp_path / "home", speed=600) as twins:
        for _ in range(rounds(1)):
            holder, standby = twins.ready()
            twins.trades_on()
            twins.family.kill(holder)
            block(chance.choice(MOMENTS_S))
            twins.family.kill(standby)
            twins.family.start(FIRST, SECOND)
            holder, standby = twins.ready()
            twins.trades_on()
            tell(twins, holder, "handover", "a test")
            block(chance.uniform(0.0, 0.1))
            twins.family.kill(holder)
            eventually(lambda other=standby: twins.holder() == other, within_s=10)  # type: ignore[misc]
            twins.family.start(holder)
        twins.ready()
        twins.trades_on()
        twins.settle()


def epochs_of_orders(twins: Twins) -> list[int]:
    """By the venue's own list, as they came."""
    query = "SELECT client_id FROM orders WHERE account = 'live' ORDER BY id"
    rows = read_all(twins.family.home.data / "venue" / "venue.db", query)
    return [int(row["client_id"].split("-")[0], 36) for row in rows]


def test_who_was_stopped_and_overtaken_by_a_replaced_lock_sends_and_writes_nothing_when_it_goes_on(
    tmp_path: Path,
) -> None:
    with twins_in(tmp_path / "home", speed=600) as twins:
        for _ in range(rounds(1)):
            holder, standby = twins.ready()
            epoch = twins.epoch()
            twins.trades_on()
            tell(twins, holder, "pause", "not in the middle of a commit, which would keep everybody out")
            eventually(lambda: twins.family.is_quiet("live"), within_s=15, every_s=0.1)
            twins.family.hold(holder)
            account_lock(twins.family.home, "live").path.unlink()
            twins.family.kill(standby)  # it waited for the old file, which the stopped one still holds
            twins.family.start(standby)
            twins.taken_over(standby, epoch + 1)
            tell(twins, standby, "resume", "go on")
            eventually(lambda want=epoch: epochs_of_orders(twins)[-1] > want, within_s=20)  # type: ignore[misc]
            twins.family.go_on(holder)
            assert twins.family.process(holder).wait(10) == 0
            assert "the account's lock is lost" in twins.family.log(holder)
            twins.trades_on()
            epochs = epochs_of_orders(twins)
            assert epochs == sorted(epochs), "an order of who was overtaken"
            twins.family.start(holder)
        twins.ready()
        twins.settle()
