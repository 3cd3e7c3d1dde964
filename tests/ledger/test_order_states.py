"""An order's final state is a function of what was learned, not of the order in which it was learned."""

import itertools
from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from execution.vocabulary.order_states import (
    SETTLED,
    TRANSITIONS,
    UNSETTLED,
    OrderEvent,
    OrderState,
    advance,
    diagram,
)
from tests.support import ROOT

LEARNED = [event for event in OrderEvent if event is not OrderEvent.SENT]


def after(events: list[OrderEvent], state: OrderState = OrderState.SENT) -> OrderState:
    for event in events:
        state = advance(state, event)
    return state


@given(st.lists(st.sampled_from(LEARNED), min_size=1, max_size=6), st.randoms())
def test_the_final_state_does_not_depend_on_the_order_of_events_nor_on_repetition(
    events: list[OrderEvent], random: Random
) -> None:
    shuffled = events * 2
    random.shuffle(shuffled)
    assert after(shuffled) == after(events)


@pytest.mark.parametrize("events", list(itertools.permutations(["acknowledged", "partly_filled", "canceled"])))
def test_a_cancel_racing_a_partial_fill_ends_canceled(events: list[OrderEvent]) -> None:
    assert after([OrderEvent(event) for event in events]) is OrderState.CANCELED


def test_a_late_full_fill_disproves_a_cancel_and_life_disproves_a_rejection() -> None:
    assert after([OrderEvent.CANCELED, OrderEvent.FILLED_IN_FULL]) is OrderState.FILLED
    assert after([OrderEvent.REJECTED, OrderEvent.PARTLY_FILLED]) is OrderState.PARTIALLY_FILLED
    assert after([OrderEvent.REJECTED, OrderEvent.ACKNOWLEDGED]) is OrderState.OPEN


def test_a_lost_reply_never_hides_what_was_learned_before_it() -> None:
    assert after([OrderEvent.ACKNOWLEDGED, OrderEvent.AMBIGUOUS]) is OrderState.OPEN
    assert after([OrderEvent.AMBIGUOUS]) is OrderState.UNKNOWN


@pytest.mark.parametrize("state", [state for state in OrderState if state is not OrderState.INTENT])
def test_nothing_is_sent_twice(state: OrderState) -> None:
    with pytest.raises(ValueError, match="can't be sent"):
        advance(state, OrderEvent.SENT)


@pytest.mark.parametrize("event", [OrderEvent.ACKNOWLEDGED, OrderEvent.FILLED_IN_FULL, OrderEvent.CANCELED])
def test_an_order_that_never_left_cannot_be_known_to_the_venue(event: OrderEvent) -> None:
    with pytest.raises(ValueError, match="an order that is intent"):
        advance(OrderState.INTENT, event)


def test_only_evidence_leaves_unknown() -> None:
    leaving = {event for (state, event), to in TRANSITIONS.items() if state is OrderState.UNKNOWN and to is not state}
    assert leaving == set(LEARNED) - {OrderEvent.AMBIGUOUS}


def test_every_state_is_either_settled_or_not() -> None:
    assert set(OrderState) == SETTLED | UNSETTLED
    assert not SETTLED & UNSETTLED


EVENTS = "sent ambiguous acknowledged partly_filled filled_in_full canceled rejected expired"
EDGES = """
    intent            sent  unknown           -                 -                 -       -         rejected          -
    sent              -     unknown           open              partially_filled  filled  canceled  rejected          expired
    unknown           -     unknown           open              partially_filled  filled  canceled  rejected          expired
    rejected          -     rejected          open              partially_filled  filled  canceled  rejected          expired
    open              -     open              open              partially_filled  filled  canceled  open              expired
    partially_filled  -     partially_filled  partially_filled  partially_filled  filled  canceled  partially_filled  expired
    expired           -     expired           expired           expired           filled  canceled  expired           expired
    canceled          -     canceled          canceled          canceled          filled  canceled  canceled          canceled
    filled            -     filled            filled            filled            filled  filled    filled            filled
"""  # noqa: E501


def test_every_edge_leads_where_it_is_written_and_every_missing_one_raises() -> None:
    walked = 0
    for line in EDGES.strip().splitlines():
        state, *targets = line.split()
        for event, to in zip(EVENTS.split(), targets, strict=True):
            walked += 1
            if to == "-":
                with pytest.raises(ValueError, match=f"an order that is {state} can't be {event}"):
                    advance(OrderState(state), OrderEvent(event))
            else:
                assert advance(OrderState(state), OrderEvent(event)) is OrderState(to), (state, event)
    assert walked == len(OrderState) * len(OrderEvent)


def test_the_diagram_in_the_architecture_is_the_one_the_table_makes() -> None:
    text = (ROOT / "ARCHITECTURE.md").read_text()
    assert f"```mermaid\n{diagram()}\n```" in text, "put the output of order_states.diagram() there"
    moving = {(state, to) for (state, _), to in TRANSITIONS.items() if to is not state}
    assert diagram().count("-->") == 1 + len(moving) + len(SETTLED)
