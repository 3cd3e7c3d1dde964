"""How long an answer is held up: by each distribution's mean, median and tail, the same at each seed."""

from collections.abc import Iterator
from decimal import Decimal
from random import Random
from statistics import mean, median

import pytest
from hypothesis import given
from hypothesis import strategies as st

from execution.venue.fault_kinds import MEANINGS
from execution.venue.fault_script import as_row, parse_rules, read_rule
from execution.venue.faults import Fault, Faults, Rule
from execution.venue.latency import LONGEST_S, Distribution, draw
from execution.vocabulary.exit_codes import ConfigError

POST = "POST /api/v3/order"
DRAWS = 20_000


def drawn(distribution: Distribution, mean_s: float = 1.0, seed: int = 7) -> list[float]:
    random = Random(seed)
    return [draw(distribution, mean_s, random) for _ in range(DRAWS)]


@pytest.mark.parametrize(
    ("distribution", "middle", "over_twice", "over_ten"),
    [
        (Distribution.CONSTANT, 1.0, 0.0, 0.0),
        (Distribution.UNIFORM, 1.0, 0.0, 0.0),
        (Distribution.EXPONENTIAL, 0.693, 0.135, 0.00005),
        (Distribution.LOGNORMAL, 0.607, 0.116, 0.0025),
        (Distribution.PARETO, 0.529, 0.068, 0.0061),
    ],
)
def test_each_distribution_has_its_mean_its_median_and_its_tail(
    distribution: Distribution, middle: float, over_twice: float, over_ten: float
) -> None:
    times = drawn(distribution)
    assert mean(times) == pytest.approx(1, rel=0.12 if distribution is Distribution.PARETO else 0.03)
    assert median(times) == pytest.approx(middle, rel=0.03)
    assert sum(time > 2 for time in times) / DRAWS == pytest.approx(over_twice, abs=0.008)
    assert sum(time > 10 for time in times) / DRAWS == pytest.approx(over_ten, abs=0.0015)


@pytest.mark.parametrize("distribution", Distribution)
def test_the_same_seed_draws_the_same_times_and_another_others(distribution: Distribution) -> None:
    assert drawn(distribution) == drawn(distribution)
    assert (drawn(distribution) == drawn(distribution, seed=8)) == (distribution is Distribution.CONSTANT)


@given(distribution=st.sampled_from(Distribution), mean_s=st.floats(0, 60), seed=st.integers())
def test_no_time_is_below_nothing_or_longer_than_anybody_would_wait(
    distribution: Distribution, mean_s: float, seed: int
) -> None:
    assert 0 <= draw(distribution, mean_s, Random(seed)) <= LONGEST_S
    assert draw(distribution, 0, Random(seed)) == 0


def held_up(faults: Faults, count: int = 50) -> list[float]:
    def times() -> Iterator[float]:
        for _ in range(count):
            time = faults.latency(POST)
            assert time is not None
            yield time

    return list(times())


def test_a_rule_draws_by_its_own_distribution_and_seed_whatever_else_goes_wrong() -> None:
    def times(seed: int, noise: bool, distribution: Distribution | None = Distribution.PARETO) -> list[float]:
        faults = Faults(seed, {Fault.CUT: 0.5})
        faults.add(Rule(Fault.LATENCY, value=Decimal("0.5"), distribution=distribution))
        assert not noise or [faults.next(POST) for _ in range(9)]
        return held_up(faults)

    assert times(1, noise=False) == times(1, noise=True) != times(2, noise=False)
    assert times(1, noise=False, distribution=Distribution.CONSTANT) == [0.5] * 50
    assert times(1, noise=False, distribution=None) == times(1, noise=False, distribution=Distribution.EXPONENTIAL)
    assert Faults().latency(POST) is None


@pytest.mark.parametrize("distribution", Distribution)
def test_a_distribution_is_given_by_its_name_and_written_back(distribution: Distribution) -> None:
    row = {"fault": "latency", "value": 0.2, "distribution": str(distribution)}
    rule = read_rule(row, "here")
    assert rule.distribution is distribution
    assert read_rule(as_row(rule), "here") == rule
    assert str(distribution) in MEANINGS[Fault.LATENCY].what


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ('[{"fault": "latency", "distribution": "pareta"}]', "distribution = 'pareta'; pareto would be right"),
        ('[{"fault": "latency", "distribution": 7}]', "one of constant, uniform, exponential, lognormal, pareto"),
        (
            '[{"fault": "delay", "distribution": "pareto"}]',
            "distribution = 'pareto'; none: delay takes no distribution",
        ),
        ('[{"fault": "latency", "distributon": "pareto"}]', "did you mean distribution?"),
    ],
)
def test_a_wrong_distribution_is_refused_with_the_right_ones(text: str, said: str) -> None:
    with pytest.raises(ConfigError, match=r"^drill\.json: rule 1: ") as refused:
        parse_rules(text.encode(), "drill.json")
    assert said in str(refused.value)
