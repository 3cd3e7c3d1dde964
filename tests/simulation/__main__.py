"""`python -m tests.simulation --worlds 100000`: many simulated worlds, resumable; `--seed N --trace` tells one.

Progress is kept in a file (`--progress`); a run that was stopped goes on where it was. Ends with 1 when a world failed,
naming its seed; the end of its trace is printed. `--seed N --shrink` takes out what the failure doesn't need;
`--policies` shows how often the classic wrong ways double or forget an order in the same worlds.
"""

import argparse
import json
import os
import sys
from collections import Counter
from pathlib import Path

from execution.runtime.clock import SystemClock
from execution.runtime.files import write_atomically
from tests.simulation.policy_table import policy_of, table
from tests.simulation.running import Total, run_worlds
from tests.simulation.shrinking import Shrinking
from tests.simulation.world import Judged, SimWorld
from tests.simulation.wrong_policies import WRONG_POLICIES

KEPT_EVERY = 500  # worlds
SEEDS_TOLD, TRACE_LINES = 3, 40


def main() -> int:
    chosen = _chosen()
    if chosen.shrink:
        return _shrink(chosen.seed, chosen.policy)
    if chosen.trace:
        return _told(_judged(chosen.seed, chosen.policy))
    if chosen.policies:
        print(*table(range(chosen.seed, chosen.seed + chosen.worlds), chosen.processes), sep="\n")
        return 0
    total, seconds = run_all(chosen.seed, chosen.worlds, chosen.processes, chosen.progress)
    print(f"\n{total.worlds} worlds in {seconds:.0f} s, from seed {chosen.seed}: {len(total.failed)} failed")
    for name, count in sorted(total.counts.items()):
        print(f"  {count:>10} {name}")
    for seed, findings in sorted(total.failed.items())[:SEEDS_TOLD]:
        end = SimWorld(seed).run().trace[-TRACE_LINES:]
        print(f"\nseed {seed}:", *findings, "the end of its trace:", *end, sep="\n  ")
    return bool(total.failed)


def _chosen() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m tests.simulation", description=__doc__)
    parser.add_argument("--worlds", type=int, default=1000, help="how many, from --seed on")
    parser.add_argument("--seed", type=int, default=0, help="the first")
    parser.add_argument("--processes", type=int, default=os.cpu_count() or 1)
    parser.add_argument("--progress", type=Path, help="where to keep how far it has come; go on from there")
    parser.add_argument("--trace", action="store_true", help="tell the world of --seed, step by step")
    parser.add_argument(
        "--shrink", action="store_true", help="take out of --seed's world what its failure doesn't need"
    )
    parser.add_argument(
        "--policies", action="store_true", help="ours beside the classic wrong ways, in the same worlds"
    )
    parser.add_argument("--policy", choices=[policy.name for policy in WRONG_POLICIES], help="for --trace and --shrink")
    return parser.parse_args()


def _judged(seed: int, name: str | None) -> Judged:
    policy = policy_of(name)
    with policy.put_in():
        return SimWorld(seed, policy.gateway).run()


def _told(judged: Judged) -> int:
    print(*judged.trace, *(judged.findings or ["everything agrees"]), sep="\n")
    return bool(judged.findings)


def _shrink(seed: int, name: str | None) -> int:
    policy = policy_of(name)
    with policy.put_in():
        shrunk = Shrinking(seed, policy.gateway).run()
    if shrunk is None:
        print(f"seed {seed} doesn't fail: everything agrees")
        return 0
    _told(shrunk.judged)
    print(f"{shrunk.faults_before} faults, {shrunk.faults} of them needed, after {shrunk.tried} worlds")
    return 1


def run_all(first: int, worlds: int, processes: int, progress: Path | None) -> tuple[Total, float]:
    """Kept every so often, and at the end."""
    clock = SystemClock()
    before, seconds_before = _kept(progress, first)
    began = clock.monotonic()
    total, kept = before, before.worlds

    def heard(now: Total) -> None:
        nonlocal total, kept
        total = before.plus(now)
        if total.worlds >= min(kept + KEPT_EVERY, worlds):
            kept = total.worlds
            seconds = seconds_before + clock.monotonic() - began
            _keep(progress, first, total, seconds)
            _show(total, worlds, seconds)

    if before.worlds < worlds:
        run_worlds(range(first + before.worlds, first + worlds), processes, heard)
    return total, seconds_before + clock.monotonic() - began


def _show(total: Total, worlds: int, seconds: float) -> None:
    share = total.worlds / worlds
    bar = "#" * int(share * 30)
    left = seconds / share - seconds
    print(
        f"\r[{bar:<30}] {total.worlds}/{worlds} worlds, {len(total.failed)} failed, {left / 60:.0f} min to go",
        end="",
        file=sys.stderr,
        flush=True,
    )


def _kept(progress: Path | None, first: int) -> tuple[Total, float]:
    if progress is None or not progress.exists():
        return Total(), 0.0
    kept = json.loads(progress.read_text())
    if kept["first"] != first:
        raise SystemExit(f"{progress} is of a run from seed {kept['first']}, not {first}: give another file")
    failed = {int(seed): findings for seed, findings in kept["failed"].items()}
    return Total(kept["worlds"], Counter(kept["counts"]), failed), kept["seconds"]


def _keep(progress: Path | None, first: int, total: Total, seconds: float) -> None:
    if progress is not None:
        kept = {"first": first, "worlds": total.worlds, "seconds": seconds, "counts": total.counts}
        write_atomically(progress, json.dumps(kept | {"failed": total.failed}).encode())


if __name__ == "__main__":
    sys.exit(main())
