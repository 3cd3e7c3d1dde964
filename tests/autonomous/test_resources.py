"""Leaks and spins, told from noise, from warming up and from hard work."""

import random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from execution.autonomous.resources import Ceilings, Reading, find, meets_ceiling_in_s, slope, spins
from execution.vocabulary.limits import LEAK_RESTART_WITHIN_S, VITALS_PERIOD_S

MIB = 2**20
CEILINGS = Ceilings(1024 * MIB, 1000)


def readings(count: int, rss_mib: float = 100.0, growth_mib_s: float = 0.0, **others: float) -> list[Reading]:
    noise = random.Random(7)
    return [
        Reading(
            at=number * VITALS_PERIOD_S,
            rss_bytes=int((rss_mib + growth_mib_s * number * VITALS_PERIOD_S + noise.uniform(-2, 2)) * MIB),
            descriptors=int(50 + others.get("files_per_s", 0.0) * number * VITALS_PERIOD_S),
            cpu_s=others.get("cpu_share", 0.1) * number * VITALS_PERIOD_S,
        )
        for number in range(count)
    ]


@given(st.floats(-100, 100), st.floats(-10, 10), st.integers(3, 40))
def test_of_a_straight_line_the_slope_is_found_whatever_one_spike_says(start: float, growth: float, count: int) -> None:
    points = [(float(at), start + growth * at) for at in range(count)]
    assert slope(points) == pytest.approx(growth, abs=1e-6)
    if count > 8:
        points[count // 2] = (points[count // 2][0], 1e6)
        assert slope(points) == pytest.approx(growth, abs=1e-6)


@pytest.mark.parametrize(("growth_mib_s", "minutes", "act"), [(0.5, 26, False), (2.0, 3, True)])
def test_a_leak_is_said_with_its_ceiling_and_acted_on_when_that_is_near(
    growth_mib_s: float, minutes: int, act: bool
) -> None:
    finding = find(readings(60, growth_mib_s=growth_mib_s), CEILINGS)
    assert finding.leak.startswith("memory leak: ceiling in")
    assert int(finding.leak.split()[4]) == pytest.approx(minutes, abs=1)
    assert finding.act is act is (minutes * 60 < LEAK_RESTART_WITHIN_S)


def test_descriptors_leak_too() -> None:
    finding = find(readings(60, files_per_s=1.0), CEILINGS)
    assert finding.leak == "descriptor leak: ceiling in 11 min"
    assert not finding.act
    assert find(readings(60, files_per_s=2.0), CEILINGS).act


def test_near_the_ceiling_nobody_waits_for_a_slope() -> None:
    finding = find(readings(1, rss_mib=900), CEILINGS)
    assert (finding.leak, finding.act) == ("memory at 88% of its ceiling", True)


@settings(max_examples=30)
@given(st.floats(10, 700), st.integers(0, 10_000))
def test_what_only_goes_up_and_down_is_no_leak(rss_mib: float, seed: int) -> None:
    noise = random.Random(seed)
    flat = [Reading(5.0 * at, int((rss_mib + 30 * (at % 2) + noise.random()) * MIB), 50, 0.0) for at in range(60)]
    assert find(flat, CEILINGS).leak == ""


def test_warming_up_is_no_leak() -> None:
    warm = [Reading(5.0 * at, min(300, 50 + 10 * at) * MIB, 50, 0.0) for at in range(60)]
    assert find(warm, CEILINGS).leak == ""


def test_too_little_seen_says_nothing() -> None:
    assert meets_ceiling_in_s([(float(at), 10.0 * at) for at in range(9)], 1000) is None
    assert meets_ceiling_in_s([(float(at), 10.0 * at) for at in range(60)], 1000) is None
    assert find([], CEILINGS).leak == ""


def test_a_whole_core_for_ten_seconds_is_a_spin_and_less_isnt() -> None:
    assert spins(readings(3, cpu_share=1.0))
    assert not spins(readings(2, cpu_share=1.0)), "too short"
    assert not spins(readings(9, cpu_share=0.85))
