"""When an account was managed, and by how many: judged from the venue's journal alone. Pure.

A probe that the venue accepted says: at this moment this epoch held the lease, was reconciled, and acted on a tick no
older than a second. It covers the second after it; what no probe covers is an outage.
"""

from collections import Counter
from collections.abc import Iterable, Sequence
from typing import NamedTuple

from benchmarks.venue_journal import PLACED, TESTED, Entry

COVER_MS = 1000.0
OK = 200
CLOCKS_DIFFER_MS = 20.0  # two processes on one machine, each with its own idea of the venue's clock


class Outage(NamedTuple):
    """Nobody managed the account from `start_ms` for `length_ms`."""

    start_ms: float
    length_ms: float


class Reign(NamedTuple):
    """What one epoch did."""

    epoch: int
    first_ms: float
    last_ms: float
    probes: int
    orders: int


def is_probe(entry: Entry) -> bool:
    """Does this line say that the account was managed?"""
    return entry.verb == TESTED and entry.status == OK and entry.epoch is not None and "-probe-" in entry.id


def outages(probes: Iterable[float], from_ms: float, to_ms: float, cover_ms: float = COVER_MS) -> list[Outage]:
    """The gaps that probes at these times leave between `from_ms` and `to_ms`."""
    found, covered_to = [], from_ms
    for moment in sorted(probes):
        if moment >= to_ms:
            break
        if moment > covered_to:
            found.append(Outage(covered_to, moment - covered_to))
        covered_to = max(covered_to, moment + cover_ms)
    if covered_to < to_ms:
        found.append(Outage(covered_to, to_ms - covered_to))
    return found


def share_managed(gaps: Iterable[Outage], from_ms: float, to_ms: float) -> float:
    """1.0 when there was no outage at all."""
    whole = to_ms - from_ms
    return 1.0 - sum(gap.length_ms for gap in gaps) / whole if whole > 0 else 0.0


def reigns(entries: Iterable[Entry]) -> list[Reign]:
    """Every epoch that sent anything, in the order in which they came."""
    found: dict[int, Reign] = {}
    for entry in entries:
        epoch = entry.epoch
        if epoch is None or entry.verb not in (PLACED, TESTED):
            continue
        old = found.get(epoch, Reign(epoch, entry.ms, entry.ms, 0, 0))
        found[epoch] = old._replace(
            last_ms=entry.ms, probes=old.probes + is_probe(entry), orders=old.orders + (entry.verb == PLACED)
        )
    return sorted(found.values(), key=lambda reign: reign.first_ms)


def two_traders(entries: Sequence[Entry]) -> tuple[list[str], int]:
    """Requests that an older epoch *sent* after a newer one had begun, per account; and how many were merely late.

    A dead process's last request may still arrive after its successor's first: it was sent before. That is not two
    traders; a request sent afterwards is.
    """
    newest: dict[str, tuple[int, float]] = {}
    found, late = [], 0
    for entry in entries:
        epoch = entry.epoch
        if epoch is None or entry.verb not in (PLACED, TESTED):
            continue
        highest, began = newest.get(entry.account, (epoch, entry.sent))
        if epoch < highest and entry.sent > began + CLOCKS_DIFFER_MS:
            found.append(
                f"{entry.account}: {entry.id} was sent {entry.sent - began:.0f} ms after epoch {highest} had begun"
            )
        elif epoch < highest:
            late += 1
        began = entry.sent if epoch > highest else min(began, entry.sent) if epoch == highest else began
        newest[entry.account] = (max(epoch, highest), began)
    return found, late


def accepted_twice(entries: Iterable[Entry]) -> list[str]:
    """Client order ids under which the venue accepted more than one order."""
    counted = Counter((entry.account, entry.id) for entry in entries if entry.verb == PLACED and entry.status == OK)
    return [f"{account}: {count} orders accepted as {name}" for (account, name), count in counted.items() if count > 1]
