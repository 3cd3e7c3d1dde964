"""A world that fails becomes one that a person can read; and the wrong ways are told beside ours."""

from tests.simulation.policy_table import OURS, policy_of, table
from tests.simulation.shrinking import Shrinking, faults_of
from tests.simulation.world import SimWorld
from tests.simulation.wrong_policies import RetriesWithANewId


def test_a_failing_world_shrinks_to_few_faults_and_fails_in_the_same_way() -> None:
    failing = (SimWorld(seed, RetriesWithANewId).run() for seed in range(20_000, 20_060))
    seed = next(judged.seed for judged in failing if judged.findings and judged.findings[0].startswith("doubled"))
    shrunk = Shrinking(seed, RetriesWithANewId).run()
    assert shrunk is not None and shrunk.judged.findings[0].startswith("doubled")
    assert 1 <= shrunk.faults <= shrunk.faults_before / 3
    again = SimWorld(seed, RetriesWithANewId, shrunk.weather).run()
    assert again.findings == shrunk.judged.findings and again.trace == shrunk.judged.trace


def test_a_world_that_does_not_fail_is_not_shrunk() -> None:
    assert Shrinking(1).run() is None


def test_a_world_in_which_only_what_went_wrong_may_go_wrong_is_the_same_world() -> None:
    first = SimWorld(13)
    told = first.run().trace
    weather = SimWorld(13).weather
    weather.may_fail = frozenset(first.network.failed)
    assert weather.may_fail and faults_of(weather) > len(weather.may_fail)
    assert SimWorld(13, weather=weather).run().trace[1:] == told[1:]


def test_in_the_table_ours_doubles_and_forgets_nothing_where_others_do() -> None:
    policy = policy_of("retry on time-out, new id")
    lines = {line[:46].strip(): line[46:].split()[:4] for line in table(range(20_000, 20_010), 1, [policy])}
    ours, retry = lines[OURS.name], lines[policy.name]
    assert int(ours[0]) > 5 and ours[1:] == ["0.0%"] * 3
    assert retry[0] == ours[0] and retry[1] != "0.0%"
