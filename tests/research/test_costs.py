"""One cost model: what a round trip loses, and the gate made of it."""

from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from execution.research.costs import Costs, clears_cost, gross_target, kept_share, round_trip_share

shares = st.floats(0.0, 0.05)
costs = st.builds(Costs, shares, shares, shares)


def test_fees_alone_cost_both_sides() -> None:
    assert round_trip_share(Costs(0.001, 0.0, 0.0)) == pytest.approx(1 - 0.999**2)


def test_a_symbols_fee_and_spread_make_the_model() -> None:
    made = Costs.of(Decimal("0.001"), Decimal("0.0004"), Decimal("0.0001"))
    assert made == Costs(0.001, 0.0002, 0.0001)


@given(costs)
def test_the_gross_target_leaves_exactly_the_net_one(model: Costs) -> None:
    assert (1 + gross_target(0.006, model)) * kept_share(model) - 1 == pytest.approx(0.006)


@given(costs, costs)
def test_dearer_in_every_part_is_dearer_in_all(one: Costs, other: Costs) -> None:
    dearest = Costs(*(max(pair) for pair in zip(vars(one).values(), vars(other).values(), strict=True)))
    assert round_trip_share(dearest) >= max(round_trip_share(one), round_trip_share(other)) - 1e-12


def test_the_gate_wants_the_target_above_its_cost_as_often_as_asked() -> None:
    assert clears_cost(0.006, 0.0024, 2.0)
    assert not clears_cost(0.006, 0.0024, 2.6)
    assert not clears_cost(0.0024, 0.0024)
    assert not clears_cost(float("nan"), 0.0024)


@pytest.mark.parametrize("name", ["taker_fee", "half_spread", "slippage"])
def test_a_share_that_cannot_be_is_refused_by_name(name: str) -> None:
    with pytest.raises(ValueError, match=f"cost {name} = -0.1"):
        Costs(**{name: -0.1})
    with pytest.raises(ValueError, match=name):
        Costs(**{name: float("nan")})
