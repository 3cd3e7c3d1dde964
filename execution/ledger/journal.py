"""What a ledger holds and its venue can't tell, once more in a plain file beside it: intents, cash flows, the opening
of the books and the trading state, one JSON line each. A ledger that is lost is built again from a backup, these lines
and the venue's trades (rebuild.py); nobody reads them otherwise.

An intent's line stands before its commit: where that fails it does no harm, since the venue knows no such order. Not
forced to disk. A disk that refuses costs the line, said in the log, and never the caller's work.
"""

import hashlib
import logging
import os
from collections.abc import Iterator, Mapping
from decimal import Decimal
from pathlib import Path

import msgspec

from execution.ledger.facts import TradingStateFact
from execution.vocabulary.orders import OrderRow

LOG = logging.getLogger("nae.ledger")
_HASHED = b',"hash":"'
_LETTERS = 16


class CashFlow(msgspec.Struct, frozen=True):
    """Money that came or went without a trade."""

    currency: str
    delta: Decimal
    kind: str
    note: str
    at_ms: int


class JournalLine(msgspec.Struct, frozen=True, omit_defaults=True):
    """One of: an `order` (the row of an intent, with its number), a cash flow, the books' opening, a trading state."""

    kind: str
    number: int = 0
    order: OrderRow | None = None
    cash: CashFlow | None = None
    swept: dict[str, str] = {}
    state: TradingStateFact | None = None


class Journal:
    """The journal of one ledger, as its writer adds to it."""

    def __init__(self, ledger: Path) -> None:
        self.path = journal_path(ledger)
        self._descriptor: int | None = None

    def intent(self, number: int, order: OrderRow) -> None:
        """An order about to be committed."""
        self._add(JournalLine("intent", number, order))

    def cash_flows(self, booked: Mapping[int, CashFlow]) -> None:
        """Cash flows by their numbers, once they are committed."""
        for number, flow in booked.items():
            self._add(JournalLine("cash_flow", number, cash=flow))

    def epoch(self, epoch: int) -> None:
        """A writer has taken the ledger over."""
        self._add(JournalLine("epoch", epoch))

    def opened(self, opened_ms: int, swept: Mapping[str, str]) -> None:
        """The books are open; their cash flows stand before."""
        self._add(JournalLine("opened", opened_ms, swept=dict(swept)))

    def trading_state(self, fact: TradingStateFact) -> None:
        """What the account may do from now on."""
        self._add(JournalLine("trading_state", state=fact))

    def _add(self, line: JournalLine) -> None:
        body = msgspec.json.encode(line)
        digest = hashlib.sha256(body).hexdigest()[:_LETTERS].encode()
        try:
            if self._descriptor is None:
                self._descriptor = os.open(self.path, os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC, 0o600)
            os.write(self._descriptor, b"\n" + body[:-1] + _HASHED + digest + b'"}')  # after whatever was torn
        except OSError as error:
            LOG.error("%s can't be written: %s", self.path, error.strerror)

    def begin_anew(self) -> None:
        """A backup has all that was written: it is kept once more, and a new file is begun."""
        self.close()
        if self.path.exists():
            self.path.rename(_former(self.path))

    def close(self) -> None:
        if self._descriptor is not None:
            os.close(self._descriptor)
            self._descriptor = None


def journal_path(ledger: Path) -> Path:
    """Where the journal of this ledger is."""
    return ledger.with_suffix(".journal")


def _former(path: Path) -> Path:
    return path.with_name(f"{path.name}.1")


def lines_of(ledger: Path) -> Iterator[JournalLine]:
    """All whole lines, oldest first; a torn or changed one is left out and said in the log."""
    for path in (_former(journal_path(ledger)), journal_path(ledger)):
        if path.exists():
            for number, line in enumerate(path.read_bytes().split(b"\n"), 1):
                if line and (read := _read(line)) is not None:
                    yield read
                elif line:
                    LOG.warning("%s:%d isn't a whole line", path, number)


def _read(line: bytes) -> JournalLine | None:
    body, found, digest = line.rpartition(_HASHED)
    if not found or hashlib.sha256(body + b"}").hexdigest()[:_LETTERS].encode() + b'"}' != digest:
        return None
    try:
        return msgspec.json.decode(body + b"}", type=JournalLine)
    except msgspec.MsgspecError:
        return None
