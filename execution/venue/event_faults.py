"""What a faulty venue does with an event on its way to a listener: loses it, sends it twice, late, after the next one,
or with wrong prices. The one place where events go wrong; which do is decided in faults.py."""

import asyncio
from collections.abc import Callable
from weakref import WeakKeyDictionary

from execution.runtime.clock import Clock
from execution.venue.connection import Connection
from execution.venue.fault_kinds import EVENTS, WRONG_PRICES, Fault
from execution.venue.faults import Faults
from execution.venue.wrong_prices import with_wrong_prices

Deliver = Callable[[Connection, str, bytes], None]


def deliver(connection: Connection, subject: str, message: bytes) -> None:
    """As it should be: every event, once, in order."""
    connection.offer(message)


class EventFaults:
    """The faults that befall events, per listener."""

    def __init__(self, faults: Faults, clock: Clock) -> None:
        self._faults = faults
        self._clock = clock
        self._held: WeakKeyDictionary[Connection, list[bytes]] = WeakKeyDictionary()
        self._late: set[asyncio.Task[None]] = set()

    def deliver(self, connection: Connection, subject: str, message: bytes) -> None:
        """Send an event, if it is sent."""
        rule = self._faults.pick(EVENTS, subject)
        fault = rule.fault if rule is not None else None
        if rule is not None and fault is Fault.DELAY_EVENT:
            task = asyncio.create_task(self._send_late(connection, message, rule.seconds))
            self._late.add(task)
            task.add_done_callback(self._late.discard)
            return
        if fault is Fault.DROP_EVENT:
            return
        if fault is Fault.SWAP_EVENTS:
            self._held.setdefault(connection, []).append(message)
            return
        if rule is not None and rule.fault in WRONG_PRICES:
            message = with_wrong_prices(message, rule.fault, rule.amount)
        for one in (message, *self._held.pop(connection, ())):
            connection.offer(one)
        if fault is Fault.DUPLICATE_EVENT:
            connection.offer(message)

    async def _send_late(self, connection: Connection, message: bytes, seconds: float) -> None:
        await self._clock.sleep(seconds)
        connection.offer(message)
