"""A thousand small worlds, each with its own bad weather: nothing is bought twice, nothing is forgotten.

NAE_WORLDS (default 1000; 100 where no file system is in memory) and NAE_SEED (default 0) make it longer and different;
`python -m tests.simulation --worlds 100000` goes on.
"""

import os
import subprocess
import sys

import pytest

from tests.simulation.running import run_worlds
from tests.simulation.weather import Fate
from tests.simulation.world import MEMORY, SimWorld
from tests.simulation.wrong_policies import WRONG_POLICIES, WrongPolicy, first_seen
from tests.support import ROOT

WORLDS = int(os.environ.get("NAE_WORLDS", "1000" if MEMORY.is_dir() else "100"))
SEED = int(os.environ.get("NAE_SEED", "0"))


@pytest.mark.alone
def test_in_a_thousand_worlds_every_order_is_placed_once_and_every_fill_is_known() -> None:
    total = run_worlds(range(SEED, SEED + WORLDS), processes=os.cpu_count() or 1)
    told = [f"seed {seed}: {findings}" for seed, findings in total.failed.items()]
    assert not told, "python -m tests.simulation --seed N --trace tells a world:\n" + "\n".join(told)
    assert total.worlds == WORLDS
    assert total.counts["orders"] > 15 * WORLDS and total.counts["deaths"] > WORLDS
    assert len([name for name in total.counts if name.startswith("requests")]) == len(Fate)


@pytest.mark.parametrize("policy", WRONG_POLICIES, ids=lambda policy: policy.name)
def test_a_wrong_policy_put_in_on_purpose_is_seen(policy: WrongPolicy) -> None:
    seen = first_seen(policy)
    assert seen is not None, f"{policy.name}: not seen in {policy.within} worlds"
    number, judged = seen
    print(f"{policy.name}: seen in world {number} of {policy.within}: {judged.findings[0]}")


@pytest.mark.parametrize("seed", [3, 17])
def test_the_same_seed_takes_the_same_steps_in_another_process(seed: int) -> None:
    here = SimWorld(seed).run().trace
    there = subprocess.run(
        [sys.executable, "-m", "tests.simulation", "--trace", "--seed", str(seed)],
        cwd=ROOT,
        env=os.environ | {"PYTHONHASHSEED": "7"},
        capture_output=True,
        text=True,
        check=True,
    )
    assert len(here) > 100
    assert there.stdout.splitlines()[:-1] == [line for text in here for line in text.splitlines()]
