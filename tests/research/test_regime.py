"""Kinds of market, recognised from prices alone."""

import math
import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from execution.research.regime import Regime, classify, efficiency

Closes = list[float]


def walk(bars: int, drift: float, volatility: float, seed: int = 1) -> Closes:
    """A seeded random walk of closes."""
    rng, price, closes = random.Random(seed), 100.0, []
    for _ in range(bars):
        price *= math.exp(rng.gauss(drift, volatility))
        closes.append(price)
    return closes


def regime_of(closes: Closes) -> Regime:
    """Bars that reach a hundredth of a percent beyond their close."""
    return classify([c * 1.0001 for c in closes], [c * 0.9999 for c in closes], closes)


def test_a_steady_rise_is_a_trend_up_and_a_steady_fall_a_trend_down() -> None:
    assert regime_of(walk(300, 0.0005, 0.0005)) is Regime.TREND_UP
    assert regime_of(walk(300, -0.0005, 0.0008)) is Regime.TREND_DOWN


def test_going_round_one_price_is_a_range() -> None:
    assert regime_of([100.0 + math.sin(k / 2) for k in range(300)]) is Regime.RANGE


def test_twice_the_usual_unrest_is_volatile() -> None:
    calm = walk(400, 0.0, 0.0005)
    wild = [calm[-1] * 1.004 if k % 2 else calm[-1] for k in range(30)]
    assert regime_of(calm + wild) is Regime.VOLATILE


def test_a_fall_beyond_what_volatility_explains_is_a_crash_until_the_window_has_passed() -> None:
    calm = walk(400, 0.0, 0.0005)
    fallen = [calm[-1] * (1 - 0.01 * k) for k in range(1, 9)]
    assert regime_of(calm + fallen) is Regime.CRASH
    rest = [fallen[-1] * (1 + 0.0003 * (k % 2)) for k in range(200)]
    assert regime_of(calm + fallen + rest) is not Regime.CRASH


@pytest.mark.parametrize("closes", [[], [100.0], [100.0, 101.0]])
def test_too_few_bars_are_a_range(closes: Closes) -> None:
    assert regime_of(closes) is Regime.RANGE


def test_a_market_that_never_moves_is_a_range() -> None:
    assert regime_of([100.0] * 200) is Regime.RANGE


def test_unfit_bars_are_left_out() -> None:
    closes = walk(300, 0.0005, 0.0005)
    highs, lows = [c * 1.0001 for c in closes], [c * 0.9999 for c in closes]
    spoiled = [*closes[:100], math.nan, 0.0, *closes[100:]]
    assert classify([*highs[:100], 1.0, 1.0, *highs[100:]], [*lows[:100], 1.0, 0.0, *lows[100:]], spoiled) is classify(
        highs, lows, closes
    )


def test_sequences_of_different_lengths_are_refused() -> None:
    with pytest.raises(ValueError):
        classify([1.0], [1.0, 2.0], [1.0])


@given(st.lists(st.floats(allow_nan=True, allow_infinity=True), max_size=80))
def test_any_numbers_give_some_regime(closes: Closes) -> None:
    assert classify(closes, closes, closes) in Regime


@given(st.lists(st.integers(1, 10**8), min_size=1, max_size=80), st.floats(0.1, 10.0))
def test_efficiency_is_a_share_and_knows_no_units(ticks: list[int], scale: float) -> None:
    prices = [float(tick) for tick in ticks]  # steps that no scale can round away
    assert 0.0 <= efficiency(prices) <= 1.0 + 1e-9
    assert efficiency([price * scale for price in prices]) == pytest.approx(efficiency(prices), abs=1e-6)
