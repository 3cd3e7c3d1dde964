"""Prices that can't be true are refused; a real leap gets through when the venue says so twice."""

from decimal import Decimal

import pytest

from execution.exchange.price_sense import CONFIRMED_AFTER_S, PriceSense


def at(price: str) -> PriceSense:
    sense = PriceSense()
    assert sense.accepts(Decimal(price))
    return sense


@pytest.mark.parametrize("price", ["0", "-1", "NaN", "Infinity", "500", "20", "1001"])
def test_what_cannot_be_true_is_refused(price: str) -> None:
    sense = at("100")
    assert not sense.accepts(Decimal(price))
    assert sense.last == 100


@pytest.mark.parametrize("price", ["20.1", "50", "100", "499"])
def test_a_market_may_move_fast(price: str) -> None:
    sense = at("100")
    assert sense.accepts(Decimal(price))
    assert sense.doubted is None


def test_a_leap_gets_through_when_the_venue_says_so_twice_with_time_between() -> None:
    sense = at("100")
    assert not sense.accepts(Decimal(2000))
    assert sense.doubted == 2000
    assert not sense.answered(Decimal(2000), 10.0)
    assert not sense.answered(Decimal(2000), 10.0 + CONFIRMED_AFTER_S / 2)
    assert sense.answered(Decimal(2010), 10.0 + CONFIRMED_AFTER_S)
    assert (sense.accepts(Decimal(2020)), sense.leaps) == (True, 1)


def test_a_leap_that_the_venue_does_not_repeat_stays_refused() -> None:
    sense = at("100")
    for number in range(20):
        assert not sense.accepts(Decimal(2000))
        assert sense.answered(Decimal(101), float(number))
    assert sense.last == 101
    assert sense.leaps == 0


def test_two_answers_that_are_far_from_each_other_confirm_nothing() -> None:
    sense = at("100")
    assert not sense.accepts(Decimal(2000))
    assert not sense.answered(Decimal(2000), 0.0)
    assert not sense.answered(Decimal(90_000), 100.0)
    assert not sense.answered(Decimal(2000), 200.0)
    assert sense.last == 100
