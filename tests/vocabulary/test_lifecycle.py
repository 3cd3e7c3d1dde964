"""The lifecycles are their tables: every pair in them works, every other pair raises."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from execution.vocabulary import order_states
from execution.vocabulary.health import HealthStatus, worst
from execution.vocabulary.lifecycle import (
    PROCESS_TRANSITIONS,
    ProcessState,
    TradingState,
    advance,
    diagram,
    entries_allowed,
)
from execution.vocabulary.order_states import SETTLED, TRANSITIONS, UNSETTLED, OrderEvent, OrderState
from tests.support import ROOT

STATES = st.sampled_from(ProcessState)


@given(STATES, STATES)
def test_a_process_goes_only_where_its_table_leads(state: ProcessState, to: ProcessState) -> None:
    if to is state or to in PROCESS_TRANSITIONS[state]:
        assert advance(state, to) is to
    else:
        with pytest.raises(ValueError, match=f"from {state} to {to}"):
            advance(state, to)


def test_the_diagram_in_the_architecture_is_the_one_the_table_makes() -> None:
    text = (ROOT / "ARCHITECTURE.md").read_text()
    assert f"```mermaid\n{diagram()}\n```" in text, "put the output of lifecycle.diagram() there"
    assert diagram().count("-->") == 1 + sum(len(targets) for targets in PROCESS_TRANSITIONS.values())


def test_every_process_state_is_in_the_table_and_can_be_left() -> None:
    assert set(PROCESS_TRANSITIONS) == set(ProcessState)
    assert all(PROCESS_TRANSITIONS.values())


def test_running_comes_only_after_ready() -> None:
    ways = {state for state, targets in PROCESS_TRANSITIONS.items() if ProcessState.RUNNING in targets}
    assert ways == {ProcessState.READY}, "alive is not ready, ready is not running"


@pytest.mark.parametrize("state", ProcessState)
def test_every_living_process_can_fail(state: ProcessState) -> None:
    if state not in (ProcessState.STOPPED, ProcessState.FAILED):
        assert advance(state, ProcessState.FAILED) is ProcessState.FAILED


@pytest.mark.parametrize("state", TradingState)
def test_only_an_active_account_takes_entries(state: TradingState) -> None:
    assert entries_allowed(state) is (state is TradingState.ACTIVE)


@given(st.sampled_from(OrderState), st.sampled_from(OrderEvent))
def test_an_order_goes_only_where_its_table_leads(state: OrderState, event: OrderEvent) -> None:
    if (state, event) in TRANSITIONS:
        assert order_states.advance(state, event) is TRANSITIONS[state, event]
    else:
        with pytest.raises(ValueError, match=f"{state} can't be {event}"):
            order_states.advance(state, event)


@given(st.lists(st.sampled_from([event for event in OrderEvent if event is not OrderEvent.SENT]), max_size=8))
def test_evidence_about_an_order_leads_to_the_same_state_in_any_order_of_arrival(events: list[OrderEvent]) -> None:
    ends = set()
    for arrival in (events, events[::-1], sorted(events), events + events):
        state = OrderState.SENT
        for event in arrival:
            state = order_states.advance(state, event)
        ends.add(state)
    assert len(ends) == 1


def test_no_order_is_ever_sent_twice() -> None:
    assert [state for state, event in TRANSITIONS if event is OrderEvent.SENT] == [OrderState.INTENT]


def test_every_order_state_is_settled_or_unsettled() -> None:
    assert set(OrderState) == SETTLED | UNSETTLED
    assert not SETTLED & UNSETTLED
    assert OrderState.UNKNOWN in UNSETTLED, "an unknown order reserves its exposure"


@given(st.lists(st.sampled_from(HealthStatus)))
def test_the_worst_status_is_no_better_than_any(statuses: list[HealthStatus]) -> None:
    order = list(HealthStatus)
    assert all(order.index(worst(statuses)) >= order.index(status) for status in statuses)
    assert worst(statuses) in statuses or not statuses
    assert worst([]) is HealthStatus.HEALTHY
