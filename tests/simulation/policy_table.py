"""What the classic ways to send an order do in the same worlds as ours: of the worlds in which something goes wrong,
how many end with an order doubled and how many with one forgotten. Whose way it is stands beside it, as read in their
sources in the autumn of 2026: it is the way that is tried here, on our venue and over our ledger, not their product.
"""

import concurrent.futures
import multiprocessing
from collections import Counter
from collections.abc import Iterable, Sequence

from tests.simulation.running import begin_worker
from tests.simulation.world import SimWorld
from tests.simulation.wrong_policies import WRONG_POLICIES, WrongPolicy

OURS = WrongPolicy("ours: intent first, unknown until the fence", 0)
WHOSE = {
    "retry on time-out, same id": "ccxt with its retries on",
    "retry on time-out, new id": "hummingbot's older connectors; a plain loop around ccxt",
    "place, then commit": "freqtrade",
    "probe, then reject": "nautilus",
    "not found is final at once": "freqtrade: assumed cancelled",
}
WORDS = ("doubled", "forgotten")
BATCH = 20


def table(seeds: Iterable[int], processes: int, wrong: Sequence[WrongPolicy] = WRONG_POLICIES) -> list[str]:
    """A line of it for each policy, ours first, over the same worlds."""
    todo = list(seeds)
    batches = [todo[start : start + BATCH] for start in range(0, len(todo), BATCH)]
    policies = (OURS, *wrong)
    lines = [f"{'':<46}{'worlds':>7}{'doubled':>10}{'forgotten':>11}{'any finding':>13}"]
    fresh = multiprocessing.get_context("spawn")
    with concurrent.futures.ProcessPoolExecutor(processes, fresh, begin_worker) as pool:
        asked = [[pool.submit(_judged, policy.name, batch) for batch in batches] for policy in policies]
        for policy, answers in zip(policies, asked, strict=True):
            counts = sum((answer.result() for answer in answers), Counter[str]())
            lines.append(_line(policy, counts))
    return lines


def _line(policy: WrongPolicy, counts: Counter[str]) -> str:
    worlds = counts["worlds"]
    shares = [f"{counts[word] / max(worlds, 1):.1%}" for word in (*WORDS, "any")]
    whose = WHOSE.get(policy.name, "")
    return f"{policy.name:<46}{worlds:>7}{shares[0]:>10}{shares[1]:>11}{shares[2]:>13}  {whose}".rstrip()


def policy_of(name: str | None) -> WrongPolicy:
    """By its name; ours for any other."""
    return next((policy for policy in WRONG_POLICIES if policy.name == name), OURS)


def _judged(name: str, seeds: list[int]) -> Counter[str]:
    """Of those in which anything goes wrong."""
    policy, counts = policy_of(name), Counter[str]()
    for seed in seeds:
        with policy.put_in():
            world = SimWorld(seed, policy.gateway)
            findings = [each for each in world.run().findings if not each.startswith("unforeseen")]
        if world.network.failed or world.machine.died:
            counts["worlds"] += 1
            counts.update(word for word in WORDS if any(each.startswith(word) for each in findings))
            counts["any"] += bool(findings)
    return counts
