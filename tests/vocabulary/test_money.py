"""Amounts: parsed without loss, rounded to a venue's steps, printed so that every venue reads them."""

import re
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from execution.vocabulary.money import amount, ceil_to_step, floor_to_step, text

STEPS = st.sampled_from(
    [Decimal(step) for step in ("0.00000001", "0.00001", "0.001", "0.01", "0.5", "1", "10", "0.25")]
)
AMOUNTS = st.decimals(min_value=0, max_value=10**9, allow_nan=False, allow_infinity=False, places=8)
ANY_AMOUNT = st.decimals(allow_nan=False, allow_infinity=False, min_value=-(10**12), max_value=10**12)


@given(AMOUNTS, STEPS)
def test_the_floor_is_the_largest_multiple_that_isnt_above(value: Decimal, step: Decimal) -> None:
    floor = floor_to_step(value, step)
    assert floor <= value < floor + step
    assert floor % step == 0


@given(AMOUNTS, STEPS)
def test_the_ceiling_is_the_smallest_multiple_that_isnt_below(value: Decimal, step: Decimal) -> None:
    ceiling = ceil_to_step(value, step)
    assert ceiling - step < value <= ceiling
    assert ceiling % step == 0


@given(AMOUNTS, STEPS)
def test_rounding_twice_is_rounding_once(value: Decimal, step: Decimal) -> None:
    assert floor_to_step(floor_to_step(value, step), step) == floor_to_step(value, step)
    assert ceil_to_step(floor_to_step(value, step), step) == floor_to_step(value, step)


@given(ANY_AMOUNT)
def test_text_reads_back_as_the_same_amount(value: Decimal) -> None:
    assert amount(text(value)) == value


@given(ANY_AMOUNT)
def test_text_has_no_exponent_no_trailing_zero_and_no_minus_zero(value: Decimal) -> None:
    printed = text(value)
    assert re.fullmatch(r"-?\d+(\.\d*[1-9])?", printed), printed
    assert printed != "-0"


@pytest.mark.parametrize(
    ("value", "printed"),
    [("1E-3", "0.001"), ("1E+3", "1000"), ("0.10", "0.1"), ("-0", "0"), ("0E-8", "0"), ("-0.00", "0"), ("100", "100")],
)
def test_text_prints_plainly(value: str, printed: str) -> None:
    assert text(Decimal(value)) == printed


@pytest.mark.parametrize("value", ["nan", "inf", "-inf", "sNaN"])
def test_what_isnt_finite_is_no_amount(value: str) -> None:
    with pytest.raises(ValueError, match="finite"):
        amount(value)


@given(st.text(max_size=12))
def test_any_text_is_an_amount_or_a_value_error(value: str) -> None:
    try:
        assert amount(value).is_finite()
    except ValueError as error:
        assert "amount" in str(error)
