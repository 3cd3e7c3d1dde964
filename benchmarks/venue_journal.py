"""The venue's journal as others read it: every line of all its files in order, on one time line. Writes nothing."""

import re
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any, NamedTuple

import orjson

KEPT = 9  # at most so many predecessors are looked for
OUTCOMES = ("order", "trade")  # what came of requests, and of the market: the store's side of it
_OURS = re.compile(r"([0-9a-z]+)-[0-9a-z]+-[0-9a-z]+")  # epoch, number or "probe", tag or the probe's number
PLACED, TESTED = "POST order", "POST order/test"


class Entry(NamedTuple):
    """One line. `ms` is on a time line of its own: real time at the journal's first line, and from there on by the
    machine's monotonic clock, so that no step of the wall clock moves it. `sent` is the request's own timestamp."""

    ms: float
    event: str  # "up", "down", or "" for a request
    account: str
    verb: str
    id: str
    sent: float
    status: int
    order: int | None
    mono: float = 0.0  # the machine's monotonic clock, ms, for measures exact to less than one

    @property
    def epoch(self) -> int | None:
        """The epoch in the client order id; None when it isn't one of ours."""
        return epoch_of(self.id)


def epoch_of(client_id: str) -> int | None:
    """The number before the first dash, in base 36, where an id has the three parts of ours: somebody else's, such as
    ccxt's x-..., says nothing of an epoch."""
    ours = _OURS.fullmatch(client_id)
    return int(ours[1], 36) if ours else None


def read(folder: Path, name: str = "journal.jsonl") -> tuple[list[Entry], int]:
    """All entries in the folder of a venue, oldest first, and how many lines couldn't be read."""
    files = [*(folder / f"{name}.{number}" for number in range(KEPT, 0, -1)), folder / name]
    lines = [line for file in files if file.exists() for line in file.read_bytes().split(b"\n") if line.strip()]
    rows = list(rows_of(lines))
    return list(entries(rows)), len(lines) - len(rows)


def rows_of(lines: Iterable[bytes]) -> Iterator[dict[str, Any]]:
    """Every line that can be read."""
    for line in lines:
        try:
            row = orjson.loads(line)
        except orjson.JSONDecodeError:
            continue  # counted by the caller
        if isinstance(row, dict) and "at" in row and "mono" in row:
            yield row


def entries(rows: Iterable[dict[str, Any]]) -> Iterator[Entry]:
    """Rows on the time line. After a reboot the monotonic clock begins anew: the wall clock bridges the gap."""
    shift, last = None, 0.0
    for row in rows:
        mono = float(row["mono"])
        if shift is None or mono < last:
            shift = float(row["at"]) - mono
        last = mono
        if row.get("event") in OUTCOMES:
            continue
        sent = float(row.get("sent") or row["at"])
        yield Entry(
            ms=mono + shift,
            event=str(row.get("event") or ""),
            account=str(row.get("account") or ""),
            verb=str(row.get("verb") or ""),
            id=str(row.get("id") or ""),
            sent=sent,
            status=int(row.get("status") or 0),
            order=row.get("order"),
            mono=mono,
        )
