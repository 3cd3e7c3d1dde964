"""The life of one order: its states, what may be learned about it, and one table from one to the next.

What we learn arrives in any order and more than once, so each state is a step on a ladder of evidence and an event only
ever climbs: the final state is a function of the set of events. The table doesn't know quantities; the ledger does.
"""

from enum import StrEnum


class OrderState(StrEnum):
    """Where an order is."""

    INTENT = "intent"  # decided and durable; may or may not have left us
    SENT = "sent"  # on its way, no answer yet
    UNKNOWN = "unknown"  # the answer is lost or unclear; its full exposure stays reserved
    OPEN = "open"
    PARTIALLY_FILLED = "partially_filled"
    FILLED = "filled"
    CANCELED = "canceled"
    REJECTED = "rejected"  # the venue said no, or has proved that it never arrived
    EXPIRED = "expired"


class OrderEvent(StrEnum):
    """What happened or was learned. All but SENT and AMBIGUOUS are the venue's evidence."""

    SENT = "sent"
    AMBIGUOUS = "ambiguous"
    ACKNOWLEDGED = "acknowledged"
    PARTLY_FILLED = "partly_filled"
    FILLED_IN_FULL = "filled_in_full"
    CANCELED = "canceled"
    REJECTED = "rejected"
    EXPIRED = "expired"


# Later rungs overrule earlier ones: life disproves a rejection, a full fill disproves a cancel.
_LADDER = (
    OrderState.INTENT,
    OrderState.SENT,
    OrderState.UNKNOWN,
    OrderState.REJECTED,
    OrderState.OPEN,
    OrderState.PARTIALLY_FILLED,
    OrderState.EXPIRED,
    OrderState.CANCELED,
    OrderState.FILLED,
)
_RUNG = {state: rung for rung, state in enumerate(_LADDER)}
_LEADS_TO = {
    OrderEvent.AMBIGUOUS: OrderState.UNKNOWN,
    OrderEvent.ACKNOWLEDGED: OrderState.OPEN,
    OrderEvent.PARTLY_FILLED: OrderState.PARTIALLY_FILLED,
    OrderEvent.FILLED_IN_FULL: OrderState.FILLED,
    OrderEvent.CANCELED: OrderState.CANCELED,
    OrderEvent.REJECTED: OrderState.REJECTED,
    OrderEvent.EXPIRED: OrderState.EXPIRED,
}
UNSETTLED = frozenset(
    {OrderState.INTENT, OrderState.SENT, OrderState.UNKNOWN, OrderState.OPEN, OrderState.PARTIALLY_FILLED}
)
SETTLED = frozenset(OrderState) - UNSETTLED


def _table() -> dict[tuple[OrderState, OrderEvent], OrderState]:
    """Every allowed pair. Missing on purpose: sending twice, and evidence about an order that never left."""
    table = {
        (OrderState.INTENT, OrderEvent.SENT): OrderState.SENT,
        (OrderState.INTENT, OrderEvent.AMBIGUOUS): OrderState.UNKNOWN,  # found after a crash
        (OrderState.INTENT, OrderEvent.REJECTED): OrderState.REJECTED,  # withdrawn before it was sent
    }
    for state in _LADDER[1:]:
        for event, target in _LEADS_TO.items():
            table[state, event] = max(state, target, key=_RUNG.__getitem__)
    return table


TRANSITIONS = _table()


def advance(state: OrderState, event: OrderEvent) -> OrderState:
    """The state after `event`; ValueError when the table doesn't know the pair."""
    try:
        return TRANSITIONS[state, event]
    except KeyError:
        raise ValueError(f"an order that is {state} can't be {event}") from None


def diagram() -> str:
    """The table as a mermaid diagram, for the documents: each way from one state to another, with what leads there."""
    ways: dict[tuple[OrderState, OrderState], list[OrderEvent]] = {}
    for (state, event), to in TRANSITIONS.items():
        if to is not state:
            ways.setdefault((state, to), []).append(event)
    lines = [f"    {state} --> {to} : {', '.join(events)}" for (state, to), events in ways.items()]
    ends = [f"    {state} --> [*]" for state in OrderState if state in SETTLED]
    return "\n".join(["stateDiagram-v2", f"    [*] --> {OrderState.INTENT}", *lines, *ends])
