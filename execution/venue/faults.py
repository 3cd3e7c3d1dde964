"""How the venue misbehaves when it is told to: lost replies, cut connections, delays, by plan or by seed. For drills
and tests only; without a Faults object it behaves. It decides what goes wrong; the REST door does it."""

from collections import deque
from collections.abc import Mapping
from enum import StrEnum
from random import Random


class Fault(StrEnum):
    """What goes wrong with one signed request. After all but DELAY the client can't know whether it was executed."""

    REFUSE_504 = "refuse_504"  # not executed, answered 504
    EXECUTE_504 = "execute_504"  # executed, answered 504
    CUT = "cut"  # not executed, connection cut
    EXECUTE_CUT = "execute_cut"  # executed, connection cut
    DELAY = "delay"  # held up inside the venue before matching; recvWindow decides whether it still executes
    LATE_REPLY = "late_reply"  # executed at once, answered late


EXECUTED = (Fault.EXECUTE_504, Fault.EXECUTE_CUT, Fault.LATE_REPLY, Fault.DELAY)
UNANSWERED = (Fault.REFUSE_504, Fault.EXECUTE_504)
CUT_OFF = (Fault.CUT, Fault.EXECUTE_CUT)


class Faults:
    """What goes wrong next. Planned faults come first, one per matching request; then chance, by seed."""

    def __init__(self, seed: int = 0, rates: Mapping[Fault, float] | None = None, delay_s: float = 6.0) -> None:
        """`rates`: the share of requests (0 to 1) that each fault befalls."""
        self.delay_s = delay_s
        self.happened: list[tuple[str, Fault]] = []
        self._random = Random(seed)
        self._rates = dict(rates or {})
        self._planned: dict[str, deque[Fault]] = {}

    def plan(self, request: str, *faults: Fault) -> None:
        """Befall the next requests of a kind, such as "POST /api/v3/order", one fault each."""
        self._planned.setdefault(request, deque()).extend(faults)

    def next(self, request: str) -> Fault | None:
        """What befalls this request, if anything."""
        planned = self._planned.get(request)
        fault = planned.popleft() if planned else self._by_chance()
        if fault is not None:
            self.happened.append((request, fault))
        return fault

    def _by_chance(self) -> Fault | None:
        if not self._rates:
            return None
        draw = self._random.random()
        for fault, rate in self._rates.items():
            if draw < rate:
                return fault
            draw -= rate
        return None
