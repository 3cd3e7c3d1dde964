"""What refused orders teach: a least order value, and which symbols to leave alone; never for ever."""

from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from execution.learning.order_failures import (
    HELD_LONGEST_MS,
    HELD_MS,
    QUARANTINE_LONGEST_MS,
    QUARANTINE_MS,
    Minimum,
    Refusal,
    Refusals,
    minimum_after,
    minimum_at,
    minimum_unless,
    refusal_of,
    refused_again,
)

DECLARED = Decimal(5)


@pytest.mark.parametrize(
    ("note", "meant"),
    [
        ("-1013 Filter failure: NOTIONAL", Refusal.TOO_SMALL),
        ("-1013 Filter failure: MIN_NOTIONAL", Refusal.TOO_SMALL),
        ("-1013 Filter failure: LOT_SIZE", Refusal.LOT),
        ("-1013 Filter failure: MARKET_LOT_SIZE", Refusal.LOT),
        ("-1013 Filter failure: PRICE_FILTER", Refusal.PRICE),
        ("-1013 Filter failure: PERCENT_PRICE_BY_SIDE", Refusal.PRICE),
        ("-1013 Filter failure: MAX_NUM_ORDERS", Refusal.LIMITS),
        ("-2010 Market is closed.", Refusal.OTHER),
        ("-2010 Account has insufficient balance for requested action.", Refusal.BALANCE),
        ("-1003 Too many requests", Refusal.LIMITS),
        ("-1021 Timestamp for this request is outside of the recvWindow.", Refusal.ACCOUNT),
        ("HTTP 503 ServiceUnavailable", Refusal.LINE),
        ("ECONNREFUSED", Refusal.LINE),
        ("", Refusal.LINE),
    ],
)
def test_the_venues_words_are_understood(note: str, meant: Refusal) -> None:
    assert refusal_of(note) is meant


def test_a_refused_order_teaches_a_little_more_than_itself_for_an_hour_and_longer_each_time() -> None:
    first = minimum_after(None, Decimal(6), DECLARED, 0)
    assert first == Minimum(Decimal("6.6"), 1, HELD_MS)
    assert minimum_at(first, HELD_MS - 1) == Decimal("6.6")
    assert minimum_at(first, HELD_MS) == 0, "it is tried again"
    second = minimum_after(first, Decimal("5.5"), DECLARED, HELD_MS)
    assert second == Minimum(Decimal("6.6"), 2, 3 * HELD_MS), "confirmed: it holds twice as long, and never less"


def test_an_order_far_above_the_venues_own_least_was_not_refused_for_being_small() -> None:
    assert minimum_after(None, Decimal(101), DECLARED, 0) is None
    assert minimum_after(None, Decimal("NaN"), DECLARED, 0) is None


def test_a_smaller_order_that_is_taken_shows_that_the_lesson_was_wrong() -> None:
    lesson = Minimum(Decimal(7), 1, HELD_MS)
    assert minimum_unless(lesson, Decimal(8)) is lesson
    assert minimum_unless(lesson, Decimal(6)) is None


@given(st.lists(st.decimals(0, 1000, places=2), max_size=20))
def test_no_lesson_asks_for_far_more_than_the_venue_does_or_holds_for_ever(
    refused: list[Decimal],
) -> None:
    known = None
    for value in refused:
        known = minimum_after(known, value, DECLARED, 0)
    assert minimum_at(known, 0) <= DECLARED * 20 * Decimal("1.1")
    assert minimum_at(known, HELD_LONGEST_MS) == 0


def test_three_refusals_in_a_row_leave_a_symbol_alone_and_after_that_each_one_twice_as_long_up_to_a_day() -> None:
    rows, waits = Refusals(), []
    for _ in range(12):
        rows, wait = refused_again(rows)
        waits.append(wait)
    assert waits[:5] == [0, 0, QUARANTINE_MS, 2 * QUARANTINE_MS, 4 * QUARANTINE_MS]
    assert waits[-1] == QUARANTINE_LONGEST_MS
