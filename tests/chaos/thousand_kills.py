"""`python -m tests.chaos.thousand_kills`: a thousand real processes killed at random, judged by the files they leave.

Traders and venue of one home after another, over a bad line, as in test_kills.py; each home lives `--rounds` rounds,
then everything must agree. Ends with 1 at the first disagreement; its home is kept. Progress is kept in `--progress`.
"""

import argparse
import json
import random
import shutil
import sys
import tempfile
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path

from benchmarks.books import disagreements
from execution.runtime.clock import SystemClock
from execution.runtime.files import write_atomically
from execution.runtime.home import Home
from tests.chaos.bad_line import BadLine
from tests.chaos.checker import orders_sent
from tests.chaos.family import family_in
from tests.chaos.test_kills import EVERYBODY, SPEED, free_port, one_round, settle, traded_on
from tests.support import eventually

TRADES_AGAIN_WITHIN_S = 60.0


def one_home(root: Path, seed: int, rounds: int) -> Counter[str]:
    """What happened in it. AssertionError says what disagrees, or who didn't come back."""
    chance, line = random.Random(seed), BadLine(free_port(), seed)
    with family_in(root, seed, speed=SPEED, line=line) as family:
        family.start(*EVERYBODY)
        for number in range(rounds):
            sent = orders_sent(root) if number else 0
            eventually(partial(traded_on, family, sent), within_s=TRADES_AGAIN_WITHIN_S, every_s=0.01)
            one_round(family, chance, long_hold=number % 6 == 3)
        line.sound = True
        settle(family)
        found = disagreements(Home.find(root))
        assert not found, f"seed {seed}: {[finding.text for finding in found]}"
        counts = Counter({f"order requests {fate}": count for fate, count in line.fates.items()})
        return counts + Counter({"kills": family.deaths, "orders": orders_sent(root), "homes": 1, "rounds": rounds})


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.chaos.thousand_kills", description=__doc__)
    parser.add_argument("--kills", type=int, default=1000)
    parser.add_argument("--seed", type=int, default=1, help="of the first home; the next one's is one more")
    parser.add_argument("--rounds", type=int, default=20, help="of one home")
    parser.add_argument("--homes", type=int, default=1, help="side by side")
    parser.add_argument("--minutes", type=float, default=24 * 60.0, help="begin no further home after this long")
    parser.add_argument("--progress", type=Path, help="where to keep how far it has come; go on from there")
    chosen = parser.parse_args()
    clock = SystemClock()
    began = clock.monotonic()
    total: Counter[str] = Counter()
    if chosen.progress and chosen.progress.exists():
        total.update(json.loads(chosen.progress.read_text()))
    while total["kills"] < chosen.kills and clock.monotonic() - began < chosen.minutes * 60:
        folder = Path(tempfile.mkdtemp(prefix="nae-k-"))
        seeds = [chosen.seed + total["homes"] + number for number in range(chosen.homes)]
        with ThreadPoolExecutor(chosen.homes) as side_by_side:
            lives = [side_by_side.submit(one_home, folder / str(seed), seed, chosen.rounds) for seed in seeds]
        for seed, life in zip(seeds, lives, strict=True):
            if (error := life.exception()) is not None:
                print(f"\nseed {seed}: {error}\nits home is kept: {folder / str(seed)}", file=sys.stderr)
                return 1
            total.update(life.result())
        shutil.rmtree(folder)
        if chosen.progress:
            write_atomically(chosen.progress, json.dumps(total))
        print(f"{total['kills']} kills in {clock.monotonic() - began:.0f} s", file=sys.stderr, flush=True)
    print(f"{total['kills']} real processes killed: nothing doubled, nothing forgotten")
    for name, count in sorted(total.items()):
        print(f"  {count:>8} {name}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
