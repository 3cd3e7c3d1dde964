"""The durable steps of an order's life, by name: where a crash leaves something half done. Nobody listens in
production; whoever proves recovery listens, and ends the process at a step. Decides nothing, keeps nothing.

Every commit of the ledger is reached twice: `written`, when all is in the transaction and nothing is durable, and
`durable`, when it is and nobody has acted on it yet.
"""

from collections.abc import Callable

WRITTEN, DURABLE = "written", "durable"
COMMITS = (  # of the ledger
    "epoch",
    "opening",
    "intent",
    "order",
    "fills",
    "cash_flows",
    "lot_steps",
    "trading_state",
    "reconciliation",
    "runtime_state",
)
ORDER_STEPS = ("intent_durable", "leaving", "reply_read", "fills_recorded")  # on an order's way to the venue and back
STEPS = (*(f"{commit} {moment}" for commit in COMMITS for moment in (WRITTEN, DURABLE)), *ORDER_STEPS)

Listener = Callable[[str], None]
_listeners: list[Listener] = []


def listen(listener: Listener | None) -> None:
    """From now on tell `listener`, and nobody else; None: nobody."""
    _listeners[:] = [] if listener is None else [listener]


def reached(step: str) -> None:
    """A step has been reached."""
    for listener in _listeners:
        listener(step)
