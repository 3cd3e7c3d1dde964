"""Many worlds, over all cores; what they came to, added up. A failing world is known by its seed."""

import concurrent.futures
import gc
import multiprocessing
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field

from tests.simulation.world import SimWorld

BATCH = 25
WORLDS_UNCLEARED = 5  # what a world leaves in cycles is little


@dataclass
class Total:
    """Of many worlds. `failed`: findings by seed."""

    worlds: int = 0
    counts: Counter[str] = field(default_factory=Counter)
    failed: dict[int, list[str]] = field(default_factory=dict)

    def add(self, other: "Total") -> None:
        self.worlds += other.worlds
        self.counts.update(other.counts)
        self.failed |= other.failed

    def plus(self, other: "Total") -> "Total":
        """Both together, as a new one."""
        return Total(self.worlds + other.worlds, self.counts + other.counts, self.failed | other.failed)


def begin_worker() -> None:
    """In a process that is for worlds alone. What is loaded now is never garbage: looking through it again and again
    would be a seventh of a world's cost."""
    SimWorld(0).run()
    gc.collect()
    gc.freeze()
    gc.disable()


def run_batch(seeds: Sequence[int]) -> Total:
    """One after the other, here."""
    total = Total()
    for number, seed in enumerate(seeds):
        if number % WORLDS_UNCLEARED == 0:
            gc.collect()
        try:
            judged = SimWorld(seed).run()
        except Exception as error:  # noqa: BLE001 -- a world that breaks down is a finding, with its seed
            total.add(Total(1, Counter(), {seed: [f"the world broke down: {type(error).__name__}: {error}"]}))
            continue
        total.add(Total(1, judged.counts, {seed: judged.findings} if judged.findings else {}))
    return total


def run_worlds(seeds: Iterable[int], processes: int, heard: Callable[[Total], None] = lambda total: None) -> Total:
    """All of `seeds`; `heard` is told the total after each batch, in their order."""
    todo = list(seeds)
    batches = [todo[start : start + BATCH] for start in range(0, len(todo), BATCH)]
    total = Total()
    fresh = multiprocessing.get_context("spawn")
    with concurrent.futures.ProcessPoolExecutor(processes, fresh, begin_worker) as pool:
        for done in pool.map(run_batch, batches):
            total.add(done)
            heard(total)
    return total
