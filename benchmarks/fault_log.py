"""What a storm did, and what came of it: which outage belongs to which fault, and how long each kind of fault left the
live account alone. Pure, but for reading and writing the log."""

import json
from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

from benchmarks.availability import Outage, Reign
from benchmarks.spread import Spread

NOTHING_BEFORE = "no fault"
ACTIVE, STANDBY = "active", "standby"


@dataclass(frozen=True)
class Fault:
    """One signal to one process. `role` tells the two live traders apart; times are ms since 1970."""

    ms: float
    victim: str
    role: str
    signal: str
    pid: int

    @property
    def kind(self) -> str:
        """What is told apart in the table."""
        name = "live trader" if self.role else self.victim
        return f"{self.signal} {name}{f', {self.role}' if self.role else ''}"


@dataclass(frozen=True)
class Row:
    """All faults of one kind. `outage` and `again` are in ms: how long unmanaged, and from the fault to managed."""

    kind: str
    faults: int
    outages: int
    total_ms: float
    outage: Spread | None
    again: Spread | None


def write(path: Path, fault: Fault) -> None:
    """One line more."""
    with path.open("a") as file:
        file.write(json.dumps(asdict(fault)) + "\n")


def attribute(faults: Sequence[Fault], outages: Iterable[Outage]) -> list[tuple[Fault | None, Outage]]:
    """Each outage with the last fault before it began: a probe covers a second, so the cause lies before its start."""
    found: list[tuple[Fault | None, Outage]] = []
    for outage in outages:
        before = [fault for fault in faults if fault.ms <= outage.start_ms]
        found.append((before[-1] if before else None, outage))
    return found


def managed_again_ms(fault: Fault, outage: Outage | None, reigns: Iterable[Reign]) -> float | None:
    """From the fault to the live account managed again; None for a fault that didn't end anybody's reign.

    Who kills the trader or supervisord ends a reign, with or without an outage: then the heir's first probe counts.
    """
    if fault.victim == "supervisord" or fault.role == ACTIVE:
        return min((reign.first_ms - fault.ms for reign in reigns if reign.first_ms > fault.ms), default=None)
    return outage.start_ms + outage.length_ms - fault.ms if outage else None


def table(faults: Sequence[Fault], outages: Sequence[Outage], reigns: Sequence[Reign]) -> list[Row]:
    """One row for each kind of fault, the costliest first."""
    caused = {fault: outage for fault, outage in attribute(faults, outages) if fault}
    lengths: dict[str, list[float]] = defaultdict(list)
    again: dict[str, list[float]] = defaultdict(list)
    counted = Counter(fault.kind for fault in faults)
    for fault, outage in attribute(faults, outages):
        lengths[fault.kind if fault else NOTHING_BEFORE].append(outage.length_ms)
    for fault in faults:
        took = managed_again_ms(fault, caused.get(fault), reigns)
        if took is not None:
            again[fault.kind].append(took)
    kinds = sorted({*counted, *lengths})
    rows = [
        Row(
            kind,
            counted[kind],
            len(lengths[kind]),
            sum(lengths[kind]),
            Spread.of(lengths[kind]),
            Spread.of(again[kind]),
        )
        for kind in kinds
    ]
    return sorted(rows, key=lambda row: -row.total_ms)
