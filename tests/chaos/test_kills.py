"""Real traders and a real venue, killed and held at random by seed: nothing is bought twice, nothing is forgotten.

NAE_CHAOS_ROUNDS (default 3) and NAE_CHAOS_SEED (default 1) make it longer and different.
"""

import os
import random
import socket
from functools import partial
from pathlib import Path

from execution.runtime.bus import NoAnswer, Refused, ask
from execution.runtime.clock import SystemClock, block
from tests.chaos.bad_line import BadLine
from tests.chaos.checker import orders_sent
from tests.chaos.family import Family, family_in
from tests.support import eventually

ROUNDS = int(os.environ.get("NAE_CHAOS_ROUNDS", "3"))
SEED = int(os.environ.get("NAE_CHAOS_SEED", "1"))
TRADERS = ("sandbox_optimus", "live_optimus")
EVERYBODY = ("venue", *TRADERS)
SPEED = 2000
HOLDS_S = (0.3, 4.3, 6.5)  # a hiccup; longer than we wait but inside the receive window; longer than both


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def listens(family: Family) -> bool:
    """Is the venue up?"""
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", family.venue_port)) == 0


def one_round(family: Family, chance: random.Random, long_hold: bool) -> None:
    """Something dies, or stands still while others wait for it; then whatever is missing comes back."""
    block(
        chance.choice((0.0, 0.002, 0.01, chance.uniform(0.0, 2.0), chance.uniform(0.0, 2.0)))
    )  # an order has just been matched
    draw = chance.random()
    if long_hold or draw < 0.1:
        family.hold("venue")
        block(HOLDS_S[1 + chance.randrange(2)] if long_hold else HOLDS_S[0])
        if chance.random() < 0.5:
            family.kill(chance.choice(TRADERS))
        family.go_on("venue")
    elif draw < 0.5:
        family.kill(*TRADERS)
    elif draw < 0.8:
        family.kill("venue")
    else:
        family.kill(*EVERYBODY)
    block(chance.uniform(0.0, 0.2))
    family.start(*EVERYBODY)


def traded_on(family: Family, before: int) -> bool:
    return orders_sent(family.home.root) > before


def paused(family: Family, name: str) -> bool:
    """Ask for it, once the trader can hear."""
    try:
        return bool(ask(family.home.run, name, "pause", SystemClock(), deadline_s=5))
    except (NoAnswer, Refused):
        return False  # it is still starting


def settle(family: Family) -> None:
    """No entries any more; every fate known; everybody stopped in order."""
    for name in TRADERS:
        eventually(partial(paused, family, name), within_s=30)
    for name in TRADERS:
        eventually(partial(family.is_quiet, name.removesuffix("_optimus")), within_s=60, every_s=0.1)
        ended = family.stop(name)
        assert ended == 0, f"{name} ended with {ended}: {family.log(name)[-2000:]}"
    eventually(partial(listens, family), within_s=30)  # told to end while it is being loaded it just ends
    ended = family.stop("venue")
    assert ended == 0, f"the venue ended with {ended}: {family.log('venue')[-2000:]}"


def test_killed_and_held_at_random_moments_nothing_is_doubled_and_nothing_is_forgotten(tmp_path: Path) -> None:
    chance = random.Random(SEED)
    line = BadLine(free_port(), SEED)
    with family_in(tmp_path / "home", SEED, speed=SPEED, line=line) as family:
        family.start(*EVERYBODY)
        for number in range(ROUNDS):
            sent = orders_sent(family.home.root) if number else 0
            eventually(partial(traded_on, family, sent), within_s=20, every_s=0.01)
            one_round(family, chance, long_hold=number % 6 == 3)
        line.sound = True
        settle(family)
        family.is_sound()
        assert family.deaths > ROUNDS // 3 and orders_sent(family.home.root) > ROUNDS
        assert line.fates.total() > ROUNDS and len(line.fates) > 1
        print(f"{family.deaths} deaths, {orders_sent(family.home.root)} orders, {dict(line.fates)}")
